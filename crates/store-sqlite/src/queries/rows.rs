//! The believed rows of one batch.

use kasparro_domain::{Contract, Decimal, ListingId, QuoteField, RunCounts};
use kasparro_store::{Batch, BatchRow, RowChange};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params};

use super::{int, json_text, maybe_decimal};
use crate::error::{Queried, refused};
use crate::writer::Minted;

const INSERT_ASSET: &str = "INSERT INTO asset (asset_id) VALUES (?1)";

const INSERT_LISTING: &str = "INSERT INTO listing (listing_id, source_id, external_id, asset_id,
        symbol, name, contracts, first_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const INSERT_QUOTE: &str = "INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at,
        price_usd, market_cap, volume_24h, price_change_24h, circulating_supply, total_supply,
        max_supply, fully_diluted_valuation, rank, raw_hash, page_id, ordinal)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// The last parameter says where the point stands to the stored one: 1 newer, 0 the same.
const UPDATE_QUOTE: &str = "UPDATE quote SET observed_at = ?2, source_timed = ?3, fetched_at = ?4,
        price_usd = ?5, market_cap = ?6, volume_24h = ?7, price_change_24h = ?8,
        circulating_supply = ?9, total_supply = ?10, max_supply = ?11,
        fully_diluted_valuation = ?12, rank = ?13, raw_hash = ?14, page_id = ?15, ordinal = ?16
    WHERE listing_id = ?1 AND iif(?17, observed_at < ?2, observed_at = ?2)";

const INSERT_POINT: &str = "INSERT INTO history (hour, listing_id, observed_at, revision,
        source_timed, price_usd, market_cap, volume_24h) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

const LAST_REVISION: &str = "SELECT revision, price_usd, market_cap, volume_24h FROM history
    WHERE hour = ?1 AND listing_id = ?2 AND observed_at = ?3 ORDER BY revision DESC LIMIT 1";

/// Whether the listing is the one that the row is about, and whether it still is what the row says.
const CHECK_LISTING: &str = "SELECT source_id = ?2 AND external_id = ?3,
        symbol IS ?4 AND name IS ?5 AND contracts IS ?6 FROM listing WHERE listing_id = ?1";

const UPDATE_LISTING: &str =
    "UPDATE listing SET symbol = ?2, name = ?3, contracts = ?4 WHERE listing_id = ?1";

const QUOTED_LATER: &str = "SELECT observed_at > ?2 FROM quote WHERE listing_id = ?1";

/// A decimal or NULL, bound without a copy.
struct Value<'a>(Option<&'a Decimal>);

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.map_or(ToSqlOutput::Borrowed(ValueRef::Null), |value| value.as_str().into()))
    }
}

/// Contracts as they are stored: none as NULL, which is most rows.
fn contracts_text(contracts: &[Contract]) -> Queried<Option<String>> {
    if contracts.is_empty() { Ok(None) } else { json_text(&contracts).map(Some) }
}

/// Writes the rows of one batch with statements that are prepared once, and counts them.
pub(super) struct RowWriter<'a> {
    source: i64,
    batch: &'a Batch,
    insert_asset: CachedStatement<'a>,
    insert_listing: CachedStatement<'a>,
    insert_quote: CachedStatement<'a>,
    update_quote: CachedStatement<'a>,
    insert_point: CachedStatement<'a>,
    last_revision: CachedStatement<'a>,
    check_listing: CachedStatement<'a>,
    update_listing: CachedStatement<'a>,
    quoted_later: CachedStatement<'a>,
    counts: RunCounts,
    changed: Vec<ListingId>,
}

impl<'a> RowWriter<'a> {
    pub(super) fn new(connection: &'a Connection, source: i64, batch: &'a Batch) -> Queried<Self> {
        Ok(Self {
            source,
            batch,
            insert_asset: connection.prepare_cached(INSERT_ASSET)?,
            insert_listing: connection.prepare_cached(INSERT_LISTING)?,
            insert_quote: connection.prepare_cached(INSERT_QUOTE)?,
            update_quote: connection.prepare_cached(UPDATE_QUOTE)?,
            insert_point: connection.prepare_cached(INSERT_POINT)?,
            last_revision: connection.prepare_cached(LAST_REVISION)?,
            check_listing: connection.prepare_cached(CHECK_LISTING)?,
            update_listing: connection.prepare_cached(UPDATE_LISTING)?,
            quoted_later: connection.prepare_cached(QUOTED_LATER)?,
            counts: RunCounts::default(),
            changed: Vec::with_capacity(batch.rows.len()),
        })
    }

    /// The counters so far, and the listings that readers see changed: ascending, each once.
    pub(super) fn finish(mut self) -> (RunCounts, Vec<ListingId>) {
        self.changed.sort_unstable();
        self.changed.dedup();
        (self.counts, self.changed)
    }

    /// Writes one row, as its change says.
    pub(super) fn write(&mut self, minted: &mut Minted, row: &BatchRow) -> Queried<()> {
        match row.change {
            RowChange::New { .. } => self.insert(minted, row),
            RowChange::Newer { listing_id } => {
                self.replace(listing_id, row, true)?;
                self.append(listing_id, row, 0)
            }
            RowChange::Correction { listing_id } => {
                self.replace(listing_id, row, false)?;
                match self.revision(listing_id, row)? {
                    Some((_, true)) => Ok(()),
                    Some((last, false)) => self.append(listing_id, row, last + 1),
                    None => self.append(listing_id, row, 0),
                }
            }
            RowChange::Late { listing_id } => self.keep_late(listing_id, row),
        }
    }

    fn insert(&mut self, minted: &mut Minted, row: &BatchRow) -> Queried<()> {
        minted.asset_id += 1;
        minted.listing_id += 1;
        let listing_id = ListingId(minted.listing_id);
        self.insert_asset.execute([minted.asset_id])?;
        self.insert_listing.execute(params![
            listing_id.0,
            self.source,
            row.external_id.as_str(),
            minted.asset_id,
            row.attributes.symbol.as_deref(),
            row.attributes.name.as_deref(),
            contracts_text(&row.attributes.contracts)?,
            self.batch.fetched_at.as_millis()
        ])?;
        let [price, cap, volume, change, circulating, total, max, diluted] = values(row);
        self.insert_quote.execute(params![
            listing_id.0,
            row.observed_at.as_millis(),
            row.source_timed,
            self.batch.fetched_at.as_millis(),
            price,
            cap,
            volume,
            change,
            circulating,
            total,
            max,
            diluted,
            row.quote.rank,
            row.raw_hash.cast_signed(),
            self.batch.page_id.0,
            int(row.ordinal)?
        ])?;
        self.append(listing_id, row, 0)?;
        self.counts.inserted += 1;
        self.changed.push(listing_id);
        Ok(())
    }

    /// Replaces the quote, and the attributes where they differ.
    fn replace(&mut self, listing_id: ListingId, row: &BatchRow, newer: bool) -> Queried<()> {
        let contracts = contracts_text(&row.attributes.contracts)?;
        if !self.check(listing_id, row, contracts.as_deref())? {
            let (symbol, name) = (row.attributes.symbol.as_deref(), row.attributes.name.as_deref());
            self.update_listing.execute(params![listing_id.0, symbol, name, contracts])?;
        }
        let [price, cap, volume, change, circulating, total, max, diluted] = values(row);
        let replaced = self.update_quote.execute(params![
            listing_id.0,
            row.observed_at.as_millis(),
            row.source_timed,
            self.batch.fetched_at.as_millis(),
            price,
            cap,
            volume,
            change,
            circulating,
            total,
            max,
            diluted,
            row.quote.rank,
            row.raw_hash.cast_signed(),
            self.batch.page_id.0,
            int(row.ordinal)?,
            newer
        ])?;
        if replaced != 1 {
            let relation = if newer { "newer than" } else { "that of" };
            return refused(format!(
                "the point is not {relation} the quote of listing {listing_id}"
            ));
        }
        self.counts.updated += 1;
        self.changed.push(listing_id);
        Ok(())
    }

    /// Keeps a point that is older than the quote. Quote and attributes of the newer point stay.
    fn keep_late(&mut self, listing_id: ListingId, row: &BatchRow) -> Queried<()> {
        self.check(listing_id, row, None)?;
        let later: Option<bool> = self
            .quoted_later
            .query_row(params![listing_id.0, row.observed_at.as_millis()], |later| later.get(0))
            .optional()?;
        if later != Some(true) {
            return refused(format!(
                "the point is not older than the quote of listing {listing_id}"
            ));
        }
        match self.revision(listing_id, row)? {
            None => {
                self.counts.stale += 1;
                self.append(listing_id, row, 0)
            }
            Some((_, true)) => {
                self.counts.unchanged += 1;
                Ok(())
            }
            Some((last, false)) => {
                self.counts.updated += 1;
                self.append(listing_id, row, last + 1)
            }
        }
    }

    /// True when the listing is stored with the attributes of the row.
    fn check(
        &mut self,
        listing_id: ListingId,
        row: &BatchRow,
        contracts: Option<&str>,
    ) -> Queried<bool> {
        let params = params![
            listing_id.0,
            self.source,
            row.external_id.as_str(),
            row.attributes.symbol.as_deref(),
            row.attributes.name.as_deref(),
            contracts
        ];
        let found: Option<(bool, bool)> = self
            .check_listing
            .query_row(params, |found| Ok((found.get(0)?, found.get(1)?)))
            .optional()?;
        match found {
            Some((true, same)) => Ok(same),
            _ => refused(format!(
                "listing {listing_id} is not {} of {}",
                row.external_id, self.batch.source
            )),
        }
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

    fn append(&mut self, listing_id: ListingId, row: &BatchRow, revision: i64) -> Queried<()> {
        self.insert_point.execute(params![
            row.observed_at.hour(),
            listing_id.0,
            row.observed_at.as_millis(),
            revision,
            row.source_timed,
            Value(row.quote.price_usd.as_ref()),
            Value(row.quote.market_cap.as_ref()),
            Value(row.quote.volume_24h.as_ref())
        ])?;
        Ok(())
    }
}

/// The values in the order of the columns.
fn values(row: &BatchRow) -> [Value<'_>; 8] {
    QuoteField::ALL.map(|field| Value(row.quote.get(field)))
}
