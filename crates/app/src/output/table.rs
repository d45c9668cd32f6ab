//! Tables for people.

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, TableStyle, presets};
use kasparro_domain::{DriftSeverity, RunStatus};

use super::one_line;

/// One line below the headings and nothing else, so that rows are easy to copy and to cut.
const STYLE: TableStyle =
    presets::NOTHING.header_separator(LineStyle::none().fill('\u{2500}').junction('\u{2500}'));

/// A table that is built row by row.
#[derive(Debug)]
pub(crate) struct Table {
    table: comfy_table::Table,
    colour: bool,
}

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new(headings: &[&str], colour: bool) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(headings.iter().map(Cell::new));
        if colour {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        Self { table, colour }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.table.add_row(cells);
    }

    /// The table as text.
    pub(crate) fn text(&self) -> String {
        self.table.trim_fmt()
    }

    /// A cell of text.
    pub(crate) fn words(text: &str) -> Cell {
        Cell::new(one_line(text))
    }

    /// A cell of a number, to the right.
    pub(crate) fn number(number: impl std::fmt::Display) -> Cell {
        Cell::new(number).set_alignment(CellAlignment::Right)
    }

    /// A cell of a severity, coloured by how bad it is.
    pub(crate) fn severity(&self, severity: DriftSeverity) -> Cell {
        let cell = Cell::new(severity.name());
        match severity {
            DriftSeverity::Breaking if self.colour => cell.fg(Color::Red),
            DriftSeverity::Warning if self.colour => cell.fg(Color::Yellow),
            _ => cell,
        }
    }

    /// A cell of a status, coloured by how good it is.
    pub(crate) fn status(&self, status: &str) -> Cell {
        let cell = Cell::new(one_line(status));
        if !self.colour {
            return cell;
        }
        match RunStatus::from_name(status) {
            Some(RunStatus::Success) => cell.fg(Color::Green),
            Some(RunStatus::Partial) => cell.fg(Color::Yellow),
            Some(RunStatus::Failed | RunStatus::Abandoned) => cell.fg(Color::Red),
            Some(RunStatus::Running | RunStatus::Queued) | None => cell,
        }
    }
}
