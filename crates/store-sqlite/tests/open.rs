//! Opening a store: lock, schema version, modes, and files that are none.
#![expect(clippy::panic, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;

use std::sync::Arc;

use common::{LEASE, clock, new_store, run_id, source};
use first_batch::first_batch;
use kasparro_domain::{CommandKind, RunReason, Timestamp};
use kasparro_store::{
    AuditStore, CommandStore, LeaseStore, ReadStore, RunFilter, RunStore, StoreError,
};
use kasparro_store_sqlite::{OpenMode, SqliteStore};
use rusqlite::Connection;

fn unavailable(outcome: Result<SqliteStore, StoreError>) -> String {
    match outcome {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("expected Unavailable, got {other:?}"),
    }
}

#[tokio::test]
async fn a_second_process_finds_the_store_locked_and_learns_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let first = SqliteStore::open(&path, clock()).unwrap();
    let locked = |outcome| match outcome {
        Err(StoreError::Locked { holder }) => holder,
        other => panic!("expected Locked, got {other:?}"),
    };
    let holder = locked(SqliteStore::open(&path, clock()));
    assert_eq!(holder, format!("pid {} since 2023-11-14T22:13:20Z", std::process::id()));
    first.set_address("http://127.0.0.1:8000").unwrap();
    let holder = locked(SqliteStore::open(&path, clock()));
    assert!(holder.ends_with(", answering at http://127.0.0.1:8000"), "{holder}");
    // Another name of the same file takes the same lock.
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    locked(SqliteStore::open(&link, clock()));
    drop(first);
    SqliteStore::open(&path, clock()).unwrap();
}

#[tokio::test]
async fn i19_a_store_of_a_newer_program_is_refused_and_not_touched() {
    let (folder, store) = new_store();
    let path = store.path().to_owned();
    drop(store);
    let direct = Connection::open(&path).unwrap();
    direct
        .execute_batch(
            "PRAGMA journal_mode = delete;
             INSERT INTO refinery_schema_history SELECT 99, 'later', applied_on, checksum
             FROM refinery_schema_history LIMIT 1;",
        )
        .unwrap();
    drop(direct);
    let before = std::fs::read(&path).unwrap();
    let newer = StoreError::Newer { found: 99, known: 7 };
    assert_eq!(SqliteStore::open(&path, clock()).unwrap_err(), newer);
    assert_eq!(SqliteStore::open_read_only(&path, clock()).unwrap_err(), newer);
    assert_eq!(SqliteStore::open_beside(&path, clock()).unwrap_err(), newer);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    drop(folder);
}

#[tokio::test]
async fn what_is_no_store_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database at all, but long enough to look at".repeat(40)).unwrap();
    let why = unavailable(SqliteStore::open(&text, clock()));
    assert!(why.contains("notes.txt") && why.contains("is not a SQLite database"), "{why}");
    let why = unavailable(SqliteStore::open_read_only(&text, clock()));
    assert!(why.contains("is not a SQLite database"), "{why}");

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = std::fs::read(&foreign).unwrap();
    let why = unavailable(SqliteStore::open(&foreign, clock()));
    assert!(why.contains("of another program"), "{why}");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);

    let why = unavailable(SqliteStore::open(folder.path(), clock()));
    assert!(why.contains("is a folder"), "{why}");
    let why = unavailable(SqliteStore::open(text.join("below/store.db"), clock()));
    assert!(why.contains("its folder cannot be made"), "{why}");
    let why = unavailable(SqliteStore::open_read_only(folder.path().join("none.db"), clock()));
    assert!(why.contains("there is no store") && why.contains("kasparro serve"), "{why}");
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    let why = unavailable(SqliteStore::open_read_only(&empty, clock()));
    assert!(why.contains("schema version 0"), "{why}");
}

#[tokio::test]
async fn folders_that_are_missing_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("a/b/store.db"), clock()).unwrap();
    assert_eq!(store.mode(), OpenMode::ReadWrite);
    assert_eq!(store.ping().await.unwrap().kind, "sqlite");
}

#[tokio::test]
async fn a_file_without_its_wal_is_read_in_a_read_only_way() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let path = store.path().to_owned();
    let before = store.dump().await.unwrap();
    drop(store);
    let wal = path.with_extension("db-wal");
    assert!(!wal.exists(), "closing the last handle leaves one file");
    let reader = SqliteStore::open_read_only(&path, clock()).unwrap();
    assert_eq!(reader.mode(), OpenMode::ReadOnly);
    assert_eq!(reader.dump().await.unwrap(), before);
    let refused = reader.acquire(&source(), "me", LEASE).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let refused = reader.submit(command(), Timestamp::EPOCH).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

fn command() -> CommandKind {
    CommandKind::Run { source: source(), run_id: run_id(7), lists: false }
}

#[tokio::test]
async fn a_reader_sees_what_a_writer_beside_it_commits() {
    let (_folder, store) = new_store();
    let reader = SqliteStore::open_read_only(store.path(), clock()).unwrap();
    assert_eq!(reader.generation().await.unwrap().0, 0);
    let committed = first_batch(&store).await;
    assert_eq!(reader.generation().await.unwrap(), committed.generation);
    assert_eq!(reader.dump().await.unwrap(), store.dump().await.unwrap());
}

#[tokio::test]
async fn commands_are_added_beside_a_busy_writer() {
    let (_folder, store) = new_store();
    let store = Arc::new(store);
    let beside = SqliteStore::open_beside(store.path(), clock()).unwrap();
    assert_eq!(beside.mode(), OpenMode::Beside);
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for _ in 0..200 {
                store.acquire(&source(), "busy", LEASE).await.unwrap();
            }
        }
    });
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(beside.submit(command(), Timestamp::EPOCH).await.unwrap());
    }
    let run = beside.queue_run(run_id(7), &source(), RunReason::Manual, Timestamp::EPOCH).await;
    assert_eq!(run.unwrap().run_id, run_id(7));
    writing.await.unwrap();
    let claimed = store.claim(false).await.unwrap();
    assert_eq!(claimed.iter().map(|one| one.command_id).collect::<Vec<_>>(), ids);
    assert_eq!(store.count_runs(RunFilter::default()).await.unwrap(), 1);
    assert_eq!(
        beside.claim(true).await.map_err(|error| matches!(error, StoreError::Conflict(_))),
        Err(true)
    );
}

#[tokio::test]
async fn i16_what_was_acknowledged_is_there_after_a_restart() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let path = store.path().to_owned();
    let before = store.dump().await.unwrap();
    drop(store);
    let again = SqliteStore::open(&path, clock()).unwrap();
    assert_eq!(again.dump().await.unwrap(), before);
    assert_eq!(again.watch().borrow().0, 1);
}
