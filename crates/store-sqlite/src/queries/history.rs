//! Points of the past.

use compact_str::CompactString;
use kasparro_domain::{ListingId, SourceName, Timestamp};
use kasparro_store::{HistoryPoint, HistoryRange};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{Sources, each, first, instant, maybe_decimal, text, walk};
use crate::error::{Queried, damaged};

/// The columns of a point, and where they stand for [`read_point`].
macro_rules! select_point {
    ($rest:literal) => {
        concat!(
            "SELECT observed_at, revision, source_timed, price_usd, market_cap, volume_24h \
             FROM history ",
            $rest
        )
    };
}

/// The name of a listing.
type Name = (SourceName, CompactString);

fn read_point(row: &Row<'_>, (source, external_id): &Name) -> Queried<HistoryPoint> {
    let revision: i64 = row.get(1)?;
    Ok(HistoryPoint {
        source: source.clone(),
        external_id: external_id.clone(),
        observed_at: instant(row, 0)?,
        revision: u32::try_from(revision).map_err(|_| damaged("a revision", revision))?,
        source_timed: row.get(2)?,
        price_usd: maybe_decimal(row, 3)?,
        market_cap: maybe_decimal(row, 4)?,
        volume_24h: maybe_decimal(row, 5)?,
    })
}

/// Points of a listing. History is keyed by the hour first, so this goes from hour to hour and looks
/// the listing up in each: about 2 microseconds an hour, and a limit ends it early.
pub(crate) fn points(
    connection: &Connection,
    listing: ListingId,
    range: HistoryRange,
) -> Queried<Vec<HistoryPoint>> {
    let sources = Sources::read(connection)?;
    let name = "SELECT source_id, external_id FROM listing WHERE listing_id = ?1";
    let name = first(connection, name, [listing.0], |row| {
        Ok((sources.name(row.get(0)?)?.clone(), CompactString::from(text(row, 1)?)))
    })?;
    let Some(name) = name else {
        return Ok(Vec::new());
    };

    let mut next_hour = connection.prepare_cached(if range.newest_first {
        "SELECT max(hour) FROM history WHERE hour <= ?1"
    } else {
        "SELECT min(hour) FROM history WHERE hour >= ?1"
    })?;
    let in_hour = if range.newest_first {
        select_point!(
            "WHERE hour = ?1 AND listing_id = ?2 ORDER BY observed_at DESC, revision DESC"
        )
    } else {
        select_point!("WHERE hour = ?1 AND listing_id = ?2 ORDER BY observed_at, revision")
    };
    let earliest = range.from.map_or(0, Timestamp::hour);
    let latest = range.until.map_or(i64::MAX, Timestamp::hour);
    let (mut hour, step) = if range.newest_first { (latest, -1) } else { (earliest, 1) };
    let limit = range.limit_points();
    let mut points = Vec::new();
    while points.len() < limit {
        let found: Option<Option<i64>> =
            next_hour.query_row([hour], |row| row.get(0)).optional()?;
        let Some(found) = found.flatten().filter(|hour| (earliest..=latest).contains(hour)) else {
            break;
        };
        let all = each(connection, in_hour, [found, listing.0], |row| read_point(row, &name))?;
        points.extend(all.into_iter().filter(|point| range.contains(point.observed_at)));
        hour = found + step;
    }
    points.truncate(limit);
    Ok(points)
}

/// Every point by source, external id, instant and revision. The table has another order and is the
/// largest, so SQLite sorts it, in files where it does not fit into the cache.
const EVERY_POINT: &str = "SELECT h.observed_at, h.revision, h.source_timed, h.price_usd,
        h.market_cap, h.volume_24h, s.name, l.external_id
    FROM history AS h CROSS JOIN listing AS l USING (listing_id)
        CROSS JOIN source AS s USING (source_id)
    ORDER BY s.name, l.external_id, h.observed_at, h.revision";

/// Hands every point of every listing to `see`, one after another.
pub(super) fn every_point(
    connection: &Connection,
    mut see: impl FnMut(&HistoryPoint),
) -> Queried<()> {
    // Points of one listing follow each other.
    let mut name: Option<Name> = None;
    walk(connection, EVERY_POINT, [], |row| {
        let (source, external_id) = (text(row, 6)?, text(row, 7)?);
        let name = match &mut name {
            Some(name) if name.0.as_str() == source && name.1 == external_id => name,
            other => other.insert((SourceName::new(source), CompactString::from(external_id))),
        };
        see(&read_point(row, name)?);
        Ok(())
    })
}
