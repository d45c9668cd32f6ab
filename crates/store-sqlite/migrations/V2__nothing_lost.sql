-- What lists and feeds say, listings that went away, and what people decide about quarantined rows.
-- The rules of the first store hold in every table.

-- SQLite cannot change the CHECK of a column, and a run may now be a retry: the table is made anew.
-- The program switches foreign keys off around migrations, since dropping a table would otherwise
-- count as deleting every row that others point to.
CREATE TABLE new_run (
  run_id TEXT NOT NULL PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source,
  status TEXT NOT NULL
    CHECK (status IN ('queued', 'running', 'success', 'partial', 'failed', 'abandoned')),
  reason TEXT NOT NULL CHECK (reason IN ('schedule', 'manual', 'replay', 'retry')),
  received INTEGER NOT NULL DEFAULT 0,
  inserted INTEGER NOT NULL DEFAULT 0 CHECK (inserted >= 0),
  updated INTEGER NOT NULL DEFAULT 0 CHECK (updated >= 0),
  unchanged INTEGER NOT NULL DEFAULT 0 CHECK (unchanged >= 0),
  stale INTEGER NOT NULL DEFAULT 0 CHECK (stale >= 0),
  duplicate INTEGER NOT NULL DEFAULT 0 CHECK (duplicate >= 0),
  quarantined INTEGER NOT NULL DEFAULT 0 CHECK (quarantined >= 0),
  pages INTEGER NOT NULL DEFAULT 0 CHECK (pages >= 0),
  requests INTEGER NOT NULL DEFAULT 0 CHECK (requests >= 0),
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  completed_at INTEGER,
  error TEXT,
  -- What its source was set to when it began, without secrets (JSON): replay reads its pages so. NULL
  -- before the start, and for runs of the first store.
  options TEXT CHECK (options IS NULL OR (started_at IS NOT NULL AND json_valid(options))),
  CHECK (received = inserted + updated + unchanged + stale + duplicate + quarantined),
  CHECK ((completed_at IS NULL) = (status IN ('queued', 'running')))
) STRICT, WITHOUT ROWID;
INSERT INTO new_run (run_id, source_id, status, reason, received, inserted, updated, unchanged, stale,
                     duplicate, quarantined, pages, requests, created_at, started_at, completed_at,
                     error)
  SELECT run_id, source_id, status, reason, received, inserted, updated, unchanged, stale,
         duplicate, quarantined, pages, requests, created_at, started_at, completed_at, error
  FROM run;
DROP TABLE run;
ALTER TABLE new_run RENAME TO run;
CREATE UNIQUE INDEX run_open ON run (source_id) WHERE status IN ('queued', 'running');
CREATE INDEX run_newest ON run (created_at, run_id);
CREATE INDEX run_of_source ON run (source_id, created_at, run_id);

-- Complete sweeps in a row that a listing is missing from; at three it is no longer active.
ALTER TABLE listing ADD COLUMN missed INTEGER NOT NULL DEFAULT 0
  CHECK (missed BETWEEN 0 AND 3 AND (missed < 3 OR active = 0));
-- When its source listed it last, known only of a listing that is missing.
ALTER TABLE listing ADD COLUMN last_seen_at INTEGER
  CHECK ((last_seen_at IS NULL) = (missed = 0));

-- What lists say of a listing: each endpoint for itself, and where one makes several statements, each
-- part. `listing.contracts` is the union over all of them.
CREATE TABLE evidence (
  listing_id INTEGER NOT NULL REFERENCES listing,
  endpoint TEXT NOT NULL CHECK (endpoint <> '' AND instr(endpoint, char(0)) = 0),
  part TEXT NOT NULL CHECK (instr(part, char(0)) = 0),
  symbol TEXT CHECK (instr(symbol, char(0)) = 0),
  name TEXT CHECK (instr(name, char(0)) = 0),
  -- JSON; NULL where the statement names none.
  contracts TEXT CHECK (json_valid(contracts) AND instr(contracts, char(0)) = 0),
  -- NULL where the list does not say.
  active INTEGER CHECK (active IN (0, 1)),
  -- XXH3-64 of what it says, its 64 bits read as a signed number.
  content_hash INTEGER NOT NULL,
  page_id INTEGER NOT NULL REFERENCES page,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  first_seen_at INTEGER NOT NULL,
  fetched_at INTEGER NOT NULL,
  PRIMARY KEY (listing_id, endpoint, part)
) STRICT, WITHOUT ROWID;

-- The last complete sweep of each source: what was on it was listed then.
CREATE TABLE sweep (
  source_id INTEGER PRIMARY KEY REFERENCES source,
  swept_at INTEGER NOT NULL
) STRICT;

CREATE TABLE news (
  news_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  feed TEXT NOT NULL CHECK (feed <> '' AND instr(feed, char(0)) = 0),
  item_id TEXT NOT NULL CHECK (item_id <> '' AND instr(item_id, char(0)) = 0),
  title TEXT NOT NULL CHECK (instr(title, char(0)) = 0),
  link TEXT CHECK (instr(link, char(0)) = 0),
  summary TEXT CHECK (instr(summary, char(0)) = 0),
  author TEXT CHECK (instr(author, char(0)) = 0),
  published_at INTEGER,
  content_hash INTEGER NOT NULL,
  page_id INTEGER NOT NULL REFERENCES page,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  first_seen_at INTEGER NOT NULL,
  fetched_at INTEGER NOT NULL,
  -- By which news is ordered; computed, so that it cannot contradict what it is made of.
  newest_at INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(published_at, first_seen_at)) VIRTUAL,
  UNIQUE (source_id, feed, item_id)
) STRICT;
CREATE INDEX news_newest ON news (newest_at, news_id);

-- A row is quarantined once for each request that brings its body: the key of the first store was body
-- and ordinal, so that of two requests that brought equal bytes the second lost its rows. The request
-- stands in the page, and pages do not change.
CREATE TABLE new_quarantine (
  quarantine_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  body_id INTEGER NOT NULL REFERENCES raw_body,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  -- The page and the run that met the row first.
  page_id INTEGER NOT NULL REFERENCES page,
  run_id TEXT NOT NULL REFERENCES run,
  external_id TEXT CHECK (instr(external_id, char(0)) = 0),
  reason TEXT NOT NULL,
  field TEXT NOT NULL CHECK (instr(field, char(0)) = 0),
  value TEXT NOT NULL CHECK (instr(value, char(0)) = 0),
  rule TEXT NOT NULL,
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'loaded', 'discarded')),
  first_seen_at INTEGER NOT NULL,
  UNIQUE (source_id, body_id, ordinal, page_id)
) STRICT;
INSERT INTO new_quarantine SELECT * FROM quarantine ORDER BY quarantine_id;
-- Rows that the old key lost: those of the first page of another request, where its batches count as
-- many as the body holds. What was found in the same bytes holds for it too.
INSERT INTO new_quarantine (source_id, body_id, ordinal, page_id, run_id, external_id, reason, field,
                            value, rule, first_seen_at)
  SELECT kept.source_id, kept.body_id, kept.ordinal, lost.page_id, lost.run_id, kept.external_id,
         kept.reason, kept.field, kept.value, kept.rule, lost.fetched_at
  FROM quarantine AS kept
  JOIN page AS met ON met.page_id = kept.page_id
  JOIN page AS lost ON lost.source_id = kept.source_id AND lost.body_id = kept.body_id
  WHERE lost.request <> met.request AND kept.ordinal < lost.rows_done
    AND NOT EXISTS (
      SELECT 1 FROM page AS earlier
      WHERE earlier.source_id = lost.source_id AND earlier.body_id = lost.body_id
        AND earlier.request = lost.request AND earlier.page_id < lost.page_id)
    AND (SELECT sum(quarantined) FROM batch WHERE batch.page_id = lost.page_id)
      = (SELECT count(*) FROM quarantine AS held
         WHERE held.source_id = lost.source_id AND held.body_id = lost.body_id
           AND held.ordinal < lost.rows_done)
  ORDER BY lost.page_id, kept.ordinal;
DROP TABLE quarantine;
ALTER TABLE new_quarantine RENAME TO quarantine;
CREATE INDEX quarantine_open ON quarantine (source_id, reason) WHERE status = 'open';
-- Texts are compared, not hashes of them: two requests with one hash would share their rows.
CREATE TRIGGER quarantine_once BEFORE INSERT ON quarantine
  WHEN EXISTS (
    SELECT 1 FROM quarantine AS kept JOIN page AS met ON met.page_id = kept.page_id
    WHERE kept.source_id = new.source_id AND kept.body_id = new.body_id
      AND kept.ordinal = new.ordinal
      AND met.request = (SELECT request FROM page WHERE page_id = new.page_id))
  BEGIN SELECT raise(ABORT, 'a row is quarantined once for each request and body'); END;

-- Pages of a run, asked for after a crash.
CREATE INDEX page_of_run ON page (run_id, page_id);

-- What people decided. Rows are only ever added.
CREATE TABLE decision (
  decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('retry', 'discard')),
  source_id INTEGER NOT NULL REFERENCES source,
  -- JSON: page and ordinal of each row, sorted.
  page_rows TEXT NOT NULL CHECK (json_valid(page_rows)),
  who TEXT NOT NULL CHECK (instr(who, char(0)) = 0),
  why TEXT NOT NULL CHECK (instr(why, char(0)) = 0),
  decided_at INTEGER NOT NULL,
  -- The newest page then, 0 where there was none: replay decides at the same place.
  after_page INTEGER NOT NULL CHECK (after_page >= 0),
  run_id TEXT REFERENCES run,
  CHECK ((run_id IS NOT NULL) = (kind = 'retry'))
) STRICT;
CREATE TRIGGER decision_kept BEFORE DELETE ON decision
  BEGIN SELECT raise(ABORT, 'a decision is never deleted'); END;
CREATE TRIGGER decision_stands BEFORE UPDATE ON decision
  BEGIN SELECT raise(ABORT, 'a decision is never changed'); END;

-- A batch of quarantined rows does not count towards its page.
ALTER TABLE batch ADD COLUMN retry INTEGER NOT NULL DEFAULT 0 CHECK (retry IN (0, 1));
-- How many ids from `first_new_id` on it gave: `inserted` counts news too.
ALTER TABLE batch ADD COLUMN new_listings INTEGER NOT NULL DEFAULT 0
  CHECK (new_listings BETWEEN 0 AND inserted);
UPDATE batch SET new_listings = inserted WHERE first_new_id IS NOT NULL;

-- With foreign keys off nothing else would notice a row that points nowhere now: the migration fails.
CREATE TABLE migrated (dangling INTEGER NOT NULL CHECK (dangling = 0)) STRICT;
INSERT INTO migrated (dangling)
  SELECT (SELECT count(*) FROM pragma_foreign_key_check('run'))
       + (SELECT count(*) FROM pragma_foreign_key_check('page'))
       + (SELECT count(*) FROM pragma_foreign_key_check('quarantine'))
       + (SELECT count(*) FROM pragma_foreign_key_check('batch'));
DROP TABLE migrated;
