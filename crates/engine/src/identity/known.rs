//! What a process has read of the evidence, and what it decided last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use kasparro_domain::{
    AssetEdge, AssetId, Generation, IdentityState, ListingId, ListingKey, Timestamp,
};
use kasparro_identity::{Explanation, RULE_VERSION, Resolved, Resolver};
use kasparro_store::{
    EdgeRow, IdentityInput, IdentityRecord, IdentityRow, IdentityTotals, Resolution, Store,
    StoredEdge,
};

use super::reads::{alerts, overrides, read_inputs, sightings};
use super::settle::settle;
use crate::EngineError;

/// Records compared at a time.
const COMPARED: usize = 5_000;

/// Where a listing stands.
#[derive(Debug, Clone, Copy)]
struct Standing {
    founder: ListingId,
    state: IdentityState,
}

/// Everything that is known about identity, up to one generation.
pub(super) struct Known {
    resolver: Resolver,
    ids: HashMap<ListingKey, ListingId>,
    /// The asset that each listing founded.
    founded: HashMap<ListingId, AssetId>,
    standing: HashMap<ListingId, Standing>,
    /// Listings with statements that are too new to count.
    unsettled: BTreeMap<ListingId, IdentityInput>,
    /// The generation up to which evidence was read.
    generation: Generation,
    /// The resolution that this one follows.
    pub(super) follows: Option<Generation>,
    /// What was decided and is not written yet.
    unwritten: BTreeMap<ListingKey, Resolved>,
    /// A hash of what each listing was to the resolver last.
    seals: HashMap<ListingId, u64>,
    /// The listings that the last reading brought.
    last_read: BTreeMap<ListingId, ListingKey>,
}

impl Known {
    /// Reads everything and decides.
    pub(super) async fn everything(
        store: &Arc<dyn Store>,
        now: Timestamp,
        follows: Option<Generation>,
    ) -> Result<(Self, u64), EngineError> {
        let empty = Self {
            resolver: Resolver::new(),
            ids: HashMap::new(),
            founded: HashMap::new(),
            standing: HashMap::new(),
            unsettled: BTreeMap::new(),
            generation: Generation(0),
            follows,
            unwritten: BTreeMap::new(),
            seals: HashMap::new(),
            last_read: BTreeMap::new(),
        };
        empty.catch_up(store, now).await
    }

    /// Why listings are one asset or not.
    pub(super) fn explain(&self, a: &ListingKey, b: Option<&ListingKey>) -> Explanation {
        self.resolver.explain(a, b)
    }

    /// Reads everything, and what is decided already.
    pub(super) async fn read(
        store: &Arc<dyn Store>,
        now: Timestamp,
        follows: Option<Generation>,
    ) -> Result<(Self, u64), EngineError> {
        let (mut known, version) = Self::everything(store, now, follows).await?;
        known.last_read.clear();
        let all = known.founded.keys().copied().collect();
        known.forget_what_is_written(store.as_ref(), all).await?;
        Ok((known, version))
    }

    /// Goes on from here after somebody else has resolved: what they wrote is not written again.
    pub(super) async fn follow(
        self,
        store: &Arc<dyn Store>,
        now: Timestamp,
        follows: Option<Generation>,
    ) -> Result<(Self, u64), EngineError> {
        let (mut known, version) = self.catch_up(store, now).await?;
        known.follows = follows;
        // Among what was read is everything that the other one moved.
        let brought = std::mem::take(&mut known.last_read);
        let mut asked: BTreeSet<ListingId> = brought.keys().copied().collect();
        for key in brought.into_values() {
            if let Some(resolved) = known.resolver.resolved(&key) {
                known.unwritten.entry(key).or_insert(resolved);
            }
        }
        let unwritten = known.unwritten.keys().filter_map(|key| known.ids.get(key));
        asked.extend(unwritten.copied());
        known.forget_what_is_written(store.as_ref(), asked.into_iter().collect()).await?;
        Ok((known, version))
    }

    /// Takes in what has come since, and decides; returns the version of the evidence as well.
    pub(super) async fn catch_up(
        mut self,
        store: &Arc<dyn Store>,
        now: Timestamp,
    ) -> Result<(Self, u64), EngineError> {
        let (position, mut inputs) = read_inputs(store, self.generation).await?;
        self.last_read = inputs.iter().map(|input| (input.listing_id, input.key.clone())).collect();
        let waiting = std::mem::take(&mut self.unsettled).into_iter();
        inputs.extend(
            waiting.filter(|(id, _)| !self.last_read.contains_key(id)).map(|(_, input)| input),
        );
        let sightings = sightings(store.as_ref(), now, &inputs).await?;
        let overrides = overrides(store.as_ref()).await?;
        let deciding = move || {
            let mut evidence = Vec::new();
            for input in inputs {
                self.ids.insert(input.key.clone(), input.listing_id);
                self.founded.insert(input.listing_id, input.founded_asset_id);
                let seen = sightings.get(&input.key.source).map_or(&[][..], Vec::as_slice);
                let settled = settle(&input, seen);
                // Most of what changed has another price and nothing else.
                let mut seal = DefaultHasher::new();
                settled.evidence.hash(&mut seal);
                let seal = seal.finish();
                if self.seals.insert(input.listing_id, seal) != Some(seal) {
                    evidence.push(settled.evidence);
                }
                if settled.pending {
                    self.unsettled.insert(input.listing_id, input);
                }
            }
            self.resolver.put(evidence);
            self.resolver.set_overrides(overrides);
            for resolved in self.resolver.resolve() {
                self.note(&resolved);
                self.unwritten.insert(resolved.key.clone(), resolved);
            }
            self.generation = position.generation;
            (self, position.evidence_version)
        };
        let failed = |_| EngineError::Setup("resolving identity ended unexpectedly".to_owned());
        tokio::task::spawn_blocking(deciding).await.map_err(failed)
    }

    fn note(&mut self, resolved: &Resolved) {
        let ids = self.ids.get(&resolved.key).zip(self.ids.get(&resolved.founder));
        if let Some((listing, founder)) = ids {
            let standing = Standing { founder: *founder, state: resolved.state };
            self.standing.insert(*listing, standing);
        }
    }

    /// Drops what is decided about these listings as it stands in the store.
    async fn forget_what_is_written(
        &mut self,
        store: &dyn Store,
        mut ids: Vec<ListingId>,
    ) -> Result<(), EngineError> {
        ids.sort_unstable();
        for ids in ids.chunks(COMPARED) {
            let records = store.identity_records(ids).await?;
            let mut edges: HashMap<ListingId, Vec<StoredEdge>> = HashMap::new();
            for edge in store.asset_edges(ids).await? {
                edges.entry(edge.from).or_default().push(edge);
            }
            for record in records {
                let stands = edges.remove(&record.listing_id).unwrap_or_default();
                let Some(decided) = self.unwritten.get(&record.key) else { continue };
                if self.row(decided).is_some_and(|row| self.says(&row, &record, &stands)) {
                    self.unwritten.remove(&record.key);
                }
            }
        }
        Ok(())
    }

    /// True where a row says what is stored.
    fn says(&self, row: &IdentityRow, record: &IdentityRecord, edges: &[StoredEdge]) -> bool {
        let mut wanted: Vec<_> =
            row.edges.iter().map(|edge| (edge.kind, edge.to, &edge.why, &edge.terms)).collect();
        let mut stored: Vec<_> =
            edges.iter().map(|edge| (edge.kind, edge.to, &edge.why, &edge.terms)).collect();
        wanted.sort_unstable();
        stored.sort_unstable();
        self.founded.get(&row.founder) == Some(&record.asset_id)
            && (row.class, row.state, row.confidence)
                == (record.class, record.state, record.confidence)
            && row.candidates == record.candidates
            && wanted == stored
    }

    /// What was decided about a listing, as stores take it.
    fn row(&self, resolved: &Resolved) -> Option<IdentityRow> {
        let id = |key: &ListingKey| self.ids.get(key).copied();
        let mut edges: Vec<EdgeRow> = resolved
            .edges
            .iter()
            .filter_map(|edge| {
                let AssetEdge { kind, to, why, terms, .. } = edge.clone();
                Some(EdgeRow { kind, to: id(&to)?, why, terms })
            })
            .collect();
        edges.sort_unstable();
        edges.dedup_by_key(|edge| (edge.kind, edge.to));
        Some(IdentityRow {
            listing_id: id(&resolved.key)?,
            founder: id(&resolved.founder)?,
            class: resolved.class,
            state: resolved.state,
            confidence: resolved.confidence,
            candidates: serde_json::to_value(&resolved.candidates).unwrap_or_default(),
            edges,
        })
    }

    /// Everything that is to be written.
    pub(super) async fn resolution(
        &mut self,
        store: &Arc<dyn Store>,
        evidence_version: u64,
        now: Timestamp,
        send_alerts: bool,
    ) -> Result<Resolution, EngineError> {
        let mut rows: Vec<IdentityRow> =
            self.unwritten.values().filter_map(|resolved| self.row(resolved)).collect();
        rows.sort_unstable_by_key(|row| row.listing_id);
        let alerts = alerts(store.as_ref(), self.resolver.contradictions()).await?;
        Ok(Resolution {
            evidence_version,
            follows: self.follows,
            rule_version: RULE_VERSION.to_owned(),
            resolved_at: now,
            rows,
            totals: self.totals(),
            pending: !self.unsettled.is_empty(),
            alerts,
            send_alerts,
        })
    }

    /// Notes that everything decided is written; true where commits came between the reading and the
    /// writing that could settle what waits.
    pub(super) fn written(&mut self, generation: Generation) -> bool {
        self.follows = Some(generation);
        self.unwritten.clear();
        let next = generation.0 == self.generation.0 + 1;
        if next {
            // What this resolution itself moved need not be read again.
            self.generation = generation;
        }
        !next && !self.unsettled.is_empty()
    }

    /// False where the store was brought back to an earlier state.
    pub(super) fn before(&self, generation: Generation) -> bool {
        self.generation <= generation
    }

    pub(super) fn totals(&self) -> IdentityTotals {
        let mut totals = IdentityTotals::default();
        for (listing, standing) in &self.standing {
            totals.listings += 1;
            totals.assets += u64::from(standing.founder == *listing);
            totals.linked += u64::from(standing.state == IdentityState::Linked);
            totals.ambiguous += u64::from(standing.state == IdentityState::Ambiguous);
        }
        totals
    }
}
