-- What has changed upstream, what is unusual, how much of an upstream's limits is spent, and of whom
-- somebody should hear. The rules of the first store hold in every table.

-- True where something is unusual about the values. The anomaly table says what.
ALTER TABLE quote ADD COLUMN unusual INTEGER NOT NULL DEFAULT 0 CHECK (unusual IN (0, 1));

-- Pages that were refused as a whole are few, and people ask for them.
CREATE INDEX page_refused ON page (page_id) WHERE state = 'refused';

-- People may also have a refused page read after all, and accept changes: the table is made anew, since
-- SQLite cannot change the CHECK of a column.
CREATE TABLE new_decision (
  decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('retry', 'discard', 'reopen', 'accept_drift')),
  source_id INTEGER NOT NULL REFERENCES source,
  -- JSON: page and ordinal of each row, sorted.
  page_rows TEXT NOT NULL CHECK (json_valid(page_rows)),
  who TEXT NOT NULL CHECK (instr(who, char(0)) = 0),
  why TEXT NOT NULL CHECK (instr(why, char(0)) = 0),
  decided_at INTEGER NOT NULL,
  -- The newest page then, 0 where there was none: replay decides at the same place.
  after_page INTEGER NOT NULL CHECK (after_page >= 0),
  run_id TEXT REFERENCES run,
  -- JSON: the changes that were accepted, sorted.
  drift TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(drift) AND instr(drift, char(0)) = 0),
  -- True where a page is to be read whatever speaks against it.
  forced INTEGER NOT NULL DEFAULT 0 CHECK (forced IN (0, 1)),
  CHECK ((run_id IS NOT NULL) = (kind IN ('retry', 'reopen'))),
  CHECK (kind = 'reopen' OR forced = 0),
  CHECK (kind = 'accept_drift' OR drift = '[]')
) STRICT;
INSERT INTO new_decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                          run_id)
  SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, run_id
  FROM decision ORDER BY decision_id;
-- Numbers that were given out stay given out, also where a copy brought more of them than rows.
DELETE FROM sqlite_sequence WHERE name = 'new_decision';
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'new_decision', seq FROM sqlite_sequence WHERE name = 'decision';
DROP TABLE decision;
ALTER TABLE new_decision RENAME TO decision;
CREATE TRIGGER decision_kept BEFORE DELETE ON decision
  BEGIN SELECT raise(ABORT, 'a decision is never deleted'); END;
CREATE TRIGGER decision_stands BEFORE UPDATE ON decision
  BEGIN SELECT raise(ABORT, 'a decision is never changed'); END;

-- What is known of an endpoint, as JSON: only the engine reads it. A rowid table, since a state may be
-- large.
CREATE TABLE drift_profile (
  source_id INTEGER NOT NULL REFERENCES source,
  endpoint TEXT NOT NULL CHECK (endpoint <> '' AND instr(endpoint, char(0)) = 0),
  state TEXT NOT NULL CHECK (json_valid(state)),
  PRIMARY KEY (source_id, endpoint)
) STRICT;

-- One row for each change, however often it is seen.
CREATE TABLE drift (
  drift_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  endpoint TEXT NOT NULL CHECK (endpoint <> '' AND instr(endpoint, char(0)) = 0),
  -- Kinds are not listed, as the reasons of quarantine are not: there will be more of them.
  kind TEXT NOT NULL CHECK (kind <> '' AND instr(kind, char(0)) = 0),
  -- JSON pointer of the member; empty for the page as a whole.
  pointer TEXT NOT NULL CHECK (instr(pointer, char(0)) = 0),
  before_value TEXT NOT NULL CHECK (instr(before_value, char(0)) = 0),
  after_value TEXT NOT NULL CHECK (instr(after_value, char(0)) = 0),
  severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'breaking')),
  rows_affected INTEGER NOT NULL CHECK (rows_affected >= 0),
  rows_examined INTEGER NOT NULL CHECK (rows_examined >= 0),
  confidence_percent INTEGER NOT NULL CHECK (confidence_percent BETWEEN 0 AND 100),
  suggestion TEXT NOT NULL CHECK (instr(suggestion, char(0)) = 0),
  -- JSON: fields that would be wrong or unknown.
  breaks TEXT NOT NULL CHECK (json_valid(breaks) AND instr(breaks, char(0)) = 0),
  -- The page that showed it first.
  page_id INTEGER NOT NULL REFERENCES page,
  -- True when a page was refused because of it.
  refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
  first_seen_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  pages_seen INTEGER NOT NULL CHECK (pages_seen > 0),
  status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted')),
  UNIQUE (source_id, endpoint, kind, pointer, before_value, after_value),
  CHECK (last_seen_at >= first_seen_at)
) STRICT;
CREATE INDEX drift_of_source ON drift (source_id, status, drift_id);

-- What is possible but unusual: about the values of a listing at an instant, or about a run.
CREATE TABLE anomaly (
  anomaly_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  kind TEXT NOT NULL CHECK (kind <> '' AND instr(kind, char(0)) = 0),
  listing_id INTEGER REFERENCES listing,
  observed_at INTEGER CHECK (observed_at >= 0),
  source_timed INTEGER CHECK (source_timed IN (0, 1)),
  run_id TEXT REFERENCES run,
  value TEXT NOT NULL CHECK (instr(value, char(0)) = 0),
  expected TEXT NOT NULL CHECK (instr(expected, char(0)) = 0),
  found_at INTEGER NOT NULL,
  CHECK ((listing_id IS NULL) <> (run_id IS NULL)),
  CHECK ((observed_at IS NULL) = (listing_id IS NULL)),
  CHECK ((source_timed IS NULL) = (listing_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX anomaly_of_listing ON anomaly (listing_id, observed_at, kind)
  WHERE listing_id IS NOT NULL;
CREATE UNIQUE INDEX anomaly_of_run ON anomaly (run_id, kind) WHERE run_id IS NOT NULL;
-- The newest of a source, and the newest about runs, which are few among those about values.
CREATE INDEX anomaly_of_source ON anomaly (source_id, anomaly_id);
CREATE INDEX anomaly_about_run ON anomaly (anomaly_id) WHERE run_id IS NOT NULL;

-- How much of an upstream's limits is spent, as JSON; changed by whoever read it last.
CREATE TABLE budget (
  source_id INTEGER NOT NULL REFERENCES source,
  name TEXT NOT NULL CHECK (instr(name, char(0)) = 0),
  version INTEGER NOT NULL CHECK (version > 0),
  state TEXT NOT NULL CHECK (json_valid(state)),
  PRIMARY KEY (source_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
  alert_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  run_id TEXT NOT NULL REFERENCES run,
  code TEXT NOT NULL CHECK (code <> '' AND instr(code, char(0)) = 0),
  message TEXT NOT NULL CHECK (instr(message, char(0)) = 0),
  hint TEXT NOT NULL CHECK (instr(hint, char(0)) = 0),
  raised_at INTEGER NOT NULL,
  -- How often it was sent in vain.
  attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  -- NULL once it was delivered or given up, and where nobody wants alerts.
  next_attempt_at INTEGER,
  delivered_at INTEGER,
  CHECK (delivered_at IS NULL OR next_attempt_at IS NULL)
) STRICT;
-- The few that are still to be sent.
CREATE INDEX alert_due ON alert (alert_id) WHERE next_attempt_at IS NOT NULL;

-- With foreign keys off nothing else would notice a row that points nowhere now: the migration fails.
CREATE TABLE migrated (dangling INTEGER NOT NULL CHECK (dangling = 0)) STRICT;
INSERT INTO migrated (dangling) SELECT count(*) FROM pragma_foreign_key_check('decision');
DROP TABLE migrated;
