//! Points as they are kept.

use kasparro_domain::{Decimal, ListingId, Timestamp};
use kasparro_store::{HistoryPoint, HistoryRange, Store, StoreResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::lane::{Lane, newest};
use super::{Gathered, HistoryQuery, Place};

/// The values of a listing at one instant. Unknown is `null`, never 0.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Point {
    /// The source.
    source: String,
    /// The source's id of the listing.
    external_id: String,
    /// The instant the values hold for: the source's, or that of the fetch where it gives none.
    #[schema(value_type = String, format = DateTime)]
    observed_at: Timestamp,
    /// 0 for what was stated first, one more for each correction; with `revisions=all` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u32>,
    /// Price of one unit in US dollars, with every digit as it was sent.
    #[schema(value_type = Option<f64>)]
    price_usd: Option<Decimal>,
    /// Market capitalisation in US dollars.
    #[schema(value_type = Option<f64>)]
    market_cap: Option<Decimal>,
    /// Volume over 24 hours in US dollars.
    #[schema(value_type = Option<f64>)]
    volume_24h: Option<Decimal>,
}

impl Point {
    fn new(point: &HistoryPoint, every_revision: bool) -> Self {
        Self {
            source: point.source.to_string(),
            external_id: point.external_id.to_string(),
            observed_at: point.observed_at,
            revision: every_revision.then_some(point.revision),
            price_usd: point.price_usd.clone(),
            market_cap: point.market_cap.clone(),
            volume_24h: point.volume_24h.clone(),
        }
    }
}

/// The first points of one listing behind the cursor: one more than a page holds where there are so
/// many, fewer where that takes more than `budget` points to read.
pub(crate) async fn gather(
    store: &dyn Store,
    listing_id: ListingId,
    query: &HistoryQuery,
    budget: usize,
) -> StoreResult<Gathered<Point>> {
    let piece = u32::try_from(query.limit.saturating_add(2)).unwrap_or(u32::MAX);
    let mut lane = Lane::new(store, listing_id, range(query), piece);
    let mut rows: Vec<(Place, Point)> = Vec::new();
    while let Some(points) = lane.next().await? {
        let mut take = |point: &HistoryPoint, revision| {
            let place = Place { at: point.observed_at, listing_id, revision };
            let behind =
                query.after.is_none_or(|after| place.compare(&after, query.newest_first).is_gt());
            if behind {
                rows.push((place, Point::new(point, query.every_revision)));
            }
        };
        if query.every_revision {
            points.iter().for_each(|point| take(point, point.revision));
        } else {
            newest(&points).for_each(|point| take(point, 0));
        }
        if rows.len() > query.limit || lane.read >= budget && !rows.is_empty() {
            return Ok(Gathered { rows, open: true });
        }
    }
    Ok(Gathered { rows, open: false })
}

/// The range behind the cursor, with the whole instant that it stands at.
fn range(query: &HistoryQuery) -> HistoryRange {
    let (mut from, mut until) = (query.from, query.to);
    if let Some(after) = query.after {
        if query.newest_first {
            let end = after.at.plus(std::time::Duration::from_millis(1));
            until = Some(until.map_or(end, |until| until.min(end)));
        } else {
            from = Some(after.at);
        }
    }
    HistoryRange { from, until, newest_first: query.newest_first, limit: None }
}
