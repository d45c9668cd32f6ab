//! Everything a store keeps, in one canonical text.
//!
//! Stores hand their rows to an [`AuditDump`], which writes each as a JSON array and sorts them, so two
//! stores that know the same give the same text. Numbers that a store mints (ids, generations) and the
//! times of commits never appear: members of an asset stand for the asset, source and id for a listing.

use std::collections::BTreeMap;

use kasparro_domain::{
    AssetId, BodyHash, Checkpoint, Command, ListingId, Quote, QuoteField, RawPage, Rejection, Run,
    RunCounts, RunError, RunId, SourceName, Timestamp,
};
use serde_json::{Value, json};

use crate::{HistoryPoint, ListingRow, SourceState};

/// One table in canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDump {
    /// The name of the table.
    pub name: &'static str,
    /// True when the table belongs to the digest of a store; false for what differs between stores
    /// that hold the same data: runs, batches, commands, leases, instants of fetching.
    pub digested: bool,
    /// One JSON array per row, sorted.
    pub rows: Vec<String>,
}

/// Where the current values of a listing came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// XXH3-64 of the row's bytes.
    pub raw_hash: u64,
    /// The row's place on its page.
    pub ordinal: u64,
}

/// A fetch as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRecord {
    /// The page.
    pub page: RawPage,
    /// Why it was refused.
    pub error: Option<RunError>,
}

/// A row in quarantine as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRecord {
    /// The source.
    pub source: SourceName,
    /// The body the row stands in.
    pub body: BodyHash,
    /// Its place there.
    pub ordinal: u64,
    /// Why it was not believed.
    pub rejection: Rejection,
    /// The rule that refused it.
    pub rule: String,
    /// `open` until somebody decides.
    pub status: String,
}

/// The name of a listing's history while it is collected.
type PointKey = (SourceName, String);

/// Collects the rows of a store.
#[derive(Debug, Default)]
pub struct AuditDump {
    tables: BTreeMap<&'static str, (bool, Vec<String>)>,
    assets: BTreeMap<AssetId, Vec<(String, String)>>,
    names: BTreeMap<ListingId, (String, String)>,
    points: BTreeMap<PointKey, Vec<HistoryPoint>>,
}

/// Every table, so that an empty one is in the dump too, and whether the digest covers it.
const TABLES: [(&str, bool); 16] = [
    ("batch", false),
    ("body", false),
    ("checkpoint", true),
    ("command", false),
    ("generation", false),
    ("history", true),
    ("lease", false),
    ("listing", true),
    ("origin", false),
    ("page", false),
    ("partition", true),
    ("quarantine", true),
    ("quote", true),
    ("raw_body", true),
    ("run", false),
    ("source_state", false),
];

fn values(quote: &Quote) -> Vec<Value> {
    // Text, because a JSON number would go through the number type of whoever reads it.
    QuoteField::ALL
        .into_iter()
        .map(|field| json!(quote.get(field).map(ToString::to_string)))
        .collect()
}

impl AuditDump {
    /// An empty dump.
    #[must_use]
    pub fn new() -> Self {
        let tables = TABLES.map(|(name, digested)| (name, (digested, Vec::new())));
        Self { tables: BTreeMap::from(tables), ..Self::default() }
    }

    fn add(&mut self, table: &'static str, row: &Value) {
        self.tables.entry(table).or_default().1.push(row.to_string());
    }

    /// A listing, its current quote and where that came from.
    pub fn listing(&mut self, row: &ListingRow, origin: Option<Origin>) {
        let (source, id) = (row.source.as_str(), row.external_id.as_str());
        let about = &row.attributes;
        self.add(
            "listing",
            &json!([source, id, about.symbol, about.name, about.contracts, row.active]),
        );
        self.names.insert(row.listing_id, (source.to_owned(), id.to_owned()));
        self.assets.entry(row.asset_id).or_default().push((source.to_owned(), id.to_owned()));
        if let Some(quote) = &row.quote {
            let observed_at = row.observed_at.filter(|_| row.source_timed);
            self.add("quote", &json!([source, id, observed_at, values(quote), quote.rank]));
        }
        self.add(
            "origin",
            &json!([
                source,
                id,
                row.first_seen_at,
                row.observed_at,
                row.source_timed,
                row.fetched_at,
                origin.map(|origin| origin.raw_hash),
                origin.map(|origin| origin.ordinal)
            ]),
        );
    }

    /// A point of history.
    pub fn point(&mut self, point: HistoryPoint) {
        let key = (point.source.clone(), point.external_id.to_string());
        self.points.entry(key).or_default().push(point);
    }

    /// A row in quarantine.
    pub fn quarantined(&mut self, row: &QuarantineRecord) {
        let Rejection { reason, field, value, external_id } = &row.rejection;
        self.add(
            "quarantine",
            &json!([
                row.source,
                row.body.to_string(),
                row.ordinal,
                reason,
                field,
                value,
                external_id,
                row.rule,
                row.status
            ]),
        );
    }

    /// A body: its length, and each chunk's length and XXH3-64.
    pub fn body<'a>(
        &mut self,
        hash: BodyHash,
        body_bytes: u64,
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let chunks: Vec<Value> = chunks
            .into_iter()
            .map(|chunk| json!([chunk.len(), xxhash_rust::xxh3::xxh3_64(chunk)]))
            .collect();
        self.add("body", &json!([hash.to_string(), body_bytes, chunks]));
    }

    /// A fetch.
    pub fn page(&mut self, record: &PageRecord) {
        let page = &record.page;
        let body = page.body.to_string();
        self.add("raw_body", &json!([page.source, page.request, body]));
        self.add(
            "page",
            &json!([
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
            ]),
        );
    }

    /// A source's checkpoint.
    pub fn checkpoint(&mut self, source: &SourceName, checkpoint: &Checkpoint) {
        self.add("checkpoint", &json!([source, checkpoint.position]));
    }

    /// The manifest of a batch. The listings it changed are named, so they must have been added
    /// before.
    pub fn batch(
        &mut self,
        source: &SourceName,
        sequence: u64,
        run_id: RunId,
        counts: &RunCounts,
        changed: &[ListingId],
    ) {
        let names: Vec<_> = changed.iter().map(|id| self.names.get(id)).collect();
        let row = json!([source, sequence, run_id, counts, names]);
        self.add("batch", &row);
    }

    /// Who holds a source.
    pub fn lease(&mut self, source: &SourceName, holder: &str, epoch: u64) {
        self.add("lease", &json!([source, holder, epoch]));
    }

    /// A run.
    pub fn run(&mut self, run: &Run) {
        self.add("run", &json!(run));
    }

    /// A command.
    pub fn command(&mut self, command: &Command) {
        let Command { kind, state, created_at, result, command_id: _ } = command;
        self.add("command", &json!([kind, state, created_at, result]));
    }

    /// What the engine shows of a source.
    pub fn source_state(&mut self, state: &SourceState) {
        self.add("source_state", &json!(state));
    }

    /// How many batches were committed.
    pub fn generation(&mut self, generation: u64) {
        self.add("generation", &json!([generation]));
    }

    /// The finished tables by name.
    #[must_use]
    pub fn finish(mut self) -> Vec<TableDump> {
        for ((source, id), mut points) in std::mem::take(&mut self.points) {
            points.sort_by_key(|point| (point.observed_at, point.revision));
            self.history_of(&source, &id, &points);
        }
        for (_, mut members) in std::mem::take(&mut self.assets) {
            members.sort();
            self.add("partition", &json!(members));
        }
        let sorted = |(name, (digested, mut rows)): (&'static str, (bool, Vec<String>))| {
            rows.sort_unstable();
            if name == "raw_body" {
                rows.dedup();
            }
            TableDump { name, digested, rows }
        };
        self.tables.into_iter().map(sorted).collect()
    }

    /// Writes the sorted points of one listing. A point without the source's own time is known by its
    /// place among its like, since the time of fetching differs when the same pages are fetched again.
    fn history_of(&mut self, source: &SourceName, id: &str, points: &[HistoryPoint]) {
        let mut untimed = 0_u64;
        let mut last_untimed: Option<Timestamp> = None;
        for point in points {
            let instant = if point.source_timed {
                json!(point.observed_at)
            } else {
                if last_untimed.is_some_and(|last| last != point.observed_at) {
                    untimed += 1;
                }
                last_untimed = Some(point.observed_at);
                json!(untimed)
            };
            let text =
                |value: &Option<kasparro_domain::Decimal>| value.as_ref().map(ToString::to_string);
            let row = json!([
                source,
                id,
                instant,
                point.revision,
                text(&point.price_usd),
                text(&point.market_cap),
                text(&point.volume_24h)
            ]);
            self.add("history", &row);
        }
    }
}
