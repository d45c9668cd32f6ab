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
        ("bigint[]", crate::changes::SOME, "'{1,2,3}'", "quote_pkey", "quote"),
    ] {
        let plan = plan(&database, types, sql, values).await;
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
    }
}
