-- How assets relate, as people state it. The rules that the first migration names hold here too. Whatever a
-- table had before it keeps: new columns have the value that says what was true of every row so far, also for
-- programs that do not know them and go on writing.

ALTER TABLE decision
  -- How one listing of the only pair relates to the other.
  ADD COLUMN relation json CHECK (json_typeof(relation) = 'object'),
  DROP CONSTRAINT decision_kind_check,
  DROP CONSTRAINT decision_pairs_check,
  ADD CONSTRAINT decision_kind_check
    CHECK (kind IN ('retry', 'discard', 'reopen', 'accept_drift', 'link', 'unlink', 'merge', 'split',
                    'relate', 'unrelate', 'withdraw')),
  ADD CONSTRAINT decision_pairs_check
    CHECK ((pairs::text <> '[]') = (kind IN ('link', 'unlink', 'merge', 'split', 'relate', 'unrelate',
                                             'withdraw'))),
  ADD CONSTRAINT decision_related_check CHECK ((relation IS NOT NULL) = (kind = 'relate'));

ALTER TABLE asset_edge
  -- Units of the other asset that one unit of this one gives. NULL where it is not known.
  ADD COLUMN ratio numeric CHECK (ratio > 0 AND ratio < 1e81),
  -- The day (UTC) from which it holds, YYYY-MM-DD. NULL where it is not known.
  ADD COLUMN effective_on text
    CHECK (effective_on ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$');
