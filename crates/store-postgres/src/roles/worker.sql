-- A worker reads everything, adds rows, and changes what moves on. It deletes nothing but edges between
-- assets, which each resolution replaces. Partitions of history are reached through history and need no rights
-- of their own.
GRANT USAGE ON SCHEMA {schema} TO kasparro_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO kasparro_worker;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO kasparro_worker;
GRANT INSERT ON
  {schema}.source, {schema}.run, {schema}.raw_body, {schema}.raw_chunk, {schema}.page, {schema}.asset,
  {schema}.listing, {schema}.quote, {schema}.history, {schema}.evidence, {schema}.sweep, {schema}.news,
  {schema}.quarantine, {schema}.decision, {schema}.batch, {schema}.checkpoint, {schema}.lease,
  {schema}.command, {schema}.source_state, {schema}.drift_profile, {schema}.drift, {schema}.anomaly,
  {schema}.budget, {schema}.alert, {schema}.evidence_past, {schema}.identity, {schema}.asset_edge,
  {schema}.resolution
  TO kasparro_worker;
GRANT UPDATE ON
  {schema}.generation, {schema}.minted, {schema}.run, {schema}.page, {schema}.listing, {schema}.quote,
  {schema}.evidence, {schema}.sweep, {schema}.news, {schema}.quarantine, {schema}.checkpoint,
  {schema}.lease, {schema}.command, {schema}.source_state, {schema}.drift_profile, {schema}.drift,
  {schema}.anomaly, {schema}.budget, {schema}.alert, {schema}.identity
  TO kasparro_worker;
GRANT DELETE ON {schema}.asset_edge TO kasparro_worker;
GRANT EXECUTE ON FUNCTION {schema}.ensure_history_partition(integer) TO kasparro_worker;
