//! The believed rows of one batch.

use std::collections::BTreeMap;

use kasparro_domain::{Attributes, ListingId, Timestamp};
use kasparro_store::{BatchRow, ListingRef, RowChange};
use rusqlite::{CachedStatement, params};

use super::applied::Applied;
use super::row_statements::{
    CHECK_LISTING, INSERT_ASSET, INSERT_LISTING, INSERT_POINT, INSERT_QUOTE, LAST_REVISION,
    QUOTED_AT, UPDATE_LISTING, UPDATE_QUOTE, Value, bind_quote,
};
use super::{anomalies, instant, maybe_decimal, maybe_string, past};
use crate::error::{Queried, damaged, refused};
use crate::writer::Minted;

/// A listing that an earlier row of the batch was about. A page of dated rows holds hundreds for each:
/// only the first and the last of those that set the quote are written to it.
struct Touched<'a> {
    external_id: &'a str,
    /// The instant of its quote.
    observed_at: Timestamp,
    /// The row whose quote and attributes are stored, if one of this batch.
    stored: Option<&'a BatchRow>,
    /// A later row, whose quote and attributes are still to be stored.
    pending: Option<&'a BatchRow>,
}

/// Writes the rows of one batch with statements that are prepared once, and counts them.
pub(super) struct RowWriter<'w, 'a> {
    applied: &'w mut Applied<'a>,
    touched: BTreeMap<ListingId, Touched<'a>>,
    insert_asset: CachedStatement<'a>,
    insert_listing: CachedStatement<'a>,
    insert_quote: CachedStatement<'a>,
    update_quote: CachedStatement<'a>,
    insert_point: CachedStatement<'a>,
    last_revision: CachedStatement<'a>,
    check_listing: CachedStatement<'a>,
    update_listing: CachedStatement<'a>,
    quoted_at: CachedStatement<'a>,
}

impl<'w, 'a> RowWriter<'w, 'a> {
    pub(super) fn new(applied: &'w mut Applied<'a>) -> Queried<Self> {
        let connection = applied.connection;
        Ok(Self {
            applied,
            touched: BTreeMap::new(),
            insert_asset: connection.prepare_cached(INSERT_ASSET)?,
            insert_listing: connection.prepare_cached(INSERT_LISTING)?,
            insert_quote: connection.prepare_cached(INSERT_QUOTE)?,
            update_quote: connection.prepare_cached(UPDATE_QUOTE)?,
            insert_point: connection.prepare_cached(INSERT_POINT)?,
            last_revision: connection.prepare_cached(LAST_REVISION)?,
            check_listing: connection.prepare_cached(CHECK_LISTING)?,
            update_listing: connection.prepare_cached(UPDATE_LISTING)?,
            quoted_at: connection.prepare_cached(QUOTED_AT)?,
        })
    }

    /// Writes one row, as its change says.
    pub(super) fn write(&mut self, minted: &mut Minted, row: &'a BatchRow) -> Queried<()> {
        let listing_id = match row.change {
            RowChange::New { .. } => self.insert(minted, row)?,
            RowChange::Newer { listing } => {
                let listing_id = self.applied.listing(listing, &row.external_id)?;
                self.replace(listing_id, row, true)?;
                self.append_first(listing_id, row)?;
                listing_id
            }
            RowChange::Correction { listing } => {
                let listing_id = self.applied.listing(listing, &row.external_id)?;
                self.replace(listing_id, row, false)?;
                match self.revision(listing_id, row)? {
                    Some((_, true)) => {}
                    Some((last, false)) => self.append(listing_id, row, last + 1).map(|_| ())?,
                    None => self.append_first(listing_id, row)?,
                }
                listing_id
            }
            RowChange::Late { listing, repeated } => {
                match self.keep_late(listing, row, repeated)? {
                    Some(listing_id) => listing_id,
                    None => return Ok(()),
                }
            }
        };
        anomalies::keep_values(self.applied, listing_id, row)
    }

    /// Stores what rows left pending: the last quote of each listing.
    pub(super) fn finish(mut self) -> Queried<()> {
        for (listing_id, touched) in std::mem::take(&mut self.touched) {
            let (Some(stored), Some(last)) = (touched.stored, touched.pending) else { continue };
            if stored.attributes != last.attributes {
                self.rename(listing_id, last)?;
            }
            let newer = stored.observed_at < last.observed_at;
            if self.update_quote(listing_id, last, newer)? != 1 {
                return refused(format!("the quote of listing {listing_id} was changed meanwhile"));
            }
        }
        Ok(())
    }

    fn insert(&mut self, minted: &mut Minted, row: &'a BatchRow) -> Queried<ListingId> {
        minted.asset_id += 1;
        minted.listing_id += 1;
        let listing_id = ListingId(minted.listing_id);
        self.insert_asset.execute([minted.asset_id])?;
        self.insert_listing.execute(params![
            listing_id.0,
            self.applied.source,
            row.external_id.as_str(),
            minted.asset_id,
            row.attributes.symbol.as_deref(),
            row.attributes.name.as_deref(),
            self.applied.batch.fetched_at.as_millis()
        ])?;
        if self.insert_quote(listing_id, row)? != 1 {
            return refused(format!("there is a quote of listing {listing_id} already"));
        }
        self.append_first(listing_id, row)?;
        if self.applied.inserted.wanted {
            self.applied.inserted.note(&row.external_id, listing_id);
            self.touch(listing_id, row, Some(row), row.observed_at);
        }
        self.applied.counts.inserted += 1;
        self.applied.changed.push(listing_id);
        self.applied.evidence_changed = true;
        Ok(listing_id)
    }

    fn touch(
        &mut self,
        listing_id: ListingId,
        row: &'a BatchRow,
        stored: Option<&'a BatchRow>,
        observed_at: Timestamp,
    ) {
        let external_id = row.external_id.as_str();
        let touched = Touched { external_id, observed_at, stored, pending: None };
        self.touched.insert(listing_id, touched);
    }

    /// Replaces the quote, and the attributes where they differ.
    fn replace(&mut self, listing_id: ListingId, row: &'a BatchRow, newer: bool) -> Queried<()> {
        let touched = self.touched.get_mut(&listing_id);
        let replaced = if let Some(touched) = touched.filter(|touched| touched.stored.is_some()) {
            if touched.external_id != row.external_id {
                return self.applied.other_listing(listing_id, &row.external_id);
            }
            let current = touched.observed_at;
            touched.observed_at = row.observed_at;
            let before = touched.pending.replace(row).or(touched.stored);
            // Noted for each row, since a later one may bring the first name back.
            if let Some(before) = before.filter(|before| before.attributes != row.attributes) {
                past::renamed(self.applied, listing_id, &before.attributes)?;
            }
            if newer { current < row.observed_at } else { current == row.observed_at }
        } else {
            if let Some(before) = self.check(listing_id, row)? {
                past::renamed(self.applied, listing_id, &before)?;
                self.rename(listing_id, row)?;
            }
            // A listing that only lists have named so far has no quote to replace.
            let replaced = self.update_quote(listing_id, row, newer)? == 1
                || (newer && self.insert_quote(listing_id, row)? == 1);
            self.touch(listing_id, row, Some(row), row.observed_at);
            self.applied.changed.push(listing_id);
            replaced
        };
        if !replaced {
            let relation = if newer { "newer than" } else { "that of" };
            return refused(format!(
                "the point is not {relation} the quote of listing {listing_id}"
            ));
        }
        self.applied.counts.updated += 1;
        Ok(())
    }

    /// Keeps a point that is older than the quote. Quote and attributes of the newer point stay. Returns
    /// its listing, but nothing for a point that counts as repeated.
    fn keep_late(
        &mut self,
        listing: ListingRef,
        row: &'a BatchRow,
        repeated: bool,
    ) -> Queried<Option<ListingId>> {
        let listing_id = self.applied.listing(listing, &row.external_id)?;
        let current = match self.touched.get(&listing_id) {
            Some(touched) if touched.external_id == row.external_id => Some(touched.observed_at),
            Some(_) => return self.applied.other_listing(listing_id, &row.external_id),
            None => {
                self.check(listing_id, row)?;
                let quoted = self.quoted(listing_id)?;
                if let Some(quoted) = quoted {
                    self.touch(listing_id, row, None, quoted);
                }
                quoted
            }
        };
        if current.is_none_or(|current| current <= row.observed_at) {
            return refused(format!(
                "the point is not older than the quote of listing {listing_id}"
            ));
        }
        // Written before it is looked up: of a page of dated rows hardly any point is known.
        if self.append(listing_id, row, 0)? {
            self.applied.counts.stale += 1;
        } else if repeated {
            self.applied.counts.duplicate += 1;
            return Ok(None);
        } else {
            match self.revision(listing_id, row)? {
                Some((_, true)) => self.applied.counts.unchanged += 1,
                Some((last, false)) => {
                    self.applied.counts.updated += 1;
                    self.append(listing_id, row, last + 1)?;
                }
                None => return Err(damaged("a point", listing_id).into()),
            }
        }
        Ok(Some(listing_id))
    }

    /// What the listing is called where it is not called as the row says.
    fn check(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<Option<Attributes>> {
        let params = params![
            listing_id.0,
            self.applied.source,
            row.external_id.as_str(),
            row.attributes.symbol.as_deref(),
            row.attributes.name.as_deref()
        ];
        let mut rows = self.check_listing.query(params)?;
        match rows.next()? {
            Some(found) if found.get(0)? => match found.get(1)? {
                true => Ok(None),
                false => Ok(Some(Attributes {
                    symbol: maybe_string(found, 2)?,
                    name: maybe_string(found, 3)?,
                })),
            },
            _ => self.applied.other_listing(listing_id, &row.external_id),
        }
    }

    /// The instant of the stored quote, if there is one.
    fn quoted(&mut self, listing_id: ListingId) -> Queried<Option<Timestamp>> {
        let mut quoted = self.quoted_at.query([listing_id.0])?;
        quoted.next()?.map(|found| instant(found, 0)).transpose()
    }

    fn rename(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<()> {
        let (symbol, name) = (row.attributes.symbol.as_deref(), row.attributes.name.as_deref());
        self.update_listing.execute(params![listing_id.0, symbol, name])?;
        Ok(())
    }

    fn insert_quote(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<usize> {
        bind_quote(&mut self.insert_quote, self.applied.batch, listing_id, row)?;
        Ok(self.insert_quote.raw_execute()?)
    }

    fn update_quote(
        &mut self,
        listing_id: ListingId,
        row: &BatchRow,
        newer: bool,
    ) -> Queried<usize> {
        bind_quote(&mut self.update_quote, self.applied.batch, listing_id, row)?;
        self.update_quote.raw_bind_parameter(18, newer)?;
        Ok(self.update_quote.raw_execute()?)
    }

    /// The newest revision of the row's point, and whether it says what the row says.
    fn revision(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<Option<(i64, bool)>> {
        let params = [row.observed_at.hour(), listing_id.0, row.observed_at.as_millis()];
        let mut found = self.last_revision.query(params)?;
        let Some(point) = found.next()? else {
            return Ok(None);
        };
        let same = maybe_decimal(point, 1)? == row.quote.price_usd
            && maybe_decimal(point, 2)? == row.quote.market_cap
            && maybe_decimal(point, 3)? == row.quote.volume_24h;
        Ok(Some((point.get(0)?, same)))
    }

    /// Writes a point that nothing was known of.
    fn append_first(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<()> {
        if self.append(listing_id, row, 0)? {
            return Ok(());
        }
        let at = row.observed_at;
        refused(format!("history has a point of listing {listing_id} at {at} already"))
    }

    /// Writes a revision of a point; false where it is known.
    fn append(&mut self, listing_id: ListingId, row: &BatchRow, revision: i64) -> Queried<bool> {
        let written = self.insert_point.execute(params![
            row.observed_at.hour(),
            listing_id.0,
            row.observed_at.as_millis(),
            revision,
            row.source_timed,
            Value(row.quote.price_usd.as_ref()),
            Value(row.quote.market_cap.as_ref()),
            Value(row.quote.volume_24h.as_ref())
        ])?;
        Ok(written == 1)
    }
}
