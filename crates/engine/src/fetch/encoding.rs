//! Undoing the encoding of a body while it arrives, with what comes out counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_compression::tokio::bufread::{
    BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder,
};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use kasparro_extract::PageError;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::errors::{TRANSFER_FAILED, body_too_large, bomb, transport};
use crate::body::BodyWriter;
use crate::land::spool_failed;

/// What upstreams are told that we undo.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// How much longer than what arrived a body may be. Pages of prices shrink to a fifth or a thirtieth; a
/// thousandth is what zeros shrink to, sent to fill memory.
pub(super) const MAX_RATIO: u64 = 200;

/// Decompressed bytes below which the ratio does not matter: a short body of equal rows may shrink more,
/// and can do no harm.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// The most bytes that so many may unpack to.
pub(crate) fn most_unpacked(arrived_bytes: u64) -> u64 {
    arrived_bytes.saturating_mul(MAX_RATIO).max(RATIO_FREE_BYTES)
}

/// The largest window of zstd, as a power of two: 8 MiB, the most that senders may use (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Bytes that are taken out of a decoder at a time.
const PIECE_BYTES: usize = 1 << 16;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Brotli,
    Zstd,
    Deflate,
}

impl Encoding {
    /// The encoding that headers state.
    ///
    /// # Errors
    /// What they state, where it is unknown or more than one.
    fn of(headers: &HeaderMap) -> Result<Self, String> {
        let stated = headers.get_all(CONTENT_ENCODING).into_iter();
        let stated = stated.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        let stated: Vec<String> = stated
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
            .filter(|name| !["", "identity"].contains(&name.as_str()))
            .collect();
        match stated.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Ok(Self::Plain),
            ["gzip" | "x-gzip"] => Ok(Self::Gzip),
            ["br"] => Ok(Self::Brotli),
            ["zstd"] => Ok(Self::Zstd),
            ["deflate"] => Ok(Self::Deflate),
            _ => Err(shown(&stated.join(", "))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
        }
    }

    /// False where the first bytes of a body show that it is not so encoded. Not every encoding begins
    /// with something that tells.
    fn may_begin(self, first: &[u8]) -> bool {
        let begins = |magic: &[u8]| magic.iter().zip(first).all(|(wanted, found)| wanted == found);
        match self {
            Self::Gzip => begins(&[0x1f, 0x8b]),
            // A frame, or one that is skipped.
            Self::Zstd => begins(&[0x28, 0xb5, 0x2f, 0xfd]) || first.starts_with(&[0x50]),
            _ => true,
        }
    }
}

/// The stated encoding as an error may show it: short, and on one line.
fn shown(stated: &str) -> String {
    stated.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(60).collect()
}

/// Takes a body in, decompressed; says how many bytes of it arrived.
///
/// # Errors
/// [`PageError`] to stop where it is too long, or unpacks to far more than arrived, or is encoded in a way
/// that was not asked for; to try again where it broke off or is damaged.
pub(super) async fn take_in(
    response: Response,
    origin: &str,
    max_body_bytes: u64,
    mut writer: BodyWriter,
) -> Result<(BodyWriter, u64), PageError> {
    let encoding = Encoding::of(response.headers()).map_err(|stated| {
        let message = format!("{origin}: the answer is encoded with {stated}");
        let hint =
            format!("one encoding of {ACCEPTED} is understood; ask the upstream to send one");
        PageError::stop("encoding_unknown", message, hint)
    })?;
    let arrived = Arc::new(AtomicU64::new(0));
    let mut source = counted(response, &arrived);
    let intake = Intake { origin, encoding, max_body_bytes, arrived };
    let first = source.fill_buf().await.map_err(|error| intake.failed(error))?;
    if first.is_empty() {
        return Ok((writer, 0));
    }
    if !encoding.may_begin(first) {
        return Err(intake.wrong());
    }
    // Both forms are sent under the name: with the header of zlib, as it is written, and without.
    let zlib = first.first().is_some_and(|byte| byte & 0x0f == 8 && byte >> 4 <= 7);
    {
        let mut decoder: Pin<Box<dyn AsyncRead + Send + '_>> = match encoding {
            Encoding::Plain => Box::pin(&mut source),
            Encoding::Gzip => {
                let mut decoder = GzipDecoder::new(&mut source);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Encoding::Zstd => {
                let window = [DParameter::window_log_max(ZSTD_WINDOW_LOG)];
                let mut decoder = ZstdDecoder::with_params(&mut source, &window);
                decoder.multiple_members(true);
                Box::pin(decoder)
            }
            Encoding::Brotli => Box::pin(BrotliDecoder::new(&mut source)),
            Encoding::Deflate if zlib => Box::pin(ZlibDecoder::new(&mut source)),
            Encoding::Deflate => Box::pin(DeflateDecoder::new(&mut source)),
        };
        intake.pump(decoder.as_mut(), &mut writer).await?;
    }
    // What stands behind the end is no part of the body, so the body may not be the whole one.
    match source.fill_buf().await {
        Ok([]) => Ok((writer, intake.arrived.load(Ordering::Relaxed))),
        Ok(_) => Err(intake.damaged("bytes follow its end")),
        Err(error) => Err(intake.failed(error)),
    }
}

/// The bytes of an answer as they arrive, counted.
fn counted(
    response: Response,
    arrived: &Arc<AtomicU64>,
) -> StreamReader<BoxStream<'static, io::Result<Bytes>>, Bytes> {
    let arrived = Arc::clone(arrived);
    let pieces = response.bytes_stream().map_err(io::Error::other).inspect_ok(move |piece| {
        arrived.fetch_add(piece.len() as u64, Ordering::Relaxed);
    });
    StreamReader::new(pieces.boxed())
}

/// One body on its way in.
struct Intake<'a> {
    origin: &'a str,
    encoding: Encoding,
    max_body_bytes: u64,
    arrived: Arc<AtomicU64>,
}

impl Intake<'_> {
    async fn pump(
        &self,
        mut decoder: Pin<&mut (dyn AsyncRead + Send)>,
        writer: &mut BodyWriter,
    ) -> Result<(), PageError> {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = decoder.read(&mut piece).await.map_err(|error| self.failed(error))?;
            let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
                return Ok(());
            };
            writer.write(read).map_err(|error| spool_failed(&error))?;
            if writer.bytes() > self.max_body_bytes {
                return Err(body_too_large(self.origin, self.max_body_bytes));
            }
            if writer.bytes() > most_unpacked(self.arrived.load(Ordering::Relaxed)) {
                return Err(bomb(&format!("{}: the body", self.origin)));
            }
        }
    }

    /// A failure of the connection, which the decoders hand on as it is, or of a decoder.
    fn failed(&self, error: io::Error) -> PageError {
        if !error.get_ref().is_some_and(|inner| inner.is::<reqwest::Error>()) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
                _ => self.damaged(&shown(&error.to_string())),
            };
        }
        match error.into_inner().map(|inner| inner.downcast::<reqwest::Error>()) {
            Some(Ok(error)) => transport(self.origin, *error),
            _ => self.damaged("it broke off"),
        }
    }

    fn damaged(&self, what: &str) -> PageError {
        let name = self.encoding.name();
        let message = format!("{}: the {name} body is damaged: {what}", self.origin);
        PageError::retry(TRANSFER_FAILED, message, "the schedule asks again")
    }

    fn wrong(&self) -> PageError {
        let name = self.encoding.name();
        let message = format!("{}: the answer says that it is {name}, and it is not", self.origin);
        let hint =
            "something between here and the upstream may have unpacked it; the schedule asks again";
        PageError::retry("encoding_wrong", message, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn stated(values: &[&'static str]) -> Result<Encoding, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        Encoding::of(&headers)
    }

    #[test]
    fn n8_one_encoding_is_understood_and_nested_or_unknown_ones_are_named() {
        assert_eq!(stated(&[]), Ok(Encoding::Plain));
        assert_eq!(stated(&["identity"]), Ok(Encoding::Plain));
        assert_eq!(stated(&["GZIP"]), Ok(Encoding::Gzip));
        assert_eq!(stated(&["x-gzip"]), Ok(Encoding::Gzip));
        assert_eq!(stated(&["identity, br"]), Ok(Encoding::Brotli));
        assert_eq!(stated(&["zstd"]), Ok(Encoding::Zstd));
        assert_eq!(stated(&["deflate"]), Ok(Encoding::Deflate));
        assert_eq!(stated(&["gzip, gzip"]), Err("gzip, gzip".to_owned()));
        assert_eq!(stated(&["gzip", "br"]), Err("gzip, br".to_owned()));
        assert_eq!(stated(&["compress"]), Err("compress".to_owned()));
    }
}
