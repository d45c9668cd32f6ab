//! Months of history: made, taken out, brought back.

use kasparro_store_postgres::{PostgresSettings, migrate, roles_sql};
use kasparro_testkit::postgres::{Database, Postgres, connect, execute};

use super::document::{input, statements};
use super::{column, migrated};

/// First hours of January, February and March 2025.
const JANUARY: i64 = 482_136;
const FEBRUARY: i64 = 482_880;
const MARCH: i64 = 483_552;

/// Runs a block of the document, each statement by itself: one of them may not be in a transaction.
async fn run(database: &Database, block: &str) {
    for statement in statements(block) {
        database.sql(statement).await;
    }
}

fn point(hour: i64, listing: i64) -> String {
    format!(
        "INSERT INTO kasparro.history
         VALUES ({hour}, {listing}, to_timestamp({hour}::bigint * 3600), 0, true, 1, 2, 3)"
    )
}

async fn months(database: &Database) -> Vec<String> {
    let sql = "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
               WHERE inhparent = 'kasparro.history'::regclass ORDER BY 1";
    column(database.sql(sql).await)
}

/// Listings whose points are found, in order.
async fn found(database: &Database) -> Vec<String> {
    column(database.sql("SELECT listing_id FROM kasparro.history ORDER BY listing_id").await)
}

/// A store with points of January and February: the first and the last hour of each.
async fn two_months() -> Database {
    let database = migrated().await;
    for (hour, listing) in [(JANUARY, 1), (FEBRUARY - 1, 2), (FEBRUARY, 3), (MARCH - 1, 4)] {
        let make = format!("SELECT kasparro.ensure_history_partition({hour})");
        database.sql(&format!("{make}; {}", point(hour, listing))).await;
    }
    assert_eq!(months(&database).await, ["history_2025_01", "history_2025_02"]);
    database
}

#[tokio::test]
async fn a_month_that_is_taken_out_and_dropped_takes_only_its_own_points_with_it() {
    let database = two_months().await;
    run(&database, "detach").await;
    assert_eq!(found(&database).await, ["3", "4"]);
    let kept = "SELECT count(*) FROM kasparro_archive.history_2025_01";
    assert_eq!(column(database.sql(kept).await), ["2"]);
    run(&database, "drop").await;
    assert_eq!(found(&database).await, ["3", "4"]);
    assert_eq!(months(&database).await, ["history_2025_02"]);
}

#[tokio::test]
async fn a_month_that_is_attached_again_brings_its_points_back() {
    let database = two_months().await;
    run(&database, "detach").await;
    run(&database, "attach").await;
    assert_eq!(found(&database).await, ["1", "2", "3", "4"]);
    let unknown = execute(&database.url(), &point(JANUARY, 1)).await.unwrap_err();
    assert_eq!(unknown.code().unwrap().code(), "23505", "its key is that of history again");
}

#[tokio::test]
async fn a_late_point_makes_its_month_anew_and_both_can_be_merged() {
    let database = two_months().await;
    run(&database, "detach").await;
    let make = format!("SELECT kasparro.ensure_history_partition({JANUARY})");
    assert_eq!(column(database.sql(&make).await), ["history_2025_01"]);
    database.sql(&point(JANUARY + 5, 5)).await;
    database.sql(&point(JANUARY, 1)).await;
    run(&database, "merge").await;
    assert_eq!(found(&database).await, ["1", "2", "3", "4", "5"]);
}

/// Why the document moves a month out of the schema.
#[tokio::test]
async fn a_month_that_stays_in_the_schema_detached_is_taken_for_made() {
    let database = two_months().await;
    database.sql(statements("detach")[1]).await;
    let make = format!("SELECT kasparro.ensure_history_partition({JANUARY})");
    assert_eq!(column(database.sql(&make).await), ["history_2025_01"]);
    let refused = execute(&database.url(), &point(JANUARY, 6)).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23514");
    assert!(refused.as_db_error().unwrap().message().contains("no partition of relation"));
}

#[tokio::test]
async fn this_month_and_the_next_three_are_there_ahead() {
    let database = migrated().await;
    assert!(months(&database).await.is_empty());
    run(&database, "ahead").await;
    let expected = "SELECT to_char(now() AT TIME ZONE 'UTC'
        + make_interval(months => n), '\"history\"_YYYY_MM') FROM generate_series(0, 3) AS n";
    let expected = column(database.sql(expected).await);
    assert_eq!(months(&database).await, expected);
    // The last hour of the last one, and none after it.
    let last = "SELECT extract(epoch FROM date_trunc('month', now() AT TIME ZONE 'UTC')
                + interval '4 months')::bigint / 3600";
    let next: i64 = column(database.sql(last).await)[0].parse().unwrap();
    database.sql(&point(next - 1, 1)).await;
    let refused = execute(&database.url(), &point(next, 1)).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23514");
}

#[tokio::test]
async fn two_that_make_a_month_at_once_both_succeed() {
    let database = migrated().await;
    let mut one = connect(&database.url()).await.unwrap();
    let first = one.transaction().await.unwrap();
    let make = format!("SELECT kasparro.ensure_history_partition({JANUARY})");
    first.execute(&make, &[]).await.unwrap();
    let (url, waiting_make) = (database.url(), make.clone());
    let second = tokio::spawn(async move { execute(&url, &waiting_make).await });
    // The second one waits for the lock of the first.
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let begun = std::time::Instant::now();
    while column(database.sql(waiting).await) != ["1"] {
        assert!(begun.elapsed().as_secs() < 30 && !second.is_finished(), "it has to wait");
    }
    first.commit().await.unwrap();
    assert_eq!(column(second.await.unwrap().unwrap()), ["history_2025_01"]);
    assert_eq!(months(&database).await, ["history_2025_01"]);
}

/// The roles belong to the whole server, which others share: they stay.
#[tokio::test]
async fn a_worker_may_have_a_month_made_and_may_make_no_table_itself() {
    let database = Postgres::shared().fresh_database();
    database.sql(&roles_sql("kasparro")).await;
    migrate(&PostgresSettings::from_url(&database.url()).unwrap()).await.unwrap();
    let as_role = |role: &str, sql: &str| {
        let sql = format!("SET ROLE {role}; {sql}");
        let url = database.url();
        async move { execute(&url, &sql).await }
    };
    let make = format!("SELECT kasparro.ensure_history_partition({JANUARY})");
    as_role("kasparro_worker", &make).await.unwrap();
    as_role("kasparro_worker", &point(JANUARY, 1)).await.unwrap();
    for (role, sql) in [
        ("kasparro_worker", "CREATE TABLE kasparro.own (number integer)"),
        ("kasparro_worker", "CREATE TABLE kasparro.history_2025_03 (LIKE kasparro.history)"),
        ("kasparro_worker", "DROP TABLE kasparro.history_2025_01"),
        ("kasparro_worker", statements("detach")[1]),
        ("kasparro_api", make.as_str()),
    ] {
        // By itself, as it must be; the role is taken for the connection.
        let client = connect(&database.url()).await.unwrap();
        client.batch_execute(&format!("SET ROLE {role}")).await.unwrap();
        let refused = client.batch_execute(sql).await.unwrap_err();
        assert_eq!(refused.code().map(|code| code.code()), Some("42501"), "{role}: {sql}");
    }
    assert_eq!(found(&database).await, ["1"]);
}

#[tokio::test]
async fn a_row_of_history_takes_as_many_bytes_as_the_document_says() {
    let database = migrated().await;
    database.sql(&format!("SELECT kasparro.ensure_history_partition({JANUARY})")).await;
    // Digits as they are sent: a price has 17, a market cap 7 to 13, a volume 11.
    let fill = format!(
        "INSERT INTO kasparro.history
         SELECT hour, listing, to_timestamp(hour::bigint * 3600 + listing % 3600), 0, true,
                round((1 + listing % 97 + hour % 7) * 0.1357924680135791::numeric, 16),
                CASE listing % 2 WHEN 0 THEN listing * 1000000::numeric ELSE listing * 10007::numeric END,
                round(listing * 12345.6789::numeric, 3)
         FROM generate_series({JANUARY}, {JANUARY} + 5) AS hour, generate_series(1, 5000) AS listing"
    );
    database.sql(&fill).await;
    let bytes = "SELECT pg_relation_size('kasparro.history_2025_01')
                        + pg_indexes_size('kasparro.history_2025_01')";
    let bytes: f64 = column(database.sql(bytes).await)[0].parse().unwrap();
    let (row, said) = (bytes / 30_000.0, input("bytes of a row of history"));
    assert!((row / said - 1.0).abs() < 0.1, "{row} bytes, the document says {said}");
}
