//! What the tables hold of everything that a batch is about, read in a few queries at once.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use compact_str::CompactString;
use deadpool_postgres::Transaction;
use kasparro_domain::{Attributes, ListingId, Timestamp};
use kasparro_store::{Batch, BatchRow, EvidenceChange, ListingRef, RowChange};
use tokio_postgres::Row;

use super::applied::{Listing, Quoted, Shown};
use super::evidence::{Said, Stated, union};
use super::points::Points;
use crate::error::{Queried, damaged};
use crate::queries::{
    Instant, each, first, get, instant, maybe_decimal, maybe_instant, maybe_json, maybe_string,
    string,
};

/// Feed and id of the items of a batch that are stored.
pub(super) type KnownNews = HashSet<(CompactString, CompactString)>;

/// What is known before a batch.
pub(super) struct Known<'a> {
    pub(super) listings: BTreeMap<ListingId, Listing<'a>>,
    pub(super) points: Points<'a>,
    pub(super) news: KnownNews,
    /// When the source was swept last; read only for a batch that ends a sweep.
    pub(super) swept_at: Option<Timestamp>,
}

const fn stored(named: ListingRef) -> Option<ListingId> {
    match named {
        ListingRef::Stored(listing_id) => Some(listing_id),
        ListingRef::InBatch => None,
    }
}

/// The stored listing that a row names.
const fn named_by(row: &BatchRow) -> Option<ListingId> {
    match row.change {
        RowChange::New { .. } => None,
        RowChange::Newer { listing }
        | RowChange::Correction { listing }
        | RowChange::Late { listing, .. } => stored(listing),
    }
}

/// Reads it. The caller holds the lease of the source, so nothing of it changes meanwhile.
pub(super) async fn read<'a>(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &'a Batch,
) -> Queried<Known<'a>> {
    let stated = batch.evidence.iter().filter_map(|row| match row.change {
        EvidenceChange::New { .. } => None,
        EvidenceChange::Stated { listing } | EvidenceChange::Late { listing } => stored(listing),
    });
    // Whether a listing that came back is active depends on what lists say of it.
    let stated: BTreeSet<i64> =
        stated.chain(batch.returned.iter().copied()).map(|listing| listing.0).collect();
    let missing = batch.sweep.iter().flat_map(|sweep| &sweep.missing).copied();
    let mut ids: BTreeSet<i64> =
        batch.rows.iter().filter_map(named_by).chain(missing).map(|listing| listing.0).collect();
    ids.extend(&stated);
    let (mut listings, statements, points, news, swept_at) = tokio::try_join!(
        biased;
        listings(transaction, source, ids.into_iter().collect()),
        statements(transaction, stated.iter().copied().collect()),
        points(transaction, batch),
        news(transaction, source, batch),
        swept_at(transaction, source, batch)
    )?;
    for (listing_id, key, said) in statements {
        if let Some(listing) = listings.get_mut(&listing_id) {
            listing.stated.insert(key, said);
        }
    }
    for listing in listings.values_mut().filter(|listing| !listing.stated.is_empty()) {
        let contracts = union(&listing.stated);
        if let Some(stored) = &mut listing.stored {
            stored.contracts.clone_from(&contracts);
        }
        listing.now.contracts = contracts;
    }
    Ok(Known { listings, points, news, swept_at })
}

const LISTINGS: &str = "SELECT l.listing_id, l.external_id, l.symbol, l.name, l.active, l.missed,
        l.last_seen_at, l.first_seen_at, q.observed_at, q.fetched_at
    FROM listing AS l LEFT JOIN quote AS q ON q.listing_id = l.listing_id
    WHERE l.listing_id = ANY($1) AND l.source_id = $2";

async fn listings<'a>(
    transaction: &Transaction<'_>,
    source: i64,
    ids: Vec<i64>,
) -> Queried<BTreeMap<ListingId, Listing<'a>>> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    Ok(each(transaction, LISTINGS, &[&ids, &source], read_listing).await?.into_iter().collect())
}

fn read_listing<'a>(row: &Row) -> Queried<(ListingId, Listing<'a>)> {
    let missed: i32 = get(row, 5)?;
    let shown = Shown {
        attributes: Attributes { symbol: maybe_string(row, 2)?, name: maybe_string(row, 3)? },
        contracts: Vec::new(),
        active: get(row, 4)?,
        missed: u8::try_from(missed).map_err(|_| damaged("a count of sweeps", missed))?,
        last_seen_at: maybe_instant(row, 6)?,
    };
    let quoted = match (maybe_instant(row, 8)?, maybe_instant(row, 9)?) {
        (Some(observed_at), Some(fetched_at)) => Some(Quoted { observed_at, fetched_at }),
        _ => None,
    };
    let listing = Listing {
        external_id: string(row, 1)?,
        first_seen_at: instant(row, 7)?,
        stored: Some(shown.clone()),
        now: shown,
        quoted,
        quote: None,
        stated: Stated::new(),
    };
    Ok((ListingId(get(row, 0)?), listing))
}

type Statement = (ListingId, (CompactString, CompactString), Said);

async fn statements(transaction: &Transaction<'_>, ids: Vec<i64>) -> Queried<Vec<Statement>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT listing_id, endpoint, part, contracts, active, symbol, name, kind, same_as
               FROM evidence WHERE listing_id = ANY($1)";
    each(transaction, sql, &[&ids], |row| {
        let said = Said {
            attributes: Attributes { symbol: maybe_string(row, 5)?, name: maybe_string(row, 6)? },
            contracts: maybe_json(row, 3)?.unwrap_or_default(),
            active: get(row, 4)?,
            kind: maybe_string(row, 7)?,
            same_as: maybe_json(row, 8)?.unwrap_or_default(),
        };
        Ok((ListingId(get(row, 0)?), (string(row, 1)?, string(row, 2)?), said))
    })
    .await
}

/// The newest revision of each point.
const POINTS: &str = "SELECT wanted.listing_id, wanted.observed_at, last.revision, last.price_usd,
        last.market_cap, last.volume_24h
    FROM unnest($1::integer[], $2::bigint[], $3::timestamptz[])
         AS wanted (hour, listing_id, observed_at)
    CROSS JOIN LATERAL (
        SELECT revision, price_usd, market_cap, volume_24h FROM history
        WHERE history.hour = wanted.hour AND history.listing_id = wanted.listing_id
          AND history.observed_at = wanted.observed_at
        ORDER BY revision DESC LIMIT 1) AS last";

/// A point that is newer than the quote of its listing cannot be known, so only others are read.
async fn points<'a>(transaction: &Transaction<'_>, batch: &'a Batch) -> Queried<Points<'a>> {
    let mut points = Points::default();
    let again = batch
        .rows
        .iter()
        .filter(|row| matches!(row.change, RowChange::Correction { .. } | RowChange::Late { .. }));
    let (mut hours, mut ids, mut instants) = (Vec::new(), Vec::new(), Vec::new());
    for row in again {
        if let Some(listing_id) = named_by(row) {
            hours.push(super::hour(row.observed_at)?);
            ids.push(listing_id.0);
            instants.push(Instant(row.observed_at));
        }
    }
    if ids.is_empty() {
        return Ok(points);
    }
    let found = each(transaction, POINTS, &[&hours, &ids, &instants], |row| {
        let said = [maybe_decimal(row, 3)?, maybe_decimal(row, 4)?, maybe_decimal(row, 5)?];
        Ok((ListingId(get(row, 0)?), instant(row, 1)?, get(row, 2)?, said))
    })
    .await?;
    for (listing_id, at, revision, said) in found {
        points.note(listing_id, at, revision, said);
    }
    Ok(points)
}

async fn news(transaction: &Transaction<'_>, source: i64, batch: &Batch) -> Queried<KnownNews> {
    if batch.news.is_empty() {
        return Ok(KnownNews::new());
    }
    let feeds: Vec<&str> = batch.news.iter().map(|row| row.feed.as_str()).collect();
    let ids: Vec<&str> = batch.news.iter().map(|row| row.item.item_id.as_str()).collect();
    let sql = "SELECT news.feed, news.item_id FROM news
               JOIN unnest($2::text[], $3::text[]) AS told (feed, item_id)
                 ON news.feed = told.feed AND news.item_id = told.item_id
               WHERE news.source_id = $1";
    let found = each(transaction, sql, &[&source, &feeds, &ids], |row| {
        Ok((string(row, 0)?, string(row, 1)?))
    })
    .await?;
    Ok(found.into_iter().collect())
}

async fn swept_at(
    transaction: &Transaction<'_>,
    source: i64,
    batch: &Batch,
) -> Queried<Option<Timestamp>> {
    if batch.sweep.is_none() {
        return Ok(None);
    }
    let sql = "SELECT swept_at FROM sweep WHERE source_id = $1";
    first(transaction, sql, &[&source], |row| instant(row, 0)).await
}
