-- The first store. Rules that hold in every table:
-- * Instants are milliseconds since the Unix epoch, UTC; their names end in _at.
-- * Decimals are canonical TEXT, because no numeric type of SQLite keeps 38 digits.
-- * STRICT, foreign keys and CHECKs are the last net. They repeat what the program ensures, so that a
--   defect ends in a refused transaction and not in wrong data.

-- Sources are small integers everywhere else: the text would stand in every listing and again in the
-- index over them, and integers compare faster.
CREATE TABLE source (
  source_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (name <> '' AND instr(name, char(0)) = 0)
) STRICT;

-- How many batches were committed. Taken last in a transaction.
CREATE TABLE generation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT;
INSERT INTO generation (one, value) VALUES (1, 0);

CREATE TABLE run (
  run_id TEXT NOT NULL PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source,
  status TEXT NOT NULL
    CHECK (status IN ('queued', 'running', 'success', 'partial', 'failed', 'abandoned')),
  reason TEXT NOT NULL CHECK (reason IN ('schedule', 'manual', 'replay')),
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
  CHECK (received = inserted + updated + unchanged + stale + duplicate + quarantined),
  CHECK ((completed_at IS NULL) = (status IN ('queued', 'running')))
) STRICT, WITHOUT ROWID;
-- A source has at most one run that has not ended; a second trigger finds it here.
CREATE UNIQUE INDEX run_open ON run (source_id) WHERE status IN ('queued', 'running');
CREATE INDEX run_newest ON run (created_at, run_id);
CREATE INDEX run_of_source ON run (source_id, created_at, run_id);

-- A body is kept once, whoever fetched it. It is never updated, since SQLite would rewrite it.
CREATE TABLE raw_body (
  body_id INTEGER PRIMARY KEY,
  body_hash BLOB NOT NULL UNIQUE CHECK (length(body_hash) = 32),
  body_bytes INTEGER NOT NULL CHECK (body_bytes >= 0)
) STRICT;
-- In chunks, so that neither side needs memory for the whole of it. An ordinary rowid table: rows of
-- this size would make the tree of a WITHOUT ROWID table degenerate.
CREATE TABLE raw_chunk (
  body_id INTEGER NOT NULL REFERENCES raw_body,
  chunk_index INTEGER NOT NULL CHECK (chunk_index >= 0),
  bytes BLOB NOT NULL,
  UNIQUE (body_id, chunk_index)
) STRICT;

-- One row per fetch. AUTOINCREMENT, because old fetches may be removed one day and their numbers must
-- not come back.
CREATE TABLE page (
  page_id INTEGER PRIMARY KEY AUTOINCREMENT,
  source_id INTEGER NOT NULL REFERENCES source,
  run_id TEXT NOT NULL REFERENCES run,
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  request TEXT NOT NULL,
  request_hash INTEGER NOT NULL,
  context TEXT NOT NULL,
  http_status INTEGER,
  headers TEXT NOT NULL,
  fetched_at INTEGER NOT NULL,
  body_id INTEGER NOT NULL REFERENCES raw_body,
  state TEXT NOT NULL DEFAULT 'landed' CHECK (state IN ('landed', 'loaded', 'refused')),
  rows_done INTEGER NOT NULL DEFAULT 0 CHECK (rows_done >= 0),
  error TEXT,
  CHECK ((error IS NOT NULL) = (state = 'refused'))
) STRICT;
-- The few pages that a crash left unfinished.
CREATE INDEX page_landed ON page (source_id, page_id) WHERE state = 'landed';
-- "What did the same request bring last time?", asked for every page of a run.
CREATE INDEX page_loaded ON page (source_id, request_hash, page_id) WHERE state = 'loaded';

-- Nothing but a permanent number: what is known of an asset stands in its listings.
CREATE TABLE asset (
  asset_id INTEGER PRIMARY KEY CHECK (asset_id > 0)
) STRICT;

CREATE TABLE listing (
  listing_id INTEGER PRIMARY KEY CHECK (listing_id > 0),
  source_id INTEGER NOT NULL REFERENCES source,
  external_id TEXT NOT NULL CHECK (external_id <> '' AND instr(external_id, char(0)) = 0),
  asset_id INTEGER NOT NULL REFERENCES asset,
  symbol TEXT CHECK (instr(symbol, char(0)) = 0),
  name TEXT CHECK (instr(name, char(0)) = 0),
  -- JSON; NULL where the source states none.
  contracts TEXT CHECK (instr(contracts, char(0)) = 0),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  first_seen_at INTEGER NOT NULL,
  UNIQUE (source_id, external_id)
) STRICT;

-- The current values. No further index: this is the table that every run rewrites, and changed rows
-- are found through the manifests.
CREATE TABLE quote (
  listing_id INTEGER PRIMARY KEY REFERENCES listing,
  observed_at INTEGER NOT NULL CHECK (observed_at >= 0),
  source_timed INTEGER NOT NULL CHECK (source_timed IN (0, 1)),
  fetched_at INTEGER NOT NULL,
  price_usd TEXT,
  market_cap TEXT,
  volume_24h TEXT,
  price_change_24h TEXT,
  circulating_supply TEXT,
  total_supply TEXT,
  max_supply TEXT,
  fully_diluted_valuation TEXT,
  rank INTEGER CHECK (rank > 0),
  -- XXH3-64 of the row's bytes, its 64 bits read as a signed number.
  raw_hash INTEGER NOT NULL,
  -- Where the bytes stand.
  page_id INTEGER NOT NULL REFERENCES page,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0)
) STRICT;

-- Keyed by the hour first, so that a reload appends: keyed by listing first it wrote 100 times more.
CREATE TABLE history (
  hour INTEGER NOT NULL,
  listing_id INTEGER NOT NULL REFERENCES listing,
  observed_at INTEGER NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 0),
  source_timed INTEGER NOT NULL CHECK (source_timed IN (0, 1)),
  price_usd TEXT,
  market_cap TEXT,
  volume_24h TEXT,
  PRIMARY KEY (hour, listing_id, observed_at, revision),
  -- The hour is a function of the instant, so a point has one place.
  CHECK (hour = observed_at / 3600000)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
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
  -- The same bytes fetched again hold the same bad row: it is kept once.
  UNIQUE (source_id, body_id, ordinal)
) STRICT;
CREATE INDEX quarantine_open ON quarantine (source_id, reason) WHERE status = 'open';

-- The manifest of each batch. Its key is the generation, so readers find what is newer than what they
-- have by a range of the primary key.
CREATE TABLE batch (
  generation INTEGER PRIMARY KEY CHECK (generation > 0),
  source_id INTEGER NOT NULL REFERENCES source,
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  run_id TEXT NOT NULL REFERENCES run,
  page_id INTEGER NOT NULL REFERENCES page,
  epoch INTEGER NOT NULL,
  received INTEGER NOT NULL,
  inserted INTEGER NOT NULL CHECK (inserted >= 0),
  updated INTEGER NOT NULL CHECK (updated >= 0),
  unchanged INTEGER NOT NULL CHECK (unchanged >= 0),
  stale INTEGER NOT NULL CHECK (stale >= 0),
  duplicate INTEGER NOT NULL CHECK (duplicate >= 0),
  quarantined INTEGER NOT NULL CHECK (quarantined >= 0),
  -- New listings have successive ids from here on, as many as were inserted.
  first_new_id INTEGER,
  -- Ids of the listings that readers see changed: ascending, differences in LEB128.
  changed BLOB NOT NULL,
  stored_at INTEGER NOT NULL,
  UNIQUE (source_id, sequence),
  CHECK (received = inserted + updated + unchanged + stale + duplicate + quarantined)
) STRICT;

CREATE TABLE checkpoint (
  source_id INTEGER PRIMARY KEY REFERENCES source,
  position TEXT NOT NULL,
  moved_at INTEGER NOT NULL
) STRICT;

CREATE TABLE lease (
  source_id INTEGER PRIMARY KEY REFERENCES source,
  holder TEXT NOT NULL,
  epoch INTEGER NOT NULL CHECK (epoch > 0)
) STRICT;

-- What other processes ask of the one that holds the store.
CREATE TABLE command (
  command_id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'claimed', 'done')),
  created_at INTEGER NOT NULL,
  result TEXT,
  CHECK ((result IS NOT NULL) = (state = 'done'))
) STRICT;
CREATE INDEX command_undone ON command (command_id) WHERE state <> 'done';

-- What the engine shows of its sources, as JSON: only it writes this, and only whole.
CREATE TABLE source_state (
  source_id INTEGER PRIMARY KEY REFERENCES source,
  state TEXT NOT NULL
) STRICT;
