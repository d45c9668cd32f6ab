//! Reading a capture and sending it, piece by piece as fast as the client reads.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::Stream;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Capture;
use super::rows::{CsvRows, RowsAt, json_rows};
use crate::body::PIECE_BYTES;
use crate::ledger::Recorder;
use crate::text::hex;
use crate::whole::Whole;

/// Pieces that wait for a slow client.
const PIECES_AHEAD: usize = 2;

/// The uncompressed bytes of a file.
fn open(file: &Path) -> io::Result<Box<dyn Read + Send>> {
    let open = BufReader::with_capacity(PIECE_BYTES, File::open(file)?);
    let compressed = file.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("gz"));
    Ok(if compressed { Box::new(MultiGzDecoder::new(open)) } else { Box::new(open) })
}

/// The next piece of a body, full unless it is the last; empty at the end.
fn next_piece(body: &mut dyn Read, piece: &mut Vec<u8>) -> io::Result<()> {
    piece.clear();
    body.take(PIECE_BYTES as u64).read_to_end(piece).map(drop)
}

/// The checksum of the uncompressed bytes, in hexadecimal.
pub(super) fn sha256(file: &Path) -> io::Result<String> {
    let mut body = open(file)?;
    let (mut digest, mut piece) = (Sha256::new(), Vec::new());
    loop {
        next_piece(&mut body, &mut piece)?;
        if piece.is_empty() {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&piece);
    }
}

/// What goes from the thread that reads the file to the connection.
enum Part {
    Piece(Bytes),
    /// Everything was read; who takes this has taken everything.
    End(Recorder),
    Failed(io::Error),
}

/// The body of an answer; its rows are in the ledger when it ends. Errors leave no line, as elsewhere.
pub(crate) fn send(
    capture: Arc<Capture>,
    mut recorder: Recorder,
) -> impl Stream<Item = io::Result<Bytes>> {
    if capture.is_error {
        recorder.forget();
    }
    let (sender, receiver) = channel(PIECES_AHEAD);
    tokio::task::spawn_blocking(move || {
        let last = match read(&capture, recorder, &sender) {
            Ok(recorder) => Part::End(recorder),
            Err(error) => {
                tracing::error!(file = %capture.file.display(), %error, "a capture ended early");
                Part::Failed(error)
            }
        };
        // A client that left needs to be told nothing.
        let _ = sender.blocking_send(last);
    });
    Body { parts: receiver, ended: false }
}

/// Sends the file and takes down its rows; a client that left ends it early.
fn read(capture: &Capture, mut recorder: Recorder, sender: &Sender<Part>) -> io::Result<Recorder> {
    let mut body = open(&capture.file)?;
    if let RowsAt::Json(keys) = &capture.rows {
        // The elements of an array are found by a parser that wants all of it; such bodies are some
        // megabytes, the files that are larger than memory are CSV.
        let mut whole = Vec::new();
        body.read_to_end(&mut whole)?;
        let whole = Bytes::from(whole);
        let mut rows = json_rows(&whole, keys).into_iter().peekable();
        for start in (0..whole.len()).step_by(PIECE_BYTES) {
            let end = whole.len().min(start + PIECE_BYTES);
            while let Some(row) = rows.next_if(|row| row.bytes.end <= end) {
                recorder.row(&row.external_id, whole.get(row.bytes).unwrap_or_default());
            }
            if sender.blocking_send(Part::Piece(whole.slice(start..end))).is_err() {
                break;
            }
        }
        return Ok(recorder);
    }
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    next_piece(&mut body, &mut piece)?;
    let mut rows = (capture.rows == RowsAt::Csv).then(|| CsvRows::new(&piece));
    while !piece.is_empty() {
        if let Some(rows) = &mut rows {
            rows.feed(&piece, &mut recorder);
        }
        if sender.blocking_send(Part::Piece(Bytes::copy_from_slice(&piece))).is_err() {
            return Ok(recorder);
        }
        next_piece(&mut body, &mut piece)?;
    }
    if let Some(rows) = rows {
        rows.finish(&mut recorder);
    }
    Ok(recorder)
}

/// A capture as a whole, as far as its first `enough` bytes need.
pub(crate) fn whole(capture: &Capture, enough: usize) -> io::Result<Whole> {
    let mut file = open(&capture.file)?;
    let mut whole = Whole::text(Vec::new());
    if let (RowsAt::Csv, false) = (&capture.rows, capture.is_error) {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        next_piece(&mut file, &mut piece)?;
        let mut rows = CsvRows::new(&piece);
        while !piece.is_empty() && whole.body.len() < enough {
            rows.feed(&piece, &mut whole.rows);
            whole.body.extend_from_slice(&piece);
            next_piece(&mut file, &mut piece)?;
        }
        if piece.is_empty() {
            rows.finish(&mut whole.rows);
        }
        return Ok(whole);
    }
    file.read_to_end(&mut whole.body)?;
    if let (RowsAt::Json(keys), false) = (&capture.rows, capture.is_error) {
        whole.rows = json_rows(&whole.body, keys);
    }
    Ok(whole)
}

struct Body {
    parts: Receiver<Part>,
    ended: bool,
}

impl Stream for Body {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = self.get_mut();
        if body.ended {
            return Poll::Ready(None);
        }
        let part = std::task::ready!(body.parts.poll_recv(context));
        if let Some(Part::Piece(piece)) = part {
            return Poll::Ready(Some(Ok(piece)));
        }
        body.ended = true;
        Poll::Ready(match part {
            Some(Part::End(mut recorder)) => {
                recorder.complete();
                None
            }
            Some(Part::Failed(error)) => Some(Err(error)),
            _ => Some(Err(io::Error::other("the reader of a capture stopped"))),
        })
    }
}
