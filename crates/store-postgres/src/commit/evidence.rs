//! What lists say of listings.

use std::collections::BTreeMap;

use compact_str::CompactString;
use deadpool_postgres::Transaction;
use kasparro_domain::{Attributes, Contract, Evidence, ListingKey};
use kasparro_store::EvidenceChange;
use serde::Serialize;

use super::applied::Applied;
use crate::error::Queried;
use crate::queries::{AsJson, Instant, execute, int, json_text};

/// What one statement of a list says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub(super) attributes: Attributes,
    pub(super) contracts: Vec<Contract>,
    pub(super) active: Option<bool>,
    pub(super) kind: Option<CompactString>,
    pub(super) same_as: Vec<ListingKey>,
}

/// The statements about a listing, by endpoint and part.
pub(super) type Stated = BTreeMap<(CompactString, CompactString), Said>;

/// Contracts as readers see them: sorted, each once.
pub(super) fn union(stated: &Stated) -> Vec<Contract> {
    let all = stated.values().flat_map(|said| said.contracts.iter().cloned());
    let mut contracts: Vec<Contract> = all.collect();
    contracts.sort_unstable();
    contracts.dedup();
    contracts
}

/// Contracts, or what a listing is the same as, as they are stored: none as NULL, which is most rows.
pub(super) fn list_text<T: Serialize>(list: &[T]) -> Queried<Option<AsJson>> {
    if list.is_empty() { Ok(None) } else { json_text(list).map(Some) }
}

/// Applies the statements of a batch, and what follows from them for their listings.
pub(super) fn apply<'a>(applied: &mut Applied<'a>) -> Queried<()> {
    let batch = applied.batch;
    for row in &batch.evidence {
        let Evidence { external_id, part, attributes, contracts, active, kind, same_as } =
            &row.evidence;
        let (listing_id, late) = match row.change {
            EvidenceChange::New { .. } => (applied.insert(external_id, attributes)?, false),
            EvidenceChange::Stated { listing } => {
                applied.counts.updated += 1;
                (applied.find(listing, external_id)?, false)
            }
            EvidenceChange::Late { listing } => {
                applied.counts.stale += 1;
                (applied.find(listing, external_id)?, true)
            }
        };
        let key = (row.endpoint.clone(), part.clone());
        let known = applied.listings.get(&listing_id).map(|listing| &listing.stated);
        if late && known.is_some_and(|stated| stated.contains_key(&key)) {
            continue;
        }
        let place = (listing_id, row.endpoint.as_str(), part.as_str());
        applied.statements.insert(place, row);
        let mut before = None;
        applied.change(listing_id, |listing| {
            let said = Said {
                attributes: attributes.clone(),
                contracts: contracts.clone(),
                active: *active,
                kind: kind.clone(),
                same_as: same_as.clone(),
            };
            before = listing.stated.insert(key, said);
            listing.now.contracts = union(&listing.stated);
            listing.now.active = !listing.delisted();
            if listing.quoted.is_none() {
                let shown = &mut listing.now.attributes;
                shown.symbol = attributes.symbol.clone().or(shown.symbol.take());
                shown.name = attributes.name.clone().or(shown.name.take());
            }
        })?;
        if let Some(before) = before {
            applied.past.entry(place).or_insert(before);
        }
        // Also where readers see no difference: it speaks for what the listing is.
        applied.changed.push(listing_id);
        applied.evidence_changed = true;
    }
    Ok(())
}

/// What is said now takes the place of what was said, and keeps the time when it was said first.
const STATE: &str = "INSERT INTO evidence (listing_id, endpoint, part, symbol, name, contracts,
        active, content_hash, ordinal, kind, same_as, page_id, first_seen_at, fetched_at)
    SELECT said.*, $12, $13, $13
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[],
                $7::boolean[], $8::bigint[], $9::bigint[], $10::text[], $11::json[]) AS said
    ON CONFLICT (listing_id, endpoint, part) DO UPDATE SET symbol = excluded.symbol,
        name = excluded.name, contracts = excluded.contracts, active = excluded.active,
        content_hash = excluded.content_hash, page_id = excluded.page_id,
        ordinal = excluded.ordinal, fetched_at = excluded.fetched_at, kind = excluded.kind,
        same_as = excluded.same_as";

/// Writes the statements, in the order of their keys.
pub(super) async fn write(transaction: &Transaction<'_>, applied: &Applied<'_>) -> Queried<()> {
    let count = applied.statements.len();
    if count == 0 {
        return Ok(());
    }
    let mut listings = Vec::with_capacity(count);
    let (mut endpoints, mut parts) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut symbols, mut names) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut contracts, mut active) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut hashes, mut ordinals) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut kinds, mut same_as) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for ((listing_id, endpoint, part), row) in &applied.statements {
        let Evidence { attributes, contracts: named, .. } = &row.evidence;
        listings.push(listing_id.0);
        endpoints.push(*endpoint);
        parts.push(*part);
        symbols.push(attributes.symbol.as_deref());
        names.push(attributes.name.as_deref());
        contracts.push(list_text(named)?);
        active.push(row.evidence.active);
        hashes.push(row.content_hash.cast_signed());
        ordinals.push(int(row.ordinal)?);
        kinds.push(row.evidence.kind.as_deref());
        same_as.push(list_text(&row.evidence.same_as)?);
    }
    let batch = applied.batch;
    execute(
        transaction,
        STATE,
        &[
            &listings,
            &endpoints,
            &parts,
            &symbols,
            &names,
            &contracts,
            &active,
            &hashes,
            &ordinals,
            &kinds,
            &same_as,
            &batch.page_id.0,
            &Instant(batch.fetched_at),
        ],
    )
    .await?;
    Ok(())
}
