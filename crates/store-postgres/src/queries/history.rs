//! Points of the past.

use compact_str::CompactString;
use deadpool_postgres::GenericClient;
use kasparro_domain::{ListingId, SourceName, Timestamp};
use kasparro_store::{HistoryPoint, HistoryRange};
use tokio_postgres::Row;

use super::{Params, Sources, each, first, get, instant, maybe_decimal, string, text, walk};
use crate::error::{Queried, damaged};

/// The name of a listing.
type Name = (SourceName, CompactString);

/// Hours that are looked through first; each further look is at twice as many.
const FIRST_LOOK_HOURS: i32 = 24 * 31;

fn read_point(row: &Row, (source, external_id): &Name) -> Queried<HistoryPoint> {
    let revision: i32 = get(row, 1)?;
    Ok(HistoryPoint {
        source: source.clone(),
        external_id: external_id.clone(),
        observed_at: instant(row, 0)?,
        revision: u32::try_from(revision).map_err(|_| damaged("a revision", revision))?,
        source_timed: get(row, 2)?,
        price_usd: maybe_decimal(row, 3)?,
        market_cap: maybe_decimal(row, 4)?,
        volume_24h: maybe_decimal(row, 5)?,
    })
}

/// Looks a listing up in each of some hours by the primary key. `OFFSET 0` keeps the planner from reading
/// whole months instead.
macro_rules! in_hours {
    ($order:literal) => {
        concat!(
            "SELECT p.observed_at, p.revision, p.source_timed, p.price_usd, p.market_cap, \
                    p.volume_24h \
             FROM generate_series($1::integer, $2::integer) AS looked (hour) \
             CROSS JOIN LATERAL (SELECT * FROM history AS h \
                                 WHERE h.hour = looked.hour AND h.listing_id = $3 OFFSET 0) AS p ",
            $order
        )
    };
}

pub(super) const OLDEST_FIRST: &str = in_hours!("ORDER BY p.observed_at, p.revision");
const NEWEST_FIRST: &str = in_hours!("ORDER BY p.observed_at DESC, p.revision DESC");

/// Points of a listing. History is keyed by the hour first, so the listing is looked up in every hour: some
/// microseconds each. A limit ends it early, and stretches without any point are passed over.
pub(crate) async fn points(
    client: &impl GenericClient,
    listing: ListingId,
    range: HistoryRange,
) -> Queried<Vec<HistoryPoint>> {
    let sources = Sources::read(client).await?;
    let name = "SELECT source_id, external_id FROM listing WHERE listing_id = $1";
    let name = first(client, name, &[&listing.0], |row| {
        Ok((sources.name(get(row, 0)?)?.clone(), string(row, 1)?))
    })
    .await?;
    let Some(name) = name else {
        return Ok(Vec::new());
    };
    let (next_hour, in_hours) = if range.newest_first {
        ("SELECT max(hour) FROM history WHERE hour BETWEEN $1 AND $2", NEWEST_FIRST)
    } else {
        ("SELECT min(hour) FROM history WHERE hour BETWEEN $1 AND $2", OLDEST_FIRST)
    };
    let hour = |instant: Timestamp| i32::try_from(instant.hour()).unwrap_or(i32::MAX);
    let mut earliest = range.from.map_or(0, hour);
    let mut latest = range.until.map_or(i32::MAX - 1, hour);
    let mut look_hours = FIRST_LOOK_HOURS;
    let limit = range.limit_points();
    let mut points = Vec::new();
    while points.len() < limit && earliest <= latest {
        let hours: Params<'_> = &[&earliest, &latest];
        let found = first(client, next_hour, hours, |row| get::<Option<i32>>(row, 0)).await?;
        let Some(next) = found.flatten() else {
            break;
        };
        let (from, to) = if range.newest_first {
            (next.saturating_sub(look_hours - 1).max(earliest), next)
        } else {
            (next, next.saturating_add(look_hours - 1).min(latest))
        };
        let params: Params<'_> = &[&from, &to, &listing.0];
        let all = each(client, in_hours, params, |row| read_point(row, &name)).await?;
        points.extend(all.into_iter().filter(|point| range.contains(point.observed_at)));
        if range.newest_first {
            latest = from - 1;
        } else {
            earliest = to + 1;
        }
        look_hours = look_hours.saturating_mul(2);
    }
    points.truncate(limit);
    Ok(points)
}

/// Every point by source, external id, instant and revision. The table has another order and is the
/// largest, so the server sorts it, in files where it does not fit into its memory.
const EVERY_POINT: &str = "
    SELECT h.observed_at, h.revision, h.source_timed, h.price_usd, h.market_cap, h.volume_24h,
           s.name, l.external_id
    FROM history AS h JOIN listing AS l USING (listing_id) JOIN source AS s USING (source_id)
    ORDER BY s.name, l.external_id, h.observed_at, h.revision";

/// Hands every point of every listing to `see`, one after another.
pub(super) async fn every_point(
    client: &impl GenericClient,
    mut see: impl FnMut(&HistoryPoint),
) -> Queried<()> {
    // Points of one listing follow each other.
    let mut name: Option<Name> = None;
    walk(client, EVERY_POINT, &[], |row| {
        let (source, external_id) = (text(row, 6)?, text(row, 7)?);
        let name = match &mut name {
            Some(name) if name.0.as_str() == source && name.1 == external_id => name,
            other => other.insert((SourceName::new(source), CompactString::from(external_id))),
        };
        see(&read_point(row, name)?);
        Ok(())
    })
    .await
}
