//! What the third migration makes of leases and commands of the second version.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{CommandId, CommandState, ManualClock, SourceName, Timestamp};
use kasparro_store::{AuditStore, CommandStore, LeaseStore, ReadStore};
use kasparro_store_sqlite::SqliteStore;
use rusqlite::Connection;

const LEASE: Duration = Duration::from_secs(30);

const V1: &str = include_str!("../migrations/V1__first_store.sql");
const V2: &str = include_str!("../migrations/V2__nothing_lost.sql");

/// XXH3-64 of V2 as it was released.
const V2_HASH: u64 = 10_184_962_828_322_682_478;

/// Such as the second version would have written them.
const ROWS: &str = r#"
    INSERT INTO source VALUES (1, 'coinpaprika');
    INSERT INTO lease VALUES (1, 'pid 7', 4);
    INSERT INTO command (command_id, kind, state, created_at, result) VALUES
        (1, '{"kind":"run","source":"coinpaprika","run_id":"00000000-0000-0000-0000-000000000001"}',
            'pending', 1000, NULL),
        (2, '{"kind":"retry","rows":[1],"who":"a","why":"b"}', 'claimed', 1000, NULL),
        (3, '{"kind":"discard","rows":[1],"who":"a","why":"b"}', 'done', 1000, '{"discarded":1}');
"#;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

fn source() -> SourceName {
    SourceName::new("coinpaprika")
}

/// A store of the second version.
fn second_version() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let migrations = [("first_store", V1), ("nothing_lost", V2)].into_iter().zip(1..);
    let migrations: Vec<_> = migrations
        .map(|((name, sql), version)| {
            refinery::Migration::unapplied(&format!("V{version}__{name}"), sql).unwrap()
        })
        .collect();
    refinery::Runner::new(&migrations).set_grouped(true).run(&mut connection).unwrap();
    connection.execute_batch(ROWS).unwrap();
    (folder, path)
}

#[test]
fn the_second_migration_is_as_it_was_released() {
    assert_eq!(xxhash_rust::xxh3::xxh3_64(V2.as_bytes()), V2_HASH);
}

#[tokio::test]
async fn a_lease_of_the_second_version_has_ended_and_its_epochs_go_on() {
    let (_folder, path) = second_version();
    let store = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(store.ping().await.unwrap().schema_version, 7);
    let leases = store.leases().await.unwrap();
    assert_eq!((leases[0].epoch, leases[0].live), (4, false));
    assert_eq!(store.acquire(&source(), "somebody else", LEASE).await.unwrap(), 5);
}

#[tokio::test]
async fn a_request_to_run_goes_on_and_one_without_a_source_says_to_ask_again() {
    let (_folder, path) = second_version();
    let store = SqliteStore::open(&path, clock()).unwrap();
    let epoch = store.acquire(&source(), "somebody else", LEASE).await.unwrap();
    let claimed = store.claim_held(&[(source(), epoch)], &[]).await.unwrap();
    assert_eq!(claimed.iter().map(|one| one.command_id).collect::<Vec<_>>(), [CommandId(1)]);
    let direct = Connection::open(&path).unwrap();
    let rest = "SELECT state, result FROM command WHERE command_id > 1 ORDER BY command_id";
    let mut rest = direct.prepare(rest).unwrap();
    let rest: Vec<(String, String)> =
        rest.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().flatten().collect();
    assert_eq!(rest.len(), 2);
    assert!(rest[0].1.contains("ask again"), "{rest:?}");
    assert_eq!(rest[1].1, r#"{"discarded":1}"#);
    let one = store.command(CommandId(1)).await.unwrap().unwrap();
    assert_eq!((one.state, one.epoch), (CommandState::Claimed, epoch));
    let found = store.dump().await.unwrap();
    let commands = found.into_iter().find(|table| table.name == "command").unwrap();
    assert_eq!(commands.rows.len(), 3, "every request can be read");
}
