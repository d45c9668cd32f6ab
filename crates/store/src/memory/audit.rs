//! Everything the in-memory store keeps, handed to an audit.

use async_trait::async_trait;
use kasparro_domain::{AssetEdge, DriftKey, DriftRow, SourceName};

use super::MemoryStore;
use super::tables::{Listing, Tables};
use crate::{
    Audit, AuditStore, CHUNK_BYTES, EvidenceRecord, PageRecord, QuarantineRecord, StoreResult,
};

/// The order of changes in an audit: kinds stand by their names.
fn drift_order(row: &DriftRow) -> (&SourceName, [&str; 5]) {
    let DriftKey { endpoint, kind, pointer, before, after } = &row.event.key;
    (&row.source, [endpoint, kind.name(), pointer, before, after])
}

/// Listings with what hangs on them, and news; each by business key.
fn read_model(tables: &Tables, audit: &mut Audit) {
    let listings = || tables.keys.values().filter_map(|id| tables.listings.get(id));
    for listing in listings() {
        let origin = listing.quote.as_ref().map(|quote| quote.origin);
        audit.listing(&listing.row(), listing.missed, origin);
    }
    for listing in listings() {
        for (endpoint, statement) in tables.statements(listing.listing_id) {
            audit.evidence(&EvidenceRecord {
                source: listing.source.clone(),
                listing_id: listing.listing_id,
                endpoint: endpoint.clone(),
                evidence: statement.evidence.clone(),
                first_seen_at: statement.first_seen_at,
                fetched_at: statement.fetched_at,
                content_hash: statement.content_hash,
                ordinal: statement.ordinal,
            });
        }
    }
    for listing in listings() {
        for said in tables.identity.past_of(listing.listing_id) {
            audit.past_statement(&listing.key(), &said);
        }
    }
    for listing in listings() {
        if let Some(decided) = tables.identity.decided.get(&listing.listing_id) {
            let key = listing.key();
            audit.identity(&key, decided.confidence, &decided.candidates);
        }
    }
    let key = |id| tables.listings.get(&id).map(Listing::key);
    let named = tables.identity.edges.iter().filter_map(|((from, kind, to), (why, terms))| {
        Some(AssetEdge {
            from: key(*from)?,
            kind: *kind,
            to: key(*to)?,
            why: why.clone(),
            terms: terms.clone(),
        })
    });
    let mut edges: Vec<AssetEdge> = named.collect();
    edges.sort_by(|one, next| {
        (&one.from, one.kind.name(), &one.to).cmp(&(&next.from, next.kind.name(), &next.to))
    });
    edges.iter().for_each(|edge| audit.edge(edge));
    for listing in listings() {
        let first = (listing.listing_id, kasparro_domain::Timestamp::EPOCH, 0);
        let points = tables.history.range(first..);
        points
            .take_while(|((id, ..), _)| *id == listing.listing_id)
            .for_each(|(_, point)| audit.point(point));
    }
    tables.news.values().for_each(|news| audit.news(&news.stored, news.content_hash));
    tables.anomalies.audit(tables, audit);
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn audit(&self, mut audit: Audit) -> StoreResult<Audit> {
        let tables = self.tables();
        read_model(&tables, &mut audit);
        tables.pages.values().for_each(|page: &PageRecord| audit.page(page));
        for (hash, body) in &tables.bodies {
            audit.body(*hash, body.body_bytes, &mut |index| {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                Ok(body.frame.chunks(CHUNK_BYTES).nth(index).map(<[u8]>::to_vec))
            })?;
        }
        let records = tables.quarantine.values().map(|row| &row.record);
        records.for_each(|row: &QuarantineRecord| audit.quarantined(row));
        tables.decisions.iter().for_each(|decision| audit.decision(decision));
        let mut drift: Vec<_> = tables.drift.values().collect();
        drift.sort_by(|one, next| drift_order(one).cmp(&drift_order(next)));
        drift.into_iter().for_each(|row| audit.drift(row));
        for ((source, endpoint), profile) in &tables.profiles {
            audit.profile(source, endpoint, profile);
        }
        for (source, checkpoint) in &tables.checkpoints {
            audit.checkpoint(source, checkpoint);
        }
        for (source, swept_at) in &tables.sweeps {
            audit.sweep(source, *swept_at);
        }
        for (row, changed) in &tables.identity.resolutions {
            audit.resolution(row, changed);
        }
        let mut batches: Vec<_> = tables.batches.iter().collect();
        batches.sort_unstable_by_key(|(_, manifest)| manifest.generation);
        for ((source, sequence), manifest) in batches {
            audit.batch(
                manifest.generation.0,
                source,
                *sequence,
                manifest.run_id,
                manifest.page_id,
                &manifest.counts,
                &manifest.changed,
                manifest.retry,
            );
        }
        for (source, lease) in &tables.leases {
            audit.lease(source, &lease.holder, lease.epoch);
        }
        for run in tables.runs.values() {
            audit.run(run, tables.options.get(&run.run_id));
        }
        tables.commands.values().for_each(|command| audit.command(command));
        tables.states.values().for_each(|state| audit.source_state(state));
        for ((source, name), budget) in &tables.budgets {
            audit.budget(source, name, budget.version, &budget.state);
        }
        tables.alerts.values().for_each(|alert| audit.alert(alert));
        audit.generation(tables.generation, tables.identity.evidence_version);
        Ok(audit)
    }

    async fn integrity(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }
}
