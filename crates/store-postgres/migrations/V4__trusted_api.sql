-- An API that people trust: its keys, its limits, and requests that have one effect however often they are
-- sent. The rules that the first migration names hold here too. Whatever a table had before it keeps: new
-- columns have the value that says what was true of every row so far, also for programs that do not know them
-- and go on writing.
--
-- The new tables have nothing to do with listings and stay small, so with Citus all of them would stay on one
-- machine. Nothing of them is in the digest, and nothing of them raises the generation.

-- What is kept of keys; the key itself is kept nowhere. One that has ended stays, so that its id is never
-- given to another.
CREATE TABLE api_key (
  -- The part of the key that may be shown.
  key_id text COLLATE "C" PRIMARY KEY CHECK (key_id ~ '^[0-9A-Za-z]{8}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  scope text NOT NULL CHECK (scope IN ('read', 'operate', 'admin')),
  -- HMAC-SHA-256 of the whole key.
  hmac bytea NOT NULL CHECK (length(hmac) = 32),
  -- Requests in each window of the limits. NULL where the limit of all keys holds.
  requests bigint CHECK (requests >= 0),
  created_at timestamptz NOT NULL,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

-- How many requests clients made, by slots of time. A row is written every second while its slot lasts, and
-- never again, so the room on each page is for those. No index holds the count.
CREATE TABLE request_usage (
  -- A name that tells nothing of the client.
  client text COLLATE "C" NOT NULL CHECK (length(client) BETWEEN 1 AND 64),
  -- When the slot began, by store_now().
  slot_at timestamptz NOT NULL,
  requests bigint NOT NULL CHECK (requests >= 0),
  -- "What did these clients use since?", asked every second. With the slot first it would read every client.
  PRIMARY KEY (client, slot_at)
) WITH (fillfactor = 50);
-- "Which slots are so old that nobody asks for them?"
CREATE INDEX request_usage_slot ON request_usage (slot_at);

-- Requests that carried a name by which their caller knows them again, and what became of them.
CREATE TABLE once (
  caller text COLLATE "C" NOT NULL CHECK (length(caller) BETWEEN 1 AND 64),
  name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  -- SHA-256 of method, path and body.
  asked bytea NOT NULL CHECK (length(asked) = 32),
  -- What the answer is made from.
  answer json NOT NULL,
  -- The commands that were written with it, in their order.
  commands bigint[] NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (caller, name)
);
CREATE INDEX once_created ON once (created_at);

-- The listings of other sources that a list says are the same. NULL where it names none.
ALTER TABLE evidence ADD COLUMN same_as json;
ALTER TABLE evidence_past
  ADD COLUMN same_as json,
  ADD CHECK (endpoint <> '' OR same_as IS NULL);
