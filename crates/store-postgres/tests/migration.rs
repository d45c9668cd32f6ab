//! The schema: made, checked, and left alone.

mod common;

use common::access::ask;
use common::findings::watch;
use common::resolved::resolve;
use common::whole::fill;
use common::{first_batch, new_store, settings};
use kasparro_store::{AuditStore, ReadStore, StoreError};
use kasparro_store_postgres::{MigrateMode, Migrated, PostgresStore, migrate, status};
use kasparro_testkit::postgres::Postgres;

/// Migrations with XXH3-64 of their text. A released one is never changed: add another.
const RELEASED: [(&str, &str, u64); 5] = [
    (
        "V1__first_store",
        include_str!("../migrations/V1__first_store.sql"),
        6_319_806_259_057_414_020,
    ),
    (
        "V2__watched_upstreams",
        include_str!("../migrations/V2__watched_upstreams.sql"),
        6_447_554_605_285_943_012,
    ),
    ("V3__one_asset", include_str!("../migrations/V3__one_asset.sql"), 8_943_885_453_506_656_066),
    (
        "V4__trusted_api",
        include_str!("../migrations/V4__trusted_api.sql"),
        3_539_033_642_578_943_993,
    ),
    ("V5__relations", include_str!("../migrations/V5__relations.sql"), 4_947_795_346_940_077_422),
];

#[test]
fn a_released_migration_is_as_it_was() {
    for (name, text, expected) in RELEASED {
        let hash = xxhash_rust::xxh3::xxh3_64(text.as_bytes());
        assert_eq!(hash, expected, "{name}: a store that applied the former text would differ");
    }
    let files = std::fs::read_dir("migrations").unwrap().count();
    assert_eq!(files, RELEASED.len(), "every migration is listed");
}

#[tokio::test]
async fn a_schema_is_made_once() {
    let database = Postgres::shared().fresh_database();
    let settings = settings(&database.url());
    let before = status(&settings).await.unwrap();
    assert_eq!((before.found, before.known, before.size_bytes), (0, 5, 0));
    assert_eq!(before.pending, RELEASED.map(|(name, ..)| name));
    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 0, to: 5 });
    assert_eq!(migrate(&settings).await.unwrap(), Migrated { from: 5, to: 5 });
    let after = status(&settings).await.unwrap();
    assert_eq!((after.found, after.pending.len()), (5, 0));
    assert!(after.size_bytes > 0 && !after.server.is_empty(), "{after:?}");
    let mut checking = settings.clone();
    checking.migrate = MigrateMode::Check;
    let info = PostgresStore::open(checking).await.unwrap().ping().await.unwrap();
    assert_eq!((info.kind, info.schema_version), ("postgres", 5));
}

#[tokio::test]
async fn two_schemas_of_a_database_are_two_stores() {
    let (database, first) = new_store().await;
    first_batch(&first).await;
    let second = settings(&database.url()).with_schema("second").unwrap();
    let second = PostgresStore::open(second).await.unwrap();
    assert_eq!(first.generation().await.unwrap().0, 1);
    assert_eq!(second.generation().await.unwrap().0, 0);
    assert_eq!(second.verify().await.unwrap().violations, []);
}

#[tokio::test]
async fn processes_that_migrate_at_once_come_one_after_another() {
    let database = Postgres::shared().fresh_database();
    let settings = settings(&database.url());
    let migrating = (0..6).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { migrate(&settings).await })
    });
    let mut made = 0;
    for outcome in migrating.collect::<Vec<_>>() {
        let migrated = outcome.await.unwrap().unwrap();
        assert_eq!(migrated.to, 5);
        made += u32::from(migrated.from == 0);
    }
    assert_eq!(made, 1, "one of them made it");
}

#[tokio::test]
async fn a_newer_schema_is_left_as_it_is() {
    let (database, store) = new_store().await;
    drop(store);
    let newer = "INSERT INTO kasparro.refinery_schema_history
                 SELECT 99, 'of_a_newer_program', applied_on, checksum
                 FROM kasparro.refinery_schema_history WHERE version = 1";
    database.sql(newer).await;
    for mode in [MigrateMode::Run, MigrateMode::Check] {
        let mut settings = settings(&database.url());
        settings.migrate = mode;
        let refused = PostgresStore::open(settings).await.unwrap_err();
        assert_eq!(refused, StoreError::Newer { found: 99, known: 5 }, "{mode:?}");
    }
    assert_eq!(status(&settings(&database.url())).await.unwrap().found, 99);
}

#[tokio::test]
async fn the_schema_of_another_program_is_left_as_it_is() {
    let database = Postgres::shared().fresh_database();
    database.sql("CREATE SCHEMA kasparro; CREATE TABLE kasparro.theirs (one integer)").await;
    let refused = PostgresStore::open(settings(&database.url())).await.unwrap_err().to_string();
    assert!(refused.contains("another program") && refused.contains("schema=NAME"), "{refused}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let database = Postgres::shared().fresh_database();
    // The owner of the schema may not make functions in SQL: the migration ends after its first line.
    database
        .sql(
            "CREATE SCHEMA kasparro;
             CREATE FUNCTION stop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               IF EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'kasparro'
                          AND tablename = 'evidence') THEN
                 RAISE EXCEPTION 'stopped half way';
               END IF;
             END $$;
             CREATE EVENT TRIGGER stop ON ddl_command_end EXECUTE FUNCTION stop()",
        )
        .await;
    let refused = PostgresStore::open(settings(&database.url())).await.unwrap_err().to_string();
    assert!(refused.contains("stopped half way"), "{refused}");
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'kasparro'
                  AND tablename <> 'refinery_schema_history'";
    assert!(database.sql(tables).await.is_empty());
    database.sql("DROP EVENT TRIGGER stop").await;
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    first_batch(&store).await;
}

#[tokio::test]
async fn months_of_history_are_made_once_however_many_ask() {
    let (database, _store) = new_store().await;
    // 2023-11-14T22:00Z, the first and the last hour of that month, and the first of the next.
    let hours = [472_222, 471_888, 472_607, 472_608];
    let asking = (0..12).map(|number| {
        let (url, hour) = (database.url(), hours[number % hours.len()]);
        let sql = format!("SELECT kasparro.ensure_history_partition({hour})");
        tokio::spawn(async move { kasparro_testkit::postgres::execute(&url, &sql).await })
    });
    for outcome in asking.collect::<Vec<_>>() {
        outcome.await.unwrap().unwrap();
    }
    let made = "SELECT inhrelid::regclass::text, pg_get_expr(c.relpartbound, c.oid)
                FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
                WHERE inhparent = 'kasparro.history'::regclass ORDER BY 1";
    let made: Vec<_> = database.sql(made).await.into_iter().flatten().flatten().collect();
    let expected = [
        "history_2023_11",
        "FOR VALUES FROM (471888) TO (472608)",
        "history_2023_12",
        "FOR VALUES FROM (472608) TO (473352)",
    ];
    assert_eq!(made, expected);
}

#[tokio::test]
async fn a_value_that_no_store_may_hold_is_refused_by_the_schema() {
    let (database, store) = new_store().await;
    fill(&store).await;
    watch(&store).await;
    resolve(&store).await;
    ask(&store).await;
    for change in [
        "UPDATE quote SET price_usd = 'NaN'",
        "UPDATE quote SET price_usd = 'Infinity'",
        "UPDATE quote SET price_usd = '-Infinity'",
        "UPDATE quote SET market_cap = 1e81",
        "UPDATE quote SET price_change_24h = 'NaN'",
        "UPDATE quote SET price_change_24h = '-Infinity'",
        "UPDATE quote SET rank = 0",
        "UPDATE quote SET observed_at = '1969-12-31T23:59:59Z'",
        "UPDATE history SET hour = hour + 1",
        "UPDATE history SET price_usd = 'NaN'",
        "UPDATE run SET received = received + 1",
        "UPDATE run SET status = 'lost'",
        "UPDATE run SET completed_at = NULL",
        "UPDATE page SET error = '{}'",
        "UPDATE listing SET external_id = ''",
        "UPDATE listing SET asset_id = 99",
        "UPDATE listing SET missed = 1",
        "UPDATE batch SET inserted = inserted + 1",
        "UPDATE lease SET epoch = 0",
        "UPDATE source SET name = ''",
        "INSERT INTO generation VALUES (2, 0)",
        "INSERT INTO history SELECT 0, 1, timestamptz 'epoch', 0, true, 1, 1, 1",
        "INSERT INTO quarantine (source_id, body_id, ordinal, page_id, run_id, reason, field, value,
                                 rule, first_seen_at)
         SELECT source_id, body_id, ordinal, page_id, run_id, reason, field, value, rule, first_seen_at
         FROM quarantine",
        "UPDATE drift SET kind = ''",
        "UPDATE drift SET endpoint = ''",
        "UPDATE drift SET severity = 'none'",
        "UPDATE drift SET status = 'closed'",
        "UPDATE drift SET rows_affected = -1",
        "UPDATE drift SET rows_examined = -1",
        "UPDATE drift SET confidence_percent = 101",
        "UPDATE drift SET pages_seen = 0",
        "UPDATE drift SET last_seen_at = first_seen_at - interval '1 second'",
        "UPDATE drift SET page_id = 99",
        "UPDATE drift SET pointer = '/the same'",
        "UPDATE drift_profile SET endpoint = ''",
        "UPDATE anomaly SET kind = ''",
        "UPDATE anomaly SET listing_id = NULL",
        "UPDATE anomaly SET listing_id = 1",
        "UPDATE anomaly SET observed_at = NULL WHERE run_id IS NULL",
        "UPDATE anomaly SET observed_at = '1969-12-31T23:59:59Z' WHERE run_id IS NULL",
        "UPDATE anomaly SET source_timed = NULL WHERE run_id IS NULL",
        "UPDATE anomaly SET source_timed = true WHERE run_id IS NOT NULL",
        "INSERT INTO anomaly (source_id, kind, run_id, value, expected, found_at)
         SELECT source_id, kind, run_id, value, expected, found_at FROM anomaly
         WHERE run_id IS NOT NULL",
        "INSERT INTO anomaly (source_id, kind, listing_id, observed_at, source_timed, value, expected,
                              found_at)
         SELECT source_id, kind, listing_id, observed_at, source_timed, value, expected, found_at
         FROM anomaly WHERE run_id IS NULL",
        "UPDATE budget SET version = 0",
        "UPDATE alert SET attempts = -1",
        "UPDATE alert SET delivered_at = now()",
        "UPDATE alert SET code = ''",
        "UPDATE quote SET unusual = NULL",
        "UPDATE generation SET evidence_version = -1",
        "UPDATE evidence_past SET listing_id = 0",
        "UPDATE evidence_past SET part = 'a' WHERE endpoint = ''",
        "UPDATE evidence_past SET kind = 'coin' WHERE endpoint = ''",
        "INSERT INTO evidence_past SELECT * FROM evidence_past",
        "INSERT INTO identity SELECT * FROM identity",
        "UPDATE identity SET asset_id = 0",
        "UPDATE identity SET class = ''",
        "UPDATE identity SET state = 'sure'",
        "UPDATE identity SET confidence = 10001",
        "UPDATE identity SET candidates = NULL",
        "UPDATE asset_edge SET to_listing_id = from_listing_id",
        "UPDATE asset_edge SET to_listing_id = 99",
        "UPDATE asset_edge SET kind = ''",
        "INSERT INTO asset_edge SELECT * FROM asset_edge",
        "UPDATE resolution SET linked = -1",
        "UPDATE resolution SET generation = 0",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
         VALUES ('link', 1, '[]', 'a', 'b', now(), 0)",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page, pairs)
         VALUES ('discard', 1, '[]', 'a', 'b', now(), 0, '[1]')",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page, pairs)
         VALUES ('undo', 1, '[]', 'a', 'b', now(), 0, '[1]')",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
         VALUES ('reopen', 1, '[]', 'a', 'b', now(), 0)",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page, forced)
         VALUES ('discard', 1, '[]', 'a', 'b', now(), 0, true)",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page, drift)
         VALUES ('discard', 1, '[]', 'a', 'b', now(), 0, '[1]')",
        "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page)
         VALUES ('discard', 1, '[]', 'a', 'b', now(), 0); DELETE FROM decision",
        "UPDATE api_key SET key_id = 'short'",
        "UPDATE api_key SET key_id = 'aaaa-aaa'",
        "INSERT INTO api_key SELECT * FROM api_key",
        "UPDATE api_key SET name = ''",
        "UPDATE api_key SET name = repeat('a', 256)",
        "UPDATE api_key SET scope = 'owner'",
        "UPDATE api_key SET hmac = substr(hmac, 2)",
        "UPDATE api_key SET requests = -1",
        "UPDATE api_key SET created_at = NULL",
        "UPDATE request_usage SET client = ''",
        "UPDATE request_usage SET client = repeat('a', 65)",
        "UPDATE request_usage SET requests = -1",
        "INSERT INTO request_usage SELECT * FROM request_usage",
        "UPDATE once SET caller = ''",
        "UPDATE once SET caller = repeat('a', 65)",
        "UPDATE once SET name = ''",
        "UPDATE once SET name = repeat('a', 256)",
        "UPDATE once SET asked = asked || '\\x00'",
        "UPDATE once SET answer = NULL",
        "UPDATE once SET commands = NULL",
        "INSERT INTO once SELECT * FROM once",
    ] {
        let sql = format!("SET search_path = kasparro; {change}");
        let refused = kasparro_testkit::postgres::execute(&database.url(), &sql).await;
        let code = refused.err().and_then(|error| error.code().map(|code| code.code().to_owned()));
        assert!(code.is_some_and(|code| code.starts_with("23")), "{change}");
    }
    assert_eq!(store.verify().await.unwrap().violations, []);
}
