//! The world of the stories: one or two sources, hand-made rows, a clock that stands.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use kasparro_domain::{
    Attributes, BodyHash, Decimal, Generation, ListingId, Membership, Quote, RawPage, Rejection,
    RejectionReason, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::Broken;
use crate::{
    Batch, BatchRow, Committed, CompressedBody, Findings, ListingRef, ListingRow, NewPage,
    QuarantinedRow, RowChange, RunUpdate, Store, StoreResult,
};

/// A store in a story.
pub(super) type Subject = Arc<dyn Store>;

/// The instant `minutes` after the stories begin.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000).unwrap_or_default()
}

/// Run number `number`: the later, the greater.
pub(super) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number))
}

/// The source of most stories.
pub(super) fn paprika() -> SourceName {
    SourceName::new("coinpaprika")
}

/// The other source.
pub(super) fn gecko() -> SourceName {
    SourceName::new("coingecko")
}

/// A decimal that is written rightly.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    Decimal::parse(text).ok()
}

/// Values with this price; the cap tells them apart from those of another price.
pub(super) fn priced(price: &str) -> Quote {
    Quote {
        price_usd: decimal(price),
        market_cap: decimal("1000000"),
        rank: Some(1),
        ..Quote::default()
    }
}

/// What a source says of the listing `id`.
pub(super) fn about(id: &str) -> Attributes {
    let name = CompactString::from(format!("Coin {id}"));
    Attributes { symbol: Some(CompactString::from(id)), name: Some(name) }
}

/// A change that brings a listing.
pub(super) const NEW: RowChange = RowChange::New { membership: Membership::Founds };

/// A change that brings a newer point of a stored listing.
pub(super) const fn newer(listing: ListingId) -> RowChange {
    RowChange::Newer { listing: ListingRef::Stored(listing) }
}

/// A change that corrects the point of a stored listing.
pub(super) const fn correction(listing: ListingId) -> RowChange {
    RowChange::Correction { listing: ListingRef::Stored(listing) }
}

/// A change that brings an older point of a stored listing.
pub(super) const fn late(listing: ListingId) -> RowChange {
    RowChange::Late { listing: ListingRef::Stored(listing), repeated: false }
}

/// A row whose instant is its source's.
pub(super) fn row(
    ordinal: u64,
    change: RowChange,
    id: &str,
    observed_at: Timestamp,
    price: &str,
) -> BatchRow {
    BatchRow {
        ordinal,
        change,
        external_id: CompactString::from(id),
        attributes: about(id),
        quote: priced(price),
        observed_at,
        source_timed: true,
        raw_hash: u64::MAX - ordinal,
        anomalies: Vec::new(),
    }
}

/// A row for quarantine.
pub(super) fn bad(ordinal: u64, reason: RejectionReason) -> QuarantinedRow {
    let rejection = Rejection::new(reason, "/price", "1e400").of("bad-coin");
    QuarantinedRow { ordinal, rejection, rule: "domain/1" }
}

/// The zstd frame of these bytes.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap_or_default()
}

/// A body that holds these bytes.
pub(super) fn body(bytes: &[u8]) -> CompressedBody {
    CompressedBody {
        hash: BodyHash(Sha256::digest(bytes).into()),
        body_bytes: bytes.len() as u64,
        frame: Box::new(std::io::Cursor::new(frame(bytes))),
    }
}

/// How long the leases of the stories last.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// A source that is held, with a run under way.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) source: SourceName,
    pub(super) epoch: u64,
    pub(super) run_id: RunId,
}

/// The start of a run, with options.
pub(super) fn started(minute: i64) -> RunUpdate {
    RunUpdate::Started { at: at(minute), options: json!({"page_size": 250}) }
}

/// Takes a source and starts a run of it.
pub(super) async fn hold(store: &Subject, source: SourceName, run: u128) -> StoreResult<Held> {
    let epoch = store.acquire(&source, "a holder", LEASE).await?;
    let run_id = run_id(run);
    store.queue_run(run_id, &source, RunReason::Manual, at(0)).await?;
    store.update_run(run_id, epoch, started(0)).await?;
    Ok(Held { source, epoch, run_id })
}

/// Ends the run of a held source.
pub(super) async fn end(store: &Subject, held: &Held) -> StoreResult<()> {
    let ended = RunUpdate::Ended {
        at: at(2),
        status: RunStatus::Success,
        requests: 1,
        error: None,
        findings: Findings::default(),
    };
    store.update_run(held.run_id, held.epoch, ended).await
}

impl Held {
    /// A page of this run.
    pub(super) fn new_page(&self, sequence: u64) -> NewPage {
        NewPage {
            source: self.source.clone(),
            epoch: self.epoch,
            run_id: self.run_id,
            sequence,
            request: json!({"path": "/v1/tickers", "query": {"page": sequence}}),
            context: json!({"rows": 3}),
            http_status: Some(200),
            headers: json!({"etag": "W/\"1\""}),
            fetched_at: at(0),
        }
    }

    /// Lands a page with these bytes.
    pub(super) async fn land(
        &self,
        store: &Subject,
        sequence: u64,
        bytes: &[u8],
    ) -> StoreResult<RawPage> {
        store.land(self.new_page(sequence), body(bytes)).await
    }

    /// Lands a page that was fetched at `minute`.
    pub(super) async fn land_at(
        &self,
        store: &Subject,
        sequence: u64,
        minute: i64,
    ) -> StoreResult<RawPage> {
        let page = NewPage { fetched_at: at(minute), ..self.new_page(sequence) };
        store.land(page, body(format!("page {sequence} at {minute}").as_bytes())).await
    }

    /// A batch of these rows, which does not end its page.
    pub(super) fn batch(&self, page: &RawPage, sequence: u64, rows: Vec<BatchRow>) -> Batch {
        Batch {
            source: self.source.clone(),
            epoch: self.epoch,
            run_id: self.run_id,
            page_id: page.page_id,
            fetched_at: page.fetched_at,
            sequence,
            rows_done: page.rows_done + rows.len() as u64,
            rows,
            evidence: Vec::new(),
            news: Vec::new(),
            quarantined: Vec::new(),
            unchanged: 0,
            duplicate: 0,
            page_done: false,
            position: None,
            returned: Vec::new(),
            sweep: None,
            examined: None,
            retry: None,
            stored_at: at(1),
        }
    }
}

/// The row of one listing in what [`changes`] read.
pub(super) async fn listing(store: &Subject, id: ListingId) -> Result<ListingRow, Broken> {
    let (_, rows) = changes(store, Generation(0)).await?;
    let found = rows.into_iter().find(|row| row.listing_id == id);
    found.ok_or_else(|| Broken(format!("listing {id} is gone")))
}

/// A store with one source, one landed page, and the listings `btc`, `eth` and `xrp` at minute 10.
pub(super) struct Start {
    pub(super) held: Held,
    pub(super) page: RawPage,
    pub(super) committed: Committed,
    pub(super) ids: [ListingId; 3],
}

/// Lets a story begin with three listings.
pub(super) async fn start(store: &Subject) -> Result<Start, Broken> {
    let held = hold(store, paprika(), 1).await?;
    let page = held.land(store, 0, b"first page").await?;
    let rows = ["btc", "eth", "xrp"].into_iter().enumerate();
    let rows = rows.map(|(place, id)| row(place as u64, NEW, id, at(10), "100.5")).collect();
    let committed = store.commit(held.batch(&page, 0, rows)).await?;
    let ids = <[ListingId; 3]>::try_from(committed.new_listings.as_slice())
        .map_err(|_| Broken(format!("three rows brought {:?}", committed.new_listings)))?;
    let page = page_now(store, &page).await?;
    Ok(Start { held, page, committed, ids })
}

/// A page as it stands now.
pub(super) async fn page_now(store: &Subject, page: &RawPage) -> Result<RawPage, Broken> {
    let now = store.page(page.page_id).await?;
    now.ok_or_else(|| Broken(format!("page {} is gone", page.page_id)))
}

/// What changed after a generation, and the generation that was read.
pub(super) async fn changes(
    store: &Subject,
    since: Generation,
) -> StoreResult<(Generation, Vec<ListingRow>)> {
    let (sender, mut receiver) = mpsc::channel(1);
    let receive = async {
        let mut rows = Vec::new();
        while let Some(piece) = receiver.recv().await {
            rows.extend(piece);
        }
        rows
    };
    let (generation, rows) = tokio::join!(store.changes(since, sender), receive);
    Ok((generation?, rows))
}

/// The rows of one table of a dump.
pub(super) async fn table(store: &Subject, name: &str) -> Result<Vec<String>, Broken> {
    let tables = store.dump().await?;
    let found = tables.into_iter().find(|table| table.name == name);
    found.map(|table| table.rows).ok_or_else(|| Broken(format!("there is no table {name}")))
}
