-- How the assets of two listings relate, as people state it. The rules of the first store hold in every table.

-- Units of the other asset that one unit of this one gives; NULL where it is not known. Zero and numbers below
-- it are none, however they are written.
ALTER TABLE asset_edge ADD COLUMN ratio TEXT
  CHECK (CAST(ratio AS REAL) > 0 AND ratio NOT GLOB '*[^0-9.e-]*' AND instr(ratio, char(0)) = 0);
-- The day (UTC) from which it holds, YYYY-MM-DD; NULL where it is not known. SQLite reads other texts as days
-- too, and takes days over the end of their month for days of the next.
ALTER TABLE asset_edge ADD COLUMN effective_on TEXT
  CHECK (effective_on GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
         AND effective_on > '0001' AND date(effective_on) IS effective_on);

-- People may also state how listings relate: the table is made anew, since SQLite cannot change the CHECK of a
-- column.
CREATE TABLE new_decision (
  decision_id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('retry', 'discard', 'reopen', 'accept_drift', 'link', 'unlink',
                                     'merge', 'split', 'relate', 'unrelate', 'withdraw')),
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
  -- JSON: how one listing of the only pair relates to the other; NULL where that is not decided.
  relation TEXT CHECK (json_valid(relation) AND json_type(relation) = 'object'
                       AND instr(relation, char(0)) = 0),
  CHECK ((run_id IS NOT NULL) = (kind IN ('retry', 'reopen'))),
  CHECK (kind = 'reopen' OR forced = 0),
  CHECK (kind = 'accept_drift' OR drift = '[]'),
  CHECK ((pairs <> '[]') = (kind IN ('link', 'unlink', 'merge', 'split', 'relate', 'unrelate', 'withdraw'))),
  CHECK (pairs = '[]' OR page_rows = '[]'),
  CHECK ((relation IS NOT NULL) = (kind = 'relate'))
) STRICT;
INSERT INTO new_decision (decision_id, kind, source_id, page_rows, who, why, decided_at, after_page,
                          run_id, drift, forced, pairs)
  SELECT decision_id, kind, source_id, page_rows, who, why, decided_at, after_page, run_id, drift, forced,
         pairs
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
