//! What was served: every row of every answer, so that a judge can account for each.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::{hex, push_json_text, push_u64};

/// One answer with rows, or one that a fault made or touched: a line of `GET /_sim/ledger`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Running number of the request, from 1.
    pub request: u64,
    /// Simulated time.
    pub at: Timestamp,
    /// Path asked for.
    pub path: String,
    /// Query string without the values of secrets.
    pub query: String,
    /// HTTP status; 0 where a fault broke the connection off before any.
    pub status: u16,
    /// True when the whole body was handed to the connection; false when the client left before or a fault
    /// broke it off.
    pub completed: bool,
    /// A short hash of the key that was sent; the key itself is never kept.
    pub key_id: Option<String>,
    /// The rows in order; of an answer that was not completed those that were written.
    pub rows: Vec<LedgerRow>,
}

/// One row as served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Place in the body, from 0.
    pub ordinal: u64,
    /// The id under which the vendor knows what the row is about.
    pub external_id: String,
    /// SHA-256 of the row's bytes in hexadecimal, without what stands between rows.
    pub sha256: String,
}

/// What is known of an answer before its rows are.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Head {
    pub(crate) request: u64,
    pub(crate) at: Timestamp,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) status: u16,
    pub(crate) completed: bool,
    pub(crate) key_id: Option<String>,
}

/// An entry as it is kept: about 60 bytes a row.
#[derive(Debug)]
pub(crate) struct Entry {
    head: Head,
    /// External ids one after the other, and where each ends.
    ids: String,
    id_ends: Vec<usize>,
    hashes: Vec<[u8; 32]>,
}

impl Entry {
    fn row(&self, place: usize) -> Option<(&str, &[u8; 32])> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.id_ends.get(before)?,
            None => 0,
        };
        let id = self.ids.get(start..*self.id_ends.get(place)?)?;
        Some((id, self.hashes.get(place)?))
    }

    fn to_public(&self) -> LedgerEntry {
        let Head { request, at, path, query, status, completed, key_id } = self.head.clone();
        let rows = (0_u64..)
            .zip((0..self.hashes.len()).map_while(|place| self.row(place)))
            .map(|(ordinal, (id, hash))| LedgerRow {
                ordinal,
                external_id: id.to_owned(),
                sha256: hex(hash),
            })
            .collect();
        LedgerEntry { request, at, path, query, status, completed, key_id, rows }
    }
}

/// The JSON line of an entry in pieces of some 64 KiB, because one line can be many megabytes.
#[derive(Debug)]
pub(crate) struct EntryText {
    entry: Arc<Entry>,
    next_row: usize,
    ended: bool,
}

impl EntryText {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self { entry, next_row: 0, ended: false }
    }
}

impl Iterator for EntryText {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES + 1024);
        if self.next_row == 0 {
            if let Err(error) = serde_json::to_writer(&mut out, &self.entry.head) {
                tracing::error!(%error, "a ledger entry could not be written as JSON");
            }
            // The head is an object; its rows are appended before it closes.
            out.pop();
            out.extend_from_slice(b",\"rows\":[");
        }
        while let Some((id, hash)) = self.entry.row(self.next_row) {
            if out.len() > PIECE_BYTES {
                return Some(out);
            }
            out.extend_from_slice(if self.next_row == 0 {
                b"{\"ordinal\":"
            } else {
                b",{\"ordinal\":"
            });
            push_u64(&mut out, self.next_row as u64);
            out.extend_from_slice(b",\"external_id\":");
            push_json_text(&mut out, id);
            out.extend_from_slice(b",\"sha256\":\"");
            out.extend_from_slice(hex(hash).as_bytes());
            out.extend_from_slice(b"\"}");
            self.next_row += 1;
        }
        self.ended = true;
        out.extend_from_slice(b"]}\n");
        Some(out)
    }
}

const PIECE_BYTES: usize = 64 * 1024;

/// The entries kept in memory, and the file that has them all.
#[derive(Debug)]
pub(crate) struct Ledger {
    rows_cap: usize,
    kept: Mutex<Kept>,
    file: Mutex<Option<File>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    rows: usize,
    dropped_entries: u64,
}

impl Ledger {
    pub(crate) fn new(rows_cap: usize) -> Self {
        Self { rows_cap, kept: Mutex::default(), file: Mutex::new(None) }
    }

    /// Begins to append to a file, unless it does already.
    pub(crate) fn append_to(&self, path: &Path) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(File::options().create(true).append(true).open(path)?);
        }
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entries in memory, oldest first, and how many were dropped before them.
    pub(crate) fn entries(&self) -> (Vec<Arc<Entry>>, u64) {
        let kept = self.kept();
        (kept.entries.iter().cloned().collect(), kept.dropped_entries)
    }

    pub(crate) fn to_public(&self) -> Vec<LedgerEntry> {
        self.entries().0.iter().map(|entry| entry.to_public()).collect()
    }

    fn record(&self, entry: Entry) {
        let entry = Arc::new(entry);
        self.write(&entry);
        let mut kept = self.kept();
        kept.rows += entry.hashes.len();
        kept.entries.push_back(entry);
        while kept.rows > self.rows_cap && kept.entries.len() > 1 {
            if let Some(oldest) = kept.entries.pop_front() {
                kept.rows -= oldest.hashes.len();
                kept.dropped_entries += 1;
            }
        }
    }

    /// Writes the line before the answer ends, so that whoever has the answer finds the line.
    fn write(&self, entry: &Arc<Entry>) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = file.as_mut() {
            let written =
                EntryText::new(Arc::clone(entry)).try_for_each(|piece| open.write_all(&piece));
            if let Err(error) = written {
                tracing::error!(%error, "the ledger file cannot be written any more; it is incomplete");
                *file = None;
            }
        }
    }
}

/// Takes down the rows of one answer while it is written; dropped early, it records that too.
#[derive(Debug)]
pub(crate) struct Recorder {
    ledger: Arc<Ledger>,
    entry: Option<Entry>,
}

impl Recorder {
    pub(crate) fn new(ledger: Arc<Ledger>, head: Head) -> Self {
        let entry = Entry { head, ids: String::new(), id_ends: Vec::new(), hashes: Vec::new() };
        Self { ledger, entry: Some(entry) }
    }

    pub(crate) fn row(&mut self, external_id: &str, bytes: &[u8]) {
        if let Some(entry) = &mut self.entry {
            entry.ids.push_str(external_id);
            entry.id_ends.push(entry.ids.len());
            entry.hashes.push(Sha256::digest(bytes).into());
        }
    }

    /// Everything was handed over.
    pub(crate) fn complete(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.head.completed = true;
        }
        self.close();
    }

    /// Leaves no line, whatever comes.
    pub(crate) fn forget(&mut self) {
        self.entry = None;
    }

    fn close(&mut self) {
        if let Some(mut entry) = self.entry.take() {
            entry.ids.shrink_to_fit();
            entry.id_ends.shrink_to_fit();
            entry.hashes.shrink_to_fit();
            self.ledger.record(entry);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: u64) -> Head {
        Head {
            request,
            at: Timestamp::EPOCH,
            path: "/v1/tickers".to_owned(),
            query: String::new(),
            status: 200,
            completed: false,
            key_id: None,
        }
    }

    fn serve(ledger: &Arc<Ledger>, request: u64, rows: usize, complete: bool) {
        let mut recorder = Recorder::new(Arc::clone(ledger), head(request));
        for row in 0..rows {
            recorder.row(&format!("coin \"{row}\""), &row.to_le_bytes());
        }
        if complete {
            recorder.complete();
        }
    }

    #[test]
    fn lines_in_pieces_are_the_entries() {
        let ledger = Arc::new(Ledger::new(10_000));
        serve(&ledger, 1, 3_000, true);
        serve(&ledger, 2, 0, true);
        serve(&ledger, 3, 1, false);
        let lines: Vec<u8> =
            ledger.entries().0.into_iter().flat_map(EntryText::new).flatten().collect();
        let read: Vec<LedgerEntry> = String::from_utf8(lines)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, ledger.to_public());
        let completed: Vec<bool> = read.iter().map(|entry| entry.completed).collect();
        assert_eq!(completed, [true, true, false]);
        assert_eq!(read[0].rows[2_999].external_id, "coin \"2999\"");
        assert_eq!(read[0].rows[2_999].ordinal, 2_999);
    }

    #[test]
    fn the_oldest_entries_make_room_and_are_counted() {
        let ledger = Arc::new(Ledger::new(10));
        for request in 1..=5 {
            serve(&ledger, request, 4, true);
        }
        let (entries, dropped) = ledger.entries();
        let requests: Vec<u64> = entries.iter().map(|entry| entry.head.request).collect();
        assert_eq!((requests, dropped), (vec![4, 5], 3));
        serve(&ledger, 6, 100, true);
        assert_eq!(ledger.to_public()[0].rows.len(), 100);
    }
}
