//! The body of a page in the encodings that clients like, each made when it is first asked for. Members of the
//! request itself are put before it without compressing anything again, in one stream: many clients read only
//! the first of several.

mod gzip;
mod zstd;

use std::sync::OnceLock;

use bytes::Bytes;

use crate::represent::Encoding;
use gzip::Gzip;
use zstd::Zstd;

/// The encoded forms of one body.
#[derive(Debug, Default)]
pub(crate) struct EncodedForms {
    gzip: OnceLock<Option<Gzip>>,
    zstd: OnceLock<Option<Zstd>>,
}

impl EncodedForms {
    /// The body in an encoding behind a prefix, in pieces, and how many bytes more are kept from now on. None
    /// where it is not kept in that encoding. Whoever comes while it is made waits: that takes less than
    /// making it twice.
    pub(super) fn behind(
        &self,
        encoding: Encoding,
        prefix: &[u8],
        body: &[u8],
    ) -> Option<([Bytes; 3], usize)> {
        let mut made_bytes = 0;
        let pieces = match encoding {
            Encoding::Gzip => {
                let form = self
                    .gzip
                    .get_or_init(|| Gzip::new(body).inspect(|form| made_bytes = form.bytes()));
                form.as_ref()?.behind(prefix)
            }
            Encoding::Zstd => {
                let form = self
                    .zstd
                    .get_or_init(|| Zstd::new(body).inspect(|form| made_bytes = form.bytes()));
                form.as_ref()?.behind(prefix)
            }
            // A stream of brotli ends between two bytes, so that nothing can be put before another.
            Encoding::Identity | Encoding::Brotli => return None,
        };
        Some((pieces, made_bytes))
    }

    /// What the forms take that were made, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let gzip = self.gzip.get().and_then(Option::as_ref).map_or(0, Gzip::bytes);
        gzip + self.zstd.get().and_then(Option::as_ref).map_or(0, Zstd::bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::{GzDecoder, MultiGzDecoder};
    use proptest::prelude::*;

    use super::*;

    fn encoded(encoding: Encoding, prefix: &[u8], body: &[u8]) -> Vec<u8> {
        let forms = EncodedForms::default();
        let (pieces, made_bytes) = forms.behind(encoding, prefix, body).unwrap();
        assert_eq!(made_bytes, forms.bytes());
        pieces.concat()
    }

    /// What clients of different kinds make of an encoded body.
    fn decoded(encoding: Encoding, encoded: &[u8]) -> [Vec<u8>; 2] {
        let [mut one, mut another] = [Vec::new(), Vec::new()];
        if encoding == Encoding::Gzip {
            let mut rest = encoded;
            let mut single = flate2::bufread::GzDecoder::new(&mut rest);
            single.read_to_end(&mut one).unwrap();
            assert!(rest.is_empty(), "{} bytes follow the first member", rest.len());
            MultiGzDecoder::new(encoded).read_to_end(&mut another).unwrap();
        } else {
            let mut rest = encoded;
            let decoder = ::zstd::stream::read::Decoder::with_buffer(&mut rest).unwrap();
            decoder.single_frame().read_to_end(&mut one).unwrap();
            assert!(rest.is_empty(), "{} bytes follow the first frame", rest.len());
            // What browsers take.
            let mut browser = ::zstd::stream::read::Decoder::new(encoded).unwrap();
            browser.window_log_max(23).unwrap();
            browser.read_to_end(&mut another).unwrap();
        }
        [one, another]
    }

    fn assert_joined(prefix: &[u8], body: &[u8]) {
        let whole = [prefix, body].concat();
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let encoded = encoded(encoding, prefix, body);
            for read in decoded(encoding, &encoded) {
                assert!(
                    read == whole,
                    "{encoding:?}: a prefix of {} bytes before {}",
                    prefix.len(),
                    body.len()
                );
            }
        }
    }

    /// Bytes that repeat themselves now and then, and are no text.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_prefix_of_any_length_stands_before_a_body_of_any_length() {
        let rows = br#"{"id":1,"symbol":"BTC","price_usd":46018.8215},"#.repeat(8_000);
        let noise = noise(400_000);
        for prefix in [0, 1, 300, 1_023, 1_024, 1_025, 65_534, 65_535, 65_536, 131_073, 200_000] {
            for body in [0, 1, 7, 860, 1_025, 131_072, 370_000] {
                assert_joined(&noise[..prefix], &rows[..body]);
            }
            assert_joined(&rows[..prefix], &noise);
        }
        assert_joined(&rows, &rows);
    }

    #[test]
    fn a_damaged_body_is_noticed_by_its_checksum() {
        let mut damaged = encoded(Encoding::Gzip, b"prefix,", b"body");
        // The first byte of the prefix: behind the header of the file and that of the block.
        damaged[15] ^= 1;
        assert!(GzDecoder::new(&damaged[..]).read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn a_form_is_made_once() {
        let (forms, body) = (EncodedForms::default(), noise(5_000));
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let (first, made_bytes) = forms.behind(encoding, b"one", &body).unwrap();
            assert!(made_bytes > 0);
            let (second, made_again_bytes) = forms.behind(encoding, b"another", &body).unwrap();
            assert_eq!(made_again_bytes, 0);
            assert_eq!(first[1].as_ptr(), second[1].as_ptr());
        }
        assert!(forms.behind(Encoding::Brotli, b"", &body).is_none());
        assert!(forms.behind(Encoding::Identity, b"", &body).is_none());
    }

    proptest! {
        #[test]
        fn every_body_is_read_as_it_was_behind_its_prefix(
            prefix in prop::collection::vec(any::<u8>(), 0..3_000),
            alphabet in prop::collection::vec(any::<u8>(), 1..40),
            picks in prop::collection::vec((0..40_usize, 1..200_usize), 0..500),
        ) {
            let runs = picks.iter().map(|(pick, length)| {
                let start = pick % alphabet.len();
                alphabet.iter().cycle().skip(start).take(*length).copied()
            });
            assert_joined(&prefix, &runs.flatten().collect::<Vec<u8>>());
        }
    }
}
