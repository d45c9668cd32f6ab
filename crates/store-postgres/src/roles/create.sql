-- The three roles that people and processes are members of. They cannot log in by themselves:
--   CREATE ROLE worker_1 LOGIN PASSWORD '...' IN ROLE kasparro_worker;
-- Run this as somebody who may create roles, in the database of the store. `kasparro db migrate` gives those
-- that exist their rights; where the tables are there already, this does.
DO $$
DECLARE
  missing text;
BEGIN
  FOREACH missing IN ARRAY ARRAY['kasparro_owner', 'kasparro_worker', 'kasparro_api'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = missing) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', missing);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- Somebody else made it at the same time.
      END;
    END IF;
  END LOOP;
  EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO kasparro_owner', current_database());
  EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO kasparro_worker', current_database());
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO kasparro_api', current_database());
END $$;
