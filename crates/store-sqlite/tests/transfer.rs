//! The SQLite store takes whole stores in and sends them out.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "common/findings.rs"]
mod findings;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/keys.rs"]
mod keys;
#[path = "common/run_with_findings.rs"]
mod run_with_findings;

use std::sync::Arc;

use common::{LEASE, at, batch, body, clock, new_page, new_row, new_store, run_id, source};
use findings::change;
use first_batch::first_batch;
use kasparro_domain::{DriftId, RunError, RunReason, SourceName};
use kasparro_store::contract::transfer::{self, Schema};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, AuditStore, Batch, BatchStore, BudgetStore, CellKind,
    CommandStore, CopyError, DriftFilter, DriftStore, KeyEnd, KeyStore, LeaseStore, NOT_COPIED,
    NewPage, PageStore, QuarantineStore, ReadStore, Reopening, RunFilter, RunStore, StoreError,
    Submitted, TABLES, TransferStore, UsageStore, copy,
};
use kasparro_store_sqlite::SqliteStore;
use keys::{key, kinds, minute, once, usage};
use run_with_findings::{examined, run_with_findings};
use rusqlite::Connection;

#[tokio::test]
async fn every_value_travels() {
    let (_folder, store) = new_store();
    transfer::every_value_travels(&store).await.unwrap();
}

#[tokio::test]
async fn a_broken_copy_leaves_nothing() {
    let (_folder, store) = new_store();
    transfer::a_broken_copy_leaves_nothing(&store).await.unwrap();
}

#[tokio::test]
async fn a_store_that_holds_anything_takes_no_copy() {
    let (_folder, store) = new_store();
    transfer::a_store_that_holds_anything_takes_no_copy(&store).await.unwrap();
}

fn schema(connection: &Connection) -> Schema {
    let sql = "SELECT t.name, c.name, c.type FROM pragma_table_list AS t
               JOIN pragma_table_xinfo(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                 AND t.name <> 'refinery_schema_history' AND c.hidden = 0";
    let mut statement = connection.prepare(sql).unwrap();
    let mut schema = Schema::new();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let table = schema.entry(row.get(0).unwrap()).or_default();
        table.insert(row.get(1).unwrap(), row.get(2).unwrap());
    }
    schema
}

fn fits(kind: CellKind, ty: &str) -> bool {
    match kind {
        CellKind::Integer | CellKind::Flag | CellKind::Instant | CellKind::Expiry => {
            ty == "INTEGER"
        }
        CellKind::Decimal | CellKind::Text | CellKind::Json | CellKind::Uuid => ty == "TEXT",
        CellKind::Bytes => ty == "BLOB",
    }
}

#[test]
fn every_table_and_column_of_the_schema_is_copied() {
    let (_folder, store) = new_store();
    let direct = Connection::open(store.path()).unwrap();
    assert_eq!(transfer::differences(&schema(&direct), fits), Vec::<String>::new());
    direct
        .execute_batch(
            "CREATE TABLE forgotten (x INTEGER);
             ALTER TABLE page ADD COLUMN forgotten TEXT;
             ALTER TABLE sweep RENAME COLUMN swept_at TO wiped_at;
             DROP TABLE request_usage;
             DROP TABLE source_state;
             CREATE TABLE source_state (source_id INTEGER, state BLOB);",
        )
        .unwrap();
    let expected = [
        "table forgotten is not copied",
        "there is no table request_usage",
        "page.forgotten is not copied",
        "source_state.state is BLOB, which is not Json",
        "sweep.wiped_at is not copied",
        "there is no sweep.swept_at",
    ];
    assert_eq!(transfer::differences(&schema(&direct), fits), expected);
}

#[test]
fn every_row_is_copied_behind_those_that_it_points_to() {
    let (_folder, store) = new_store();
    let direct = Connection::open(store.path()).unwrap();
    let mut pointing = 0;
    for (index, table) in TABLES.iter().enumerate() {
        let sql = format!("SELECT \"table\" FROM pragma_foreign_key_list('{}')", table.name);
        let mut statement = direct.prepare(&sql).unwrap();
        let parents = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        for parent in parents.map(Result::unwrap) {
            let before = TABLES[..index].iter().any(|earlier| earlier.name == parent);
            assert!(before, "{} points to {parent}", table.name);
            pointing += 1;
        }
    }
    assert!(pointing > 20, "only {pointing} references were looked at");
}

#[tokio::test]
async fn a_copy_is_equal_and_goes_on_where_the_origin_stood() {
    let (_folder, from) = new_store();
    first_batch(&from).await;
    let (_target, to) = new_store();
    let mut announced = to.watch();
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    assert_eq!((copied.tables["listing"], copied.tables["quarantine"]), (2, 1));
    assert_eq!(announced.borrow_and_update().0, 1);
    assert_eq!(to.dump().await.unwrap(), from.dump().await.unwrap());

    // The lease is over but its epoch counts on, numbers follow the largest, the next batch is the next.
    assert_eq!(to.acquire(&source(), "another", LEASE).await, Ok(2));
    let memory = to.memory(&source()).await.unwrap();
    assert_eq!(memory.next_sequence, 1);
    let next = NewPage { epoch: 2, ..new_page() };
    let page = to.land(next, body(b"the next page")).await.unwrap();
    assert_eq!(page.page_id.0, 2);
    let committed =
        to.commit(Batch { rows_done: 1, ..batch(&page, 2, 1, vec![new_row(0, "xrp")]) });
    let committed = committed.await.unwrap();
    assert_eq!((committed.new_listings[0].0, committed.generation.0), (3, 2));
    assert_eq!(to.verify().await.unwrap().violations, Vec::new());
}

#[tokio::test]
async fn what_was_found_travels_and_goes_on() {
    let (_folder, from) = new_store();
    run_with_findings(&from).await;
    let page = from.land(NewPage { sequence: 1, ..new_page() }, body(b"changed")).await.unwrap();
    let error = RunError { code: "drift".into(), message: "changed".into(), hint: "look".into() };
    from.refuse(page.page_id, 1, error, Some(examined(vec![change("/a")]))).await.unwrap();
    let reopening = Reopening {
        who: "a person".to_owned(),
        why: "it is right".to_owned(),
        forced: true,
        run_id: run_id(1),
        decided_at: at(5),
    };
    from.reopen(page.page_id, 1, reopening).await.unwrap();
    assert_eq!(from.accept_drift(vec![DriftId(1)], "a person", "", at(6)).await, Ok(1));
    let (_target, to) = new_store();
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    for (table, rows) in [
        ("drift", 2),
        ("drift_profile", 1),
        ("anomaly", 2),
        ("budget", 1),
        ("alert", 1),
        ("decision", 2),
    ] {
        assert_eq!(copied.tables[table], rows, "{table}");
    }
    assert_eq!(to.dump().await.unwrap(), from.dump().await.unwrap());
    assert_eq!(to.drift(DriftFilter::default()).await, from.drift(DriftFilter::default()).await);
    assert_eq!(
        to.anomalies(AnomalyFilter::default()).await,
        from.anomalies(AnomalyFilter::default()).await
    );
    assert_eq!(to.decisions().await, from.decisions().await);
    assert_eq!(to.alerts(9).await, from.alerts(9).await);

    // Budgets go on from the version that they had, numbers behind the largest.
    let state = serde_json::json!({"spent": 2});
    assert_eq!(to.put_budget(&source(), "key", 0, state.clone()).await, Ok(false));
    assert_eq!(to.put_budget(&source(), "key", 1, state).await, Ok(true));
    let epoch = to.acquire(&source(), "another", LEASE).await.unwrap();
    let mut batch = batch(&page, epoch, 1, Vec::new());
    batch.page_done = true;
    batch.examined = Some(examined(vec![change("/a"), change("/c")]));
    to.commit(batch).await.unwrap();
    let changes = to.drift(DriftFilter::default()).await.unwrap();
    let told: Vec<_> = changes.iter().map(|row| (row.drift_id.0, row.pages_seen)).collect();
    assert_eq!(told, [(1, 3), (2, 1), (3, 1)]);
    assert_eq!(to.verify().await.unwrap().violations, Vec::new());
}

#[tokio::test]
async fn keys_travel_and_what_was_asked_with_them_does_not() {
    let (_folder, from) = new_store();
    assert!(from.add_first_key(key("aaaaaaaa", 0)).await.unwrap());
    assert!(from.end_key("aaaaaaaa", KeyEnd::Revoked(minute(1))).await.unwrap());
    from.share_usage(vec![usage("one", 0, 3)], minute(0)).await.unwrap();
    let submit = |store| {
        let kinds = kinds(&["coinpaprika"]);
        CommandStore::submit_once(store, once("a"), kinds, minute(0), minute(-9))
    };
    assert!(matches!(submit(&from).await, Ok(Submitted::New(ids)) if ids.len() == 1));
    let (_target, to) = new_store();
    // What a server counted while nothing was in its store does not make it one that holds anything.
    to.share_usage(vec![usage("two", 0, 1)], minute(0)).await.unwrap();
    assert!(to.is_empty().await.unwrap());
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert_eq!((copied.tables["api_key"], copied.tables["command"]), (1, 1));
    assert!(NOT_COPIED.iter().all(|name| !copied.tables.contains_key(name)));
    assert_eq!(to.keys().await, from.keys().await);
    let used = to.share_usage(Vec::new(), minute(0)).await.unwrap().used;
    assert_eq!(used, [usage("two", 0, 1)]);
    assert!(matches!(submit(&to).await, Ok(Submitted::New(_))));
    let refused = copy(&from, &to, |_| {}).await;
    assert!(matches!(refused, Err(CopyError::To(StoreError::Conflict(_)))), "{refused:?}");
}

#[tokio::test]
async fn a_store_in_which_somebody_has_a_key_takes_no_copy() {
    let (_folder, from) = new_store();
    let (_target, to) = new_store();
    assert!(to.add_first_key(key("aaaaaaaa", 0)).await.unwrap());
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::To(StoreError::Conflict(why))) => assert!(why.contains("api_key"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(to.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_number_whose_row_is_gone_is_not_given_again_by_the_copy() {
    let (_folder, from) = new_store();
    first_batch(&from).await;
    from.land(NewPage { sequence: 1, ..new_page() }, body(b"gone")).await.unwrap();
    let direct = Connection::open(from.path()).unwrap();
    direct.execute("DELETE FROM page WHERE page_id = 2", []).unwrap();
    let (_target, to) = new_store();
    copy(&from, &to, |_| {}).await.unwrap();
    to.acquire(&source(), "another", LEASE).await.unwrap();
    let next = NewPage { epoch: 2, ..new_page() };
    assert_eq!(to.land(next, body(b"next")).await.unwrap().page_id.0, 3);
}

#[tokio::test]
async fn the_origin_may_be_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let writer = Arc::new(SqliteStore::open(&path, clock()).unwrap());
    first_batch(&writer).await;
    let from = SqliteStore::open_read_only(&path, clock()).unwrap();
    let (_target, to) = new_store();
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let meanwhile = async {
        begins.recv().await.unwrap();
        let other = SourceName::new("other");
        writer.queue_run(run_id(2), &other, RunReason::Manual, at(9)).await.unwrap();
    };
    let (copied, ()) = tokio::join!(
        copy(&from, &to, |_| {
            let _ = begun.send(());
        }),
        meanwhile
    );
    let copied = copied.unwrap();
    assert_eq!(copied.tables["run"], 1);
    assert_eq!(writer.count_runs(RunFilter::default()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_told_as_the_target() {
    let (_folder, from) = new_store();
    first_batch(&from).await;
    let reader = SqliteStore::open_read_only(from.path(), clock()).unwrap();
    match copy(&from, &reader, |_| {}).await {
        Err(CopyError::To(StoreError::Conflict(_))) => {}
        other => panic!("{other:?}"),
    }
    assert!(!reader.is_empty().await.unwrap());
}

#[tokio::test]
async fn a_value_of_the_origin_that_cannot_be_read_leaves_the_target_empty() {
    let (_folder, from) = new_store();
    first_batch(&from).await;
    let direct = Connection::open(from.path()).unwrap();
    direct.execute("UPDATE quote SET price_usd = '1.50'", []).unwrap();
    let (_target, to) = new_store();
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::From(StoreError::Corrupt(why))) => {
            assert!(why.contains("quote.price_usd"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(to.is_empty().await.unwrap());
}

#[tokio::test]
async fn violations_of_the_origin_are_reported_of_both() {
    let (_folder, from) = new_store();
    first_batch(&from).await;
    let direct = Connection::open(from.path()).unwrap();
    direct.execute("UPDATE raw_chunk SET bytes = x'00'", []).unwrap();
    let (_target, to) = new_store();
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::Unsound(copied)) => {
            assert!(copied.is_equal(), "the copy is a faithful one");
            assert!(!copied.from.violations.is_empty());
            assert_eq!(copied.from.violations, copied.to.violations);
        }
        other => panic!("{other:?}"),
    }
}
