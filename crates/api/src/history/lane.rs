//! Reading the history of one listing in pieces.

use std::time::Duration;

use kasparro_domain::ListingId;
use kasparro_store::{HistoryPoint, HistoryRange, Store, StoreResult};

/// The points of one listing, oldest or newest first, in pieces that never cut an instant.
pub(crate) struct Lane<'a> {
    store: &'a dyn Store,
    listing_id: ListingId,
    range: HistoryRange,
    piece_points: u32,
    /// True once there are no more.
    ended: bool,
    /// Points read so far.
    pub(crate) read: usize,
}

impl<'a> Lane<'a> {
    /// The points within a range, whose limit is left aside, about `piece_points` at once.
    pub(crate) fn new(
        store: &'a dyn Store,
        listing_id: ListingId,
        range: HistoryRange,
        piece_points: u32,
    ) -> Self {
        let ended = matches!((range.from, range.until), (Some(from), Some(until)) if from >= until);
        Self { store, listing_id, range, piece_points: piece_points.max(2), ended, read: 0 }
    }

    /// The next points, every revision of their instants among them; `None` once there are no more.
    pub(crate) async fn next(&mut self) -> StoreResult<Option<Vec<HistoryPoint>>> {
        while !self.ended {
            let range = HistoryRange { limit: Some(self.piece_points), ..self.range };
            let mut points = self.store.history(self.listing_id, range).await?;
            self.read = self.read.saturating_add(points.len());
            if points.len() < usize::try_from(self.piece_points).unwrap_or(usize::MAX) {
                self.ended = true;
                return Ok((!points.is_empty()).then_some(points));
            }
            let Some(last) = points.last().map(|point| point.observed_at) else {
                continue;
            };
            // Revisions of the last instant may be missing: it is read again with the next piece.
            points.truncate(points.partition_point(|point| point.observed_at != last));
            if points.is_empty() {
                self.piece_points = self.piece_points.saturating_mul(2);
                continue;
            }
            if self.range.newest_first {
                self.range.until = Some(last.plus(Duration::from_millis(1)));
            } else {
                self.range.from = Some(last);
            }
            return Ok(Some(points));
        }
        Ok(None)
    }
}

/// The newest revision of each instant, in the order of the points.
pub(crate) fn newest(points: &[HistoryPoint]) -> impl Iterator<Item = &HistoryPoint> {
    let instants = points.chunk_by(|left, right| left.observed_at == right.observed_at);
    instants.filter_map(|revisions| revisions.iter().max_by_key(|point| point.revision))
}
