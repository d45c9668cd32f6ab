-- The API reads everything and asks for work: a queued run, a command. It changes nothing.
GRANT USAGE ON SCHEMA {schema} TO kasparro_api;
GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO kasparro_api;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO kasparro_api;
GRANT INSERT (name) ON {schema}.source TO kasparro_api;
GRANT INSERT (run_id, source_id, status, reason, created_at) ON {schema}.run TO kasparro_api;
GRANT INSERT (kind, created_at, source_id) ON {schema}.command TO kasparro_api;
