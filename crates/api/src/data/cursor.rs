//! Cursors of listings and assets: the place behind the last row of a page.

use kasparro_domain::{AssetId, ListingId};
use kasparro_view::Filter;

use crate::signed::{self, FORGED, OTHER_QUERY, OTHER_VERSION, PRINT_BYTES, Print};

const LISTING: u8 = 1;
const ASSET: u8 = 3;

/// A cursor behind a listing, for queries with this filter.
pub(crate) fn write(after: ListingId, filter: &Filter, key: &[u8; 32]) -> String {
    write_place(LISTING, after.0, filter, key)
}

/// The listing that a cursor points behind.
///
/// # Errors
/// What is wrong: the text was not signed with this key, or belongs to another filter.
pub(crate) fn read(text: &str, filter: &Filter, key: &[u8; 32]) -> Result<ListingId, &'static str> {
    read_place(LISTING, text, filter, key).map(ListingId)
}

/// A cursor behind an asset, for queries with this filter.
pub(crate) fn write_asset(after: AssetId, filter: &Filter, key: &[u8; 32]) -> String {
    write_place(ASSET, after.0, filter, key)
}

/// The asset that a cursor points behind.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_asset(
    text: &str,
    filter: &Filter,
    key: &[u8; 32],
) -> Result<AssetId, &'static str> {
    read_place(ASSET, text, filter, key).map(AssetId)
}

fn write_place(kind: u8, id: i64, filter: &Filter, key: &[u8; 32]) -> String {
    let mut place = vec![kind];
    place.extend_from_slice(&id.to_be_bytes());
    place.extend_from_slice(&fingerprint(filter));
    signed::seal(&place, key)
}

fn read_place(kind: u8, text: &str, filter: &Filter, key: &[u8; 32]) -> Result<i64, &'static str> {
    let place = signed::open(text, key).ok_or(FORGED)?;
    let (found, rest) = place.split_first().ok_or(FORGED)?;
    if *found != kind {
        return Err(OTHER_VERSION);
    }
    let (id, print) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
    if print != fingerprint(filter) {
        return Err(OTHER_QUERY);
    }
    Ok(i64::from_be_bytes(*id))
}

fn fingerprint(filter: &Filter) -> [u8; PRINT_BYTES] {
    let mut print = Print::default();
    print.part(filter.symbol.as_deref());
    print.part(filter.name.as_deref());
    print.part(filter.search.as_deref());
    print.part(filter.source.as_ref().map(AsRef::as_ref));
    print.part(filter.asset_id.map(|id| id.to_string()).as_deref());
    print.part(filter.min_price.as_ref().map(|price| price.as_str()));
    print.part(filter.max_price.as_ref().map(|price| price.as_str()));
    print.part(filter.unpriced.then_some("unpriced"));
    print.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_cursor_reads_back() {
        let filter = Filter { symbol: Some("btc".to_owned()), ..Filter::default() };
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
            symbol: Some("a".to_owned()),
            name: Some("b".to_owned()),
            ..Filter::default()
        };
        let swapped = Filter {
            symbol: Some("b".to_owned()),
            name: Some("a".to_owned()),
            ..Filter::default()
        };
        assert!(read(&write(ListingId(1), &moved, &KEY), &swapped, &KEY).is_err());
    }

    #[test]
    fn a11_a_cursor_of_assets_is_none_of_listings() {
        let filter = Filter::default();
        let (listing, asset) =
            (write(ListingId(1), &filter, &KEY), write_asset(AssetId(1), &filter, &KEY));
        assert_eq!(read_asset(&asset, &filter, &KEY), Ok(AssetId(1)));
        assert_eq!(read_asset(&listing, &filter, &KEY), Err(OTHER_VERSION));
        assert_eq!(read(&asset, &filter, &KEY), Err(OTHER_VERSION));
    }
}
