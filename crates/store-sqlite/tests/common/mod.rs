//! Real files and hand-made rows for the tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use kasparro_domain::{
    Attributes, BodyHash, Clock, Decimal, ManualClock, Membership, Quote, RawPage, RunId,
    RunReason, SourceName, Timestamp,
};
use kasparro_store::{
    Batch, BatchRow, CompressedBody, LeaseStore, NewPage, PageStore, RowChange, RunStore,
};
use kasparro_store_sqlite::SqliteStore;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000).unwrap()
}

/// How long leases last here.
pub(crate) const LEASE: std::time::Duration = std::time::Duration::from_secs(30);

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(at(0)))
}

pub(crate) fn source() -> SourceName {
    SourceName::new("coinpaprika")
}

pub(crate) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(crate) fn new_store() -> (TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db"), clock()).unwrap();
    (folder, store)
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
pub(crate) async fn landed(store: &SqliteStore) -> (u64, RawPage) {
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    store.queue_run(run_id(1), &source(), RunReason::Manual, at(0)).await.unwrap();
    let page = NewPage { epoch, ..new_page() };
    (epoch, store.land(page, body(b"a page")).await.unwrap())
}
