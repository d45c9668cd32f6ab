//! A database of the first version, with rows in every table, opened by this program.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::{
    Decimal, Generation, ListingId, ManualClock, PageId, RunId, RunReason, RunStatus, SourceName,
    Timestamp,
};
use kasparro_store::{
    AuditStore, Batch, BatchStore, CommandStore, Findings, HistoryRange, HistoryStore, PageStore,
    QuarantineFilter, QuarantineStore, ReadStore, RunFilter, RunStore, RunUpdate, StoreError,
};
use kasparro_store_sqlite::SqliteStore;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const V1: &str = include_str!("../migrations/V1__first_store.sql");

/// XXH3-64 of V1 as it was released.
const V1_HASH: u64 = 9_633_701_397_897_320_171;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

fn run(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

/// A zstd frame (RFC 8878) of the raw block `page`.
const FRAME: &[u8] = b"\x28\xb5\x2f\xfd\x20\x04\x21\x00\x00page";

/// One row or more of each table, such as the first version would have written them: a source with a
/// load of two listings, a correction and a row in quarantine, and one whose only run failed.
const ROWS: &str = "
    INSERT INTO source VALUES (1, 'coinpaprika'), (2, 'coingecko');
    UPDATE generation SET value = 2;
    INSERT INTO raw_body VALUES (1, ?body, 4), (2, zeroblob(32), 0);
    INSERT INTO raw_chunk VALUES (1, 0, ?frame);
    INSERT INTO run (run_id, source_id, status, reason, received, inserted, updated, quarantined,
            pages, requests, created_at, started_at, completed_at, error) VALUES
        (?run1, 1, 'success', 'schedule', 4, 2, 1, 1, 1, 2, 1000, 1100, 1900, NULL),
        (?run2, 2, 'failed', 'manual', 0, 0, 0, 0, 1, 3, 2000, 2100, 2200,
            '{\"code\":\"connect_failed\",\"message\":\"no answer\",\"hint\":\"wait\"}'),
        (?run3, 1, 'queued', 'replay', 0, 0, 0, 0, 0, 0, 3000, NULL, NULL, NULL);
    INSERT INTO page VALUES
        (1, 1, ?run1, 0, '{\"path\":\"/v1/tickers\"}', ?tickers, 'null', 200, '{}', 1500, 1, 'loaded', 4,
            NULL),
        (2, 2, ?run2, 0, '{\"path\":\"/markets\"}', ?markets, 'null', 500, '{}', 2150, 1, 'refused', 0,
            '{\"code\":\"bad\",\"message\":\"bad\",\"hint\":\"none\"}');
    INSERT INTO asset VALUES (1), (2);
    INSERT INTO listing VALUES
        (1, 1, 'btc', 1, 'BTC', 'Bitcoin', NULL, 1, 1500),
        (2, 1, 'eth', 2, NULL, NULL, NULL, 1, 1500);
    INSERT INTO quote VALUES
        (1, 1400, 1, 1500, '47123.45678901', '881234567890', NULL, '-1.23', NULL, NULL, '21000000',
            NULL, 1, -5, 1, 3),
        (2, 1500, 0, 1500, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 6, 1, 1);
    INSERT INTO history VALUES
        (0, 1, 1400, 0, 1, '47123', '881234567890', NULL),
        (0, 1, 1400, 1, 1, '47123.45678901', '881234567890', NULL),
        (0, 2, 1500, 0, 0, NULL, NULL, NULL);
    INSERT INTO quarantine VALUES
        (1, 1, 1, 2, 1, ?run1, 'bad', 'bad_number', '/price', '1e400', 'domain/1', 'open', 1500);
    INSERT INTO batch VALUES
        (1, 1, 0, ?run1, 1, 1, 3, 2, 0, 0, 0, 0, 1, 1, x'0101', 1600),
        (2, 1, 1, ?run1, 1, 1, 1, 0, 1, 0, 0, 0, 0, NULL, x'01', 1700);
    INSERT INTO checkpoint VALUES (1, '{\"page\":1}', 1500);
    INSERT INTO lease VALUES (1, 'pid 7', 1);
    INSERT INTO command VALUES
        (1, '{\"kind\":\"run\",\"source\":\"coinpaprika\",\"run_id\":\"' || ?run1 || '\"}', 'pending',
            1000, NULL);
    INSERT INTO source_state VALUES (1, '{\"source\":\"coinpaprika\",\"enabled\":true,
        \"schedule\":\"every 1h\",\"next_run_at\":null,\"stale_after_seconds\":7200}');";

fn quoted(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("x'{hex}'")
}

/// Makes the database with nothing but what the first version brought, and adds `more`.
fn first_version(more: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    let first = refinery::Migration::unapplied("V1__first_store", V1).unwrap();
    refinery::Runner::new(&[first]).run(&mut connection).unwrap();
    let mut rows =
        ROWS.replace("?body", &quoted(&Sha256::digest(b"page"))).replace("?frame", &quoted(FRAME))
            + more;
    for (name, path) in [("?tickers", "/v1/tickers"), ("?markets", "/markets")] {
        let request = format!("{{\"path\":\"{path}\"}}");
        let hash = xxhash_rust::xxh3::xxh3_64(request.as_bytes()).cast_signed();
        rows = rows.replace(name, &hash.to_string());
    }
    for number in 1..=3 {
        rows = rows.replace(&format!("?run{number}"), &format!("'{}'", run(number)));
    }
    connection.pragma_update(None, "foreign_keys", !more.contains("'gone'")).unwrap();
    connection.execute_batch(&rows).unwrap();
    (folder, path)
}

/// The rows of every table of the first version, in words.
fn rows(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let columns = [
        ("source", "source_id, name"),
        ("generation", "one, value"),
        (
            "run",
            "run_id, source_id, status, reason, received, inserted, updated, unchanged, stale,
             duplicate, quarantined, pages, requests, created_at, started_at, completed_at, error",
        ),
        ("raw_body", "*"),
        ("raw_chunk", "*"),
        ("page", "*"),
        ("asset", "*"),
        (
            "listing",
            "listing_id, source_id, external_id, asset_id, symbol, name, contracts, active,
             first_seen_at",
        ),
        (
            "quote",
            "listing_id, observed_at, source_timed, fetched_at, price_usd, market_cap, volume_24h,
             price_change_24h, circulating_supply, total_supply, max_supply,
             fully_diluted_valuation, rank, raw_hash, page_id, ordinal",
        ),
        ("history", "*"),
        ("quarantine", "*"),
        (
            "batch",
            "generation, source_id, sequence, run_id, page_id, epoch, received, inserted, updated,
             unchanged, stale, duplicate, quarantined, first_new_id, changed, stored_at",
        ),
        ("checkpoint", "*"),
        ("lease", "source_id, holder, epoch"),
        ("command", "command_id, kind, state, created_at, result"),
        ("source_state", "*"),
    ];
    let mut all = Vec::new();
    for (table, columns) in columns {
        let mut select = connection.prepare(&format!("SELECT {columns} FROM {table}")).unwrap();
        let width = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<_> = (0..width)
                .map(|place| format!("{:?}", row.get::<_, rusqlite::types::Value>(place).unwrap()))
                .collect();
            all.push(format!("{table} {}", cells.join(" ")));
        }
    }
    all
}

#[test]
fn the_first_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V1.as_bytes()), V1_HASH);
}

#[test]
fn a_reader_leaves_the_migration_to_the_one_that_writes() {
    let (_folder, path) = first_version("");
    let before = rows(&path);
    for outcome in
        [SqliteStore::open_read_only(&path, clock()), SqliteStore::open_beside(&path, clock())]
    {
        let told = |why: &str| why.contains("schema version 1") && why.contains("kasparro serve");
        assert!(matches!(&outcome, Err(StoreError::Unavailable(why)) if told(why)), "{outcome:?}");
    }
    assert_eq!(rows(&path), before);
}

#[tokio::test]
async fn every_row_of_the_first_version_is_there_afterwards() {
    let (_folder, path) = first_version("");
    let before = rows(&path);
    assert!(before.len() >= 24, "{before:?}");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
    assert_eq!(rows(&path), before);
}

#[tokio::test]
async fn a_migrated_store_is_read_and_checked_like_any_other() {
    let (_folder, path) = first_version("");
    let store = SqliteStore::open(&path, clock()).unwrap();
    let paprika = SourceName::new("coinpaprika");
    // The body of no bytes stands behind no page and is not a frame: the one thing to find.
    let found = store.verify().await.unwrap().violations;
    let whole = found.iter().all(|one| one.invariant == "I21" && one.detail.contains("000000"));
    assert!(whole && found.len() == 1, "{found:?}");

    let memory = store.memory(&paprika).await.unwrap();
    assert_eq!(memory.next_sequence, 2);
    assert_eq!(memory.listings.len(), 2);
    let btc = &memory.listings[0];
    assert_eq!((btc.external_id.as_str(), btc.missed), ("btc", 0));
    let price = btc.quote.as_ref().unwrap().values.price_usd.clone();
    assert_eq!(price, Some(Decimal::parse("47123.45678901").unwrap()));
    let points = store.history(ListingId(1), HistoryRange::default()).await.unwrap();
    assert_eq!(points.iter().map(|point| point.revision).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.generation().await.unwrap(), Generation(2));
    let open = store.quarantined(QuarantineFilter::default()).await.unwrap();
    assert_eq!((open.len(), open[0].page_id, open[0].run_id), (1, PageId(1), run(1)));
    let pages = store.pages_after(PageId(0), 10).await.unwrap();
    assert_eq!(pages.len(), 2);
    assert!(pages[1].error.is_some());
    assert_eq!(store.claim(false).await.unwrap().len(), 1);
    assert_eq!(store.settled(PageId(1)).await.unwrap().unwrap().received, 4);
}

/// The body of the first page under another request: a page with as many bad rows, `counted` of which
/// its batch tells of.
fn same_bytes_elsewhere(counted: u64) -> String {
    format!(
        "INSERT INTO page SELECT 3, source_id, run_id, 1, '{{\"path\":\"/markets\"}}', ?markets,
             context, http_status, headers, 1600, body_id, state, rows_done, error
             FROM page WHERE page_id = 1;
         INSERT INTO page SELECT 4, source_id, run_id, 2, request, request_hash, context, http_status,
             headers, 1700, body_id, state, 0, error FROM page WHERE page_id = 3;
         INSERT INTO batch VALUES (3, 1, 2, ?run1, 3, 1, 4, 0, 0, 4 - {counted}, 0, 0, {counted}, NULL,
             x'', 1800);
         UPDATE run SET received = received + 4, unchanged = unchanged + 4 - {counted},
             quarantined = quarantined + {counted} WHERE run_id = ?run1;
         UPDATE generation SET value = 3;"
    )
}

#[tokio::test]
async fn bad_rows_that_the_first_version_lost_to_equal_bytes_come_back() {
    let (_folder, path) = first_version(&same_bytes_elsewhere(1));
    let store = SqliteStore::open(&path, clock()).unwrap();
    let rows = store.quarantined(QuarantineFilter::default()).await.unwrap();
    let [kept, back] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((kept.page_id, back.page_id), (PageId(1), PageId(3)));
    assert_eq!(back.first_seen_at, Timestamp::from_millis(1_600).unwrap());
    let same = kasparro_store::QuarantineRow {
        quarantine_id: kept.quarantine_id,
        page_id: kept.page_id,
        first_seen_at: kept.first_seen_at,
        ..back.clone()
    };
    assert_eq!(&same, kept);
    let found = store.verify().await.unwrap().violations;
    assert!(found.iter().all(|one| one.invariant == "I21"), "{found:?}");
}

#[tokio::test]
async fn bad_rows_of_which_the_first_version_counted_others_are_not_made_up() {
    let (_folder, path) = first_version(&same_bytes_elsewhere(2));
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.count_quarantined(QuarantineFilter::default()).await.unwrap(), 1);
    let found = store.verify().await.unwrap().violations;
    let lost = "page 3 has 0 rows in quarantine, its batches count 2";
    assert!(found.iter().any(|one| one.invariant == "I1" && one.detail == lost), "{found:?}");
}

#[tokio::test]
async fn a_batch_of_the_first_version_that_is_sent_again_has_its_outcome() {
    let (_folder, path) = first_version("");
    let store = SqliteStore::open(&path, clock()).unwrap();
    let again = |sequence| Batch {
        source: SourceName::new("coinpaprika"),
        epoch: 1,
        run_id: run(1),
        page_id: PageId(1),
        fetched_at: Timestamp::EPOCH,
        sequence,
        rows: Vec::new(),
        evidence: Vec::new(),
        news: Vec::new(),
        quarantined: Vec::new(),
        unchanged: 0,
        duplicate: 0,
        rows_done: 0,
        page_done: false,
        position: None,
        returned: Vec::new(),
        sweep: None,
        retry: None,
        examined: None,
        stored_at: Timestamp::EPOCH,
    };
    let first = store.commit(again(0)).await.unwrap();
    assert_eq!((first.generation, first.counts.received), (Generation(1), 3));
    assert_eq!(first.new_listings, [ListingId(1), ListingId(2)]);
    let second = store.commit(again(1)).await.unwrap();
    assert_eq!((second.generation, second.new_listings.len()), (Generation(2), 0));
}

#[tokio::test]
async fn runs_of_the_first_version_go_on() {
    let (_folder, path) = first_version("");
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.count_runs(RunFilter::default()).await.unwrap(), 3);
    let first = store.run(run(1)).await.unwrap().unwrap();
    assert_eq!((first.status, first.counts.received, first.pages), (RunStatus::Success, 4, 1));
    assert_eq!(store.run_options(run(1)).await.unwrap(), None);
    let paprika = SourceName::new("coinpaprika");
    let at = Timestamp::from_millis(4_000).unwrap();
    // One that was queued is still the only open one of its source.
    let asked = store.queue_run(run(9), &paprika, RunReason::Retry, at).await.unwrap();
    assert_eq!(asked.run_id, run(3));
    let options = serde_json::json!({"currency": "usd"});
    let started = RunUpdate::Started { at, options: options.clone() };
    store.update_run(run(3), 1, started).await.unwrap();
    assert_eq!(store.run_options(run(3)).await.unwrap(), Some(options));
    let (status, findings) = (RunStatus::Success, Findings::default());
    let ended = RunUpdate::Ended { at, status, requests: 0, error: None, findings };
    store.update_run(run(3), 1, ended).await.unwrap();
    let asked = store.queue_run(run(9), &paprika, RunReason::Retry, at).await.unwrap();
    assert_eq!((asked.run_id, asked.reason), (run(9), RunReason::Retry));
}

#[test]
fn foreign_keys_hold_after_the_migration() {
    let (_folder, path) = first_version("");
    drop(SqliteStore::open(&path, clock()).unwrap());
    let direct = Connection::open(&path).unwrap();
    direct.pragma_update(None, "foreign_keys", true).unwrap();
    for table in ["page", "quarantine", "batch"] {
        let sql = format!("UPDATE {table} SET run_id = ?1");
        assert!(direct.execute(&sql, params![run(99).to_string()]).is_err(), "{table}");
    }
    assert!(direct.execute("DELETE FROM run", []).is_err());
    let indexes = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema
                   WHERE type = 'index' AND tbl_name = 'run' AND sql IS NOT NULL ORDER BY name)";
    let indexes: String = direct.query_row(indexes, [], |row| row.get(0)).unwrap();
    assert_eq!(indexes, "run_newest,run_of_source,run_open");
    let next =
        "INSERT INTO quarantine (source_id, body_id, ordinal, page_id, run_id, reason, field,
                    value, rule, first_seen_at)
                SELECT source_id, body_id, 3, page_id, run_id, reason, field, value, rule, 0
                FROM quarantine RETURNING quarantine_id";
    let next: i64 = direct.query_row(next, [], |row| row.get(0)).unwrap();
    assert_eq!(next, 2, "numbers go on");
}

#[test]
fn a_store_whose_rows_point_nowhere_is_refused_and_left_as_it_was() {
    let (_folder, path) = first_version("UPDATE page SET run_id = 'gone' WHERE page_id = 2;");
    let before = rows(&path);
    let refused = SqliteStore::open(&path, clock());
    let told = |why: &str| why.contains("store.db") && why.contains("brought up to date");
    assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if told(why)), "{refused:?}");
    assert_eq!(rows(&path), before);
    let direct = Connection::open(&path).unwrap();
    let version = "SELECT max(version) FROM refinery_schema_history";
    assert_eq!(direct.query_row(version, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}
