//! Generated bodies, written while they are sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use crate::answer::Rows;
use crate::ledger::Recorder;

/// The size at which a piece of a body is handed over.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// A body that is written piece by piece as fast as the client reads.
pub(crate) struct RowStream {
    rows: Rows,
    recorder: Recorder,
    state: Position,
    external_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Start,
    First,
    Later,
    End,
}

impl RowStream {
    pub(crate) fn new(rows: Rows, recorder: Recorder) -> Self {
        Self { rows, recorder, state: Position::Start, external_id: String::new() }
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let mut out = Vec::with_capacity(PIECE_BYTES + 4096);
        if self.state == Position::Start {
            out.append(&mut self.rows.prefix);
            self.state = Position::First;
        }
        while self.state != Position::End && out.len() < PIECE_BYTES {
            let Some(subject) = self.rows.subjects.next() else {
                out.extend_from_slice(self.rows.suffix.as_bytes());
                self.state = Position::End;
                break;
            };
            let between =
                if self.state == Position::First { self.rows.lead } else { self.rows.separator };
            self.state = Position::Later;
            out.extend_from_slice(between.as_bytes());
            let start = out.len();
            self.external_id.clear();
            (self.rows.write)(subject, &mut out, &mut self.external_id);
            self.recorder.row(&self.external_id, out.get(start..).unwrap_or_default());
        }
        if out.is_empty() {
            self.recorder.complete();
            return None;
        }
        Some(Bytes::from(out))
    }
}

impl Stream for RowStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().next_piece().map(Ok))
    }
}
