//! A body that is held as a whole, because a fault changes it or breaks it off.

use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use bytes::Bytes;
use futures_util::Stream;

use crate::answer::Rows;
use crate::body::PIECE_BYTES;
use crate::connection::Connection;
use crate::ledger::Recorder;
use crate::replay::rows::{external_id, json_rows};

/// A body and where its rows are.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) body: Vec<u8>,
    pub(crate) rows: Vec<WholeRow>,
}

/// A row: where it is and what it is about.
#[derive(Debug)]
pub(crate) struct WholeRow {
    pub(crate) bytes: Range<usize>,
    pub(crate) external_id: String,
}

impl Whole {
    /// A body without rows.
    pub(crate) fn text(body: Vec<u8>) -> Self {
        Self { body, rows: Vec::new() }
    }

    /// A body whose rows are the elements of the array that it is, if it is one.
    pub(crate) fn json(body: Vec<u8>) -> Self {
        let rows = json_rows(&body, &[]);
        Self { body, rows }
    }

    /// A generated body, as far as its first `enough` bytes need.
    pub(crate) fn generated(mut rows: Rows, enough: usize) -> Self {
        let mut whole = Self::text(std::mem::take(&mut rows.prefix));
        let mut between = rows.lead;
        for subject in rows.subjects {
            whole.body.extend_from_slice(between.as_bytes());
            between = rows.separator;
            let start = whole.body.len();
            let mut external_id = String::new();
            (rows.write)(subject, &mut whole.body, &mut external_id);
            whole.rows.push(WholeRow { bytes: start..whole.body.len(), external_id });
            if whole.body.len() >= enough {
                return whole;
            }
        }
        whole.body.extend_from_slice(rows.suffix.as_bytes());
        whole
    }

    /// The first `bytes` of it, with the rows that are whole in them.
    pub(crate) fn truncated(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self.rows.retain(|row| row.bytes.end <= bytes);
        self
    }

    /// The body with every `find` replaced. A row is what then stands where it stood; a text that is
    /// replaced across its border counts to the row in which it began.
    pub(crate) fn replaced(self, find: &str, with: &str) -> Self {
        let mut body = Vec::with_capacity(self.body.len());
        // Where each replaced text ends, before and after.
        let mut ends: Vec<(usize, usize)> = Vec::new();
        let mut copied = 0;
        for at in memmem(&self.body, find.as_bytes()) {
            body.extend_from_slice(self.body.get(copied..at).unwrap_or_default());
            body.extend_from_slice(with.as_bytes());
            copied = at + find.len();
            ends.push((copied, body.len()));
        }
        body.extend_from_slice(self.body.get(copied..).unwrap_or_default());
        let new_place = |old: usize| {
            let before = ends.partition_point(|(end, _)| *end <= old);
            let (end, new_end) =
                before.checked_sub(1).and_then(|last| ends.get(last)).copied().unwrap_or((0, 0));
            let inside = ends.get(before).filter(|(end, _)| end - find.len() < old);
            inside.map_or(new_end + (old - end), |(_, new_end)| *new_end)
        };
        let rows = self.rows.into_iter().filter_map(|row| {
            let bytes = new_place(row.bytes.start)..new_place(row.bytes.end);
            let text = body.get(bytes.clone()).filter(|text| !text.is_empty())?;
            let stated = std::str::from_utf8(text).map(external_id).unwrap_or_default();
            let external_id =
                if stated.is_empty() { row.external_id.replace(find, with) } else { stated };
            Some(WholeRow { bytes, external_id })
        });
        let rows = rows.collect();
        Self { body, rows }
    }

    /// Sends it, and then breaks the connection off where one is given.
    pub(crate) fn send(self, recorder: Recorder, break_off: Option<Connection>) -> WholeStream {
        WholeStream {
            body: Bytes::from(self.body),
            sent: 0,
            rows: self.rows.into_iter(),
            recorder: Some(recorder),
            break_off,
        }
    }
}

/// Where `find` begins, from left to right, without overlaps.
fn memmem(body: &[u8], find: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = body
        .get(from..)
        .and_then(|rest| rest.windows(find.len().max(1)).position(|window| window == find))
    {
        found.push(from + at);
        from += at + find.len();
    }
    found
}

/// A whole body on its way.
#[derive(Debug)]
pub(crate) struct WholeStream {
    body: Bytes,
    sent: usize,
    rows: IntoIter<WholeRow>,
    recorder: Option<Recorder>,
    break_off: Option<Connection>,
}

impl Stream for WholeStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.sent < this.body.len() {
            let end = this.body.len().min(this.sent + PIECE_BYTES);
            if let Some(recorder) = &mut this.recorder {
                while let Some(row) = this.rows.as_slice().first() {
                    if row.bytes.end > end {
                        break;
                    }
                    let bytes = this.body.get(row.bytes.clone()).unwrap_or_default();
                    recorder.row(&row.external_id, bytes);
                    this.rows.next();
                }
            }
            let piece = this.body.slice(this.sent..end);
            this.sent = end;
            return Poll::Ready(Some(Ok(piece)));
        }
        let recorder = this.recorder.take();
        match &this.break_off {
            None => {
                if let Some(mut recorder) = recorder {
                    recorder.complete();
                }
                Poll::Ready(None)
            }
            Some(connection) => {
                // The line is there before the client can notice the end.
                drop(recorder);
                connection.break_off_when_sent();
                Poll::Pending
            }
        }
    }
}
