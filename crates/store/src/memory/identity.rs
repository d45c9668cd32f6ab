//! Identity in the in-memory store.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use compact_str::CompactString;
use kasparro_domain::{
    Alert, AssetClass, AssetId, Attributes, Contract, Decision, DecisionId, EdgeKind, EdgeTerms,
    Generation, IdentityState, ListingId, ListingKey, PageState, SourceName, Timestamp,
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::quarantine::next_decision;
use super::tables::{Listing, Statement, Tables};
use super::{MemoryStore, budgets, refused};
use crate::{
    DatedStatement, IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord,
    IdentityStore, PastStatement, Resolution, ResolutionRow, Sighting, StoreResult, StoredEdge,
};

/// Listings in one piece of [`IdentityStore::identity_input`].
const PIECE_ROWS: usize = 5_000;

/// What is decided about listings, and what was said of them before.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    /// How often evidence of identity has changed.
    pub(super) evidence_version: u64,
    pub(super) decided: BTreeMap<ListingId, Decided>,
    /// What says so, by both ends and kind.
    pub(super) edges: BTreeMap<(ListingId, EdgeKind, ListingId), (CompactString, EdgeTerms)>,
    pub(super) resolutions: Vec<(ResolutionRow, Vec<ListingId>)>,
    /// By listing, endpoint, part and the instant until which it was said.
    pub(super) past: BTreeMap<(ListingId, CompactString, CompactString, Timestamp), Said>,
}

/// What is decided about one listing.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) class: AssetClass,
    pub(super) state: IdentityState,
    pub(super) confidence: Option<u16>,
    pub(super) candidates: Value,
}

/// What a statement said.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) attributes: Attributes,
    pub(super) contracts: Vec<Contract>,
    pub(super) kind: Option<CompactString>,
    pub(super) same_as: Vec<ListingKey>,
}

impl Identity {
    /// Keeps what readers saw a listing called until now.
    pub(super) fn renamed(&mut self, listing: ListingId, before: Attributes, until_at: Timestamp) {
        self.evidence_version += 1;
        if before == Attributes::default() {
            return;
        }
        let key = (listing, CompactString::default(), CompactString::default(), until_at);
        self.past.entry(key).or_insert(Said { attributes: before, ..Said::default() });
    }

    /// Keeps what a list stated until now.
    pub(super) fn restated(
        &mut self,
        listing: ListingId,
        endpoint: &CompactString,
        before: &Statement,
        until_at: Timestamp,
    ) {
        let evidence = &before.evidence;
        let key = (listing, endpoint.clone(), evidence.part.clone(), until_at);
        self.past.entry(key).or_insert_with(|| Said {
            attributes: evidence.attributes.clone(),
            contracts: evidence.contracts.clone(),
            kind: evidence.kind.clone(),
            same_as: evidence.same_as.clone(),
        });
    }

    /// What was said of a listing before, by endpoint, part and instant.
    pub(super) fn past_of(&self, listing: ListingId) -> impl Iterator<Item = PastStatement> {
        let blank = CompactString::default;
        let from = (listing, blank(), blank(), Timestamp::EPOCH);
        let of_listing = self.past.range(from..).take_while(move |((id, ..), _)| *id == listing);
        of_listing.map(|((_, endpoint, part, until_at), said)| PastStatement {
            endpoint: endpoint.clone(),
            part: part.clone(),
            until_at: *until_at,
            attributes: said.attributes.clone(),
            contracts: said.contracts.clone(),
            kind: said.kind.clone(),
            same_as: said.same_as.clone(),
        })
    }
}

fn position(tables: &Tables) -> IdentityPosition {
    IdentityPosition {
        generation: Generation(tables.generation),
        evidence_version: tables.identity.evidence_version,
        resolved: tables.identity.resolutions.last().map(|(row, _)| row.clone()),
    }
}

fn input(tables: &Tables, listing: &Listing) -> IdentityInput {
    let stated =
        tables.statements(listing.listing_id).map(|(endpoint, statement)| DatedStatement {
            endpoint: endpoint.clone(),
            evidence: statement.evidence.clone(),
            first_seen_at: statement.first_seen_at,
        });
    IdentityInput {
        listing_id: listing.listing_id,
        key: listing.key(),
        founded_asset_id: listing.founded_asset_id,
        first_seen_at: listing.first_seen_at,
        attributes: listing.attributes.clone(),
        quoted: listing.quote.is_some(),
        statements: stated.collect(),
        past: tables.identity.past_of(listing.listing_id).collect(),
    }
}

/// Writes a resolution into the tables. On an error they are half changed and must be thrown away.
fn resolve(tables: &mut Tables, resolution: Resolution) -> StoreResult<Generation> {
    resolution.check()?;
    let now = position(tables);
    if now.evidence_version != resolution.evidence_version
        || now.resolved.map(|row| row.generation) != resolution.follows
    {
        return refused("evidence has changed since, or another resolution came first");
    }
    let mut changed = Vec::new();
    for row in &resolution.rows {
        let asset_id = match tables.listings.get(&row.founder) {
            Some(founder) => founder.founded_asset_id,
            None => return refused(format!("founder {} is not known", row.founder)),
        };
        let Some(listing) = tables.listings.get_mut(&row.listing_id) else {
            return refused(format!("listing {} is not known", row.listing_id));
        };
        let before = listing.row();
        (listing.asset_id, listing.class, listing.identity) = (asset_id, row.class, row.state);
        if listing.row() != before {
            changed.push(row.listing_id);
        }
        let decided = Decided {
            class: row.class,
            state: row.state,
            confidence: row.confidence,
            candidates: row.candidates.clone(),
        };
        tables.identity.decided.insert(row.listing_id, decided);
        tables.identity.edges.retain(|(from, ..), _| *from != row.listing_id);
        for edge in &row.edges {
            if !tables.listings.contains_key(&edge.to) {
                return refused(format!("listing {} is not known", edge.to));
            }
            let key = (row.listing_id, edge.kind, edge.to);
            tables.identity.edges.insert(key, (edge.why.clone(), edge.terms.clone()));
        }
    }
    let mut members: BTreeSet<(AssetId, &SourceName)> = BTreeSet::new();
    let founders: BTreeSet<AssetId> = tables
        .listings
        .values()
        .filter(|listing| listing.asset_id == listing.founded_asset_id)
        .map(|listing| listing.asset_id)
        .collect();
    for listing in tables.listings.values() {
        if !members.insert((listing.asset_id, &listing.source)) {
            let (asset, source) = (listing.asset_id, &listing.source);
            return refused(format!("asset {asset} would have two listings of {source}"));
        }
        if !founders.contains(&listing.asset_id) {
            return refused(format!("asset {} would stand without its founder", listing.asset_id));
        }
    }
    let Resolution { resolved_at, send_alerts, alerts, .. } = resolution;
    for (source, run_id, alert) in alerts {
        budgets::number(
            tables,
            Alert {
                alert_id: 0,
                source,
                run_id,
                alert,
                raised_at: resolved_at,
                attempts: 0,
                next_attempt_at: send_alerts.then_some(resolved_at),
                delivered_at: None,
            },
        );
    }
    tables.generation += 1;
    let row = ResolutionRow {
        generation: Generation(tables.generation),
        evidence_version: resolution.evidence_version,
        rule_version: resolution.rule_version,
        resolved_at,
        totals: resolution.totals,
        pending: resolution.pending,
    };
    tables.identity.resolutions.push((row, changed));
    Ok(Generation(tables.generation))
}

#[async_trait]
impl IdentityStore for MemoryStore {
    async fn identity_position(&self) -> StoreResult<IdentityPosition> {
        Ok(position(&self.tables()))
    }

    async fn identity_input(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<IdentityInput>>,
    ) -> StoreResult<IdentityPosition> {
        let (inputs, position) = {
            let tables = self.tables();
            let changed = tables.changed_since(since);
            let listings = tables.listings.values();
            let asked = listings.filter(|listing| {
                changed.as_ref().is_none_or(|ids| ids.contains(&listing.listing_id))
            });
            let inputs: Vec<IdentityInput> = asked.map(|listing| input(&tables, listing)).collect();
            (inputs, position(&tables))
        };
        for piece in inputs.chunks(PIECE_ROWS) {
            if pieces.send(piece.to_vec()).await.is_err() {
                return Err(crate::receiver_gone());
            }
        }
        Ok(position)
    }

    async fn sightings(&self, source: &SourceName, since: Timestamp) -> StoreResult<Vec<Sighting>> {
        let tables = self.tables();
        let pages = tables.pages.values().map(|record| &record.page);
        let loaded = pages.filter(|page| {
            page.source == *source && page.state == PageState::Loaded && page.fetched_at >= since
        });
        let mut sightings: Vec<Sighting> = loaded
            .map(|page| {
                let endpoint = page.request.get("endpoint").and_then(Value::as_str);
                let endpoint = CompactString::from(endpoint.unwrap_or_default());
                Sighting { fetched_at: page.fetched_at, endpoint }
            })
            .collect();
        sightings.sort_unstable();
        Ok(sightings)
    }

    async fn commit_resolution(&self, resolution: Resolution) -> StoreResult<Generation> {
        let mut tables = self.tables();
        let mut copy = tables.clone();
        let generation = resolve(&mut copy, resolution)?;
        *tables = copy;
        drop(tables);
        self.announced.send_replace(generation);
        Ok(generation)
    }

    async fn identity_records(&self, listings: &[ListingId]) -> StoreResult<Vec<IdentityRecord>> {
        let tables = self.tables();
        let asked: BTreeSet<ListingId> = listings.iter().copied().collect();
        let records = asked.into_iter().filter_map(|listing_id| {
            let decided = tables.identity.decided.get(&listing_id)?;
            let mut past: Vec<PastStatement> = tables.identity.past_of(listing_id).collect();
            past.sort_by_key(|said| std::cmp::Reverse(said.until_at));
            let listing = tables.listings.get(&listing_id)?;
            Some(IdentityRecord {
                listing_id,
                key: listing.key(),
                asset_id: listing.asset_id,
                class: decided.class,
                state: decided.state,
                confidence: decided.confidence,
                candidates: decided.candidates.clone(),
                past,
            })
        });
        Ok(records.collect())
    }

    async fn asset_edges(&self, listings: &[ListingId]) -> StoreResult<Vec<StoredEdge>> {
        let tables = self.tables();
        let asked = |(from, _, to): &(ListingId, EdgeKind, ListingId)| {
            listings.contains(from) || listings.contains(to)
        };
        let edges = tables.identity.edges.iter().filter(|(key, _)| asked(key));
        let mut edges: Vec<StoredEdge> = edges
            .map(|((from, kind, to), (why, terms))| StoredEdge {
                from: *from,
                kind: *kind,
                to: *to,
                why: why.clone(),
                terms: terms.clone(),
            })
            .collect();
        edges.sort_by(|one, next| {
            (one.from, one.kind.name(), one.to).cmp(&(next.from, next.kind.name(), next.to))
        });
        Ok(edges)
    }

    async fn resolutions(&self, limit: u32) -> StoreResult<Vec<ResolutionRow>> {
        let tables = self.tables();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let newest_first = tables.identity.resolutions.iter().rev();
        Ok(newest_first.take(limit).map(|(row, _)| row.clone()).collect())
    }

    async fn decide_identity(&self, decision: IdentityDecision) -> StoreResult<DecisionId> {
        decision.check()?;
        let mut tables = self.tables();
        for key in decision.pairs.iter().flat_map(|(a, b)| [a, b]) {
            let known = (key.source.clone(), key.external_id.clone());
            if !tables.keys.contains_key(&known) {
                return refused(format!("there is no listing {key}"));
            }
        }
        let decision_id = next_decision(&tables);
        let IdentityDecision { kind, source, pairs, relation, who, why, decided_at } = decision;
        let written = Decision {
            decision_id,
            kind,
            source,
            rows: Vec::new(),
            drift: Vec::new(),
            pairs,
            relation,
            forced: false,
            who,
            why,
            decided_at,
            after_page: tables.last_page(),
            run_id: None,
        };
        tables.decisions.push(written);
        tables.identity.evidence_version += 1;
        Ok(decision_id)
    }
}
