-- Which listings are one asset: what says so, what said so before, and what was decided. The rules of the
-- first store hold in every table.

-- How often evidence of identity has changed. Raised in the statement that takes the generation.
ALTER TABLE generation ADD COLUMN evidence_version INTEGER NOT NULL DEFAULT 0
  CHECK (evidence_version >= 0);

-- The sort of thing that the list says it is, in the list's word; NULL where it does not say.
ALTER TABLE evidence ADD COLUMN kind TEXT CHECK (instr(kind, char(0)) = 0);

-- What was said until then. Where endpoint and part are empty it is the symbol and name that readers saw,
-- whatever said so; otherwise what a list stated.
CREATE TABLE evidence_past (
  listing_id INTEGER NOT NULL REFERENCES listing,
  endpoint TEXT NOT NULL CHECK (instr(endpoint, char(0)) = 0),
  part TEXT NOT NULL CHECK (instr(part, char(0)) = 0),
  until_at INTEGER NOT NULL,
  symbol TEXT CHECK (instr(symbol, char(0)) = 0),
  name TEXT CHECK (instr(name, char(0)) = 0),
  -- JSON; NULL where it named none.
  contracts TEXT CHECK (json_valid(contracts) AND instr(contracts, char(0)) = 0),
  kind TEXT CHECK (instr(kind, char(0)) = 0),
  PRIMARY KEY (listing_id, endpoint, part, until_at),
  CHECK (endpoint <> '' OR (part = '' AND contracts IS NULL AND kind IS NULL))
) STRICT, WITHOUT ROWID;

-- What is decided about a listing; no row where nobody looked at it yet. `listing.asset_id` stays the asset
-- that the listing founded, so that loading prices writes nothing here.
CREATE TABLE identity (
  listing_id INTEGER PRIMARY KEY REFERENCES listing,
  asset_id INTEGER NOT NULL REFERENCES asset,
  -- Classes are not listed, as the kinds of changes are not: there may be more of them.
  class TEXT NOT NULL CHECK (class <> '' AND instr(class, char(0)) = 0),
  state TEXT NOT NULL CHECK (state IN ('unresolved', 'single', 'linked', 'ambiguous')),
  -- In ten-thousandths.
  confidence INTEGER CHECK (confidence BETWEEN 0 AND 10000),
  -- JSON array.
  candidates TEXT NOT NULL CHECK (json_valid(candidates) AND instr(candidates, char(0)) = 0)
) STRICT;
-- Who else is in an asset, asked for each that a resolution moves listings into.
CREATE INDEX identity_of_asset ON identity (asset_id);

-- How the assets of two listings relate where they are not one.
CREATE TABLE asset_edge (
  from_listing_id INTEGER NOT NULL REFERENCES listing,
  kind TEXT NOT NULL CHECK (kind <> '' AND instr(kind, char(0)) = 0),
  to_listing_id INTEGER NOT NULL REFERENCES listing,
  why TEXT NOT NULL CHECK (instr(why, char(0)) = 0),
  PRIMARY KEY (from_listing_id, kind, to_listing_id),
  CHECK (from_listing_id <> to_listing_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX asset_edge_to ON asset_edge (to_listing_id);

-- The manifest of each resolution, as `batch` is that of a batch.
CREATE TABLE resolution (
  generation INTEGER PRIMARY KEY CHECK (generation > 0),
  evidence_version INTEGER NOT NULL CHECK (evidence_version >= 0),
  rule_version TEXT NOT NULL CHECK (instr(rule_version, char(0)) = 0),
  resolved_at INTEGER NOT NULL,
  listings INTEGER NOT NULL CHECK (listings >= 0),
  assets INTEGER NOT NULL CHECK (assets >= 0),
  linked INTEGER NOT NULL CHECK (linked >= 0),
  ambiguous INTEGER NOT NULL CHECK (ambiguous >= 0),
  pending INTEGER NOT NULL CHECK (pending IN (0, 1)),
  -- Ids of the listings that readers see changed: ascending, differences in LEB128.
  changed BLOB NOT NULL
) STRICT;

-- When an endpoint was seen: what changed counts after it was seen often and long enough.
CREATE INDEX page_sighted ON page (source_id, fetched_at) WHERE state = 'loaded';

-- People may also decide about pairs of listings: the table is made anew, since SQLite cannot change the
-- CHECK of a column.
CREATE TABLE new_decision (
  decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('retry', 'discard', 'reopen', 'accept_drift', 'link', 'unlink',
                                     'merge', 'split', 'withdraw')),
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
  -- JSON: the pairs of listings, each sorted, all sorted.
  pairs TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(pairs) AND instr(pairs, char(0)) = 0),
  CHECK ((run_id IS NOT NULL) = (kind IN ('retry', 'reopen'))),
  CHECK (kind = 'reopen' OR forced = 0),
  CHECK (kind = 'accept_drift' OR drift = '[]'),
  CHECK ((pairs <> '[]') = (kind IN ('link', 'unlink', 'merge', 'split', 'withdraw'))),
  CHECK (pairs = '[]' OR page_rows = '[]')
) STRICT;
INSERT INTO new_decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                          run_id, drift, forced)
  SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, run_id, drift, forced
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

-- With foreign keys off nothing else would notice a row that points nowhere now: the migration fails.
CREATE TABLE migrated (dangling INTEGER NOT NULL CHECK (dangling = 0)) STRICT;
INSERT INTO migrated (dangling) SELECT count(*) FROM pragma_foreign_key_check('decision');
DROP TABLE migrated;
