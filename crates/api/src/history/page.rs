//! One page of a history.

use kasparro_domain::ListingId;
use kasparro_store::{Store, StoreResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Bucket, Gap, HistoryQuery, Interval, Place, Point, interval, merge, raw};

/// Points that one request reads before it answers with what it has.
pub(crate) const BUDGET_POINTS: usize = 50_000;

/// A point with `interval=raw`, else an interval.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = HistoryRow)]
pub(crate) enum Item {
    Point(Point),
    Interval(Bucket),
}

/// A page of a history.
#[derive(Debug)]
pub(crate) struct Found {
    /// The rows in order.
    pub(crate) rows: Vec<Item>,
    /// What is missing behind each of them, in their order; `None` for points.
    pub(crate) gaps: Option<Vec<Gap>>,
    /// The place of the last row, where more may follow.
    pub(crate) next: Option<Place>,
}

/// Reads a page of the histories of these listings. It holds fewer rows than asked for, though more
/// follow, where they take more than about `budget` points to read.
pub(crate) async fn page(
    store: &dyn Store,
    listings: &[ListingId],
    query: &HistoryQuery,
    budget: usize,
) -> StoreResult<Found> {
    let budget = budget / listings.len().max(1);
    if query.interval == Interval::Raw {
        let mut lanes = Vec::with_capacity(listings.len());
        for listing in listings {
            lanes.push(raw::gather(store, *listing, query, budget).await?);
        }
        let (rows, more) = merge(lanes, query.newest_first, query.limit);
        let next = rows.last().filter(|_| more).map(|(place, _)| *place);
        let rows = rows.into_iter().map(|(_, point)| Item::Point(point)).collect();
        return Ok(Found { rows, gaps: None, next });
    }
    let mut lanes = Vec::with_capacity(listings.len());
    for listing in listings {
        lanes.push(interval::gather(store, *listing, query, budget).await?);
    }
    let (rows, more) = merge(lanes, query.newest_first, query.limit);
    let next = rows.last().filter(|_| more).map(|(place, _)| *place);
    let gaps = rows.iter().filter_map(|(_, bucket)| bucket.gap_after()).collect();
    let rows = rows.into_iter().map(|(_, bucket)| Item::Interval(bucket)).collect();
    Ok(Found { rows, gaps: Some(gaps), next })
}
