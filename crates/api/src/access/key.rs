//! The text of a key: made from random bytes, known again by its checksum, kept only as HMAC.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

/// What every key begins with, so that people and scanners of source code recognise one.
pub const KEY_PREFIX: &str = "kasparro_live_";
/// Random bytes in a key: guessing one takes 2^160 tries.
pub const KEY_RANDOM_BYTES: usize = 20;
/// Bytes of a key at most; no key of ours, and no sensible one of anybody, is longer.
pub const MAX_KEY_BYTES: usize = 512;

/// Digits that 160 bits take.
const RANDOM_DIGITS: usize = 27;
/// Digits that 32 bits take.
const CHECK_DIGITS: usize = 6;
/// How many of the random digits are the public id.
const ID_DIGITS: usize = 8;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key that was just made. Its text is shown once; what is kept is its HMAC.
#[derive(Debug)]
pub struct NewApiKey {
    /// The whole key.
    pub text: SecretString,
    /// Its public id.
    pub key_id: String,
}

impl NewApiKey {
    /// The key of these random bytes; the same bytes give the same key.
    #[must_use]
    pub fn of(random: [u8; KEY_RANDOM_BYTES]) -> Self {
        let digits = base62::<RANDOM_DIGITS>(&random);
        let mut text = format!("{KEY_PREFIX}{digits}");
        let check = base62::<CHECK_DIGITS>(&crc32fast::hash(text.as_bytes()).to_be_bytes());
        text.push('_');
        text.push_str(&check);
        let key_id = digits.chars().take(ID_DIGITS).collect();
        Self { text: SecretString::from(text), key_id }
    }

    /// A key of bytes that nobody can guess, from a generator that the operating system seeds.
    #[must_use]
    pub fn random() -> Self {
        Self::of(rand::random())
    }
}

/// The public id in the text of a key; `None` where the text has another form or its checksum is wrong.
#[must_use]
pub fn key_id_of(text: &str) -> Option<&str> {
    let (body, check) = text.rsplit_once('_')?;
    let digits = body.strip_prefix(KEY_PREFIX)?;
    let well_formed = digits.len() == RANDOM_DIGITS
        && digits.bytes().chain(check.bytes()).all(|digit| digit.is_ascii_alphanumeric());
    let expected = base62::<CHECK_DIGITS>(&crc32fast::hash(body.as_bytes()).to_be_bytes());
    if well_formed && check == expected { digits.get(..ID_DIGITS) } else { None }
}

/// A number in base 62 with so many digits, the first ones 0 where it is small.
fn base62<const COUNT: usize>(number: &[u8]) -> String {
    let mut number = number.to_vec();
    let mut digits = [b'0'; COUNT];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0_u16;
        for byte in &mut number {
            let value = rest * 256 + u16::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        *digit = DIGITS.get(usize::from(rest)).copied().unwrap_or(b'0');
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// Under what keys are hashed, so that a copy of the database alone helps nobody who guesses. Made from the
/// secret of the server; it must be the same in every process that answers the same clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// The pepper of a server secret.
    #[must_use]
    pub fn of(server_secret: &[u8]) -> Self {
        Self(derive(server_secret, "kasparro pepper"))
    }

    /// What is kept of a key, or of any text that serves as one.
    #[must_use]
    pub fn hmac(&self, text: &str) -> [u8; 32] {
        derive(&self.0, text)
    }

    /// The key that belongs to a salt: whoever knows both pepper and salt makes it again.
    #[must_use]
    pub fn key_of(&self, salt: &[u8]) -> NewApiKey {
        let own = derive(&self.0, "kasparro repeatable key");
        let mut random = [0; KEY_RANDOM_BYTES];
        let bytes = mac(&own, salt);
        random.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
        NewApiKey::of(random)
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper")
    }
}

/// The key under which cursors are signed, made from a server secret.
#[must_use]
pub fn cursor_key_of(server_secret: &[u8]) -> [u8; 32] {
    derive(server_secret, "kasparro cursors")
}

/// A secret of its own for each label; none of them tells another one or the secret they come from.
#[must_use]
pub fn derive(secret: &[u8], label: &str) -> [u8; 32] {
    mac(secret, label.as_bytes())
}

fn mac(secret: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC fills a short key with zeros up to the block of its hash, and hashes a long one.
    let mut block = [0; 64];
    if secret.len() > block.len() {
        block.iter_mut().zip(Sha256::digest(secret)).for_each(|(place, byte)| *place = byte);
    } else {
        block.iter_mut().zip(secret).for_each(|(place, byte)| *place = *byte);
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use secrecy::ExposeSecret as _;

    use super::*;

    fn text(key: &NewApiKey) -> String {
        key.text.expose_secret().to_owned()
    }

    /// What scanners of source code look for: `kasparro_live_[0-9A-Za-z]{27}_[0-9A-Za-z]{6}`.
    fn scan(haystack: &str) -> Vec<&str> {
        let whole = KEY_PREFIX.len() + RANDOM_DIGITS + 1 + CHECK_DIGITS;
        let found = haystack.match_indices(KEY_PREFIX);
        let texts = found.filter_map(|(at, _)| haystack.get(at..at + whole));
        texts.filter(|text| key_id_of(text).is_some()).collect()
    }

    #[test]
    fn k1_keys_do_not_repeat_and_a_scanner_finds_each() {
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            let key = NewApiKey::random();
            let text = text(&key);
            assert_eq!(text.len(), 48);
            assert_eq!(key_id_of(&text), Some(key.key_id.as_str()));
            assert_eq!(scan(&format!("key = \"{text}\"; more")), [text.as_str()]);
            assert!(seen.insert(text));
        }
    }

    #[test]
    fn k1_a_text_with_any_one_character_changed_is_no_key() {
        let text = text(&NewApiKey::of(*b"twenty bytes of test"));
        for at in 0..text.len() {
            for other in ['0', 'A', 'z', '_', ' ', 'é'] {
                let changed: String = text
                    .chars()
                    .enumerate()
                    .map(|(i, c)| if i == at { other } else { c })
                    .collect();
                assert!(changed == text || key_id_of(&changed).is_none(), "{changed}");
            }
        }
        for end in 0..text.len() {
            assert_eq!(key_id_of(&text[..end]), None);
        }
        assert_eq!(key_id_of(&format!("{text}0")), None);
    }

    #[test]
    fn base_62_counts_with_leading_zeros() {
        assert_eq!(base62::<6>(&[0, 0, 0, 0]), "000000");
        assert_eq!(base62::<6>(&[0, 0, 0, 61]), "00000z");
        assert_eq!(base62::<6>(&[0, 0, 0, 62]), "000010");
        assert_eq!(base62::<6>(&u32::MAX.to_be_bytes()), "4gfFC3");
        assert_eq!(base62::<27>(&[255; 20]).len(), 27);
        assert_ne!(base62::<27>(&[255; 20]), base62::<27>(&[127; 20]));
    }

    #[test]
    fn hmacs_follow_the_standard() {
        // RFC 4231, test cases 2 and 6.
        let hex = |bytes: [u8; 32]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(
            hex(mac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(mac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn one_secret_gives_several_that_differ_and_a_salt_gives_its_key_again() {
        let pepper = Pepper::of(b"a server secret");
        assert_eq!(pepper, Pepper::of(b"a server secret"));
        assert_ne!(pepper, Pepper::of(b"another secret"));
        assert_ne!(pepper.0, cursor_key_of(b"a server secret"));
        assert_eq!(text(&pepper.key_of(b"salt")), text(&pepper.key_of(b"salt")));
        assert_ne!(text(&pepper.key_of(b"salt")), text(&pepper.key_of(b"sand")));
        let key = NewApiKey::random();
        assert!(!format!("{key:?} {pepper:?}").contains(&text(&key)));
    }
}
