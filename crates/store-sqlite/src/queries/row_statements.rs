//! The statements that write the believed rows of a batch.

use kasparro_domain::{Decimal, ListingId, QuoteField};
use kasparro_store::{Batch, BatchRow};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ToSql};

use super::int;
use crate::error::Queried;

pub(super) const INSERT_ASSET: &str = "INSERT INTO asset (asset_id) VALUES (?1)";

pub(super) const INSERT_LISTING: &str =
    "INSERT INTO listing (listing_id, source_id, external_id, asset_id,
        symbol, name, first_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Writes nothing where the listing has a quote.
pub(super) const INSERT_QUOTE: &str =
    "INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at,
        price_usd, market_cap, volume_24h, price_change_24h, circulating_supply, total_supply,
        max_supply, fully_diluted_valuation, rank, raw_hash, page_id, ordinal, unusual)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (listing_id) DO NOTHING";

/// The last parameter says where the point stands to the stored one: 1 newer, 0 the same.
pub(super) const UPDATE_QUOTE: &str =
    "UPDATE quote SET observed_at = ?2, source_timed = ?3, fetched_at = ?4,
        price_usd = ?5, market_cap = ?6, volume_24h = ?7, price_change_24h = ?8,
        circulating_supply = ?9, total_supply = ?10, max_supply = ?11,
        fully_diluted_valuation = ?12, rank = ?13, raw_hash = ?14, page_id = ?15, ordinal = ?16,
        unusual = ?17
    WHERE listing_id = ?1 AND iif(?18, observed_at < ?2, observed_at = ?2)";

/// Writes nothing where that revision of the point is known.
pub(super) const INSERT_POINT: &str =
    "INSERT INTO history (hour, listing_id, observed_at, revision,
        source_timed, price_usd, market_cap, volume_24h) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (hour, listing_id, observed_at, revision) DO NOTHING";

pub(super) const LAST_REVISION: &str =
    "SELECT revision, price_usd, market_cap, volume_24h FROM history
    WHERE hour = ?1 AND listing_id = ?2 AND observed_at = ?3 ORDER BY revision DESC LIMIT 1";

/// Whether the listing is the one that the row is about, whether it is called as the row says, and how it is
/// called.
pub(super) const CHECK_LISTING: &str = "SELECT source_id = ?2 AND external_id = ?3,
        symbol IS ?4 AND name IS ?5, symbol, name FROM listing WHERE listing_id = ?1";

pub(super) const UPDATE_LISTING: &str =
    "UPDATE listing SET symbol = ?2, name = ?3 WHERE listing_id = ?1";

pub(super) const QUOTED_AT: &str = "SELECT observed_at FROM quote WHERE listing_id = ?1";

/// A decimal or NULL, bound without a copy.
pub(super) struct Value<'a>(pub(super) Option<&'a Decimal>);

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.map_or(ToSqlOutput::Borrowed(ValueRef::Null), |value| value.as_str().into()))
    }
}

/// Binds the first 17 parameters of a statement that writes a quote.
pub(super) fn bind_quote(
    statement: &mut CachedStatement<'_>,
    batch: &Batch,
    listing_id: ListingId,
    row: &BatchRow,
) -> Queried<()> {
    statement.raw_bind_parameter(1, listing_id.0)?;
    statement.raw_bind_parameter(2, row.observed_at.as_millis())?;
    statement.raw_bind_parameter(3, row.source_timed)?;
    statement.raw_bind_parameter(4, batch.fetched_at.as_millis())?;
    for (place, field) in (5_usize..).zip(QuoteField::ALL) {
        statement.raw_bind_parameter(place, Value(row.quote.get(field)))?;
    }
    statement.raw_bind_parameter(13, row.quote.rank)?;
    statement.raw_bind_parameter(14, row.raw_hash.cast_signed())?;
    statement.raw_bind_parameter(15, batch.page_id.0)?;
    statement.raw_bind_parameter(16, int(row.ordinal)?)?;
    statement.raw_bind_parameter(17, !row.anomalies.is_empty())?;
    Ok(())
}
