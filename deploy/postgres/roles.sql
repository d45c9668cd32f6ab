-- Run once, by the database's own image, when its data folder is made. Who may do what:
--   kasparro_owner    makes and changes the schema: `kasparro db migrate`
--   worker            one login of the group kasparro_worker, which fetches and writes
--   api               one login of the group kasparro_api, which reads
-- The schema's rights go to the groups when it is migrated, so that a login can be replaced.
-- Passwords are read from files: a command line or a log would show them.
SET log_min_error_statement = panic;
\set owner_password `cat /run/secrets/owner_password`
\set worker_password `cat /run/secrets/worker_password`
\set api_password `cat /run/secrets/api_password`

-- An empty password would make a role that nobody can log in as.
SELECT length(:'owner_password') > 15 AND length(:'worker_password') > 15
    AND length(:'api_password') > 15 AS "long" \gset
\if :long
\else
    \warn 'a password in .secrets is missing or shorter than 16 characters: remove the file, run make clean, then make up'
    DO $$ BEGIN RAISE 'a password is too short'; END $$;
\endif

CREATE ROLE kasparro_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE kasparro_worker NOLOGIN;
CREATE ROLE kasparro_api NOLOGIN;
CREATE ROLE worker LOGIN PASSWORD :'worker_password' IN ROLE kasparro_worker;
CREATE ROLE api LOGIN PASSWORD :'api_password' IN ROLE kasparro_api;

SELECT current_database() AS "database" \gset
ALTER DATABASE :"database" OWNER TO kasparro_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- A batch is copied into a temporary table before it is merged.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO kasparro_worker;
GRANT CONNECT ON DATABASE :"database" TO kasparro_api;
