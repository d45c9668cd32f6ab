//! Cursors of listings and assets: the place behind the last row of a page.

use kasparro_domain::{AssetId, Generation, ListingId};
use kasparro_view::{AssetQuery, Filter, ListingQuery};

use crate::signed::{self, FORGED, OTHER_QUERY, OTHER_VERSION, PRINT_BYTES, Print};

const LISTING: u8 = 1;
const ASSET: u8 = 3;
/// A place in an order that changes, so in one generation.
const PINNED: u8 = 4;

/// A cursor behind a listing, for queries with this filter.
pub(crate) fn write(after: ListingId, filter: &Filter, key: &[u8; 32]) -> String {
    write_place(LISTING, after.0, fingerprint(filter).finish(), key)
}

/// The listing that a cursor points behind.
///
/// # Errors
/// What is wrong: the text was not signed with this key, or belongs to another filter.
pub(crate) fn read(text: &str, filter: &Filter, key: &[u8; 32]) -> Result<ListingId, &'static str> {
    read_place(LISTING, text, fingerprint(filter).finish(), key).map(ListingId)
}

/// A cursor behind the first `offset` listings of one generation, for queries with this filter and order.
pub(crate) fn write_pinned(
    generation: Generation,
    offset: u64,
    query: &ListingQuery,
    key: &[u8; 32],
) -> String {
    let mut place = vec![PINNED];
    place.extend_from_slice(&generation.0.to_be_bytes());
    place.extend_from_slice(&offset.to_be_bytes());
    place.extend_from_slice(&ordered_fingerprint(query));
    signed::seal(&place, key)
}

/// The generation that a cursor goes over, and how many of its listings it leaves out.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_pinned(
    text: &str,
    query: &ListingQuery,
    key: &[u8; 32],
) -> Result<(Generation, u64), &'static str> {
    let place = signed::open(text, key).ok_or(FORGED)?;
    let (found, rest) = place.split_first().ok_or(FORGED)?;
    if *found == LISTING {
        return Err(OTHER_QUERY);
    }
    if *found != PINNED {
        return Err(OTHER_VERSION);
    }
    let (generation, rest) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
    let (offset, print) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
    if *print != ordered_fingerprint(query) {
        return Err(OTHER_QUERY);
    }
    Ok((Generation(u64::from_be_bytes(*generation)), u64::from_be_bytes(*offset)))
}

fn ordered_fingerprint(query: &ListingQuery) -> [u8; PRINT_BYTES] {
    let mut print = fingerprint(&query.filter);
    print.part(Some(&format!("{:?} {:?}", query.sort, query.order)));
    print.finish()
}

/// A cursor behind an asset, for queries that choose the same assets.
pub(crate) fn write_asset(after: AssetId, query: &AssetQuery, key: &[u8; 32]) -> String {
    write_place(ASSET, after.0, asset_fingerprint(query), key)
}

/// The asset that a cursor points behind.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_asset(
    text: &str,
    query: &AssetQuery,
    key: &[u8; 32],
) -> Result<AssetId, &'static str> {
    read_place(ASSET, text, asset_fingerprint(query), key).map(AssetId)
}

fn write_place(kind: u8, id: i64, print: [u8; PRINT_BYTES], key: &[u8; 32]) -> String {
    let mut place = vec![kind];
    place.extend_from_slice(&id.to_be_bytes());
    place.extend_from_slice(&print);
    signed::seal(&place, key)
}

fn read_place(
    kind: u8,
    text: &str,
    expected: [u8; PRINT_BYTES],
    key: &[u8; 32],
) -> Result<i64, &'static str> {
    let place = signed::open(text, key).ok_or(FORGED)?;
    let (found, rest) = place.split_first().ok_or(FORGED)?;
    if *found == PINNED && kind == LISTING {
        return Err(OTHER_QUERY);
    }
    if *found != kind {
        return Err(OTHER_VERSION);
    }
    let (id, print) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
    if *print != expected {
        return Err(OTHER_QUERY);
    }
    Ok(i64::from_be_bytes(*id))
}

fn asset_fingerprint(query: &AssetQuery) -> [u8; PRINT_BYTES] {
    let mut print = fingerprint(&query.filter);
    // Only where they are given: cursors from before there were such conditions stay good.
    if let Some(class) = query.class {
        print.part(Some("class"));
        print.part(Some(class.name()));
    }
    if let Some(state) = query.identity {
        print.part(Some("state"));
        print.part(Some(state.name()));
    }
    print.finish()
}

fn fingerprint(filter: &Filter) -> Print {
    let mut print = Print::default();
    print.part(filter.symbols.first().map(String::as_str));
    print.part(filter.name.as_deref());
    print.part(filter.search.as_deref());
    print.part(filter.sources.first().map(AsRef::as_ref));
    print.part(filter.asset_ids.first().map(ToString::to_string).as_deref());
    print.part(filter.price_usd.min.as_ref().map(|price| price.as_str()));
    print.part(filter.price_usd.max.as_ref().map(|price| price.as_str()));
    print.part(filter.unpriced.then_some("unpriced"));
    // What follows only where it is given, as above.
    let mut more = |name, value: Option<&str>| {
        if value.is_some() {
            print.part(Some(name));
            print.part(value);
        }
    };
    for symbol in filter.symbols.iter().skip(1) {
        more("symbol", Some(symbol));
    }
    for source in filter.sources.iter().skip(1) {
        more("source", Some(source.as_ref()));
    }
    for asset_id in filter.asset_ids.iter().skip(1) {
        more("asset_id", Some(&asset_id.to_string()));
    }
    let ranges = [
        ("market_cap", &filter.market_cap),
        ("volume_24h", &filter.volume_24h),
        ("price_change_24h", &filter.price_change_24h),
    ];
    for (name, bounds) in ranges {
        for (end, value) in [("from", &bounds.min), ("to", &bounds.max)] {
            if let Some(value) = value {
                more(name, Some(end));
                more("end", Some(value.as_str()));
            }
        }
    }
    let since = filter.updated_since.map(|since| since.as_millis().to_string());
    more("updated_since", since.as_deref());
    print
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{AssetClass, IdentityState};
    use kasparro_view::{Order, SortKey};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_cursor_reads_back() {
        let filter = Filter { symbols: vec!["btc".to_owned()], ..Filter::default() };
        let text = write(ListingId(i64::MAX), &filter, &KEY);
        assert_eq!(read(&text, &filter, &KEY), Ok(ListingId(i64::MAX)));
    }

    #[test]
    fn a11_every_changed_shortened_or_lengthened_cursor_is_refused() {
        let filter = Filter::default();
        let text = write(ListingId(42), &filter, &KEY);
        for cut in 0..text.len() {
            assert!(read(&text[..cut], &filter, &KEY).is_err(), "cut at {cut}");
        }
        for place in 0..text.len() {
            for other in "ABCxyz019-_=%. \u{e9}".chars() {
                let mut changed: Vec<char> = text.chars().collect();
                if changed[place] != other {
                    changed[place] = other;
                    let changed: String = changed.into_iter().collect();
                    assert!(read(&changed, &filter, &KEY).is_err(), "{changed}");
                }
            }
        }
        assert!(read(&format!("{text}A"), &filter, &KEY).is_err());
        assert!(read(&format!("{text}AAAA"), &filter, &KEY).is_err());
    }

    #[test]
    fn a11_a_cursor_of_another_key_or_filter_is_refused() {
        let filter = Filter::default();
        let text = write(ListingId(42), &filter, &KEY);
        assert!(read(&text, &filter, &[8; 32]).is_err());
        let other = Filter { name: Some(String::new()), ..Filter::default() };
        assert!(read(&text, &other, &KEY).is_err());
        let moved = Filter {
            symbols: vec!["a".to_owned()],
            name: Some("b".to_owned()),
            ..Filter::default()
        };
        let swapped = Filter {
            symbols: vec!["b".to_owned()],
            name: Some("a".to_owned()),
            ..Filter::default()
        };
        assert!(read(&write(ListingId(1), &moved, &KEY), &swapped, &KEY).is_err());
    }

    #[test]
    fn a11_a_cursor_of_an_order_is_good_for_that_order_only() {
        let query = crate::data::DataQuery::default().listings;
        let by_price = ListingQuery { sort: SortKey::PriceUsd, ..query.clone() };
        let falling = ListingQuery { order: Order::Descending, ..by_price.clone() };
        let text = write_pinned(Generation(7), 40, &by_price, &KEY);
        assert_eq!(read_pinned(&text, &by_price, &KEY), Ok((Generation(7), 40)));
        assert_eq!(read_pinned(&text, &falling, &KEY), Err(OTHER_QUERY));
        assert_eq!(read(&text, &query.filter, &KEY), Err(OTHER_QUERY));
        let plain = write(ListingId(1), &query.filter, &KEY);
        assert_eq!(read_pinned(&plain, &by_price, &KEY), Err(OTHER_QUERY));
    }

    #[test]
    fn a11_a_cursor_of_assets_is_none_of_listings() {
        let (filter, query) = (Filter::default(), AssetQuery::default());
        let (listing, asset) =
            (write(ListingId(1), &filter, &KEY), write_asset(AssetId(1), &query, &KEY));
        assert_eq!(read_asset(&asset, &query, &KEY), Ok(AssetId(1)));
        assert_eq!(read_asset(&listing, &query, &KEY), Err(OTHER_VERSION));
        assert_eq!(read(&asset, &filter, &KEY), Err(OTHER_VERSION));
        let coins = AssetQuery { class: Some(AssetClass::Coin), ..AssetQuery::default() };
        let single = AssetQuery { identity: Some(IdentityState::Single), ..AssetQuery::default() };
        for (one, other) in [(&query, &coins), (&coins, &single), (&single, &query)] {
            let cursor = write_asset(AssetId(1), one, &KEY);
            assert_eq!(read_asset(&cursor, one, &KEY), Ok(AssetId(1)));
            assert_eq!(read_asset(&cursor, other, &KEY), Err(OTHER_QUERY));
        }
    }
}
