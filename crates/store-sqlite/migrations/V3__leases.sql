-- Who holds a source, until when; and which commands are about which source.
-- The rules of the first store hold in every table.

-- Whoever holds the file holds every source, so leases of earlier versions have ended.
ALTER TABLE lease ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;

-- The source that a command is about.
ALTER TABLE command ADD COLUMN source_id INTEGER REFERENCES source;
-- The epoch of its source under which it was taken up; 0 where one process alone takes all.
ALTER TABLE command ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0);
UPDATE command SET source_id = (SELECT source_id FROM source
                                WHERE source.name = json_extract(command.kind, '$.source'));
-- Rows of several sources could be asked for at once. Such a request no longer says all that it must:
-- its source stands empty, and where it is not done it ends with the advice to ask again.
UPDATE command
  SET state = 'done', result = '{"error":"asked of an earlier version; ask again"}'
  WHERE state <> 'done' AND source_id IS NULL;
UPDATE command SET kind = json_set(kind, '$.source', '') WHERE source_id IS NULL;
