//! Listings with their current quotes, as rows are read.

use kasparro_domain::{AssetClass, AssetId, Attributes, IdentityState, ListingId, Quote};
use kasparro_store::{ListingRow, Origin};
use tokio_postgres::Row;

use super::{
    Sources, get, instant, maybe_decimal, maybe_instant, maybe_json, maybe_string, named, string,
    uint,
};
use crate::error::{Queried, damaged};

/// The columns of a listing `l` and its quote `q`, and where they stand for what reads them here.
macro_rules! select_quoted {
    ($($rest:literal),+) => {
        concat!(
            "SELECT l.listing_id, l.asset_id, l.source_id, l.external_id, l.symbol, l.name, \
             l.contracts, l.active, l.first_seen_at, q.observed_at, q.source_timed, q.fetched_at, \
             q.price_usd, q.market_cap, q.volume_24h, q.price_change_24h, q.circulating_supply, \
             q.total_supply, q.max_supply, q.fully_diluted_valuation, q.rank, q.raw_hash, q.ordinal, \
             l.missed, l.last_seen_at, q.unusual",
            $($rest),+
        )
    };
}
pub(crate) use select_quoted;

/// The same with what was decided about the listing, as [`read_listing`] takes it.
macro_rules! select_listing {
    ($rest:literal) => {
        $crate::queries::listings::select_quoted!(
            ", i.asset_id, i.class, i.state \
             FROM listing AS l LEFT JOIN quote AS q ON q.listing_id = l.listing_id \
                               LEFT JOIN identity AS i ON i.listing_id = l.listing_id ",
            $rest
        )
    };
}
pub(crate) use select_listing;

/// What the source calls the listing.
pub(crate) fn read_attributes(row: &Row) -> Queried<Attributes> {
    Ok(Attributes { symbol: maybe_string(row, 4)?, name: maybe_string(row, 5)? })
}

/// The values of the quote.
pub(crate) fn read_quote(row: &Row) -> Queried<Quote> {
    let rank: Option<i64> = get(row, 20)?;
    let read = |rank| u32::try_from(rank).map_err(|_| damaged("a rank", rank));
    Ok(Quote {
        price_usd: maybe_decimal(row, 12)?,
        market_cap: maybe_decimal(row, 13)?,
        volume_24h: maybe_decimal(row, 14)?,
        price_change_24h: maybe_decimal(row, 15)?,
        circulating_supply: maybe_decimal(row, 16)?,
        total_supply: maybe_decimal(row, 17)?,
        max_supply: maybe_decimal(row, 18)?,
        fully_diluted_valuation: maybe_decimal(row, 19)?,
        rank: rank.map(read).transpose()?,
    })
}

/// Complete sweeps in a row that the listing is missing from.
pub(crate) fn read_missed(row: &Row) -> Queried<u8> {
    let missed: i32 = get(row, 23)?;
    u8::try_from(missed).map_err(|_| damaged("a count of sweeps", missed).into())
}

/// A listing, with its quote where it has one.
pub(crate) fn read_listing(row: &Row, sources: &Sources) -> Queried<ListingRow> {
    let observed_at = maybe_instant(row, 9)?;
    let quoted = observed_at.is_some();
    let founded_asset_id = AssetId(get(row, 1)?);
    let decided = get::<Option<i64>>(row, 26)?;
    let (class, identity) = match decided {
        Some(_) => {
            (named(row, 27, AssetClass::from_name)?, named(row, 28, IdentityState::from_name)?)
        }
        None => (AssetClass::Other, IdentityState::Unresolved),
    };
    Ok(ListingRow {
        listing_id: ListingId(get(row, 0)?),
        asset_id: decided.map_or(founded_asset_id, AssetId),
        founded_asset_id,
        class,
        identity,
        source: sources.name(get(row, 2)?)?.clone(),
        external_id: string(row, 3)?,
        attributes: read_attributes(row)?,
        contracts: maybe_json(row, 6)?.unwrap_or_default(),
        active: get(row, 7)?,
        last_seen_at: maybe_instant(row, 24)?,
        quote: if quoted { Some(read_quote(row)?) } else { None },
        observed_at,
        source_timed: quoted && get(row, 10)?,
        fetched_at: maybe_instant(row, 11)?,
        unusual: quoted && get(row, 25)?,
        first_seen_at: instant(row, 8)?,
    })
}

/// Where the values came from.
pub(crate) fn read_origin(row: &Row) -> Queried<Option<Origin>> {
    match get::<Option<i64>>(row, 21)? {
        None => Ok(None),
        Some(raw_hash) => {
            Ok(Some(Origin { raw_hash: raw_hash.cast_unsigned(), ordinal: uint(row, 22)? }))
        }
    }
}
