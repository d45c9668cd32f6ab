//! What travels: tables in their order, their rows in pieces, and a word at the end.

use compact_str::CompactString;
use kasparro_domain::{Decimal, Timestamp};

use super::spec::{CellKind, TableSpec};
use super::tables::TABLES;
use crate::{StoreError, StoreResult};

/// Bytes at which a piece of rows is sent. The bytes of a row may come on top: at most a chunk of a body.
pub const PIECE_BYTES: usize = 4 << 20;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// No value.
    Null,
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// An instant.
    Instant(Timestamp),
    /// An exact decimal.
    Decimal(Decimal),
    /// Text, JSON or a UUID.
    Text(CompactString),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    /// How many bytes it takes in memory.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Text(text) if text.is_heap_allocated() => text.len(),
                Self::Decimal(decimal) => decimal.as_str().len().saturating_sub(24),
                Self::Bytes(bytes) => bytes.len(),
                _ => 0,
            }
    }
}

/// Rows of one table, in the order of its key.
#[derive(Debug)]
pub struct Rows {
    table: &'static TableSpec,
    cells: Vec<Cell>,
    bytes: usize,
}

impl Rows {
    /// No rows yet.
    #[must_use]
    pub const fn of(table: &'static TableSpec) -> Self {
        Self { table, cells: Vec::new(), bytes: 0 }
    }

    /// The table.
    #[must_use]
    pub const fn table(&self) -> &'static TableSpec {
        self.table
    }

    /// Adds the next value of the row that is begun, or the first one of a new row.
    pub fn push(&mut self, cell: Cell) {
        let column = self.cells.len().checked_rem(self.table.columns.len()).unwrap_or(0);
        let kind = self.table.columns.get(column).map(|column| column.kind);
        let ended = kind == Some(CellKind::Expiry) && cell != Cell::Null;
        let cell = if ended { Cell::Instant(Timestamp::EPOCH) } else { cell };
        self.bytes += cell.bytes();
        self.cells.push(cell);
    }

    /// True once it is time to send it and to begin another piece.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes >= PIECE_BYTES
    }

    /// True without any row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        let rows = self.cells.len().checked_div(self.table.columns.len()).unwrap_or(0);
        u64::try_from(rows).unwrap_or(u64::MAX)
    }

    /// How many bytes it takes in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    /// The rows, each with a value for every column.
    pub fn iter(&self) -> impl Iterator<Item = &[Cell]> {
        self.cells.chunks_exact(self.table.columns.len().max(1))
    }
}

/// A part of a store on its way into another one.
#[derive(Debug)]
pub enum Piece {
    /// The next table begins.
    Table {
        /// Which one.
        table: &'static TableSpec,
        /// How many rows it has.
        rows: u64,
        /// The largest number that its store ever minted for it, where it mints one.
        minted: Option<i64>,
    },
    /// Rows of the table that was begun.
    Rows(Rows),
    /// That was everything. A sender that goes away without this has failed.
    End,
}

/// Makes sure that everything arrived that was announced, before it is made durable.
#[derive(Debug, Default)]
pub struct Arrival {
    tables: usize,
    missing: u64,
    ended: bool,
}

impl Arrival {
    /// Looks at the next piece.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for one that does not belong here: what was read cannot be trusted.
    pub fn see(&mut self, piece: &Piece) -> StoreResult<()> {
        match piece {
            Piece::Table { table, rows, .. } => {
                self.complete()?;
                if TABLES.get(self.tables) != Some(*table) {
                    return wrong(format!("table {} came out of its order", table.name));
                }
                self.tables += 1;
                self.missing = *rows;
            }
            Piece::Rows(rows) => {
                let open = self.tables.checked_sub(1).and_then(|index| TABLES.get(index));
                if open != Some(rows.table)
                    || rows.cells.len() % rows.table.columns.len().max(1) != 0
                {
                    return wrong(format!("rows of {} came out of their order", rows.table.name));
                }
                let Some(missing) = self.missing.checked_sub(rows.len()) else {
                    return wrong(format!("{} has more rows than it said", rows.table.name));
                };
                self.missing = missing;
            }
            Piece::End => {
                self.complete()?;
                if self.tables != TABLES.len() {
                    return wrong(format!("{} tables of {} came", self.tables, TABLES.len()));
                }
                self.ended = true;
            }
        }
        Ok(())
    }

    fn complete(&self) -> StoreResult<()> {
        if self.missing == 0 {
            return Ok(());
        }
        let name = self.tables.checked_sub(1).and_then(|index| TABLES.get(index));
        let name = name.map_or("", |table| table.name);
        wrong(format!("{} rows of {name} did not come", self.missing))
    }

    /// The last word: whether the sender said that it was done.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it went away before.
    pub fn ended(&self) -> StoreResult<()> {
        if self.ended {
            return Ok(());
        }
        Err(StoreError::Unavailable("the store that was copied went away in between".to_owned()))
    }
}

fn wrong<T>(what: String) -> StoreResult<T> {
    Err(StoreError::Corrupt(format!("the copy is not what was announced: {what}")))
}
