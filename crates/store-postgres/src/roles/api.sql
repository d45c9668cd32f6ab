-- The API reads everything and asks for work: a queued run, a command. It keeps keys, of which it changes how
-- they end and nothing else, what clients used, and which requests it has answered. No data are changed by it.
GRANT USAGE ON SCHEMA {schema} TO kasparro_api;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO kasparro_api;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO kasparro_api;
GRANT INSERT (name) ON {schema}.source TO kasparro_api;
GRANT INSERT (run_id, source_id, status, reason, created_at) ON {schema}.run TO kasparro_api;
GRANT INSERT (kind, created_at, source_id) ON {schema}.command TO kasparro_api;
GRANT INSERT ON {schema}.api_key, {schema}.request_usage, {schema}.once TO kasparro_api;
GRANT UPDATE (expires_at, revoked_at, last_used_at) ON {schema}.api_key TO kasparro_api;
GRANT UPDATE (requests) ON {schema}.request_usage TO kasparro_api;
GRANT UPDATE (asked, answer, commands, created_at) ON {schema}.once TO kasparro_api;
GRANT DELETE ON {schema}.request_usage, {schema}.once TO kasparro_api;
