//! What lists, feeds and sweeps of a batch change.

use kasparro_domain::{Contract, ListingId, SWEEPS_TO_INACTIVE};

use super::commit::Applied;
use super::refused;
use super::tables::{Listing, News, Statement, Tables};
use crate::{
    EvidenceChange, EvidenceRow, ListingRow, NewsRow, StoreError, StoreResult, StoredNews,
};

/// Writes one statement of a list and what follows from it for its listing.
pub(super) fn evidence(applied: &mut Applied<'_>, row: &EvidenceRow) -> StoreResult<()> {
    let stated = &row.evidence;
    let listing_id = match row.change {
        EvidenceChange::New { .. } => {
            applied.counts.inserted += 1;
            applied.insert_listing(&stated.external_id, &stated.attributes)?
        }
        EvidenceChange::Stated { listing } => {
            applied.counts.updated += 1;
            applied.listing(listing, &stated.external_id)?
        }
        EvidenceChange::Late { listing } => {
            applied.counts.stale += 1;
            applied.listing(listing, &stated.external_id)?
        }
    };
    let key = (listing_id, row.endpoint.clone(), stated.part.clone());
    let fetched_at = applied.batch.fetched_at;
    let Tables { evidence: stored, identity: tables_identity, .. } = &mut *applied.tables;
    let first_seen_at = match stored.get(&key) {
        Some(_) if matches!(row.change, EvidenceChange::Late { .. }) => return Ok(()),
        Some(before) => {
            tables_identity.restated(listing_id, &row.endpoint, before, fetched_at);
            before.first_seen_at
        }
        None => fetched_at,
    };
    tables_identity.evidence_version += 1;
    applied.changed.insert(listing_id);
    let (content_hash, ordinal) = (row.content_hash, row.ordinal);
    let evidence = stated.clone();
    let statement = Statement { evidence, first_seen_at, fetched_at, content_hash, ordinal };
    applied.tables.evidence.insert(key, statement);

    let mut contracts = Vec::<Contract>::new();
    let mut delisted = false;
    for (_, statement) in applied.tables.statements(listing_id) {
        contracts.extend_from_slice(&statement.evidence.contracts);
        delisted |= statement.evidence.active == Some(false);
    }
    contracts.sort_unstable();
    contracts.dedup();
    let mut before = None;
    change(applied, listing_id, |listing| {
        listing.contracts = contracts;
        listing.delisted = delisted;
        if listing.quote.is_none() {
            before = Some(listing.attributes.clone());
            let shown = &mut listing.attributes;
            shown.symbol = stated.attributes.symbol.clone().or(shown.symbol.take());
            shown.name = stated.attributes.name.clone().or(shown.name.take());
        }
    })?;
    let now = applied.tables.listings.get(&listing_id).map(|listing| &listing.attributes);
    if let Some(before) = before.filter(|before| Some(before) != now) {
        applied.tables.identity.renamed(listing_id, before, fetched_at);
    }
    Ok(())
}

/// Writes one piece of news.
pub(super) fn news(applied: &mut Applied<'_>, row: &NewsRow) -> StoreResult<()> {
    let batch = applied.batch;
    let key = (batch.source.clone(), row.feed.clone(), row.item.item_id.clone());
    match (applied.tables.news.get_mut(&key), row.known) {
        (Some(news), true) => {
            applied.counts.updated += 1;
            news.stored.item = row.item.clone();
            news.stored.fetched_at = batch.fetched_at;
            news.content_hash = row.content_hash;
        }
        (None, false) => {
            applied.counts.inserted += 1;
            let last = applied.tables.news.values().map(|news| news.stored.news_id).max();
            let stored = StoredNews {
                news_id: last.unwrap_or(0) + 1,
                source: batch.source.clone(),
                feed: row.feed.clone(),
                item: row.item.clone(),
                first_seen_at: batch.fetched_at,
                fetched_at: batch.fetched_at,
            };
            applied.tables.news.insert(key, News { stored, content_hash: row.content_hash });
        }
        (Some(_), false) => return refused(format!("{} has item {} already", key.1, key.2)),
        (None, true) => return refused(format!("{} has no item {}", key.1, key.2)),
    }
    Ok(())
}

/// Listings that were seen again have missed no sweep.
pub(super) fn returned(applied: &mut Applied<'_>) -> StoreResult<()> {
    for listing_id in &applied.batch.returned {
        change(applied, *listing_id, |listing| {
            listing.missed = 0;
            listing.last_seen_at = None;
        })?;
    }
    Ok(())
}

/// Notes a complete sweep and what it did not show.
pub(super) fn sweep(applied: &mut Applied<'_>) -> StoreResult<()> {
    let batch = applied.batch;
    let Some(sweep) = &batch.sweep else {
        return Ok(());
    };
    let before = applied.tables.sweeps.insert(batch.source.clone(), batch.fetched_at);
    for listing_id in &sweep.missing {
        change(applied, *listing_id, |listing| {
            if listing.missed == 0 {
                let swept = before.filter(|swept| listing.first_seen_at <= *swept);
                let quoted = listing.quote.as_ref().map(|quote| quote.fetched_at);
                listing.last_seen_at = swept.max(quoted).max(Some(listing.first_seen_at));
            }
            listing.missed = listing.missed.saturating_add(1).min(SWEEPS_TO_INACTIVE);
        })?;
    }
    Ok(())
}

/// Changes a listing of the batch's source, and notes whether readers see it.
fn change(
    applied: &mut Applied<'_>,
    listing_id: ListingId,
    change: impl FnOnce(&mut Listing),
) -> StoreResult<()> {
    let source = &applied.batch.source;
    let found = applied.tables.listings.get_mut(&listing_id);
    let Some(listing) = found.filter(|listing| listing.source == *source) else {
        return Err(StoreError::Conflict(format!("{source} has no listing {listing_id}")));
    };
    let before: ListingRow = listing.row();
    change(listing);
    if listing.row() != before {
        applied.changed.insert(listing_id);
    }
    Ok(())
}
