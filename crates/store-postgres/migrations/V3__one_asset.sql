-- Which listings are one asset. The rules that the first migration names hold here too. Whatever a table had
-- before it keeps: new columns have the value that says what was true of every row so far, also for programs
-- that do not know them and go on writing.
--
-- With Citus `identity` and `evidence_past`, which grow with the listings, would be distributed by listing_id
-- like `evidence`; so they have no foreign keys. The other new tables would stay on one machine.

-- How often evidence of identity has changed. It begins with 0 whatever was loaded before: the first
-- resolution looks at everything.
ALTER TABLE generation
  ADD COLUMN evidence_version bigint NOT NULL DEFAULT 0 CHECK (evidence_version >= 0);

-- What sort of thing the list says it is, in the words of its source. NULL where it does not say.
ALTER TABLE evidence ADD COLUMN kind text;

ALTER TABLE decision
  -- Pairs of listings, by source and external id, sorted.
  ADD COLUMN pairs json NOT NULL DEFAULT '[]',
  DROP CONSTRAINT decision_kind_check,
  ADD CONSTRAINT decision_kind_check
    CHECK (kind IN ('retry', 'discard', 'reopen', 'accept_drift', 'link', 'unlink', 'merge', 'split',
                    'withdraw')),
  ADD CONSTRAINT decision_pairs_check
    CHECK ((pairs::text <> '[]') = (kind IN ('link', 'unlink', 'merge', 'split', 'withdraw')));

-- What was said of a listing until something else was: by an endpoint in a part, or, where both are empty,
-- what readers saw as its symbol and name, whatever said so.
CREATE TABLE evidence_past (
  listing_id bigint NOT NULL CHECK (listing_id > 0),
  endpoint text COLLATE "C" NOT NULL,
  part text COLLATE "C" NOT NULL,
  until_at timestamptz NOT NULL,
  symbol text,
  name text,
  -- NULL where the statement named none.
  contracts json,
  kind text,
  PRIMARY KEY (listing_id, endpoint, part, until_at),
  CHECK (endpoint <> '' OR (part = '' AND contracts IS NULL AND kind IS NULL))
);

-- What was decided about a listing. One without a row was not looked at yet and is the asset that it founded,
-- which is `listing.asset_id` and never changes. Classes are not listed, as the reasons of quarantine are not:
-- there will be more of them.
CREATE TABLE identity (
  listing_id bigint PRIMARY KEY CHECK (listing_id > 0),
  -- The asset that its founding listing has in `listing`.
  asset_id bigint NOT NULL CHECK (asset_id > 0),
  class text NOT NULL CHECK (class <> ''),
  state text NOT NULL CHECK (state IN ('unresolved', 'single', 'linked', 'ambiguous')),
  -- In ten-thousandths.
  confidence integer CHECK (confidence BETWEEN 0 AND 10000),
  -- What else it might be, and why not.
  candidates json NOT NULL
);
CREATE INDEX identity_of_asset ON identity (asset_id);

-- How the assets of listings relate to those of others. Replaced whole with the row of the listing it is from.
CREATE TABLE asset_edge (
  from_listing_id bigint NOT NULL REFERENCES listing,
  kind text COLLATE "C" NOT NULL CHECK (kind <> ''),
  to_listing_id bigint NOT NULL REFERENCES listing,
  why text NOT NULL,
  PRIMARY KEY (from_listing_id, kind, to_listing_id),
  CHECK (from_listing_id <> to_listing_id)
);
CREATE INDEX asset_edge_to ON asset_edge (to_listing_id);

-- The manifest of each resolution, beside those of batches: a generation is made by one or the other.
CREATE TABLE resolution (
  generation bigint PRIMARY KEY CHECK (generation > 0),
  evidence_version bigint NOT NULL CHECK (evidence_version >= 0),
  rule_version text NOT NULL,
  resolved_at timestamptz NOT NULL,
  listings bigint NOT NULL CHECK (listings >= 0),
  assets bigint NOT NULL CHECK (assets >= 0),
  linked bigint NOT NULL CHECK (linked >= 0),
  ambiguous bigint NOT NULL CHECK (ambiguous >= 0),
  -- True where some evidence was too new to count.
  pending boolean NOT NULL,
  -- As in `batch`.
  changed bytea NOT NULL
);

-- "When was each endpoint of a source seen since?", asked before every resolution.
CREATE INDEX page_seen ON page (source_id, fetched_at) WHERE state = 'loaded';
