//! Hours and days: open, high, low and close.

use std::time::Duration;

use kasparro_domain::{Decimal, ListingId, Timestamp};
use kasparro_store::{HistoryPoint, HistoryRange, Store, StoreResult};
use serde::Serialize;
use utoipa::ToSchema;

use super::lane::{Lane, newest};
use super::{Gathered, HistoryQuery, Place};

/// Points read at once.
const PIECE_POINTS: u32 = 2_000;

/// What a row of history covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    /// One instant.
    Raw,
    /// An hour of UTC.
    Hour,
    /// A day of UTC.
    Day,
}

impl Interval {
    /// Every interval by the name that users give it.
    pub(crate) const NAMES: [(&'static str, Self); 3] =
        [("raw", Self::Raw), ("1h", Self::Hour), ("1d", Self::Day)];

    /// The name that users give it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }

    const fn seconds(self) -> u64 {
        match self {
            Self::Raw => 0,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    fn length(self) -> Duration {
        Duration::from_secs(self.seconds())
    }

    /// The beginning of the interval that holds an instant.
    fn beginning(self, instant: Timestamp) -> Timestamp {
        let millis = i64::try_from(self.length().as_millis()).unwrap_or(1).max(1);
        instant.minus(Duration::from_millis(instant.as_millis().rem_euclid(millis).unsigned_abs()))
    }
}

/// The prices of one listing over an interval. Only points within the range that was asked for count.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bucket {
    /// The source.
    source: String,
    /// The source's id of the listing.
    external_id: String,
    /// Where the interval begins.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Where it ends; that instant itself is left out.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// The first known price; `null` where none is known, as the other three.
    #[schema(value_type = Option<f64>)]
    open: Option<Decimal>,
    /// The largest known price.
    #[schema(value_type = Option<f64>)]
    high: Option<Decimal>,
    /// The smallest known price.
    #[schema(value_type = Option<f64>)]
    low: Option<Decimal>,
    /// The last known price.
    #[schema(value_type = Option<f64>)]
    close: Option<Decimal>,
    /// Instants with a point, a known price or not.
    points: u64,
    /// The intervals without any point between this one and the next in order.
    #[serde(skip)]
    pub(crate) gap: Option<(Timestamp, Timestamp)>,
}

/// Intervals of one listing between its first and its last point in the range that have no point.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gap {
    /// The source.
    source: String,
    /// The source's id of the listing.
    external_id: String,
    /// Where the first of them begins.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Where the last of them ends.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
}

impl Bucket {
    fn new(point: &HistoryPoint, interval: Interval) -> Self {
        let from = interval.beginning(point.observed_at);
        Self {
            source: point.source.to_string(),
            external_id: point.external_id.to_string(),
            from,
            to: from.plus(interval.length()),
            open: None,
            high: None,
            low: None,
            close: None,
            points: 0,
            gap: None,
        }
    }

    fn add(&mut self, point: &HistoryPoint, newest_first: bool) {
        self.points += 1;
        let Some(price) = &point.price_usd else {
            return;
        };
        let (first, last) = if newest_first {
            (&mut self.close, &mut self.open)
        } else {
            (&mut self.open, &mut self.close)
        };
        first.get_or_insert_with(|| price.clone());
        *last = Some(price.clone());
        if self.high.as_ref().is_none_or(|high| high < price) {
            self.high = Some(price.clone());
        }
        if self.low.as_ref().is_none_or(|low| low > price) {
            self.low = Some(price.clone());
        }
    }

    /// Notes what is missing between this interval and the next one in order.
    fn note_gap(&mut self, next: &Self) {
        let (end, beginning) =
            if next.from < self.from { (next.to, self.from) } else { (self.to, next.from) };
        self.gap = (end < beginning).then_some((end, beginning));
    }

    /// The gap behind this interval.
    pub(crate) fn gap_after(&self) -> Option<Gap> {
        let (source, external_id) = (self.source.clone(), self.external_id.clone());
        self.gap.map(|(from, to)| Gap { source, external_id, from, to })
    }
}

/// The first intervals of one listing behind the cursor: one more than a page holds where there are so
/// many, fewer (but one at least) where that takes more than `budget` points to read.
pub(crate) async fn gather(
    store: &dyn Store,
    listing_id: ListingId,
    query: &HistoryQuery,
    budget: usize,
) -> StoreResult<Gathered<Bucket>> {
    let piece = PIECE_POINTS.min(u32::try_from(budget).unwrap_or(PIECE_POINTS));
    let mut lane = Lane::new(store, listing_id, range(query, listing_id), piece);
    let mut rows: Vec<(Place, Bucket)> = Vec::new();
    let mut current: Option<Bucket> = None;
    let placed = |bucket: Bucket| (Place { at: bucket.from, listing_id, revision: 0 }, bucket);
    while let Some(points) = lane.next().await? {
        for point in newest(&points) {
            let begins = query.interval.beginning(point.observed_at);
            if current.as_ref().is_none_or(|bucket| bucket.from != begins) {
                let next = Bucket::new(point, query.interval);
                if let Some(mut done) = current.take() {
                    done.note_gap(&next);
                    rows.push(placed(done));
                }
                current = Some(next);
            }
            if let Some(bucket) = &mut current {
                bucket.add(point, query.newest_first);
            }
        }
        // The current interval may go on, so it is told only on the page that knows its end.
        if rows.len() > query.limit || lane.read >= budget && !rows.is_empty() {
            return Ok(Gathered { rows, open: true });
        }
    }
    rows.extend(current.map(placed));
    Ok(Gathered { rows, open: false })
}

/// The range behind the cursor, which stands at the interval of one listing: those of listings before
/// it in order go on with the interval after that one.
fn range(query: &HistoryQuery, listing_id: ListingId) -> HistoryRange {
    let (mut from, mut until) = (query.from, query.to);
    if let Some(after) = query.after {
        let end = after.at.plus(query.interval.length());
        if query.newest_first {
            let behind = if listing_id >= after.listing_id { after.at } else { end };
            until = Some(until.map_or(behind, |until| until.min(behind)));
        } else {
            let behind = if listing_id <= after.listing_id { end } else { after.at };
            from = Some(from.map_or(behind, |from| from.max(behind)));
        }
    }
    HistoryRange { from, until, newest_first: query.newest_first, limit: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_begin_at_whole_hours_and_days_of_utc() {
        let instant = Timestamp::parse("2024-02-29T23:59:59.999Z").unwrap();
        for (interval, begins) in
            [(Interval::Hour, "2024-02-29T23:00:00Z"), (Interval::Day, "2024-02-29T00:00:00Z")]
        {
            assert_eq!(interval.beginning(instant).to_string(), begins);
            let exact = Timestamp::parse(begins).unwrap();
            assert_eq!(interval.beginning(exact), exact);
        }
    }
}
