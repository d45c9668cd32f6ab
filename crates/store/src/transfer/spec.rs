//! How a table is described, whatever database it is in.

/// What a column holds, whatever its database calls that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// A whole number of at most 64 bits, with sign; hashes of 64 bits too.
    Integer,
    /// Yes or no.
    Flag,
    /// An instant in whole milliseconds, UTC.
    Instant,
    /// An instant until which something is held. A copy is held by nobody: it always travels as the
    /// epoch.
    Expiry,
    /// An exact decimal.
    Decimal,
    /// Text.
    Text,
    /// JSON, as the text that it was written with.
    Json,
    /// Bytes.
    Bytes,
    /// A UUID, which travels as its text: 36 characters, lower case.
    Uuid,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name, the same in every database.
    pub name: &'static str,
    /// What it holds.
    pub kind: CellKind,
}

/// One table.
#[derive(Debug, PartialEq, Eq)]
pub struct TableSpec {
    /// Its name, the same in every database.
    pub name: &'static str,
    /// Its primary key, by which its rows travel.
    pub key: &'static [&'static str],
    /// The column whose numbers the store mints, if any. None of them may be given a second time, also
    /// where the row that had it is gone.
    pub mints: Option<&'static str>,
    /// Every column that is not computed from others.
    pub columns: &'static [ColumnSpec],
}

impl TableSpec {
    /// The names of all columns, as a statement lists them.
    #[must_use]
    pub fn column_list(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| column.name).collect();
        names.join(", ")
    }

    /// The names of the key, as a statement lists them.
    #[must_use]
    pub fn key_list(&self) -> String {
        self.key.join(", ")
    }
}
