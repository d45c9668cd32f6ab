//! Everything a store keeps, in one canonical text: the digest of a store, and what `verify` checks.
//!
//! Stores hand their rows to an [`Audit`], which writes each as a JSON array. Numbers that a store mints
//! (ids, generations) and the times of commits never appear in what the digest covers: members of an
//! asset stand for the asset, source and id for a listing, so two stores that know the same give the same
//! text.

mod body;
mod checks;
mod found;
mod judged;
mod points;
mod positions;
mod records;
mod tables;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kasparro_domain::{
    Alert, Anomaly, AnomalySubject, AssetEdge, AssetId, BodyHash, Checkpoint, Command, Decision,
    DriftKey, DriftRow, EdgeTerms, Evidence, ListingId, ListingKey, PageId, Quote, QuoteField, Run,
    RunCounts, RunId, SourceName, Timestamp,
};
use serde_json::{Value, json};

pub use records::{
    BodyChunks, EvidenceRecord, Origin, PageRecord, QuarantineRecord, TableAudit, TableDump,
    Violation,
};

use crate::{
    HistoryPoint, IdentityTotals, ListingRow, PastStatement, ResolutionRow, SourceState,
    StoreError, StoreResult, StoredNews,
};
use checks::Checks;
use tables::{Mode, Tables};

/// What was found out about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// SHA-256 over name, row count and digest of every table that the digest covers, as hex.
    pub digest: String,
    /// The newest generation.
    pub generation: u64,
    /// Every table that the digest covers.
    pub tables: BTreeMap<&'static str, TableAudit>,
    /// Every invariant that does not hold.
    pub violations: Vec<Violation>,
}

/// Takes the rows of a store in, table by table in the order of these methods, each table in the order
/// that its method names (texts by their bytes).
#[derive(Debug)]
pub struct Audit {
    tables: Tables,
    checks: Checks,
    assets: BTreeMap<AssetId, Vec<(String, String)>>,
    /// How the assets of listings relate to others, by source and id.
    edges: HashMap<(String, String), Vec<Value>>,
    /// Names of listings, where manifests are to be shown with them.
    names: HashMap<ListingId, (String, String)>,
    /// Source, request and body in one text, each once, and the first page that brought it.
    fetched: BTreeMap<Arc<str>, PageId>,
    /// What each page brought.
    brought: HashMap<PageId, Arc<str>>,
    history: PointOrdinal,
    anomalies: AnomalyOrdinal,
    generation: u64,
}

/// Counts the points of one listing that have no time of their own.
#[derive(Debug, Default)]
struct PointOrdinal {
    listing: (String, String),
    untimed: u64,
    last_untimed: Option<Timestamp>,
}

impl PointOrdinal {
    /// The instant of a point as the digest knows it. A point without the source's own time is known by
    /// its place among its like, since the time of fetching differs when the same pages are fetched
    /// again.
    fn instant(&mut self, point: &HistoryPoint) -> Value {
        let (source, id) = (point.source.as_str(), point.external_id.as_str());
        if self.listing.0 != source || self.listing.1 != id {
            *self = Self { listing: (source.to_owned(), id.to_owned()), ..Self::default() };
        }
        if point.source_timed {
            return json!(point.observed_at);
        }
        if self.last_untimed.is_some_and(|last| last != point.observed_at) {
            self.untimed += 1;
        }
        self.last_untimed = Some(point.observed_at);
        json!(self.untimed)
    }
}

/// Counts the anomalies of one listing and kind whose points have no time of their own.
#[derive(Debug, Default)]
struct AnomalyOrdinal {
    about: [String; 3],
    untimed: u64,
}

impl AnomalyOrdinal {
    fn ordinal(&mut self, source: &str, external_id: &str, kind: &str) -> u64 {
        if self.about != [source, external_id, kind] {
            self.about = [source, external_id, kind].map(str::to_owned);
            self.untimed = 0;
        }
        self.untimed += 1;
        self.untimed
    }
}

fn values(quote: &Quote) -> Vec<Value> {
    // Text, because a JSON number would go through the number type of whoever reads it.
    QuoteField::ALL
        .into_iter()
        .map(|field| json!(quote.get(field).map(ToString::to_string)))
        .collect()
}

impl Audit {
    /// An audit that keeps every row as text.
    #[must_use]
    pub fn dump() -> Self {
        Self::of(Mode::Dump)
    }

    /// An audit that keeps digests and checks invariants.
    #[must_use]
    pub fn digest() -> Self {
        Self::of(Mode::Digest)
    }

    fn of(mode: Mode) -> Self {
        Self {
            tables: Tables::new(mode),
            checks: Checks::default(),
            assets: BTreeMap::new(),
            edges: HashMap::new(),
            names: HashMap::new(),
            fetched: BTreeMap::new(),
            brought: HashMap::new(),
            history: PointOrdinal::default(),
            anomalies: AnomalyOrdinal::default(),
            generation: 0,
        }
    }

    fn dumps(&self) -> bool {
        self.tables.mode() == Mode::Dump
    }

    /// A listing with its current quote and where that came from; by source and external id.
    pub fn listing(&mut self, row: &ListingRow, missed: u8, origin: Option<Origin>) {
        let (source, id) = (row.source.as_str(), row.external_id.as_str());
        let about = &row.attributes;
        let listing = json!([source, id, about.symbol, about.name, row.contracts, row.active]);
        self.tables.add("listing", &[source, id], &listing);
        self.assets.entry(row.asset_id).or_default().push((source.to_owned(), id.to_owned()));
        self.checks.listing(row, missed);
        if let Some(quote) = &row.quote {
            let observed_at = row.observed_at.filter(|_| row.source_timed);
            let quote = json!([source, id, observed_at, values(quote), quote.rank]);
            self.tables.add("quote", &[source, id], &quote);
        }
        if self.dumps() {
            self.names.insert(row.listing_id, (source.to_owned(), id.to_owned()));
            let origin = json!([
                source,
                id,
                row.first_seen_at,
                row.last_seen_at,
                missed,
                row.observed_at,
                row.source_timed,
                row.fetched_at,
                row.unusual,
                row.class,
                row.identity,
                origin.map(|origin| origin.raw_hash),
                origin.map(|origin| origin.ordinal)
            ]);
            self.tables.add("origin", &[source, id], &origin);
        }
    }

    /// A statement of a list; by source, external id, endpoint and part.
    pub fn evidence(&mut self, record: &EvidenceRecord) {
        let EvidenceRecord { source, endpoint, evidence, .. } = record;
        let key = [source.as_str(), &evidence.external_id, endpoint, &evidence.part];
        let about = &evidence.attributes;
        let Evidence { contracts, active, kind, same_as, .. } = evidence;
        // Left out where nothing is said, so that digests stay what they were.
        let row = match same_as.as_slice() {
            [] => json!([key, about.symbol, about.name, contracts, active, kind]),
            same_as => json!([key, about.symbol, about.name, contracts, active, kind, same_as]),
        };
        self.tables.add("evidence", &key, &row);
        self.checks.evidence(record);
        if self.dumps() {
            let origin = json!([
                key,
                record.first_seen_at,
                record.fetched_at,
                record.content_hash,
                record.ordinal
            ]);
            self.tables.add("evidence_origin", &key, &origin);
        }
    }

    /// What was said of a listing until something else was; by source, external id, endpoint, part and
    /// instant.
    pub fn past_statement(&mut self, about: &ListingKey, said: &PastStatement) {
        if self.dumps() {
            let PastStatement { endpoint, part, until_at, attributes, contracts, kind, same_as } =
                said;
            let said = json!([attributes.symbol, attributes.name, contracts, kind, same_as]);
            let row = json!([about, endpoint, part, until_at, said]);
            self.tables.add("evidence_past", &[], &row);
        }
    }

    /// What is decided about a listing beside its asset, class and state; by source and external id.
    pub fn identity(&mut self, about: &ListingKey, confidence: Option<u16>, candidates: &Value) {
        if self.dumps() {
            self.tables.add("identity", &[], &json!([about, confidence, candidates]));
        }
    }

    /// How the asset of a listing relates to another; by listing, name of the kind and other listing.
    pub fn edge(&mut self, edge: &AssetEdge) {
        let AssetEdge { from, kind, to, why, terms } = edge;
        let about = (from.source.to_string(), from.external_id.to_string());
        let mut told = vec![json!(kind), json!(to.source), json!(to.external_id)];
        // Edges that state nothing more have the digest that they always had.
        if *terms != EdgeTerms::default() {
            told.push(json!(terms));
        }
        self.edges.entry(about).or_default().push(told.into());
        if self.dumps() {
            self.tables.add("asset_edge", &[], &json!([from, kind, to, why, terms]));
        }
    }

    /// A point of history; by source, external id, instant and revision.
    pub fn point(&mut self, point: &HistoryPoint) {
        let instant = self.history.instant(point);
        let text =
            |value: &Option<kasparro_domain::Decimal>| value.as_ref().map(ToString::to_string);
        let row = json!([
            point.source,
            point.external_id,
            instant,
            point.revision,
            text(&point.price_usd),
            text(&point.market_cap),
            text(&point.volume_24h)
        ]);
        // Instants are as long as each other in this form, so that texts order like them.
        let millis = format!("{:020}", point.observed_at.as_millis());
        let revision = format!("{:010}", point.revision);
        let key = [point.source.as_str(), &point.external_id, &millis, &revision];
        self.tables.add("history", &key, &row);
        self.checks.point(point);
    }

    /// A piece of news, and XXH3-64 of what it says; by source, feed and item id.
    pub fn news(&mut self, news: &StoredNews, content_hash: u64) {
        let key = [news.source.as_str(), &news.feed, &news.item.item_id];
        self.tables.add("news", &key, &json!([news.source, news.feed, news.item]));
        self.checks.news(news, content_hash);
        if self.dumps() {
            let origin = json!([key, news.first_seen_at, news.fetched_at, content_hash]);
            self.tables.add("news_origin", &key, &origin);
        }
    }

    /// A fetch; by number.
    pub fn page(&mut self, record: &PageRecord) {
        let page = &record.page;
        let body = page.body.to_string();
        let text: Arc<str> = json!([page.source, page.request, body]).to_string().into();
        let brought = self.fetched.entry(text);
        self.brought.insert(page.page_id, Arc::clone(brought.key()));
        let first = *brought.or_insert(page.page_id);
        self.checks.page(page, first);
        if self.dumps() {
            let row = json!([
                page.source,
                page.run_id,
                page.sequence,
                page.request,
                page.context,
                page.http_status,
                page.headers,
                page.fetched_at,
                body,
                page.state,
                page.rows_done,
                record.error
            ]);
            self.tables.add("page", &[], &row);
        }
    }

    /// A body, whose chunks are read one after another; by hash.
    ///
    /// # Errors
    /// What reading a chunk gives.
    pub fn body(
        &mut self,
        hash: BodyHash,
        body_bytes: u64,
        chunks: &mut BodyChunks<'_>,
    ) -> StoreResult<()> {
        let seen = self.checks.body(hash, body_bytes, chunks)?;
        if self.dumps() {
            self.tables.add("body", &[], &json!([hash.to_string(), body_bytes, seen]));
        }
        Ok(())
    }

    /// A row in quarantine; by source, text of the request, body and ordinal.
    pub fn quarantined(&mut self, row: &QuarantineRecord) {
        let kasparro_domain::Rejection { reason, field, value, external_id } = &row.rejection;
        let body = row.body.to_string();
        let (request, ordinal) = (row.request.to_string(), format!("{:020}", row.ordinal));
        let key = [row.source.as_str(), &request, &body, &ordinal];
        let digested = json!([row.source, row.request, body, row.ordinal, reason, row.status]);
        self.tables.add("quarantine", &key, &digested);
        self.checks.quarantined(row);
        if self.dumps() {
            let place = json!([row.source, row.request, body, row.ordinal]);
            let detail = json!([place, field, value, external_id, row.rule]);
            self.tables.add("quarantine_detail", &key, &detail);
        }
    }

    /// A decision; by number.
    pub fn decision(&mut self, decision: &Decision) {
        let rows: Vec<Value> = decision
            .rows
            .iter()
            .map(|row| {
                let brought = self.brought.get(&row.page_id);
                let brought: Option<Value> =
                    brought.and_then(|text| serde_json::from_str(text).ok());
                json!([brought, row.ordinal])
            })
            .collect();
        let mut text = vec![
            json!(decision.kind),
            json!(decision.source),
            rows.into(),
            json!(decision.drift),
            json!(decision.pairs),
            json!(decision.forced),
            json!(decision.who),
            json!(decision.why),
        ];
        text.extend(decision.relation.as_ref().map(|relation| json!(relation)));
        let text = Value::from(text);
        self.checks.decision(decision);
        let number = format!("{:020}", decision.decision_id.0);
        self.tables.add("decision", &[&number], &text);
    }

    /// A change of an upstream; by source, endpoint, kind, pointer, before and after.
    pub fn drift(&mut self, row: &DriftRow) {
        let DriftKey { endpoint, kind, pointer, before, after } = &row.event.key;
        let key = [row.source.as_str(), endpoint, kind.name(), pointer, before, after];
        self.tables.add("drift", &key, &json!([key, row.status]));
        self.checks.drift(row);
        if self.dumps() {
            let brought = self.brought.get(&row.page_id).map(AsRef::as_ref);
            let detail = json!([
                row.source,
                row.event,
                brought,
                row.refused,
                row.first_seen_at,
                row.last_seen_at,
                row.pages_seen
            ]);
            self.tables.add("drift_detail", &[], &detail);
        }
    }

    /// What is known of an endpoint.
    pub fn profile(&mut self, source: &SourceName, endpoint: &str, profile: &Value) {
        if self.dumps() {
            self.tables.add("profile", &[], &json!([source, endpoint, profile]));
        }
    }

    /// Something unusual: those about values by source, external id, kind and instant; those about runs
    /// behind them. `source_timed` tells whether the source gave the instant of a value.
    pub fn anomaly(&mut self, anomaly: &Anomaly, source_timed: bool) {
        match &anomaly.subject {
            AnomalySubject::Value(value) => {
                let (source, kind) = (anomaly.source.as_str(), value.kind.name());
                let instant = match source_timed {
                    true => json!(value.observed_at),
                    false => json!(self.anomalies.ordinal(source, &value.external_id, kind)),
                };
                let millis = format!("{:020}", value.observed_at.as_millis());
                let key = [source, &value.external_id, kind, &millis];
                let row = json!([source, value.external_id, kind, instant]);
                self.tables.add("anomaly", &key, &row);
                if self.dumps() {
                    let detail = json!([key, value.value, value.expected, anomaly.found_at]);
                    self.tables.add("anomaly_detail", &[], &detail);
                }
            }
            AnomalySubject::Run { .. } if self.dumps() => {
                let row = json!([anomaly.source, anomaly.subject, anomaly.found_at]);
                self.tables.add("run_anomaly", &[], &row);
            }
            AnomalySubject::Run { .. } => {}
        }
    }

    /// How much of an upstream's limits is spent.
    pub fn budget(&mut self, source: &SourceName, name: &str, version: u64, state: &Value) {
        if self.dumps() {
            self.tables.add("budget", &[], &json!([source, name, version, state]));
        }
    }

    /// An alert.
    pub fn alert(&mut self, alert: &Alert) {
        if self.dumps() {
            let Alert { alert_id: _, source, run_id, alert: said, .. } = alert;
            let when = [Some(alert.raised_at), alert.next_attempt_at, alert.delivered_at];
            let row = json!([source, run_id, said, alert.attempts, when]);
            self.tables.add("alert", &[], &row);
        }
    }

    /// A source's checkpoint; by source.
    pub fn checkpoint(&mut self, source: &SourceName, checkpoint: &Checkpoint) {
        let row = json!([source, checkpoint.position]);
        self.tables.add("checkpoint", &[source.as_str()], &row);
        self.checks.checkpoint(source, checkpoint);
    }

    /// When a source was swept last; by source.
    pub fn sweep(&mut self, source: &SourceName, swept_at: Timestamp) {
        self.checks.sweep(source);
        if self.dumps() {
            self.tables.add("sweep", &[], &json!([source, swept_at]));
        }
    }

    /// A resolution, with the listings that readers see changed by it; by generation, all of them before
    /// the first batch.
    pub fn resolution(&mut self, row: &ResolutionRow, changed: &[ListingId]) {
        self.checks.resolution(row.generation.0, changed);
        if self.dumps() {
            let names: Vec<_> = changed.iter().map(|id| self.names.get(id)).collect();
            let IdentityTotals { listings, assets, linked, ambiguous } = row.totals;
            let totals = [listings, assets, linked, ambiguous];
            let (rules, version) = (&row.rule_version, row.evidence_version);
            let text = json!([version, rules, row.resolved_at, totals, row.pending, names]);
            self.tables.add("resolution", &[], &text);
        }
    }

    /// The manifest of a batch; by generation. `retry` tells a batch of quarantined rows.
    #[expect(clippy::too_many_arguments, reason = "each is one column of a manifest")]
    pub fn batch(
        &mut self,
        generation: u64,
        source: &SourceName,
        sequence: u64,
        run_id: RunId,
        page_id: PageId,
        counts: &RunCounts,
        changed: &[ListingId],
        retry: bool,
    ) {
        self.checks.batch(generation, run_id, page_id, counts, changed, retry);
        if self.dumps() {
            let names: Vec<_> = changed.iter().map(|id| self.names.get(id)).collect();
            let row = json!([source, sequence, run_id, counts, names, retry]);
            self.tables.add("batch", &[], &row);
        }
    }

    /// Who holds a source.
    pub fn lease(&mut self, source: &SourceName, holder: &str, epoch: u64) {
        if self.dumps() {
            self.tables.add("lease", &[], &json!([source, holder, epoch]));
        }
    }

    /// A run with the options it was started with.
    pub fn run(&mut self, run: &Run, options: Option<&Value>) {
        self.checks.run(run);
        if self.dumps() {
            self.tables.add("run", &[], &json!([run, options]));
        }
    }

    /// A command.
    pub fn command(&mut self, command: &Command) {
        if self.dumps() {
            let Command { kind, state, epoch, created_at, result, command_id: _ } = command;
            self.tables.add("command", &[], &json!([kind, state, epoch, created_at, result]));
        }
    }

    /// What the engine shows of a source.
    pub fn source_state(&mut self, state: &SourceState) {
        if self.dumps() {
            self.tables.add("source_state", &[], &json!(state));
        }
    }

    /// The newest generation, and how often evidence of identity has changed.
    pub fn generation(&mut self, generation: u64, evidence_version: u64) {
        self.generation = generation;
        if self.dumps() {
            self.tables.add("generation", &[], &json!([generation, evidence_version]));
        }
    }

    fn finish(&mut self) {
        let mut partition: Vec<_> = std::mem::take(&mut self.assets).into_values().collect();
        for members in &mut partition {
            members.sort_unstable();
        }
        partition.sort_unstable();
        for members in partition {
            let (source, id) = members.first().cloned().unwrap_or_default();
            let of_member = |member| self.edges.remove(member).unwrap_or_default();
            let mut edges: Vec<Value> = members.iter().flat_map(of_member).collect();
            edges.sort_by_cached_key(Value::to_string);
            edges.dedup();
            let row = match edges.is_empty() {
                true => json!(members),
                false => json!([members, edges]),
            };
            self.tables.add("partition", &[&source, &id], &row);
        }
        for fetched in std::mem::take(&mut self.fetched).into_keys() {
            self.tables.add_text("raw_body", &[&fetched], fetched.to_string());
        }
    }

    /// The finished tables as text, by name.
    #[must_use]
    pub fn into_dump(mut self) -> Vec<TableDump> {
        self.finish();
        self.tables.into_dump()
    }

    /// The digest and every violation.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when rows came in another order than their table's.
    pub fn report(mut self) -> StoreResult<AuditReport> {
        self.finish();
        let (digest, tables, unordered) = self.tables.into_digests();
        if let Some(table) = unordered {
            return Err(StoreError::Corrupt(format!("the rows of {table} were not read in order")));
        }
        let generation = self.generation;
        Ok(AuditReport { digest, generation, tables, violations: self.checks.finish(generation) })
    }
}
