//! A store's rows as they are handed to an audit: two sources, hand-made, with nothing wrong.

use std::ops::Range;

use kasparro_domain::{
    Alert, Anomaly, AssetClass, AssetEdge, AssetId, Attributes, BodyHash, Checkpoint, Contract,
    Decimal, Decision, DecisionId, DecisionKind, DriftRow, Evidence, IdentityState, ListingId,
    ListingKey, NewsItem, PageId, PageRow, PageState, Quote, RawPage, Rejection, RejectionReason,
    Run, RunCounts, RunId, RunReason, RunStatus, SourceName, Timestamp,
};
use kasparro_store::{
    Audit, AuditReport, EvidenceRecord, HistoryPoint, ListingRow, Origin, PageRecord,
    PastStatement, QuarantineRecord, QuarantineStatus, ResolutionRow, StoreResult, StoredNews,
    evidence_hash, news_hash,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{identity, unusual};

/// A body and the chunks of its frame.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) hash: BodyHash,
    pub(crate) body_bytes: u64,
    pub(crate) chunks: Vec<Vec<u8>>,
}

/// A manifest.
#[derive(Clone)]
pub(crate) struct Manifest {
    pub(crate) generation: u64,
    pub(crate) source: SourceName,
    pub(crate) run_id: RunId,
    pub(crate) page_id: PageId,
    pub(crate) counts: RunCounts,
    pub(crate) changed: Vec<ListingId>,
    pub(crate) retry: bool,
}

/// Everything that a store would hand over, in order.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) listings: Vec<ListingRow>,
    /// Sweeps that each listing missed.
    pub(crate) missed: Vec<u8>,
    pub(crate) evidence: Vec<EvidenceRecord>,
    pub(crate) past: Vec<(ListingKey, PastStatement)>,
    /// What is decided of listings beside asset, class and state.
    pub(crate) decided: Vec<(ListingKey, Option<u16>, Value)>,
    pub(crate) edges: Vec<AssetEdge>,
    pub(crate) points: Vec<HistoryPoint>,
    pub(crate) news: Vec<StoredNews>,
    /// Anomalies, and whether the source gave the instant.
    pub(crate) anomalies: Vec<(Anomaly, bool)>,
    pub(crate) pages: Vec<PageRecord>,
    pub(crate) bodies: Vec<Body>,
    /// Hashes of the news.
    pub(crate) news_hashes: Vec<u64>,
    pub(crate) quarantine: Vec<QuarantineRecord>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) drift: Vec<DriftRow>,
    pub(crate) profiles: Vec<(SourceName, String, Value)>,
    pub(crate) checkpoints: Vec<(SourceName, Checkpoint)>,
    pub(crate) sweeps: Vec<(SourceName, Timestamp)>,
    /// Resolutions, and the listings that each changed.
    pub(crate) resolutions: Vec<(ResolutionRow, Vec<ListingId>)>,
    pub(crate) batches: Vec<Manifest>,
    pub(crate) runs: Vec<Run>,
    /// Source, name, version and state.
    pub(crate) budgets: Vec<(SourceName, String, u64, Value)>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) generation: u64,
    pub(crate) evidence_version: u64,
}

pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minute * 60_000).unwrap()
}

pub(crate) fn gecko() -> SourceName {
    SourceName::new("coingecko")
}

pub(crate) fn paprika() -> SourceName {
    SourceName::new("coinpaprika")
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(Decimal::parse(text).unwrap())
}

pub(crate) fn body(bytes: &[u8]) -> Body {
    let frame = zstd::stream::encode_all(bytes, 1).unwrap();
    Body {
        hash: BodyHash(Sha256::digest(bytes).into()),
        body_bytes: bytes.len() as u64,
        chunks: frame.chunks(7).map(<[u8]>::to_vec).collect(),
    }
}

fn listing(number: i64, source: SourceName, id: &str, price: Option<&str>) -> ListingRow {
    let quote = price.map(|price| Quote {
        price_usd: decimal(price),
        market_cap: decimal("1000000"),
        total_supply: decimal("21000000"),
        rank: Some(1),
        ..Quote::default()
    });
    ListingRow {
        listing_id: ListingId(number),
        asset_id: AssetId(number),
        founded_asset_id: AssetId(number),
        class: AssetClass::Other,
        identity: IdentityState::Unresolved,
        source,
        external_id: id.into(),
        attributes: Attributes { symbol: Some(id.into()), name: None },
        contracts: Vec::new(),
        active: true,
        last_seen_at: None,
        observed_at: quote.is_some().then(|| at(12)),
        source_timed: quote.is_some(),
        fetched_at: quote.is_some().then(|| at(13)),
        quote,
        unusual: false,
        first_seen_at: at(1),
    }
}

fn point(
    source: SourceName,
    id: &str,
    minute: i64,
    revision: u32,
    price: &str,
    timed: bool,
) -> HistoryPoint {
    HistoryPoint {
        source,
        external_id: id.into(),
        observed_at: at(minute),
        revision,
        price_usd: decimal(price),
        market_cap: decimal("1000000"),
        volume_24h: None,
        source_timed: timed,
    }
}

pub(crate) fn run_id(number: u128) -> RunId {
    RunId(uuid::Uuid::from_u128(number))
}

pub(crate) fn request(page: i64) -> serde_json::Value {
    json!({"path": "/v1/tickers", "query": {"page": page}})
}

fn page(number: i64, source: SourceName, run: u128, body: &Body, rows_done: u64) -> PageRecord {
    let page = RawPage {
        page_id: PageId(number),
        source,
        run_id: run_id(run),
        sequence: 0,
        request: request(number),
        context: json!({"position": {"page": 2}}),
        http_status: Some(200),
        headers: json!({}),
        fetched_at: at(number),
        body: body.hash,
        body_bytes: body.body_bytes,
        state: PageState::Loaded,
        rows_done,
    };
    PageRecord { page, error: None }
}

fn run(number: u128, source: SourceName, counts: RunCounts) -> Run {
    Run {
        run_id: run_id(number),
        source,
        status: RunStatus::Success,
        reason: RunReason::Manual,
        counts,
        pages: 1,
        requests: 1,
        created_at: at(0),
        started_at: Some(at(0)),
        completed_at: Some(at(1)),
        error: None,
    }
}

fn statement(listing_id: i64, id: &str, endpoint: &str, contracts: &[Contract]) -> EvidenceRecord {
    let evidence = Evidence {
        external_id: id.into(),
        part: "".into(),
        attributes: Attributes { symbol: Some("DAI".into()), name: None },
        contracts: contracts.to_vec(),
        active: None,
        kind: None,
        same_as: Vec::new(),
    };
    EvidenceRecord {
        source: paprika(),
        listing_id: ListingId(listing_id),
        endpoint: endpoint.into(),
        content_hash: evidence_hash(&evidence),
        evidence,
        first_seen_at: at(1),
        fetched_at: at(2),
        ordinal: 0,
    }
}

fn news(number: i64, id: &str) -> StoredNews {
    StoredNews {
        news_id: number,
        source: paprika(),
        feed: "news.example.com/feed".into(),
        item: NewsItem {
            item_id: id.into(),
            title: format!("headline {id}"),
            link: None,
            summary: None,
            author: None,
            published_at: Some(at(1)),
        },
        first_seen_at: at(1),
        fetched_at: at(2),
    }
}

fn decision(number: i64, after_page: i64, ordinal: u64) -> Decision {
    Decision {
        decision_id: DecisionId(number),
        kind: DecisionKind::Discard,
        source: paprika(),
        rows: vec![PageRow { page_id: PageId(2), ordinal }],
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: "a person".to_owned(),
        why: "noise".to_owned(),
        decided_at: at(20),
        after_page: PageId(after_page),
        run_id: None,
    }
}

pub(crate) fn contract(address: &str) -> Contract {
    Contract { platform: "base".into(), address: address.into() }
}

impl World {
    /// Listings 1 (coingecko bitcoin), 2 (coinpaprika btc) and 3 (coinpaprika dai, from lists).
    pub(crate) fn new() -> Self {
        let [one, two] = [contract("0x1"), contract("0x2")];
        let mut dai = listing(3, paprika(), "dai", None);
        dai.contracts = vec![one.clone(), two.clone()];
        let mut bodies = vec![body(b"{\"page\": 1}"), body(b"{\"page\": 2}")];
        let pages = vec![page(1, gecko(), 1, &bodies[0], 1), page(2, paprika(), 2, &bodies[1], 7)];
        let quarantined = |ordinal| QuarantineRecord {
            source: paprika(),
            page_id: PageId(2),
            request: request(2),
            body: bodies[1].hash,
            ordinal,
            rejection: Rejection::new(RejectionReason::BadNumber, "/price", "1e400"),
            rule: "domain/1".to_owned(),
            status: QuarantineStatus::Discarded,
        };
        let quarantine = vec![quarantined(5), quarantined(6)];
        bodies.sort_by_key(|body| body.hash);
        let first = RunCounts { received: 1, inserted: 1, ..RunCounts::default() };
        let second = RunCounts {
            received: 7,
            inserted: 4,
            updated: 1,
            quarantined: 2,
            ..RunCounts::default()
        };
        let again = RunCounts { received: 2, quarantined: 2, ..RunCounts::default() };
        let mut both = second;
        both.add(&again);
        let batch = |generation, source, run: u128, counts, retry| Manifest {
            generation,
            source,
            run_id: run_id(run),
            page_id: PageId(if run == 1 { 1 } else { 2 }),
            counts,
            changed: vec![ListingId(i64::try_from(run).unwrap())],
            retry,
        };
        let moved = |minute| Checkpoint { position: json!({"page": 2}), moved_at: at(minute) };
        let news = vec![news(1, "a"), news(2, "b")];
        Self {
            listings: vec![
                listing(1, gecko(), "bitcoin", Some("100.5")),
                listing(2, paprika(), "btc", Some("101")),
                dai,
            ],
            missed: vec![0; 3],
            evidence: vec![
                statement(3, "dai", "coins_list", std::slice::from_ref(&two)),
                statement(3, "dai", "contracts", &[two.clone(), one]),
            ],
            past: identity::past(),
            decided: identity::decided(),
            edges: identity::edges(),
            points: vec![
                point(gecko(), "bitcoin", 12, 0, "100.5", true),
                point(paprika(), "btc", 10, 0, "99", false),
                point(paprika(), "btc", 11, 0, "99.5", false),
                point(paprika(), "btc", 11, 1, "99.75", false),
                point(paprika(), "btc", 12, 0, "101", true),
            ],
            news_hashes: news.iter().map(|news| news_hash(&news.item)).collect(),
            news,
            anomalies: unusual::anomalies(),
            pages,
            bodies,
            quarantine,
            decisions: vec![decision(1, 2, 5), decision(2, 2, 6), unusual::acceptance(3)],
            drift: unusual::drift(),
            profiles: vec![(paprika(), "tickers".to_owned(), json!({"rows": 250}))],
            checkpoints: vec![(gecko(), moved(1)), (paprika(), moved(2))],
            sweeps: vec![(gecko(), at(1)), (paprika(), at(2))],
            resolutions: Vec::new(),
            batches: vec![
                batch(1, gecko(), 1, first, false),
                batch(2, paprika(), 2, second, false),
                batch(3, paprika(), 2, again, true),
            ],
            runs: vec![run(1, gecko(), first), run(2, paprika(), both)],
            budgets: vec![(gecko(), "public".to_owned(), 4, json!({"spent": [1]}))],
            alerts: vec![unusual::alert()],
            generation: 3,
            evidence_version: 2,
        }
    }

    /// The same after a change.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Gives statements and news the hashes of what they say now.
    pub(crate) fn hash_anew(&mut self) {
        for record in &mut self.evidence {
            record.content_hash = evidence_hash(&record.evidence);
        }
        self.news_hashes = self.news.iter().map(|news| news_hash(&news.item)).collect();
    }

    /// Hands everything to an audit, in its order.
    pub(crate) fn feed(&self, mut audit: Audit) -> StoreResult<Audit> {
        for (row, missed) in self.listings.iter().zip(&self.missed) {
            let origin = row.quote.as_ref().map(|_| Origin { raw_hash: 1, ordinal: 0 });
            audit.listing(row, *missed, origin);
        }
        self.evidence.iter().for_each(|record| audit.evidence(record));
        self.past.iter().for_each(|(about, said)| audit.past_statement(about, said));
        for (about, confidence, candidates) in &self.decided {
            audit.identity(about, *confidence, candidates);
        }
        self.edges.iter().for_each(|edge| audit.edge(edge));
        self.points.iter().for_each(|point| audit.point(point));
        for (news, hash) in self.news.iter().zip(&self.news_hashes) {
            audit.news(news, *hash);
        }
        self.anomalies.iter().for_each(|(anomaly, timed)| audit.anomaly(anomaly, *timed));
        self.pages.iter().for_each(|page| audit.page(page));
        for body in &self.bodies {
            audit.body(body.hash, body.body_bytes, &mut |index| {
                Ok(body.chunks.get(index as usize).cloned())
            })?;
        }
        self.quarantine.iter().for_each(|row| audit.quarantined(row));
        self.decisions.iter().for_each(|decision| audit.decision(decision));
        self.drift.iter().for_each(|row| audit.drift(row));
        for (source, endpoint, profile) in &self.profiles {
            audit.profile(source, endpoint, profile);
        }
        for (source, checkpoint) in &self.checkpoints {
            audit.checkpoint(source, checkpoint);
        }
        for (source, swept_at) in &self.sweeps {
            audit.sweep(source, *swept_at);
        }
        self.resolutions.iter().for_each(|(row, changed)| audit.resolution(row, changed));
        for (batch, sequence) in self.batches.iter().zip(0..) {
            let Manifest { generation, source, run_id, page_id, counts, changed, retry } = batch;
            audit.batch(*generation, source, sequence, *run_id, *page_id, counts, changed, *retry);
        }
        audit.lease(&gecko(), "a holder", 1);
        self.runs.iter().for_each(|run| audit.run(run, Some(&json!({"page_size": 250}))));
        for (source, name, version, state) in &self.budgets {
            audit.budget(source, name, *version, state);
        }
        self.alerts.iter().for_each(|alert| audit.alert(alert));
        audit.generation(self.generation, self.evidence_version);
        Ok(audit)
    }

    pub(crate) fn report(&self) -> StoreResult<AuditReport> {
        self.feed(Audit::digest())?.report()
    }

    /// Points of listing `btc`.
    pub(crate) const BTC: Range<usize> = 1..5;
}
