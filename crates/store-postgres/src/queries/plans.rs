//! How PostgreSQL carries out the queries that must not read whole tables.

use kasparro_testkit::postgres::{Database, Postgres};

use crate::{PostgresSettings, migrate};

/// A schema with 2,000 listings of one source, 11 hours of history in two months, and many pages.
async fn filled() -> Database {
    let database = Postgres::shared().fresh_database();
    migrate(&PostgresSettings::from_url(&database.url()).unwrap()).await.unwrap();
    let rows = "
        SET search_path = kasparro; SET session_replication_role = replica;
        SELECT ensure_history_partition(472000), ensure_history_partition(473000);
        INSERT INTO source (name) VALUES ('coinpaprika');
        INSERT INTO listing (listing_id, source_id, external_id, asset_id, first_seen_at)
          SELECT id, 1, id::text, id, now() FROM generate_series(1, 2000) AS id;
        INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at, raw_hash, page_id, ordinal)
          SELECT id, now(), true, now(), 0, 1, 0 FROM generate_series(1, 2000) AS id;
        INSERT INTO history (hour, listing_id, observed_at, revision, source_timed)
          SELECT hour, id, to_timestamp(hour::float8 * 3600), 0, true
          FROM generate_series(1, 2000) AS id, generate_series(472000, 473000, 100) AS hour;
        INSERT INTO page (source_id, run_id, sequence, request, request_hash, context, headers,
                          fetched_at, body_id, state)
          SELECT 1, gen_random_uuid(), 0, id::text, id, '{}', '{}', now(), 1, 'loaded'
          FROM generate_series(1, 40000) AS id;
        INSERT INTO page (source_id, run_id, sequence, request, request_hash, context, headers,
                          fetched_at, body_id, state, error)
          SELECT 1, gen_random_uuid(), 0, id::text, id, '{}', '{}', now(), 1, 'refused', '{}'
          FROM generate_series(1, 20) AS id;
        INSERT INTO drift (source_id, endpoint, kind, pointer, before_value, after_value, severity,
                           rows_affected, rows_examined, confidence_percent, suggestion, breaks,
                           page_id, refused, first_seen_at, last_seen_at, pages_seen, status)
          SELECT 1 + id % 10, 'e', 'nested', '/' || id, '', '', 'info', 1, 1, 1, '', '[]', 1, false,
                 now(), now(), 1, CASE WHEN id % 100 = 0 THEN 'open' ELSE 'accepted' END
          FROM generate_series(1, 10000) AS id;
        INSERT INTO anomaly (source_id, kind, listing_id, observed_at, source_timed, value, expected,
                             found_at)
          SELECT CASE WHEN id % 500 = 0 THEN 3 ELSE 1 END, 'price_jump', id, to_timestamp(day * 86400), true, '', '', now()
          FROM generate_series(1, 2000) AS id, generate_series(1, 10) AS day;
        INSERT INTO anomaly (source_id, kind, run_id, value, expected, found_at)
          SELECT 1, 'slow', md5(id::text)::uuid, '', '', now() FROM generate_series(1, 2000) AS id;
        INSERT INTO alert (source_id, run_id, code, message, hint, raised_at, next_attempt_at)
          SELECT 1, gen_random_uuid(), 'slow', '', '', now(),
                 CASE WHEN id > 9990 THEN now() END
          FROM generate_series(1, 10000) AS id;
        INSERT INTO identity (listing_id, asset_id, class, state, candidates)
          SELECT id, id, 'coin', 'single', '[]' FROM generate_series(1, 2000) AS id;
        INSERT INTO asset_edge SELECT id, 'wrapped_of', 1 + id % 1999, '' FROM generate_series(1, 2000) AS id
          WHERE id <> 1 + id % 1999;
        INSERT INTO evidence (listing_id, endpoint, part, content_hash, page_id, ordinal,
                              first_seen_at, fetched_at)
          SELECT id, 'e', '', 0, 1, 0, now(), now() FROM generate_series(1, 10000) AS id;
        INSERT INTO evidence_past (listing_id, endpoint, part, until_at)
          SELECT id, '', '', now() FROM generate_series(1, 10000) AS id;
        INSERT INTO request_usage SELECT id::text, to_timestamp(slot * 60), 1
          FROM generate_series(1, 1000) AS id, generate_series(1, 16) AS slot;
        INSERT INTO once SELECT 'a', id::text, sha256(''), '{}', '{}', to_timestamp(id)
          FROM generate_series(1, 10000) AS id;
        ANALYZE";
    database.sql(rows).await;
    database
}

/// The steps of a query with these parameters, each in a line.
async fn plan(database: &Database, types: &str, sql: &str, values: &str) -> String {
    let explained = database
        .sql(&format!(
            "SET search_path = kasparro; PREPARE q ({types}) AS {sql}; EXPLAIN EXECUTE q ({values})"
        ))
        .await;
    explained.into_iter().flatten().flatten().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_asked_all_the_time_is_found_by_an_index() {
    let database = filled().await;
    for (types, sql, values, index, table) in [
        (
            "integer, integer, bigint",
            super::history::OLDEST_FIRST,
            "472000, 472743, 7",
            "history_2023_11_pkey",
            "history",
        ),
        ("bigint, bigint, text", super::pages::LAST_LOADED, "1, 77, '77'", "page_loaded", "page"),
        (
            "bigint, text, uuid, bigint[], bigint, bigint",
            super::pages::LIST,
            "NULL, 'refused', NULL, NULL, 50, 0",
            "page_refused",
            "page",
        ),
        (
            "bigint, text, text, text, text, bigint[], bigint, bigint, bigint",
            super::drift::LIST,
            "3, NULL, NULL, NULL, 'open', NULL, 0, 50, 0",
            "drift_of_source",
            "drift",
        ),
        (
            "bigint, boolean, text, bigint[], uuid, bigint[], bigint, bigint",
            super::anomalies::LIST,
            "NULL, NULL, NULL, NULL, NULL, NULL, 50, 0",
            "anomaly_pkey",
            "anomaly",
        ),
        (
            "bigint, boolean, text, bigint[], uuid, bigint[], bigint, bigint",
            super::anomalies::LIST,
            "3, NULL, NULL, NULL, NULL, NULL, 50, 0",
            "anomaly_of_source",
            "anomaly",
        ),
        (
            "bigint, boolean, text, bigint[], uuid, bigint[], bigint, bigint",
            super::anomalies::LIST,
            "NULL, NULL, NULL, '{7}', NULL, NULL, 50, 0",
            "anomaly_listing_id_kind_observed_at_key",
            "anomaly",
        ),
        (
            "bigint, boolean, text, bigint[], uuid, bigint[], bigint, bigint",
            super::anomalies::LIST,
            "NULL, NULL, NULL, NULL, '00000000-0000-0000-0000-000000000001', NULL, 50, 0",
            "anomaly_run_id_kind_key",
            "anomaly",
        ),
        (
            "bigint, text, bigint[]",
            super::anomalies::LISTINGS,
            "NULL, '77', NULL",
            "listing_source_id_external_id_key",
            "listing",
        ),
        (
            "bigint[], timestamptz, bigint",
            super::alerts::DUE,
            "'{1}', now(), 9",
            "alert_due",
            "alert",
        ),
        ("bigint[]", crate::changes::SOME, "'{1,2,3}'", "quote_pkey", "quote"),
        ("bigint[]", crate::changes::SOME, "'{1,2,3}'", "identity_pkey", "identity"),
        ("bigint, timestamptz", super::identity::SIGHTINGS, "1, '2100-01-01'", "page_seen", "page"),
        ("bigint[]", super::identity::EDGES, "'{1,2,3}'", "asset_edge_to", "asset_edge"),
        ("bigint[]", super::identity_input::STATEMENTS, "'{1,2,3}'", "evidence_pkey", "evidence"),
        (
            "bigint[]",
            super::identity_input::PAST,
            "'{1,2,3}'",
            "evidence_past_pkey",
            "evidence_past",
        ),
        (
            "text[], timestamptz[], bigint[], timestamptz",
            super::usage::SHARE,
            "'{7,8}', '{epoch,epoch}', '{1,1}', 'epoch'",
            "request_usage_pkey",
            "request_usage",
        ),
        (
            "timestamptz",
            super::usage::FORGET,
            "to_timestamp(61)",
            "request_usage_slot",
            "request_usage",
        ),
        ("timestamptz", super::once::FORGET, "to_timestamp(9)", "once_created", "once"),
    ] {
        let plan = plan(&database, types, sql, values).await;
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
    }
}
