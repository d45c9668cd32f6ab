//! Where the rows of a captured body are.

use std::collections::BTreeMap;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::ledger::Recorder;
use crate::whole::WholeRow;

/// Where a body has its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowsAt {
    /// The elements of a JSON array below these keys.
    Json(Vec<String>),
    /// The records after the header.
    Csv,
    /// Nothing in it is a row.
    Nowhere,
}

impl RowsAt {
    /// From the manifest's `shape`: `array`, `object.KEY`, `object`.
    pub(super) fn shape(shape: &str) -> Self {
        match shape.split_once('.') {
            None if shape.is_empty() || shape == "array" => Self::Json(Vec::new()),
            Some(("object", keys)) => Self::Json(keys.split('.').map(str::to_owned).collect()),
            _ => Self::Nowhere,
        }
    }
}

/// The elements of the array below `keys`; none in a body that has no such array.
pub(crate) fn json_rows(body: &[u8], keys: &[String]) -> Vec<WholeRow> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    let found = keys.iter().try_fold(text, |inner, key| {
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(inner).ok()?;
        fields.remove(key).map(RawValue::get)
    });
    let elements = found.and_then(|array| serde_json::from_str::<Vec<&RawValue>>(array).ok());
    let row = |element: &RawValue| {
        let start = element.get().as_ptr().addr().checked_sub(body.as_ptr().addr())?;
        let bytes = start..start.checked_add(element.get().len())?;
        Some(WholeRow { bytes, external_id: external_id(element.get()) })
    };
    elements.unwrap_or_default().into_iter().filter_map(row).collect()
}

/// The `id` of an object, and a text as itself.
pub(crate) fn external_id(element: &str) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(serde_json::Number),
    }
    #[derive(Deserialize)]
    struct Subject {
        id: Id,
    }
    if let Ok(text) = serde_json::from_str::<String>(element) {
        return text;
    }
    match serde_json::from_str(element).map(|Subject { id }| id) {
        Ok(Id::Text(id)) => id,
        Ok(Id::Number(id)) => id.to_string(),
        Err(_) => String::new(),
    }
}

/// Columns that say what a record is about, best first, in small letters and digits.
const ID_COLUMNS: [&str; 5] = ["id", "coinid", "slug", "symbol", "ticker"];

/// Who is told of rows as they are found.
pub(super) trait RowSink {
    /// A row with what it is about, where it begins in the body, and its bytes.
    fn row(&mut self, external_id: &str, start: usize, bytes: &[u8]);
}

impl RowSink for Recorder {
    fn row(&mut self, external_id: &str, _: usize, bytes: &[u8]) {
        self.row(external_id, bytes);
    }
}

impl RowSink for Vec<WholeRow> {
    fn row(&mut self, external_id: &str, start: usize, bytes: &[u8]) {
        let bytes = start..start + bytes.len();
        self.push(WholeRow { bytes, external_id: external_id.to_owned() });
    }
}

/// Finds the records of a CSV body that comes in pieces; holds one record at a time.
#[derive(Debug)]
pub(super) struct CsvRows {
    reader: Reader,
    /// The record so far as it stands in the file.
    raw: Vec<u8>,
    /// Where in the body it begins.
    start: usize,
    /// Its fields so far, and where each ends.
    fields: Vec<u8>,
    fields_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// The header was read, and has this column for the id.
    header: Option<Option<usize>>,
}

impl CsvRows {
    /// For a body that begins with `first`, from which the delimiter is told.
    pub(super) fn new(first: &[u8]) -> Self {
        let line = first.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
        let delimiter = [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|byte| count(*byte));
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter.unwrap_or(b',')).build(),
            raw: Vec::new(),
            start: 0,
            fields: vec![0; 1024],
            fields_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
            header: None,
        }
    }

    /// Takes down the records that end in the next piece.
    pub(super) fn feed(&mut self, mut piece: &[u8], sink: &mut impl RowSink) {
        while !piece.is_empty() {
            let (_, read) = self.read(piece, sink);
            piece = piece.get(read..).unwrap_or_default();
        }
    }

    /// Takes down a last record without a line end.
    pub(super) fn finish(mut self, sink: &mut impl RowSink) {
        while self.read(&[], sink).0 != ReadRecordResult::End {}
    }

    fn read(&mut self, piece: &[u8], sink: &mut impl RowSink) -> (ReadRecordResult, usize) {
        let fields = self.fields.get_mut(self.fields_len..).unwrap_or_default();
        let ends = self.ends.get_mut(self.ends_len..).unwrap_or_default();
        let (result, read, written, ended) = self.reader.read_record(piece, fields, ends);
        self.raw.extend_from_slice(piece.get(..read).unwrap_or_default());
        self.fields_len += written;
        self.ends_len += ended;
        match result {
            ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
            ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
            ReadRecordResult::Record => {
                self.record(sink);
                self.start += self.raw.len();
                self.raw.clear();
                (self.fields_len, self.ends_len) = (0, 0);
            }
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
        }
        (result, read)
    }

    fn record(&mut self, sink: &mut impl RowSink) {
        match self.header {
            None => self.header = Some(self.id_column()),
            Some(column) => {
                let id = column.and_then(|column| self.field(column)).unwrap_or_default();
                let (before, own) = without_line_ends(&self.raw);
                sink.row(&String::from_utf8_lossy(id), self.start + before, own);
            }
        }
    }

    fn field(&self, place: usize) -> Option<&[u8]> {
        let ends = self.ends.get(..self.ends_len)?;
        let start = place.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied())?;
        self.fields.get(start..*ends.get(place)?)
    }

    fn id_column(&self) -> Option<usize> {
        let names: Vec<String> = (0..self.ends_len)
            .map(|place| {
                let name = String::from_utf8_lossy(self.field(place).unwrap_or_default());
                let kept = name.chars().filter(char::is_ascii_alphanumeric);
                kept.map(|letter| letter.to_ascii_lowercase()).collect()
            })
            .collect();
        ID_COLUMNS.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
    }
}

/// How many line ends stand before a record, and its own bytes: the reader takes those around it along.
fn without_line_ends(raw: &[u8]) -> (usize, &[u8]) {
    let is_own = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let start = raw.iter().position(is_own).unwrap_or(raw.len());
    let end = raw.iter().rposition(is_own).map_or(start, |last| last + 1);
    (start, raw.get(start..end).unwrap_or_default())
}
