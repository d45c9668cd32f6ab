//! Points of the past: a page of points, or of intervals, from the histories of some listings.
//!
//! Rows stand in one order that never changes: by instant (of an interval its beginning), listing and
//! revision. A cursor names the place of the last row, so what is added meanwhile can neither move a
//! row to another page nor bring one twice.

mod interval;
mod lane;
mod page;
mod query;
mod raw;

use std::cmp::Ordering;

use kasparro_domain::{ListingId, Timestamp};

pub(crate) use interval::{Bucket, Gap, Interval};
pub(crate) use page::{BUDGET_POINTS, Item, page};
#[cfg(test)]
pub(crate) use query::{ASSET_KNOWN, KNOWN};
pub(crate) use query::{HistoryQuery, REVISIONS, Subject};
pub(crate) use raw::Point;

/// Where a row stands among the rows of some listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Its instant, or the beginning of its interval.
    pub(crate) at: Timestamp,
    pub(crate) listing_id: ListingId,
    /// 0 unless every revision is asked for.
    pub(crate) revision: u32,
}

impl Place {
    /// Compares two places in the order that is asked for.
    pub(crate) fn compare(&self, other: &Self, newest_first: bool) -> Ordering {
        if newest_first { other.cmp(self) } else { self.cmp(other) }
    }
}

/// Rows of one listing in order.
#[derive(Debug)]
pub(crate) struct Gathered<T> {
    pub(crate) rows: Vec<(Place, T)>,
    /// True where more may follow after the last one.
    pub(crate) open: bool,
}

/// The first `limit` rows of several listings in order, and whether more may follow.
pub(crate) fn merge<T>(
    lanes: Vec<Gathered<T>>,
    newest_first: bool,
    limit: usize,
) -> (Vec<(Place, T)>, bool) {
    let mut more = lanes.iter().any(|lane| lane.open);
    // What stands behind the end of what is known of an open lane may have to stand behind rows of
    // that lane which were not read.
    let ends = lanes.iter().filter(|lane| lane.open).filter_map(|lane| lane.rows.last());
    let end = ends.map(|(place, _)| *place).min_by(|left, right| left.compare(right, newest_first));
    let mut rows: Vec<(Place, T)> = lanes.into_iter().flat_map(|lane| lane.rows).collect();
    rows.retain(|(place, _)| end.is_none_or(|end| place.compare(&end, newest_first).is_le()));
    rows.sort_by(|(left, _), (right, _)| left.compare(right, newest_first));
    more |= rows.len() > limit;
    rows.truncate(limit);
    (rows, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(listing: i64, millis: &[i64], open: bool) -> Gathered<()> {
        let place = |at: &i64| Place {
            at: Timestamp::from_millis(*at).unwrap(),
            listing_id: ListingId(listing),
            revision: 0,
        };
        Gathered { rows: millis.iter().map(|at| (place(at), ())).collect(), open }
    }

    fn merged(
        lanes: Vec<Gathered<()>>,
        newest_first: bool,
        limit: usize,
    ) -> (Vec<(i64, i64)>, bool) {
        let (rows, more) = merge(lanes, newest_first, limit);
        let places = rows.into_iter().map(|(place, ())| (place.at.as_millis(), place.listing_id.0));
        (places.collect(), more)
    }

    #[test]
    fn rows_of_several_listings_come_in_one_order() {
        let lanes = || vec![lane(2, &[1, 3], false), lane(1, &[1, 2, 9], false)];
        let all = vec![(1, 1), (1, 2), (2, 1), (3, 2), (9, 1)];
        assert_eq!(merged(lanes(), false, 9), (all.clone(), false));
        assert_eq!(merged(lanes(), false, 2), (all[..2].to_vec(), true));
        let lanes = vec![lane(2, &[3, 1], false), lane(1, &[9, 2, 1], false)];
        assert_eq!(merged(lanes, true, 5), (all.into_iter().rev().collect(), false));
    }

    #[test]
    fn nothing_is_told_beyond_what_is_known_of_a_listing() {
        let lanes = vec![lane(1, &[1, 2], true), lane(2, &[2, 7], false)];
        assert_eq!(merged(lanes, false, 9), (vec![(1, 1), (2, 1)], true));
        let lanes = vec![lane(1, &[7, 6], true), lane(2, &[9, 5], false)];
        assert_eq!(merged(lanes, true, 9), (vec![(9, 2), (7, 1), (6, 1)], true));
    }
}
