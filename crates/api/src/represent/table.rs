//! Rows as CSV and as lines of JSON.

use serde_json::value::RawValue;

use super::{Members, formulas};

/// The media type of CSV.
pub(crate) const CSV_TYPE: &str = "text/csv; charset=utf-8; header=present";
/// The media type of lines of JSON.
pub(crate) const NDJSON_TYPE: &str = "application/x-ndjson";

/// Rows, each a JSON object, as CSV with a line of names. What a spreadsheet would take for a formula gets an
/// apostrophe in front; numbers keep every digit and are no text; unknown is an empty cell; lists and objects
/// stand as JSON.
pub(crate) fn csv<S: AsRef<str>>(columns: &[&str], rows: impl IntoIterator<Item = S>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::with_capacity(4096));
    // Writing to memory cannot fail.
    let _ = writer.write_record(columns);
    for row in rows {
        let members = Members::of(row.as_ref());
        let cells = columns.iter().map(|column| {
            let value = members.0.iter().find(|(name, _)| name == column);
            value.map(|(_, value)| cell(value)).unwrap_or_default()
        });
        let _ = writer.write_record(cells);
    }
    writer.into_inner().unwrap_or_default()
}

fn cell(value: &RawValue) -> String {
    match value.get() {
        "null" => String::new(),
        json if json.starts_with('"') => {
            formulas::in_text(serde_json::from_str(json).unwrap_or_default())
        }
        json if json.starts_with(['[', '{']) => formulas::in_json(json),
        number => number.to_owned(),
    }
}

/// Rows, each a JSON object, one on each line.
pub(crate) fn ndjson<S: AsRef<str>>(rows: impl IntoIterator<Item = S>) -> Vec<u8> {
    let mut out = Vec::with_capacity(4096);
    for row in rows {
        out.extend_from_slice(row.as_ref().as_bytes());
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_row(row: &str) -> String {
        String::from_utf8(csv(&["a", "b"], [row])).unwrap()
    }

    #[test]
    fn d7_no_cell_is_a_formula_and_numbers_keep_their_digits() {
        let row = r#"{"b":-1.50e-18,"a":"=HYPERLINK(\"x\")"}"#;
        assert_eq!(one_row(row), "a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",-1.50e-18\r\n");
        for begin in ["+", "-", "@", "\\t", "\\r", "\u{ff1d}"] {
            let cells = one_row(&format!(r#"{{"a":"{begin}x","b":null}}"#));
            let cells = cells.strip_prefix("a,b\r\n").unwrap().trim_start_matches('"');
            assert!(cells.starts_with('\''), "{begin}: {cells:?}");
        }
    }

    #[test]
    fn d7_no_piece_of_a_line_is_a_formula_where_semicolons_separate_cells() {
        let line = one_row(r#"{"a":"x;=1; \"@y","b":[{"platform":"z;-1"}]}"#);
        for piece in line.lines().skip(1).flat_map(|line| line.split(';')) {
            let piece = piece.trim_start_matches([' ', '"']);
            assert!(!piece.starts_with(['=', '+', '-', '@']), "{piece:?} of {line}");
        }
        let text = r#"{"a":"-1.5","b":"-0.25e-3"}"#;
        assert_eq!(one_row(text), "a,b\r\n-1.5,-0.25e-3\r\n", "decimals that are texts");
    }

    #[test]
    fn cells_hold_whatever_a_name_holds() {
        let row = r#"{"a":"x, \"y\"\nz","b":[{"platform":"eth"}]}"#;
        let text = one_row(row);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = reader.records().next().unwrap().unwrap();
        assert_eq!(&cells[0], "x, \"y\"\nz");
        assert_eq!(&cells[1], r#"[{"platform":"eth"}]"#);
        assert_eq!(one_row("{}"), "a,b\r\n,\r\n");
    }

    #[test]
    fn each_line_is_a_document() {
        let lines = String::from_utf8(ndjson([r#"{"a":1}"#, r#"{"a":"x"}"#])).unwrap();
        assert_eq!(lines, "{\"a\":1}\n{\"a\":\"x\"}\n");
    }
}
