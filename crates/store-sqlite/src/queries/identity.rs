//! What is decided about which listings are one asset.

use kasparro_domain::{
    AssetClass, AssetId, EdgeKind, EdgeTerms, Generation, IdentityState, ListingId, ListingKey,
    SourceName, Timestamp,
};
use kasparro_store::{
    IdentityPosition, IdentityRecord, IdentityTotals, ResolutionRow, Sighting, StoredEdge,
};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{
    Sources, each, find_source, first, instant, json, json_text, maybe_decimal, maybe_text, named,
    past, text, uint,
};
use crate::error::{Queried, damaged};

/// Which evidence there is, and what was resolved last.
pub(crate) fn position(connection: &Connection) -> Queried<IdentityPosition> {
    let sql = "SELECT value, evidence_version FROM generation";
    let read = first(connection, sql, [], |row| Ok((uint(row, 0)?, uint(row, 1)?)))?;
    let (generation, evidence_version) = read.unwrap_or_default();
    let resolved = resolutions(connection, 1)?.pop();
    Ok(IdentityPosition { generation: Generation(generation), evidence_version, resolved })
}

/// The columns of a resolution, and where they stand for [`read_resolution`].
macro_rules! select_resolution {
    ($rest:literal) => {
        concat!(
            "SELECT generation, evidence_version, rule_version, resolved_at, listings, assets, linked, \
             ambiguous, pending, changed FROM resolution ",
            $rest
        )
    };
}
pub(super) use select_resolution;

pub(super) fn read_resolution(row: &Row<'_>) -> Queried<ResolutionRow> {
    Ok(ResolutionRow {
        generation: Generation(uint(row, 0)?),
        evidence_version: uint(row, 1)?,
        rule_version: row.get(2)?,
        resolved_at: instant(row, 3)?,
        totals: IdentityTotals {
            listings: uint(row, 4)?,
            assets: uint(row, 5)?,
            linked: uint(row, 6)?,
            ambiguous: uint(row, 7)?,
        },
        pending: row.get(8)?,
    })
}

/// The newest resolutions, newest first.
pub(crate) fn resolutions(connection: &Connection, limit: u32) -> Queried<Vec<ResolutionRow>> {
    let sql = select_resolution!("ORDER BY generation DESC LIMIT ?1");
    each(connection, sql, [limit], read_resolution)
}

const RECORDS: &str = "SELECT i.listing_id, l.source_id, l.external_id, i.asset_id, i.class,
        i.state, i.confidence, i.candidates
    FROM identity AS i CROSS JOIN listing AS l USING (listing_id)
    WHERE i.listing_id IN (SELECT value FROM json_each(?1)) ORDER BY i.listing_id";

/// What is decided about these listings, by ascending id.
pub(crate) fn records(
    connection: &Connection,
    listings: &[ListingId],
) -> Queried<Vec<IdentityRecord>> {
    let sources = Sources::read(connection)?;
    let mut records = each(connection, RECORDS, [json_text(&listings)?], |row| {
        let source = sources.name(row.get(1)?)?.clone();
        Ok(IdentityRecord {
            listing_id: ListingId(row.get(0)?),
            key: ListingKey { source, external_id: text(row, 2)?.into() },
            asset_id: AssetId(row.get(3)?),
            class: named(row, 4, AssetClass::from_name)?,
            state: named(row, 5, IdentityState::from_name)?,
            confidence: row.get(6)?,
            candidates: json(row, 7)?,
            past: Vec::new(),
        })
    })?;
    for record in &mut records {
        record.past = each(connection, past::NEWEST, [record.listing_id.0], past::read_past)?;
    }
    Ok(records)
}

/// In two halves, each with an index of its own.
pub(super) const EDGES: &str =
    "SELECT from_listing_id, kind, to_listing_id, why, ratio, effective_on FROM asset_edge
        WHERE from_listing_id IN (SELECT value FROM json_each(?1))
    UNION SELECT from_listing_id, kind, to_listing_id, why, ratio, effective_on FROM asset_edge
        WHERE to_listing_id IN (SELECT value FROM json_each(?1))
    ORDER BY from_listing_id, kind, to_listing_id";

/// What is known of an edge besides, in two columns from `from` on.
pub(super) fn read_terms(row: &Row<'_>, from: usize) -> Queried<EdgeTerms> {
    let read = |text| EdgeTerms::read_day(text).map_err(|_| damaged("a day", text));
    let effective_on = maybe_text(row, from + 1)?.map(read).transpose()?;
    Ok(EdgeTerms { ratio: maybe_decimal(row, from)?, effective_on })
}

/// Edges from or to one of these listings.
pub(crate) fn edges(connection: &Connection, listings: &[ListingId]) -> Queried<Vec<StoredEdge>> {
    each(connection, EDGES, [json_text(&listings)?], |row| {
        Ok(StoredEdge {
            from: ListingId(row.get(0)?),
            kind: named(row, 1, EdgeKind::from_name)?,
            to: ListingId(row.get(2)?),
            why: text(row, 3)?.into(),
            terms: read_terms(row, 4)?,
        })
    })
}

pub(super) const SIGHTINGS: &str = "SELECT fetched_at, request FROM page
    WHERE source_id = ?1 AND state = 'loaded' AND fetched_at >= ?2";

/// The loaded pages of a source from an instant on, by instant and endpoint.
pub(crate) fn sightings(
    connection: &Connection,
    source: &SourceName,
    since: Timestamp,
) -> Queried<Vec<Sighting>> {
    let Some(source) = find_source(connection, source)? else {
        return Ok(Vec::new());
    };
    let params = params![source, since.as_millis()];
    let mut sightings = each(connection, SIGHTINGS, params, |row| {
        let request: Value = json(row, 1)?;
        let endpoint = request.get("endpoint").and_then(Value::as_str).unwrap_or_default();
        Ok(Sighting { fetched_at: instant(row, 0)?, endpoint: endpoint.into() })
    })?;
    sightings.sort_unstable();
    Ok(sightings)
}
