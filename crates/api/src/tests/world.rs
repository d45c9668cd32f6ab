//! A served API over a store in memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{
    Attributes, BodyHash, Clock as _, Decimal, DriftMode, ListingId, ManualClock, Membership,
    PageId, Quote, Rejection, RejectionReason, RunError, RunId, RunReason, RunStatus, SourceName,
    Timestamp,
};
use kasparro_store::{
    Batch, BatchRow, BatchStore as _, CompressedBody, EvidenceRow, Examined, Findings,
    LeaseStore as _, ListingRef, MemoryStore, NewPage, NewsRow, PageStore as _, QuarantinedRow,
    RowChange, RunStore as _, RunUpdate, SourceMemory, SourceState, Store, Sweep,
};
use kasparro_view::{View, ViewSettings};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::client::ADMIN_KEY;
use super::keyed::unlimited;
use super::switched::{Switches, switched};
use crate::{Api, ApiSettings, SourceInfo, install_metrics};

/// 2024-01-01T00:00:00Z.
const START_MILLIS: i64 = 1_704_067_200_000;
/// Who holds the sources.
pub(super) const HOLDER: &str = "worker-1";
/// For how long: longer than any test takes.
pub(super) const LONG: Duration = Duration::from_secs(24 * 3600);

/// A store, its read model, and the API that is served from them.
pub(super) struct World {
    pub(super) store: Arc<dyn Store>,
    /// How its calls go.
    pub(super) switches: Arc<Switches>,
    pub(super) kept: Arc<MemoryStore>,
    pub(super) view: Arc<View>,
    pub(super) clock: Arc<ManualClock>,
    runs: u128,
}

/// A running server; stops when dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A row to store: external id, symbol, name and price.
pub(super) type Coin<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

impl World {
    /// An empty world.
    pub(super) fn new() -> Self {
        let (kept, switches) = (Arc::new(MemoryStore::new()), Arc::new(Switches::default()));
        let store: Arc<dyn Store> = Arc::new(switched(kept.clone(), &switches));
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(START_MILLIS).unwrap()));
        let settings = ViewSettings {
            stale_after: BTreeMap::new(),
            default_stale_after: Duration::from_secs(3 * 3600),
        };
        let view = View::new(store.clone(), clock.clone(), settings);
        Self { store, switches, kept, view, clock, runs: 0 }
    }

    /// A world with these coins of one source, loaded.
    pub(super) async fn with(source: &str, coins: &[Coin<'_>]) -> Self {
        let mut world = Self::new();
        world.commit(source, coins).await;
        world.refresh().await;
        world
    }

    /// A world with so many generated coins of `coinpaprika`, loaded.
    pub(super) async fn with_many(count: usize) -> Self {
        let ids: Vec<String> = (1..=count).map(|number| format!("coin-{number}")).collect();
        let prices: Vec<String> = (1..=count).map(|number| format!("{number}.25")).collect();
        let coins: Vec<Coin<'_>> = ids
            .iter()
            .zip(&prices)
            .map(|(id, price)| (id.as_str(), "SYM", id.as_str(), Some(price.as_str())))
            .collect();
        Self::with("coinpaprika", &coins).await
    }

    /// The same read model over another store.
    pub(super) fn on(self, store: Arc<dyn Store>) -> Self {
        Self { store, ..self }
    }

    /// Brings the read model up to date.
    pub(super) async fn refresh(&self) {
        self.view.refresh().await.unwrap();
    }

    /// An API over this world.
    pub(super) fn api(&self, settings: ApiSettings) -> Api {
        let info = |name: &str, title: &str| SourceInfo {
            name: SourceName::new(name),
            title: title.to_owned(),
            documentation: format!("https://example.org/{name}"),
        };
        let sources = vec![
            info("coinpaprika", "CoinPaprika"),
            info("coingecko", "CoinGecko"),
            info("csv", "CSV"),
        ];
        let (store, view, clock) = (self.store.clone(), self.view.clone(), self.clock.clone());
        let admin_key = settings.admin_key.clone().or(Some(ADMIN_KEY.into()));
        let settings = ApiSettings { admin_key, ..settings };
        Api::build(store, view, clock, install_metrics(), settings, sources)
    }

    /// Serves this world with the default settings, but for limits: there are none.
    pub(super) async fn serve(&self) -> Served {
        serve(self.api(unlimited())).await
    }

    /// Queues and starts a run.
    pub(super) async fn start_run(&mut self, source: &str) -> RunId {
        self.start_run_for(source, RunReason::Schedule).await
    }

    /// Queues and starts a run for a reason.
    pub(super) async fn start_run_for(&mut self, source: &str, reason: RunReason) -> RunId {
        self.runs += 1;
        self.clock.advance(Duration::from_secs(1));
        let (store, now) = (&self.kept, self.clock.now());
        let millis = u128::try_from(now.as_millis()).unwrap();
        let id = uuid::Uuid::from_u128((millis << 80) | (0x7 << 76) | (0x2 << 62) | self.runs);
        let run_id = RunId(id);
        store.queue_run(run_id, &SourceName::new(source), reason, now).await.unwrap();
        let epoch = self.epoch(source).await;
        let started = RunUpdate::Started { at: now, options: json!({}) };
        store.update_run(run_id, epoch, started).await.unwrap();
        run_id
    }

    /// The epoch under which a source is held; it is taken where nobody holds it.
    pub(super) async fn epoch(&self, source: &str) -> u64 {
        let name = SourceName::new(source);
        let leases = self.kept.leases().await.unwrap();
        match leases.into_iter().find(|lease| lease.source == name) {
            Some(lease) => lease.epoch,
            None => self.kept.acquire(&name, HOLDER, LONG).await.unwrap(),
        }
    }

    /// Ends a run.
    pub(super) async fn end_run(&self, run_id: RunId, status: RunStatus) {
        self.end_run_with(run_id, status, Findings::default()).await;
    }

    /// Ends a run of which this came to light.
    pub(super) async fn end_run_with(&self, run_id: RunId, status: RunStatus, findings: Findings) {
        let error = (status != RunStatus::Success).then(|| RunError {
            code: "connect_failed".to_owned(),
            message: "the upstream did not answer".to_owned(),
            hint: "check the network".to_owned(),
        });
        let update =
            RunUpdate::Ended { at: self.clock.now(), status, requests: 2, error, findings };
        let run = self.kept.run(run_id).await.unwrap().unwrap();
        let epoch = self.epoch(run.source.as_str()).await;
        self.kept.update_run(run_id, epoch, update).await.unwrap();
    }

    /// A run that fails at once.
    pub(super) async fn fail(&mut self, source: &str) {
        let run_id = self.start_run(source).await;
        self.end_run(run_id, RunStatus::Failed).await;
    }

    /// Says how the engine runs a source.
    pub(super) async fn set_state(&self, source: &str, enabled: bool) {
        let state = SourceState {
            source: SourceName::new(source),
            enabled,
            schedule: "every 1h".to_owned(),
            next_run_at: Some(self.clock.now().plus(Duration::from_secs(3600))),
            stale_after_seconds: 3 * 3600,
            drift_mode: DriftMode::Quarantine,
            budgets: Vec::new(),
        };
        self.kept.put_source_state(state).await.unwrap();
    }

    /// A successful run that brings these coins, with one row that is not believed.
    pub(super) async fn commit(&mut self, source: &str, coins: &[Coin<'_>]) -> RunId {
        self.bring(source, |memory, now| {
            let rows: Vec<BatchRow> = coins
                .iter()
                .enumerate()
                .map(|(ordinal, coin)| batch_row(ordinal, coin, known(memory, coin.0), now))
                .collect();
            let refused = QuarantinedRow {
                ordinal: rows.len() as u64,
                rejection: Rejection::new(RejectionReason::BadNumber, "/price", "x"),
                rule: "test/1",
            };
            Brought { rows, quarantined: vec![refused], ..Brought::default() }
        })
        .await
    }

    /// Makes an empty page of a run durable.
    pub(super) async fn land(&self, source: &str, run_id: RunId) -> PageId {
        let page = NewPage {
            source: SourceName::new(source),
            epoch: self.epoch(source).await,
            run_id,
            sequence: 0,
            request: json!({}),
            context: json!(null),
            http_status: Some(200),
            headers: json!({}),
            fetched_at: self.clock.now(),
        };
        let body = CompressedBody {
            hash: BodyHash([0; 32]),
            body_bytes: 0,
            frame: Box::new(std::io::empty()),
        };
        self.kept.land(page, body).await.unwrap().page_id
    }

    /// A successful run of one batch, made from what is known of the source and the present time.
    pub(super) async fn bring(
        &mut self,
        source: &str,
        make: impl FnOnce(&SourceMemory, Timestamp) -> Brought,
    ) -> RunId {
        let run_id = self.start_run(source).await;
        let (store, name, now) = (&self.kept, SourceName::new(source), self.clock.now());
        let epoch = self.epoch(source).await;
        let memory = store.memory(&name).await.unwrap();
        let page_id = self.land(source, run_id).await;
        let brought = make(&memory, now);
        let parts = [brought.rows.len(), brought.evidence.len(), brought.news.len()];
        let received = parts.iter().sum::<usize>() + brought.quarantined.len();
        let batch = Batch {
            source: name,
            epoch,
            run_id,
            page_id,
            fetched_at: now,
            sequence: memory.next_sequence,
            rows_done: received as u64,
            rows: brought.rows,
            evidence: brought.evidence,
            news: brought.news,
            quarantined: brought.quarantined,
            unchanged: 0,
            duplicate: 0,
            page_done: true,
            position: Some(json!({"page": 1})),
            returned: brought.returned,
            sweep: brought.sweep,
            retry: None,
            examined: brought.examined,
            stored_at: now,
        };
        store.commit(batch).await.unwrap();
        self.end_run(run_id, RunStatus::Success).await;
        run_id
    }
}

/// What one run brings.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) rows: Vec<BatchRow>,
    pub(super) evidence: Vec<EvidenceRow>,
    pub(super) news: Vec<NewsRow>,
    pub(super) quarantined: Vec<QuarantinedRow>,
    pub(super) returned: Vec<ListingId>,
    pub(super) sweep: Option<Sweep>,
    pub(super) examined: Option<Examined>,
}

pub(super) fn known(memory: &SourceMemory, external_id: &str) -> Option<ListingId> {
    let mut listings = memory.listings.iter();
    let found = listings.find(|listing| listing.external_id == external_id);
    found.map(|listing| listing.listing_id)
}

pub(super) fn attributes(symbol: &str, name: &str) -> Attributes {
    Attributes { symbol: Some(symbol.into()), name: Some(name.into()) }
}

/// Serves an API on a free port of loopback.
pub(super) async fn serve(api: Api) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(Arc::new(api).serve(listener, shutdown.clone()));
    Served { address, shutdown, task }
}

pub(super) fn batch_row(
    ordinal: usize,
    coin: &Coin<'_>,
    known: Option<ListingId>,
    now: Timestamp,
) -> BatchRow {
    let (external_id, symbol, name, price) = *coin;
    let change = match known {
        Some(listing_id) => RowChange::Newer { listing: ListingRef::Stored(listing_id) },
        None => RowChange::New { membership: Membership::Founds },
    };
    BatchRow {
        ordinal: ordinal as u64,
        change,
        external_id: external_id.into(),
        attributes: attributes(symbol, name),
        quote: Quote {
            price_usd: price.map(|price| Decimal::parse(price).unwrap()),
            max_supply: Decimal::parse("9223372036854775807").ok(),
            rank: u32::try_from(ordinal + 1).ok(),
            ..Quote::default()
        },
        observed_at: now,
        source_timed: true,
        raw_hash: ordinal as u64,
        anomalies: Vec::new(),
    }
}
