//! CSV with a header, whose columns may stand in any order.

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::super::{InputError, InputFile};

/// The rows of a CSV file.
pub(super) struct Table<'a> {
    file: &'a str,
    header: Vec<String>,
    rows: Vec<(u64, StringRecord)>,
}

/// One row.
pub(super) struct Row<'a> {
    table: &'a Table<'a>,
    /// Its line in the file, from 1.
    pub(super) line: u64,
    record: &'a StringRecord,
}

impl<'a> Table<'a> {
    /// Reads a file that must have these columns.
    pub(super) fn read(
        file: &InputFile<'a>,
        bytes: &[u8],
        columns: &[&str],
    ) -> Result<Self, InputError> {
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|error| unreadable(file.name, &error))?;
        let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
        for column in columns {
            if !header.iter().any(|known| known == column) {
                let found = header.join(",");
                let remedy = format!("begin the file with a header such as {}", columns.join(","));
                return Err(InputError::file(
                    file.name,
                    format!("the header `{found}` has no such column"),
                    remedy,
                )
                .at_line(1)
                .about(column));
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| unreadable(file.name, &error))?;
            rows.push((record.position().map_or(0, csv::Position::line), record));
        }
        Ok(Self { file: file.name, header, rows })
    }

    /// The rows in their order.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, record)| Row { table: self, line: *line, record })
    }
}

impl Row<'_> {
    /// A value; `None` where the column is absent or the value empty.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        let at = self.table.header.iter().position(|known| known == column)?;
        self.record.get(at).filter(|value| !value.is_empty())
    }

    /// An error about a value of this row.
    pub(super) fn wrong(&self, column: &str, problem: String, remedy: &str) -> InputError {
        InputError::file(self.table.file, problem, remedy).at_line(self.line).about(column)
    }

    /// A value that must be there.
    pub(super) fn need(&self, column: &str) -> Result<&str, InputError> {
        self.get(column).ok_or_else(|| {
            self.wrong(column, "the value is empty".to_owned(), "give one, or leave the row out")
        })
    }
}

fn unreadable(file: &str, error: &csv::Error) -> InputError {
    let line = error.position().map(csv::Position::line);
    let (problem, remedy) = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => (
            format!("the row has {len} values and the header {expected_len}"),
            "put a value that holds a comma in double quotes",
        ),
        ErrorKind::Utf8 { .. } => ("the row is not UTF-8".to_owned(), "save the file as UTF-8"),
        _ => (error.to_string(), "write the file as CSV with commas"),
    };
    let error = InputError::file(file, problem, remedy);
    match line {
        Some(line) => error.at_line(line),
        None => error,
    }
}
