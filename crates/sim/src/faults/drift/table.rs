//! Bodies whose rows are records of a delimited file: a record is changed as an object with a member for
//! each column, and what it then is decides the header.

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use serde_json::Value;

use super::Drift;
use super::member::Members;
use crate::whole::{Whole, WholeRow};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The file with every record changed; one that cannot be read stays as it is.
pub(super) fn applied(drift: &Drift, whole: Whole) -> Whole {
    match changed(drift, &whole) {
        Some(changed) => changed,
        None => {
            tracing::warn!(
                "a delimited file could not be read for its drift and is sent unchanged"
            );
            whole
        }
    }
}

fn changed(drift: &Drift, whole: &Whole) -> Option<Whole> {
    let text = std::str::from_utf8(&whole.body).ok()?;
    let (mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (BYTE_ORDER_MARK, rest),
        None => ("", text),
    };
    let line = text.lines().next()?;
    let count = |mark: u8| line.bytes().filter(|byte| *byte == mark).count();
    let delimiter = [b',', b';', b'\t', b'|'].into_iter().max_by_key(|mark| count(*mark))?;
    let line_end = if text.contains("\r\n") { Terminator::CRLF } else { Terminator::Any(b'\n') };
    let line_end_bytes = if text.contains("\r\n") { 2 } else { 1 };

    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().ok()?.iter().map(str::to_owned).collect();
    let mut columns: Vec<String> = Vec::new();
    let mut records: Vec<Members> = Vec::new();
    for (record, row) in reader.records().zip(&whole.rows) {
        let record = changed_record(drift, row, &header, &record.ok()?)?;
        for (name, _) in &record.0 {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        records.push(record);
    }
    let columns = if records.is_empty() { header } else { columns };

    let mut body = mark.as_bytes().to_vec();
    let mut write = |cells: &[String]| {
        let mut writer =
            WriterBuilder::new().delimiter(delimiter).terminator(line_end).from_writer(Vec::new());
        writer.write_record(cells).ok()?;
        let start = body.len();
        body.extend(writer.into_inner().ok()?);
        Some(start..body.len() - line_end_bytes)
    };
    write(&columns)?;
    let mut rows = Vec::with_capacity(records.len());
    for (record, row) in records.iter().zip(&whole.rows) {
        let of = |name: &String| record.0.iter().find(|(known, _)| known == name);
        let cells: Vec<String> = columns
            .iter()
            .map(|name| of(name).map_or_else(String::new, |(_, text)| cell(text)))
            .collect();
        rows.push(WholeRow { bytes: write(&cells)?, external_id: row.external_id.clone() });
    }
    Some(Whole { body, rows })
}

fn changed_record(
    drift: &Drift,
    row: &WholeRow,
    header: &[String],
    record: &StringRecord,
) -> Option<Members> {
    let quoted = |cell: &str| Value::from(cell).to_string();
    let cells = header.iter().zip(record).map(|(name, cell)| (name.clone(), quoted(cell)));
    let members = Members(cells.collect());
    match drift.row(&row.external_id, &members.write()) {
        Some(changed) => Members::read(&changed),
        None => Some(members),
    }
}

/// A JSON text as a cell: texts without their quotes, nothing for null.
fn cell(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::String(inner)) => inner,
        Ok(Value::Null) => String::new(),
        _ => text.to_owned(),
    }
}
