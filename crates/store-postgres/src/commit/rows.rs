//! The believed rows of a batch.

use kasparro_domain::ListingId;
use kasparro_store::{BatchRow, ListingRef, RowChange};

use super::applied::Applied;
use crate::error::{Queried, refused};

impl<'a> Applied<'a> {
    /// Applies one believed row and counts its disposition.
    pub(super) fn row(&mut self, row: &'a BatchRow) -> Queried<()> {
        let listing_id = match row.change {
            RowChange::New { .. } => self.insert(&row.external_id, &row.attributes)?,
            RowChange::Newer { listing } => {
                let listing_id = self.find(listing, &row.external_id)?;
                if self.quoted_at(listing_id).is_some_and(|current| current >= row.observed_at) {
                    return refused(format!(
                        "the point is not newer than the quote of listing {listing_id}"
                    ));
                }
                self.counts.updated += 1;
                listing_id
            }
            RowChange::Correction { listing } => {
                let listing_id = self.find(listing, &row.external_id)?;
                if self.quoted_at(listing_id) != Some(row.observed_at) {
                    return refused(format!(
                        "the point is not that of the quote of listing {listing_id}"
                    ));
                }
                self.counts.updated += 1;
                listing_id
            }
            RowChange::Late { listing, repeated } => return self.late(row, listing, repeated),
        };
        self.replace_quote(listing_id, row);
        self.keep(listing_id, row)
    }

    /// Keeps a point that is older than the quote. Quote and attributes stay, so readers see no change.
    fn late(&mut self, row: &'a BatchRow, listing: ListingRef, repeated: bool) -> Queried<()> {
        let listing_id = self.find(listing, &row.external_id)?;
        if self.quoted_at(listing_id).is_none_or(|current| current <= row.observed_at) {
            return refused(format!(
                "the point is not older than the quote of listing {listing_id}"
            ));
        }
        match self.points().agrees(listing_id, row) {
            None => self.counts.stale += 1,
            Some(_) if repeated => {
                self.counts.duplicate += 1;
                return Ok(());
            }
            Some(true) => self.counts.unchanged += 1,
            Some(false) => self.counts.updated += 1,
        }
        self.keep(listing_id, row)
    }

    /// Keeps the point of a row, and beside it what is unusual about it.
    fn keep(&mut self, listing_id: ListingId, row: &'a BatchRow) -> Queried<()> {
        self.note_unusual(listing_id, row);
        self.append(listing_id, row)
    }
}
