//! Cursors: the place behind the last row of a page, signed, so that only ours are read.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use kasparro_domain::ListingId;
use kasparro_view::Filter;
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 1;
const FINGERPRINT_BYTES: usize = 8;
const PLACE_BYTES: usize = 1 + 8 + FINGERPRINT_BYTES;
/// Half of an HMAC-SHA-256; forging takes 2^128 tries.
const MAC_BYTES: usize = 16;

/// A cursor behind a listing, for queries with this filter.
pub(crate) fn write(after: ListingId, filter: &Filter, key: &[u8; 32]) -> String {
    let mut bytes = Vec::with_capacity(PLACE_BYTES + MAC_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&after.0.to_be_bytes());
    bytes.extend_from_slice(&fingerprint(filter));
    let tag = mac(&bytes, key).finalize().into_bytes();
    bytes.extend(tag.iter().take(MAC_BYTES));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The listing that a cursor points behind.
///
/// # Errors
/// What is wrong: the text was not signed with this key, or belongs to another filter.
pub(crate) fn read(text: &str, filter: &Filter, key: &[u8; 32]) -> Result<ListingId, &'static str> {
    const FORGED: &str = "is not a cursor of this server";
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| FORGED)?;
    let (place, tag) = bytes.split_at_checked(PLACE_BYTES).ok_or(FORGED)?;
    if tag.len() != MAC_BYTES {
        return Err(FORGED);
    }
    mac(place, key).verify_truncated_left(tag).map_err(|_| FORGED)?;
    let [VERSION, rest @ ..] = place else {
        return Err("is of another version of this server");
    };
    let (after, print) = rest.split_first_chunk::<8>().ok_or(FORGED)?;
    if print != fingerprint(filter) {
        return Err("belongs to a query with other filters");
    }
    Ok(ListingId(i64::from_be_bytes(*after)))
}

fn mac(place: &[u8], key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC fills a short key with zeros up to the block of its hash.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(b"kasparro cursor");
    mac.update(place);
    mac
}

/// A digest of what decides which listings there are and in which order. The size of the page and
/// the fields may change on the way.
fn fingerprint(filter: &Filter) -> [u8; FINGERPRINT_BYTES] {
    let mut digest = Sha256::new();
    let mut part = |text: Option<&str>| {
        let text = text.unwrap_or("\0");
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    };
    part(filter.symbol.as_deref());
    part(filter.name.as_deref());
    part(filter.search.as_deref());
    part(filter.source.as_ref().map(AsRef::as_ref));
    part(filter.asset_id.map(|id| id.to_string()).as_deref());
    part(filter.min_price.as_ref().map(|price| price.as_str()));
    part(filter.max_price.as_ref().map(|price| price.as_str()));
    part(filter.unpriced.then_some("unpriced"));
    let mut print = [0; FINGERPRINT_BYTES];
    print.iter_mut().zip(digest.finalize()).for_each(|(place, byte)| *place = byte);
    print
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
}
