-- Who may ask, how much was asked, and what is asked once; and what lists say is the same elsewhere. The
-- rules of the first store hold in every table.

-- Keys of the API. A key itself is kept nowhere.
CREATE TABLE api_key (
  -- The first characters of its random part, which people and logs know it by.
  key_id TEXT NOT NULL PRIMARY KEY
    CHECK (length(key_id) = 8 AND key_id NOT GLOB '*[^0-9A-Za-z]*' AND instr(key_id, char(0)) = 0),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255 AND instr(name, char(0)) = 0),
  scope TEXT NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
  -- HMAC-SHA-256 of the whole key.
  hmac BLOB NOT NULL CHECK (length(hmac) = 32),
  -- NULL where the limit of all keys holds.
  requests INTEGER CHECK (requests >= 0),
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- How many requests a client made within a slot of time. Keyed by the slot first: what is counted now
-- stands together in few pages, and what is forgotten stands together at the beginning. Keyed by the
-- client first a write of 10,000 clients touched most pages of the table.
CREATE TABLE request_usage (
  slot_at INTEGER NOT NULL,
  client TEXT NOT NULL CHECK (length(client) BETWEEN 1 AND 64 AND instr(client, char(0)) = 0),
  requests INTEGER NOT NULL CHECK (requests >= 0),
  PRIMARY KEY (slot_at, client)
) STRICT, WITHOUT ROWID;

-- Requests that are to have one effect, however often they are sent.
CREATE TABLE once (
  caller TEXT NOT NULL CHECK (length(caller) BETWEEN 1 AND 64 AND instr(caller, char(0)) = 0),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 255 AND instr(name, char(0)) = 0),
  -- SHA-256 of what was asked.
  asked BLOB NOT NULL CHECK (length(asked) = 32),
  -- JSON: the numbers of its commands, in their order.
  commands TEXT NOT NULL
    CHECK (json_valid(commands) AND json_type(commands) = 'array' AND instr(commands, char(0)) = 0),
  -- JSON: what the answer is made from.
  answer TEXT NOT NULL CHECK (json_valid(answer) AND instr(answer, char(0)) = 0),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (caller, name)
) STRICT, WITHOUT ROWID;
-- Names are forgotten by their age.
CREATE INDEX once_created ON once (created_at);

-- The listings of other sources that a list says are the same: JSON, NULL where it names none.
ALTER TABLE evidence ADD COLUMN same_as TEXT
  CHECK (json_valid(same_as) AND instr(same_as, char(0)) = 0);
ALTER TABLE evidence_past ADD COLUMN same_as TEXT
  CHECK (json_valid(same_as) AND instr(same_as, char(0)) = 0 AND (endpoint <> '' OR same_as IS NULL));
