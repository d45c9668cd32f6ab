//! Places in an answer as opaque text, signed, so that only ours are read.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Half of an HMAC-SHA-256; forging takes 2^128 tries.
const MAC_BYTES: usize = 16;
/// Length of a [`Print`] in bytes.
pub(crate) const PRINT_BYTES: usize = 8;

/// Said of a cursor that was not signed with our key.
pub(crate) const FORGED: &str = "is not a cursor of this server";
/// Said of a cursor whose place is written in a way that is not known.
pub(crate) const OTHER_VERSION: &str = "is of another version of this server, or of another path";
/// Said of a cursor that was given for another question.
pub(crate) const OTHER_QUERY: &str = "belongs to a query with other filters";

/// The text for a place. The first byte of a place says what it is a place in.
pub(crate) fn seal(place: &[u8], key: &[u8; 32]) -> String {
    let mut bytes = place.to_vec();
    let tag = mac(place, key).finalize().into_bytes();
    bytes.extend(tag.iter().take(MAC_BYTES));
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place in a text; `None` where it was not signed with this key.
pub(crate) fn open(text: &str, key: &[u8; 32]) -> Option<Vec<u8>> {
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let place_bytes = bytes.len().checked_sub(MAC_BYTES)?;
    let (place, tag) = bytes.split_at_checked(place_bytes)?;
    mac(place, key).verify_truncated_left(tag).ok()?;
    bytes.truncate(place_bytes);
    Some(bytes)
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

/// A digest of what decides what there is and in which order. The size of a page and the members of
/// its rows may change on the way.
#[derive(Default)]
pub(crate) struct Print(Sha256);

impl Print {
    /// Adds one part of the question; an absent one is not the same as an empty one.
    pub(crate) fn part(&mut self, text: Option<&str>) {
        let text = text.unwrap_or("\0");
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }

    /// The digest.
    pub(crate) fn finish(self) -> [u8; PRINT_BYTES] {
        let mut print = [0; PRINT_BYTES];
        print.iter_mut().zip(self.0.finalize()).for_each(|(place, byte)| *place = byte);
        print
    }
}
