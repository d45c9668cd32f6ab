//! What lists say of listings.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use compact_str::CompactString;
use kasparro_domain::{Attributes, Contract, Evidence, ListingId, SWEEPS_TO_INACTIVE};
use kasparro_store::{EvidenceChange, EvidenceRecord, EvidenceRow, KnownEvidence};
use rusqlite::{CachedStatement, Connection, Row, params};
use serde::Serialize;

use super::applied::Applied;
use super::row_statements::INSERT_ASSET;
use super::{
    Sources, each, first, instant, int, json_text, maybe_json, maybe_string, past, text, uint,
};
use crate::error::{Queried, damaged};
use crate::writer::Minted;

const INSERT_LISTING: &str = "INSERT INTO listing (listing_id, source_id, external_id, asset_id,
        symbol, name, contracts, active, first_seen_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// What is said now takes the place of what was said, and keeps the time when it was said first.
const STATE: &str = "INSERT INTO evidence (listing_id, endpoint, part, symbol, name, contracts,
        active, content_hash, page_id, ordinal, first_seen_at, fetched_at, kind, same_as)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12, ?13)
    ON CONFLICT (listing_id, endpoint, part) DO UPDATE SET symbol = excluded.symbol,
        name = excluded.name, contracts = excluded.contracts, active = excluded.active,
        content_hash = excluded.content_hash, page_id = excluded.page_id,
        ordinal = excluded.ordinal, fetched_at = excluded.fetched_at, kind = excluded.kind,
        same_as = excluded.same_as";

const SHOWN: &str = "SELECT symbol, name, contracts, active, missed,
        EXISTS (SELECT 1 FROM quote WHERE quote.listing_id = listing.listing_id)
    FROM listing WHERE listing_id = ?1 AND source_id = ?2 AND external_id = ?3";

const STATED: &str = "SELECT endpoint, part, contracts, active FROM evidence WHERE listing_id = ?1";

const UPDATE_LISTING: &str =
    "UPDATE listing SET symbol = ?2, name = ?3, contracts = ?4, active = ?5
    WHERE listing_id = ?1";

/// Contracts, or what a listing is the same as, as they are stored: none as NULL, which is most rows.
fn list_text<T: Serialize>(list: &[T]) -> Queried<Option<String>> {
    if list.is_empty() { Ok(None) } else { json_text(&list).map(Some) }
}

/// What readers see of a listing that statements change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Visible {
    attributes: Attributes,
    contracts: Vec<Contract>,
    active: bool,
}

/// A listing that a statement of the batch is about, and what its lists say of it.
struct Stated {
    external_id: CompactString,
    stored: Visible,
    now: Visible,
    missed: u8,
    quoted: bool,
    /// Contracts, and whether it is active, by endpoint and part.
    statements: BTreeMap<(CompactString, CompactString), (Vec<Contract>, Option<bool>)>,
}

impl Stated {
    /// Takes a statement in, as if it had been written to the tables.
    fn take(&mut self, row: &EvidenceRow) {
        let Evidence { part, attributes, contracts, active, .. } = &row.evidence;
        let key = (row.endpoint.clone(), part.clone());
        self.statements.insert(key, (contracts.clone(), *active));
        let all = self.statements.values();
        self.now.contracts = union(all.clone().flat_map(|(contracts, _)| contracts.iter()));
        let delisted = all.clone().any(|(_, active)| *active == Some(false));
        self.now.active = !delisted && self.missed < SWEEPS_TO_INACTIVE;
        if !self.quoted {
            let shown = &mut self.now.attributes;
            shown.symbol = attributes.symbol.clone().or(shown.symbol.take());
            shown.name = attributes.name.clone().or(shown.name.take());
        }
    }
}

/// Contracts as readers see them: sorted, each once.
fn union<'c>(stated: impl Iterator<Item = &'c Contract>) -> Vec<Contract> {
    let mut contracts: Vec<Contract> = stated.cloned().collect();
    contracts.sort_unstable();
    contracts.dedup();
    contracts
}

/// Writes the statements of one batch, and what follows from them for their listings.
pub(super) fn write(applied: &mut Applied<'_>, minted: &mut Minted) -> Queried<()> {
    if applied.batch.evidence.is_empty() {
        return Ok(());
    }
    let connection = applied.connection;
    let mut state = connection.prepare_cached(STATE)?;
    let mut listings: BTreeMap<ListingId, Stated> = BTreeMap::new();
    for row in &applied.batch.evidence {
        let (named, late) = match row.change {
            EvidenceChange::New { .. } => {
                let listing_id = insert(applied, minted, row)?;
                store(&mut state, applied, listing_id, row)?;
                continue;
            }
            EvidenceChange::Stated { listing } => (listing, false),
            EvidenceChange::Late { listing } => (listing, true),
        };
        let external_id = &row.evidence.external_id;
        let listing_id = applied.listing(named, external_id)?;
        let listing = match listings.entry(listing_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(read(applied, listing_id, external_id)?),
        };
        if listing.external_id != *external_id {
            return applied.other_listing(listing_id, external_id);
        }
        let key = (row.endpoint.clone(), row.evidence.part.clone());
        let known = listing.statements.contains_key(&key);
        if late {
            applied.counts.stale += 1;
            if known {
                continue;
            }
        } else {
            applied.counts.updated += 1;
        }
        if known {
            past::restated(applied, listing_id, &row.endpoint, &row.evidence.part)?;
        }
        store(&mut state, applied, listing_id, row)?;
        let before = listing.now.attributes.clone();
        listing.take(row);
        if listing.now.attributes != before {
            past::renamed(applied, listing_id, &before)?;
        }
        // Also where readers see no change: who decides about identity looks there.
        applied.changed.push(listing_id);
    }
    let mut update = connection.prepare_cached(UPDATE_LISTING)?;
    for (listing_id, Stated { stored, now, .. }) in listings {
        if now != stored {
            let Visible { attributes, contracts, active } = now;
            update.execute(params![
                listing_id.0,
                attributes.symbol.as_deref(),
                attributes.name.as_deref(),
                list_text(&contracts)?,
                active
            ])?;
        }
    }
    Ok(())
}

/// Stores a listing that has no quote.
fn insert<'a>(
    applied: &mut Applied<'a>,
    minted: &mut Minted,
    row: &'a EvidenceRow,
) -> Queried<ListingId> {
    minted.asset_id += 1;
    minted.listing_id += 1;
    let listing_id = ListingId(minted.listing_id);
    let Evidence { external_id, attributes, contracts, active, .. } = &row.evidence;
    applied.connection.prepare_cached(INSERT_ASSET)?.execute([minted.asset_id])?;
    applied.connection.prepare_cached(INSERT_LISTING)?.execute(params![
        listing_id.0,
        applied.source,
        external_id.as_str(),
        minted.asset_id,
        attributes.symbol.as_deref(),
        attributes.name.as_deref(),
        list_text(&union(contracts.iter()))?,
        *active != Some(false),
        applied.batch.fetched_at.as_millis()
    ])?;
    applied.inserted.note(external_id, listing_id);
    applied.counts.inserted += 1;
    applied.changed.push(listing_id);
    Ok(listing_id)
}

fn store(
    state: &mut CachedStatement<'_>,
    applied: &mut Applied<'_>,
    listing_id: ListingId,
    row: &EvidenceRow,
) -> Queried<()> {
    let Evidence { part, attributes, contracts, active, kind, same_as, external_id: _ } =
        &row.evidence;
    state.execute(params![
        listing_id.0,
        row.endpoint.as_str(),
        part.as_str(),
        attributes.symbol.as_deref(),
        attributes.name.as_deref(),
        list_text(contracts)?,
        active,
        row.content_hash.cast_signed(),
        applied.batch.page_id.0,
        int(row.ordinal)?,
        applied.batch.fetched_at.as_millis(),
        kind.as_deref(),
        list_text(same_as)?
    ])?;
    applied.evidence_changed = true;
    Ok(())
}

/// A listing as it is stored, which must be the one that a statement is about.
fn read(
    applied: &Applied<'_>,
    listing_id: ListingId,
    external_id: &CompactString,
) -> Queried<Stated> {
    let connection = applied.connection;
    let params = params![listing_id.0, applied.source, external_id.as_str()];
    let shown = first(connection, SHOWN, params, |row| {
        let attributes = Attributes { symbol: maybe_string(row, 0)?, name: maybe_string(row, 1)? };
        let contracts = maybe_json(row, 2)?.unwrap_or_default();
        let stored = Visible { attributes, contracts, active: row.get(3)? };
        Ok((stored, row.get(4)?, row.get(5)?))
    })?;
    let Some((stored, missed, quoted)) = shown else {
        return applied.other_listing(listing_id, external_id);
    };
    let statements = each(connection, STATED, [listing_id.0], |row| {
        let key = (CompactString::from(text(row, 0)?), CompactString::from(text(row, 1)?));
        Ok((key, (maybe_json(row, 2)?.unwrap_or_default(), row.get(3)?)))
    })?;
    let (external_id, now) = (external_id.clone(), stored.clone());
    let statements = statements.into_iter().collect();
    Ok(Stated { external_id, stored, now, missed, quoted, statements })
}

/// In the order of the primary key; the plus as in the query of listings.
pub(super) const KNOWN: &str = "SELECT e.listing_id, e.endpoint, e.part, e.content_hash
    FROM evidence AS e CROSS JOIN listing AS l USING (listing_id)
    WHERE +l.source_id = ?1 ORDER BY e.listing_id, e.endpoint, e.part";

/// Every statement about the listings of a source.
pub(super) fn known(connection: &Connection, source: i64) -> Queried<Vec<KnownEvidence>> {
    each(connection, KNOWN, [source], |row| {
        Ok(KnownEvidence {
            listing_id: ListingId(row.get(0)?),
            endpoint: CompactString::from(text(row, 1)?),
            part: CompactString::from(text(row, 2)?),
            content_hash: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })
}

/// Statements about the listings of a source, by external id, endpoint and part.
pub(super) const OF_SOURCE: &str = "SELECT l.source_id, e.listing_id, e.endpoint, l.external_id,
        e.part, e.symbol, e.name, e.contracts, e.active, e.first_seen_at, e.fetched_at,
        e.content_hash, e.ordinal, e.kind, e.same_as
    FROM listing AS l CROSS JOIN evidence AS e USING (listing_id)
    WHERE l.source_id = ?1 ORDER BY l.external_id, e.endpoint, e.part";

pub(super) fn read_record(row: &Row<'_>, sources: &Sources) -> Queried<EvidenceRecord> {
    let content_hash: i64 = row.get(11).map_err(|error| damaged("a hash", error))?;
    Ok(EvidenceRecord {
        source: sources.name(row.get(0)?)?.clone(),
        listing_id: ListingId(row.get(1)?),
        endpoint: CompactString::from(text(row, 2)?),
        evidence: Evidence {
            external_id: CompactString::from(text(row, 3)?),
            part: CompactString::from(text(row, 4)?),
            attributes: Attributes { symbol: maybe_string(row, 5)?, name: maybe_string(row, 6)? },
            contracts: maybe_json(row, 7)?.unwrap_or_default(),
            active: row.get(8)?,
            kind: maybe_string(row, 13)?,
            same_as: maybe_json(row, 14)?.unwrap_or_default(),
        },
        first_seen_at: instant(row, 9)?,
        fetched_at: instant(row, 10)?,
        content_hash: content_hash.cast_unsigned(),
        ordinal: uint(row, 12)?,
    })
}
