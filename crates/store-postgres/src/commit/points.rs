//! Points of history that a batch may meet again.

use std::collections::HashMap;

use kasparro_domain::{Decimal, ListingId, Quote, Timestamp};
use kasparro_store::BatchRow;

use crate::error::{Queried, refused};

/// A point to write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point<'a> {
    pub(super) listing_id: ListingId,
    pub(super) revision: i32,
    pub(super) row: &'a BatchRow,
}

/// What the newest revision of a point says of what history keeps: price, cap and volume.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// As it is stored.
    Stored([Option<Decimal>; 3]),
    /// As a row of the batch says.
    Now(&'a Quote),
}

impl Said<'_> {
    fn agrees(&self, quote: &Quote) -> bool {
        let said = match self {
            Self::Stored([price, cap, volume]) => [price, cap, volume],
            Self::Now(said) => [&said.price_usd, &said.market_cap, &said.volume_24h],
        };
        said == [&quote.price_usd, &quote.market_cap, &quote.volume_24h]
    }
}

/// The newest revisions of the points that rows of the batch may be about, by listing and instant.
#[derive(Debug, Default)]
pub(super) struct Points<'a>(HashMap<(ListingId, Timestamp), (i32, Said<'a>)>);

impl<'a> Points<'a> {
    /// Notes a stored revision.
    pub(super) fn note(
        &mut self,
        listing_id: ListingId,
        at: Timestamp,
        revision: i32,
        said: [Option<Decimal>; 3],
    ) {
        self.0.insert((listing_id, at), (revision, Said::Stored(said)));
    }

    /// Whether the point of a row is known with the values of the row; `None` where it is not known.
    pub(super) fn agrees(&self, listing_id: ListingId, row: &BatchRow) -> Option<bool> {
        let (_, said) = self.0.get(&(listing_id, row.observed_at))?;
        Some(said.agrees(&row.quote))
    }

    /// The revision that a row adds, unless the newest says the same.
    pub(super) fn append(
        &mut self,
        listing_id: ListingId,
        row: &'a BatchRow,
    ) -> Queried<Option<Point<'a>>> {
        let key = (listing_id, row.observed_at);
        let revision = match self.0.get(&key) {
            Some((_, said)) if said.agrees(&row.quote) => return Ok(None),
            Some((last, _)) => match last.checked_add(1) {
                Some(revision) => revision,
                None => return refused(format!("a point of listing {listing_id} is full")),
            },
            None => 0,
        };
        self.0.insert(key, (revision, Said::Now(&row.quote)));
        Ok(Some(Point { listing_id, revision, row }))
    }
}
