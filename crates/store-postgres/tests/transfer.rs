//! The PostgreSQL store takes whole stores in and sends them out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use common::access::ask;
use common::findings::{findings, watched_store};
use common::resolved::{relate, resolved_store};
use common::{
    LEASE, at, batch, body, first_batch, new_page, new_row, new_store, run_id, settings, source,
};
use kasparro_domain::{ListingId, RunReason, RunStatus};
use kasparro_store::contract::transfer::{self, Schema};
use kasparro_store::{
    AlertStore, AnomalyFilter, AnomalyStore, AuditStore, Batch, BatchStore, BudgetStore, CellKind,
    CopyError, DriftFilter, DriftStore, IdentityStore, KeyStore, LeaseStore, NewPage, PageStore,
    QuarantineStore, ReadStore, RunStore, RunUpdate, StoreError, TransferStore, UsageStore, copy,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Database, connect};

#[tokio::test]
async fn every_value_travels() {
    let (_database, store) = new_store().await;
    transfer::every_value_travels(&store).await.unwrap();
}

#[tokio::test]
async fn a_broken_copy_leaves_nothing() {
    let (database, store) = new_store().await;
    transfer::a_broken_copy_leaves_nothing(&store).await.unwrap();
    // Months that a broken copy made went with it; those of the last one are there.
    let months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'kasparro.history'::regclass";
    assert_eq!(database.sql(months).await[0][0].as_deref(), Some("3"));
}

#[tokio::test]
async fn a_store_that_holds_anything_takes_no_copy() {
    let (_database, store) = new_store().await;
    transfer::a_store_that_holds_anything_takes_no_copy(&store).await.unwrap();
}

async fn schema(database: &Database) -> Schema {
    // Partitions are no tables of their own, and what is minted beside the tables has its own way.
    let sql = "SELECT relname, attname, format_type(atttypid, NULL)
               FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
               WHERE relnamespace = 'kasparro'::regnamespace AND relkind IN ('r', 'p')
                 AND NOT relispartition AND relname NOT IN ('minted', 'refinery_schema_history')
                 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''";
    let mut schema = Schema::new();
    for row in database.sql(sql).await {
        let [table, column, ty] = row.try_into().unwrap();
        schema.entry(table.unwrap()).or_default().insert(column.unwrap(), ty.unwrap());
    }
    schema
}

fn fits(kind: CellKind, ty: &str) -> bool {
    match kind {
        CellKind::Integer => matches!(ty, "integer" | "bigint"),
        CellKind::Flag => ty == "boolean",
        CellKind::Instant | CellKind::Expiry => ty == "timestamp with time zone",
        CellKind::Decimal => ty == "numeric",
        CellKind::Text => ty == "text",
        CellKind::Json => ty == "json",
        CellKind::Bytes => ty == "bytea",
        CellKind::Uuid => ty == "uuid",
    }
}

#[tokio::test]
async fn every_table_and_column_of_the_schema_is_copied() {
    let (database, store) = new_store().await;
    first_batch(&store).await;
    assert_eq!(transfer::differences(&schema(&database).await, fits), Vec::<String>::new());
    let change = "SET search_path = kasparro;
                  CREATE TABLE forgotten (x integer);
                  ALTER TABLE page ADD COLUMN forgotten text;
                  ALTER TABLE sweep RENAME COLUMN swept_at TO wiped_at;
                  ALTER TABLE source_state ALTER COLUMN state TYPE jsonb;";
    database.sql(change).await;
    let expected = [
        "table forgotten is not copied",
        "page.forgotten is not copied",
        "source_state.state is jsonb, which is not Json",
        "sweep.wiped_at is not copied",
        "there is no sweep.swept_at",
    ];
    assert_eq!(transfer::differences(&schema(&database).await, fits), expected);
}

#[tokio::test]
async fn a_copy_is_equal_and_goes_on_where_the_origin_stood() {
    let (_origin, from) = new_store().await;
    first_batch(&from).await;
    let (target, to) = new_store().await;
    let listener = connect(&target.url()).await.unwrap();
    listener.batch_execute("SET search_path = kasparro").await.unwrap();
    let mut announced = to.watch();
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    assert_eq!((copied.tables["listing"], copied.tables["quarantine"]), (2, 1));
    announced.wait_for(|generation| generation.0 == 1).await.unwrap();
    assert_eq!(to.dump().await.unwrap(), from.dump().await.unwrap());

    // The lease is over but its epoch counts on, numbers follow the largest, the next batch is the next.
    assert_eq!(to.acquire(&source(), "another", LEASE).await, Ok(2));
    assert_eq!(to.memory(&source()).await.unwrap().next_sequence, 1);
    let next = NewPage { epoch: 2, ..new_page() };
    let page = to.land(next, body(b"the next page")).await.unwrap();
    assert_eq!(page.page_id.0, 2);
    let next = Batch { rows_done: 1, ..batch(&page, 2, 1, vec![new_row(0, "xrp")]) };
    let committed = to.commit(next).await.unwrap();
    assert_eq!((committed.new_listings[0].0, committed.generation.0), (3, 2));
    assert_eq!(to.verify().await.unwrap().violations, Vec::new());
}

#[tokio::test]
async fn what_was_found_travels_too() {
    let (_origin, from) = watched_store().await;
    let (_target, to) = new_store().await;
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    let rows = ["drift_profile", "drift", "anomaly", "budget", "alert"];
    assert_eq!(rows.map(|table| copied.tables[table]), [1, 2, 2, 1, 1]);
    assert_eq!(to.dump().await.unwrap(), from.dump().await.unwrap());
    let all = DriftFilter::default();
    assert_eq!(to.drift(all.clone()).await.unwrap(), from.drift(all).await.unwrap());
    assert_eq!(to.alerts(9).await.unwrap(), from.alerts(9).await.unwrap());

    // Numbers and versions go on where the origin stood.
    assert_eq!(to.put_budget(&source(), "key", 0, serde_json::json!(2)).await, Ok(false));
    assert_eq!(to.put_budget(&source(), "key", 1, serde_json::json!(2)).await, Ok(true));
    let epoch = to.acquire(&source(), "another", LEASE).await.unwrap();
    let run = to.queue_run(run_id(2), &source(), RunReason::Manual, at(50)).await.unwrap();
    let (at, status, findings) = (at(51), RunStatus::Success, findings());
    let ended = RunUpdate::Ended { at, status, requests: 0, error: None, findings };
    to.update_run(run.run_id, epoch, ended).await.unwrap();
    assert_eq!(to.alerts(9).await.unwrap()[0].alert_id, 2);
    assert_eq!(to.anomalies(AnomalyFilter::default()).await.unwrap()[0].anomaly_id, 3);
}

#[tokio::test]
async fn what_was_decided_of_listings_travels_too() {
    let (_origin, from) = resolved_store().await;
    relate(&from).await;
    let (_target, to) = new_store().await;
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    let rows = ["evidence_past", "identity", "asset_edge", "resolution"];
    assert_eq!(rows.map(|table| copied.tables[table]), [2, 3, 2, 2]);
    assert_eq!(to.dump().await.unwrap(), from.dump().await.unwrap());
    let position = to.identity_position().await.unwrap();
    assert_eq!(position, from.identity_position().await.unwrap());
    assert!(position.evidence_version > 0);
    let edges = to.asset_edges(&[ListingId(2)]).await.unwrap();
    assert!(edges.len() == 2 && edges[0].terms.ratio.is_some());
    assert_eq!(edges, from.asset_edges(&[ListingId(2)]).await.unwrap());
    let decisions = to.decisions().await.unwrap();
    assert!(decisions.last().is_some_and(|newest| newest.relation.is_some()));
    assert_eq!(decisions, from.decisions().await.unwrap());
}

#[tokio::test]
async fn keys_travel_and_what_was_asked_of_the_last_server_does_not() {
    let (_origin, from) = new_store().await;
    first_batch(&from).await;
    ask(&from).await;
    let (target, to) = new_store().await;
    let copied = copy(&from, &to, |_| {}).await.unwrap();
    assert!(copied.is_equal());
    assert_eq!((copied.tables["api_key"], copied.tables["command"]), (2, 2));
    assert_eq!(to.keys().await.unwrap(), from.keys().await.unwrap());
    assert_eq!(to.share_usage(Vec::new(), at(0)).await.unwrap().used, []);
    let count = "SELECT count(*) FROM kasparro.once";
    assert_eq!(target.sql(count).await, [[Some("0".to_owned())]]);

    // A store that has a key is not taken for an empty one.
    let (_database, keyed) = new_store().await;
    assert!(keyed.is_empty().await.unwrap());
    keyed.add_first_key(common::access::key("cccccccc", 0)).await.unwrap();
    assert!(!keyed.is_empty().await.unwrap());
}

#[tokio::test]
async fn a_number_that_was_given_and_not_kept_is_not_given_again_by_the_copy() {
    let (origin, from) = new_store().await;
    first_batch(&from).await;
    let skip = "SELECT nextval(pg_get_serial_sequence('kasparro.page', 'page_id'));
                UPDATE kasparro.minted SET listing_id = listing_id + 5";
    origin.sql(skip).await;
    let (_target, to) = new_store().await;
    copy(&from, &to, |_| {}).await.unwrap();
    to.acquire(&source(), "another", LEASE).await.unwrap();
    let next = NewPage { epoch: 2, ..new_page() };
    let page = to.land(next, body(b"next")).await.unwrap();
    assert_eq!(page.page_id.0, 3);
    let next = Batch { rows_done: 1, ..batch(&page, 2, 1, vec![new_row(0, "xrp")]) };
    assert_eq!(to.commit(next).await.unwrap().new_listings[0].0, 8);
}

#[tokio::test]
async fn the_origin_is_read_in_one_snapshot() {
    let (_database, from) = new_store().await;
    let committed = first_batch(&from).await;
    let (_target, to) = new_store().await;
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let meanwhile = async {
        begins.recv().await.unwrap();
        let page = from.landed_pages(&source()).await.unwrap();
        assert!(page.is_empty(), "{committed:?}");
        let next = NewPage { epoch: 1, ..new_page() };
        let page = from.land(next, body(b"the next page")).await.unwrap();
        let next = Batch { rows_done: 1, ..batch(&page, 1, 1, vec![new_row(0, "xrp")]) };
        from.commit(next).await.unwrap();
    };
    let copying = copy(&from, &to, |_| {
        let _ = begun.send(());
    });
    let (copied, ()) = tokio::join!(copying, meanwhile);
    let copied = copied.unwrap();
    assert!(copied.is_equal());
    assert_eq!((copied.tables["listing"], copied.from.generation), (2, 1));
    assert_eq!(from.generation().await.unwrap().0, 2);
}

#[tokio::test]
async fn a_target_that_somebody_writes_is_refused_and_stays_as_it_was() {
    let (_origin, from) = new_store().await;
    first_batch(&from).await;
    let database = kasparro_testkit::postgres::Postgres::shared().fresh_database();
    let mut settings = settings(&database.url());
    settings.lock_timeout = std::time::Duration::from_millis(100);
    let to = PostgresStore::open(settings).await.unwrap();
    let mut other = connect(&database.url()).await.unwrap();
    let open = other.transaction().await.unwrap();
    let write = "INSERT INTO kasparro.source (name) VALUES ('another')";
    open.batch_execute(write).await.unwrap();
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::To(StoreError::Unavailable(why))) => assert!(why.contains("busy"), "{why}"),
        other => panic!("{other:?}"),
    }
    open.commit().await.unwrap();
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::To(StoreError::Conflict(why))) => assert!(why.contains("source"), "{why}"),
        other => panic!("{other:?}"),
    }
    database.sql("DELETE FROM kasparro.source").await;
    assert!(to.is_empty().await.unwrap());
    copy(&from, &to, |_| {}).await.unwrap();
}

#[tokio::test]
async fn an_import_whose_connection_is_cut_leaves_the_target_empty() {
    let (_origin, from) = new_store().await;
    first_batch(&from).await;
    let (database, to) = new_store().await;
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let cut = async {
        begins.recv().await.unwrap();
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                     AND state <> 'idle'";
        database.sql(cut).await;
    };
    // The first table is on its way while the connection goes; what comes after it finds none.
    let copying = copy(&from, &to, |progress| {
        if !matches!(progress, kasparro_store::CopyProgress::Comparing) && !begun.is_closed() {
            let _ = begun.send(());
        }
    });
    let (copied, ()) = tokio::join!(copying, cut);
    match copied {
        Err(CopyError::To(StoreError::Unavailable(_))) => {}
        other => panic!("{other:?}"),
    }
    assert!(to.is_empty().await.unwrap());
    copy(&from, &to, |_| {}).await.unwrap();
}
