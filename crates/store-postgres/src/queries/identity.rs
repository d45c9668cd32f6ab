//! What is decided about which listings are one asset, and what speaks for it.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{
    AssetClass, AssetEdge, AssetId, Attributes, EdgeKind, EdgeTerms, Generation, IdentityState,
    ListingId, ListingKey, SourceName, Timestamp,
};
use kasparro_store::{
    Audit, IdentityPosition, IdentityRecord, IdentityTotals, PastStatement, ResolutionRow,
    Sighting, StoredEdge, decode_changed,
};
use serde_json::Value;
use tokio_postgres::Row;

use super::audit::of_every_source;
use super::{
    Instant, Sources, each, find_source, first, get, instant, json, maybe_decimal, maybe_json,
    maybe_string, named, string, text, uint, walk,
};
use crate::error::{Queried, damaged};

/// The columns of a resolution, and where they stand for [`read_resolution`].
macro_rules! select_resolution {
    ($more:literal) => {
        concat!(
            "SELECT r.generation, r.evidence_version, r.rule_version, r.resolved_at, r.listings, \
             r.assets, r.linked, r.ambiguous, r.pending",
            $more
        )
    };
}

fn read_resolution(row: &Row) -> Queried<ResolutionRow> {
    Ok(ResolutionRow {
        generation: Generation(uint(row, 0)?),
        evidence_version: uint(row, 1)?,
        rule_version: get(row, 2)?,
        resolved_at: instant(row, 3)?,
        totals: IdentityTotals {
            listings: uint(row, 4)?,
            assets: uint(row, 5)?,
            linked: uint(row, 6)?,
            ambiguous: uint(row, 7)?,
        },
        pending: get(row, 8)?,
    })
}

/// One statement, so that it is of one moment.
const POSITION: &str = select_resolution!(
    ", g.value, g.evidence_version FROM generation AS g LEFT JOIN LATERAL \
     (SELECT * FROM resolution ORDER BY generation DESC LIMIT 1) AS r ON true"
);

/// Which evidence there is, and what was resolved last.
pub(crate) async fn position(client: &impl GenericClient) -> Queried<IdentityPosition> {
    let found = first(client, POSITION, &[], |row| {
        let resolved = get::<Option<i64>>(row, 0)?.map(|_| read_resolution(row)).transpose()?;
        let generation = Generation(uint(row, 9)?);
        Ok(IdentityPosition { generation, evidence_version: uint(row, 10)?, resolved })
    })
    .await?;
    Ok(found.unwrap_or_default())
}

/// The newest resolutions, newest first.
pub(crate) async fn resolutions(
    client: &impl GenericClient,
    limit: u32,
) -> Queried<Vec<ResolutionRow>> {
    let sql = select_resolution!(" FROM resolution AS r ORDER BY r.generation DESC LIMIT $1");
    each(client, sql, &[&i64::from(limit)], read_resolution).await
}

/// What was said until an instant; its columns begin with `from`: endpoint, part, instant, symbol, name,
/// contracts, kind, what it is the same as.
pub(crate) fn read_past(row: &Row, from: usize) -> Queried<PastStatement> {
    Ok(PastStatement {
        endpoint: string(row, from)?,
        part: string(row, from + 1)?,
        until_at: instant(row, from + 2)?,
        attributes: Attributes {
            symbol: maybe_string(row, from + 3)?,
            name: maybe_string(row, from + 4)?,
        },
        contracts: maybe_json(row, from + 5)?.unwrap_or_default(),
        kind: maybe_string(row, from + 6)?,
        same_as: maybe_json(row, from + 7)?.unwrap_or_default(),
    })
}

pub(super) const SIGHTINGS: &str = "SELECT fetched_at, request FROM page
    WHERE source_id = $1 AND state = 'loaded' AND fetched_at >= $2";

/// When pages of a source were fetched that are loaded, and of which endpoint.
pub(crate) async fn sightings(
    client: &impl GenericClient,
    source: &SourceName,
    since: Timestamp,
) -> Queried<Vec<Sighting>> {
    let Some(source) = find_source(client, source).await? else {
        return Ok(Vec::new());
    };
    // The request is read here: the operators of the database refuse texts that JSON may hold.
    let mut sightings = each(client, SIGHTINGS, &[&source, &Instant(since)], |row| {
        let request: Value = json(row, 1)?;
        let endpoint = request.get("endpoint").and_then(Value::as_str).unwrap_or_default().into();
        Ok(Sighting { fetched_at: instant(row, 0)?, endpoint })
    })
    .await?;
    sightings.sort_unstable();
    Ok(sightings)
}

fn read_confidence(row: &Row, column: usize) -> Queried<Option<u16>> {
    let confidence: Option<i32> = get(row, column)?;
    let read = |share| u16::try_from(share).map_err(|_| damaged("a confidence", share).into());
    confidence.map(read).transpose()
}

const RECORDS: &str = "SELECT i.listing_id, l.source_id, l.external_id, i.class, i.state,
        i.confidence, i.candidates, i.asset_id
    FROM identity AS i JOIN listing AS l ON l.listing_id = i.listing_id
    WHERE i.listing_id = ANY($1) ORDER BY i.listing_id";

const PAST_NEWEST_FIRST: &str = "SELECT p.listing_id, p.endpoint, p.part, p.until_at, p.symbol,
        p.name, p.contracts, p.kind, p.same_as
    FROM evidence_past AS p WHERE p.listing_id = ANY($1) ORDER BY p.listing_id, p.until_at DESC, p.endpoint, p.part";

/// What is decided about listings, by number.
pub(crate) async fn records(
    transaction: &Transaction<'_>,
    listings: &[ListingId],
) -> Queried<Vec<IdentityRecord>> {
    let ids: Vec<i64> = listings.iter().map(|listing| listing.0).collect();
    let sources = Sources::read(transaction).await?;
    let mut records = each(transaction, RECORDS, &[&ids], |row| {
        Ok(IdentityRecord {
            listing_id: ListingId(get(row, 0)?),
            key: ListingKey {
                source: sources.name(get(row, 1)?)?.clone(),
                external_id: string(row, 2)?,
            },
            asset_id: AssetId(get(row, 7)?),
            class: named(row, 3, AssetClass::from_name)?,
            state: named(row, 4, IdentityState::from_name)?,
            confidence: read_confidence(row, 5)?,
            candidates: json(row, 6)?,
            past: Vec::new(),
        })
    })
    .await?;
    walk(transaction, PAST_NEWEST_FIRST, &[&ids], |row| {
        let of = ListingId(get(row, 0)?);
        let place = records.binary_search_by_key(&of, |record| record.listing_id);
        if let Some(record) = place.ok().and_then(|place| records.get_mut(place)) {
            record.past.push(read_past(row, 1)?);
        }
        Ok(())
    })
    .await?;
    Ok(records)
}

pub(super) const EDGES: &str =
    "SELECT from_listing_id, kind, to_listing_id, why, ratio, effective_on
    FROM asset_edge
    WHERE from_listing_id = ANY($1) OR to_listing_id = ANY($1)
    ORDER BY from_listing_id, kind, to_listing_id";

/// What is known of an edge besides, in columns from `from` on.
fn read_terms(row: &Row, from: usize) -> Queried<EdgeTerms> {
    let day = get::<Option<&str>>(row, from + 1)?;
    let read = |day| EdgeTerms::read_day(day).map_err(|_| damaged("a day", day));
    Ok(EdgeTerms { ratio: maybe_decimal(row, from)?, effective_on: day.map(read).transpose()? })
}

/// Edges from or to one of some listings.
pub(crate) async fn edges(
    client: &impl GenericClient,
    listings: &[ListingId],
) -> Queried<Vec<StoredEdge>> {
    let ids: Vec<i64> = listings.iter().map(|listing| listing.0).collect();
    each(client, EDGES, &[&ids], |row| {
        Ok(StoredEdge {
            from: ListingId(get(row, 0)?),
            kind: named(row, 1, EdgeKind::from_name)?,
            to: ListingId(get(row, 2)?),
            why: string(row, 3)?,
            terms: read_terms(row, 4)?,
        })
    })
    .await
}

const PAST: &str = "SELECT l.source_id, l.external_id, p.endpoint, p.part, p.until_at, p.symbol,
        p.name, p.contracts, p.kind, p.same_as
    FROM listing AS l JOIN evidence_past AS p ON p.listing_id = l.listing_id
    WHERE l.source_id = $1 ORDER BY l.external_id, p.endpoint, p.part, p.until_at";

const DECIDED: &str = "SELECT l.source_id, l.external_id, i.confidence, i.candidates
    FROM listing AS l JOIN identity AS i ON i.listing_id = l.listing_id
    WHERE l.source_id = $1 ORDER BY l.external_id";

const EVERY_EDGE: &str =
    "SELECT a.source_id, a.external_id, e.kind, b.source_id, b.external_id, e.why, e.ratio,
        e.effective_on
    FROM asset_edge AS e JOIN listing AS a ON a.listing_id = e.from_listing_id
                         JOIN listing AS b ON b.listing_id = e.to_listing_id
                         JOIN source AS t ON t.source_id = b.source_id
    WHERE a.source_id = $1 ORDER BY a.external_id, e.kind, t.name, b.external_id";

/// Hands past statements, what is decided, and edges to an audit; each by business key.
pub(super) async fn every_row(
    transaction: &Transaction<'_>,
    sources: &Sources,
    audit: &mut Audit,
) -> Queried<()> {
    let key = |row: &Row, from| -> Queried<ListingKey> {
        let source = sources.name(get(row, from)?)?.clone();
        Ok(ListingKey { source, external_id: string(row, from + 1)? })
    };
    of_every_source(transaction, sources, PAST, |row| {
        audit.past_statement(&key(row, 0)?, &read_past(row, 2)?);
        Ok(())
    })
    .await?;
    of_every_source(transaction, sources, DECIDED, |row| {
        audit.identity(&key(row, 0)?, read_confidence(row, 2)?, &json(row, 3)?);
        Ok(())
    })
    .await?;
    of_every_source(transaction, sources, EVERY_EDGE, |row| {
        audit.edge(&AssetEdge {
            from: key(row, 0)?,
            kind: named(row, 2, EdgeKind::from_name)?,
            to: key(row, 3)?,
            why: text(row, 5)?.into(),
            terms: read_terms(row, 6)?,
        });
        Ok(())
    })
    .await
}

/// Hands resolutions to an audit, by generation.
pub(super) async fn every_resolution(
    transaction: &Transaction<'_>,
    audit: &mut Audit,
) -> Queried<()> {
    let sql = select_resolution!(", r.changed FROM resolution AS r ORDER BY r.generation");
    walk(transaction, sql, &[], |row| {
        audit.resolution(&read_resolution(row)?, &decode_changed(get(row, 9)?)?);
        Ok(())
    })
    .await
}
