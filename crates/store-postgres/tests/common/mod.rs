//! Real databases and hand-made rows for the tests.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "every test uses a part of it, and one that cannot be set up has failed"
)]

pub(crate) mod access;
pub(crate) mod findings;
pub(crate) mod resolved;
pub(crate) mod whole;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kasparro_domain::{
    Attributes, BodyHash, Decimal, Membership, Quote, RawPage, Rejection, RejectionReason, RunId,
    RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    Batch, BatchRow, BatchStore, Committed, CompressedBody, LeaseStore, NewPage, PageStore,
    QuarantinedRow, RowChange, RunStore, Store,
};
use kasparro_store_postgres::{PostgresSettings, PostgresStore};
use kasparro_testkit::postgres::{Database, Postgres};
use sha2::{Digest, Sha256};

pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000).unwrap()
}

/// How long leases last here.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

pub(crate) fn source() -> SourceName {
    SourceName::new("coinpaprika")
}

pub(crate) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(crate) fn settings(url: &str) -> PostgresSettings {
    PostgresSettings::from_url(url).unwrap()
}

/// An empty store in a database of its own.
pub(crate) async fn new_store() -> (Database, PostgresStore) {
    let database = Postgres::shared().fresh_database();
    let store = PostgresStore::open(settings(&database.url())).await.unwrap();
    (database, store)
}

/// As many handles as a busy fleet has.
pub(crate) const HANDLES: usize = 8;

/// Several handles to one fresh store, as several processes have them.
pub(crate) async fn handles() -> (Database, Vec<Arc<PostgresStore>>) {
    let database = Postgres::shared().fresh_database();
    let mut handles = Vec::new();
    for _ in 0..HANDLES {
        let store = PostgresStore::open(settings(&database.url())).await.unwrap();
        handles.push(Arc::new(store));
    }
    (database, handles)
}

/// Opens a store outside of the test's runtime: its pool connects later, within it.
pub(crate) fn open_blocking(settings: PostgresSettings) -> PostgresStore {
    let opening = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(PostgresStore::open(settings)).unwrap()
    };
    std::thread::spawn(opening).join().unwrap()
}

/// A factory of stores in a database that goes with it, each in a schema of its own. `change` may change
/// the schema behind the back of the store before it is used; `{schema}` stands for its name.
pub(crate) fn stores(change: &'static str) -> impl Fn() -> Arc<dyn Store> + Send + Sync {
    let database = Postgres::shared().fresh_database();
    let opened = AtomicU32::new(0);
    move || {
        let schema = format!("t{}", opened.fetch_add(1, Ordering::SeqCst));
        let settings = settings(&database.url()).with_schema(&schema).unwrap();
        let store = open_blocking(settings);
        if !change.is_empty() {
            database.sql_blocking(&format!("SET search_path = {schema}; {change}"));
        }
        Arc::new(store)
    }
}

/// A zstd frame (RFC 8878) of one raw block: magic number, a one-byte content size, the block.
fn frame(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    let block = (u32::from(length) << 3 | 1).to_le_bytes();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    frame.extend_from_slice(&block[..3]);
    frame.extend_from_slice(bytes);
    frame
}

pub(crate) fn body(bytes: &[u8]) -> CompressedBody {
    CompressedBody {
        hash: BodyHash(Sha256::digest(bytes).into()),
        body_bytes: bytes.len() as u64,
        frame: Box::new(std::io::Cursor::new(frame(bytes))),
    }
}

pub(crate) fn new_page() -> NewPage {
    NewPage {
        source: source(),
        epoch: 1,
        run_id: run_id(1),
        sequence: 0,
        request: serde_json::json!({"path": "/v1/tickers"}),
        context: serde_json::Value::Null,
        http_status: Some(200),
        headers: serde_json::json!({}),
        fetched_at: at(0),
    }
}

pub(crate) fn new_row(ordinal: u64, id: &str) -> BatchRow {
    BatchRow {
        ordinal,
        change: RowChange::New { membership: Membership::Founds },
        external_id: id.into(),
        attributes: Attributes { symbol: Some(id.into()), name: Some(id.into()) },
        quote: Quote {
            price_usd: Some(Decimal::parse("47123.45678901").unwrap()),
            market_cap: Some(Decimal::parse("881234567890").unwrap()),
            volume_24h: Some(Decimal::parse("27182818284.5").unwrap()),
            price_change_24h: Some(Decimal::parse("-1.23").unwrap()),
            circulating_supply: Some(Decimal::parse("18700000").unwrap()),
            total_supply: Some(Decimal::parse("18700000").unwrap()),
            max_supply: Some(Decimal::parse("21000000").unwrap()),
            fully_diluted_valuation: None,
            rank: Some(1),
        },
        observed_at: at(0),
        source_timed: true,
        raw_hash: ordinal,
        anomalies: Vec::new(),
    }
}

pub(crate) fn batch(page: &RawPage, epoch: u64, sequence: u64, rows: Vec<BatchRow>) -> Batch {
    Batch {
        source: source(),
        epoch,
        run_id: run_id(1),
        page_id: page.page_id,
        fetched_at: at(0),
        sequence,
        rows_done: 0,
        rows,
        evidence: Vec::new(),
        news: Vec::new(),
        quarantined: Vec::new(),
        unchanged: 0,
        duplicate: 0,
        page_done: false,
        position: Some(serde_json::json!({"sequence": sequence})),
        returned: Vec::new(),
        sweep: None,
        retry: None,
        examined: None,
        stored_at: at(1),
    }
}

/// Takes the source, starts a run and lands a page.
pub(crate) async fn landed(store: &PostgresStore) -> (u64, RawPage) {
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    store.queue_run(run_id(1), &source(), RunReason::Manual, at(0)).await.unwrap();
    (epoch, store.land(NewPage { epoch, ..new_page() }, body(b"a page")).await.unwrap())
}

/// Commits two new listings and a quarantined row, which is all of a page.
pub(crate) async fn first_batch(store: &PostgresStore) -> Committed {
    let (epoch, page) = landed(store).await;
    let mut batch = batch(&page, epoch, 0, vec![new_row(0, "btc"), new_row(1, "eth")]);
    let rejection = Rejection::new(RejectionReason::BadNumber, "/price", "1e400");
    batch.quarantined = vec![QuarantinedRow { ordinal: 2, rejection, rule: "domain/1" }];
    (batch.rows_done, batch.page_done) = (3, true);
    store.commit(batch).await.unwrap()
}

/// Polls until `ready` gives something; the test fails after `most`.
pub(crate) async fn within<T, F: Future<Output = Option<T>>>(
    most: Duration,
    mut ready: impl FnMut() -> F,
) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = ready().await {
            return found;
        }
        assert!(begun.elapsed() < most, "not within {most:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
