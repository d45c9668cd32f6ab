//! Listings with their current quotes, as rows are read.

use compact_str::CompactString;
use kasparro_domain::{AssetClass, AssetId, Attributes, IdentityState, ListingId, Quote};
use kasparro_store::{ListingRow, Origin};
use rusqlite::Row;

use super::{
    Sources, instant, maybe_decimal, maybe_instant, maybe_json, maybe_string, named, text, uint,
};
use crate::error::{Queried, damaged};

/// The columns of a listing `l` and its quote `q`, then others.
macro_rules! select_quoted {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT l.listing_id, l.asset_id, l.source_id, l.external_id, l.symbol, l.name, \
             l.contracts, l.active, l.first_seen_at, q.observed_at, q.source_timed, q.fetched_at, \
             q.price_usd, q.market_cap, q.volume_24h, q.price_change_24h, q.circulating_supply, \
             q.total_supply, q.max_supply, q.fully_diluted_valuation, q.rank, q.raw_hash, q.ordinal, \
             l.missed, l.last_seen_at, q.unusual",
            $more,
            " ",
            $rest
        )
    };
}
pub(crate) use select_quoted;

/// The columns of a listing `l`, its quote `q` and what is decided about it `i`, and where they stand for
/// [`read_listing`]. Goes on behind these tables.
macro_rules! select_listing {
    ($rest:literal) => {
        $crate::queries::listings::select_quoted!(
            ", i.asset_id, i.class, i.state FROM listing AS l LEFT JOIN quote AS q USING (listing_id) \
             LEFT JOIN identity AS i USING (listing_id)",
            $rest
        )
    };
}
pub(crate) use select_listing;

/// What the source calls the listing.
pub(super) fn read_attributes(row: &Row<'_>) -> Queried<Attributes> {
    Ok(Attributes { symbol: maybe_string(row, 4)?, name: maybe_string(row, 5)? })
}

/// The values of the quote.
pub(super) fn read_quote(row: &Row<'_>) -> Queried<Quote> {
    Ok(Quote {
        price_usd: maybe_decimal(row, 12)?,
        market_cap: maybe_decimal(row, 13)?,
        volume_24h: maybe_decimal(row, 14)?,
        price_change_24h: maybe_decimal(row, 15)?,
        circulating_supply: maybe_decimal(row, 16)?,
        total_supply: maybe_decimal(row, 17)?,
        max_supply: maybe_decimal(row, 18)?,
        fully_diluted_valuation: maybe_decimal(row, 19)?,
        rank: row.get(20)?,
    })
}

/// The hash of the row that brought the values, in the sign in which it is used.
pub(super) fn read_raw_hash(row: &Row<'_>) -> Queried<u64> {
    Ok(row.get::<_, i64>(21)?.cast_unsigned())
}

/// Complete sweeps in a row that the listing is missing from.
pub(super) fn read_missed(row: &Row<'_>) -> Queried<u8> {
    Ok(row.get(23)?)
}

/// A listing, with its quote where it has one.
pub(crate) fn read_listing(row: &Row<'_>, sources: &Sources) -> Queried<ListingRow> {
    let observed_at = maybe_instant(row, 9)?;
    let quoted = observed_at.is_some();
    let founded_asset_id = AssetId(row.get(1)?);
    // Most are their own asset, and none is decided about before it was looked at.
    let (asset_id, class, identity) = match row.get::<_, Option<i64>>(26)? {
        None => (founded_asset_id, AssetClass::Other, IdentityState::Unresolved),
        Some(asset_id) => {
            let state = named(row, 28, IdentityState::from_name)?;
            (AssetId(asset_id), named(row, 27, AssetClass::from_name)?, state)
        }
    };
    Ok(ListingRow {
        listing_id: ListingId(row.get(0)?),
        asset_id,
        founded_asset_id,
        class,
        identity,
        source: sources.name(row.get(2)?)?.clone(),
        external_id: CompactString::from(text(row, 3)?),
        attributes: read_attributes(row)?,
        contracts: maybe_json(row, 6)?.unwrap_or_default(),
        active: row.get(7)?,
        last_seen_at: maybe_instant(row, 24)?,
        quote: if quoted { Some(read_quote(row)?) } else { None },
        observed_at,
        source_timed: quoted && row.get(10)?,
        fetched_at: maybe_instant(row, 11)?,
        unusual: quoted && row.get(25)?,
        first_seen_at: instant(row, 8)?,
    })
}

/// Where the values came from.
pub(super) fn read_origin(row: &Row<'_>) -> Queried<Option<Origin>> {
    match row.get::<_, Option<i64>>(21).map_err(|error| damaged("a hash", error))? {
        None => Ok(None),
        Some(raw_hash) => {
            Ok(Some(Origin { raw_hash: raw_hash.cast_unsigned(), ordinal: uint(row, 22)? }))
        }
    }
}
