//! Drift: the right rows, but as they would be after a change at the vendor.

mod body;
mod member;
mod read;
mod table;
mod value;

use std::sync::Arc;

pub(super) use read::read;

use crate::chance::further;
use crate::whole::Whole;

/// The changes of one rule, in order.
#[derive(Debug, Clone)]
pub(crate) struct Drift {
    changes: Arc<[Change]>,
    /// Decides, with a row's id, which rows of a share are meant.
    pub(super) salt: u64,
    /// The step at which the rule fired first.
    pub(super) since_step: u64,
}

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Rows as they were at a step, or at the one where the rule fired first.
    Freeze { step: Option<u64> },
    /// An answer without rows, with status 200.
    ErrorPage(ErrorPage),
    /// Only the first rows.
    TruncateRows { keep: f64 },
    /// One member of a share of the rows.
    Member { share: f64, member: Vec<String>, change: MemberChange },
}

/// What comes with status 200 in place of rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum ErrorPage {
    Html,
    Object,
}

/// What happens to a member; a row that has no such member stays as it is.
#[derive(Debug, Clone)]
pub(super) enum MemberChange {
    /// It has this name.
    Rename(String),
    /// It is gone.
    Remove,
    /// It is there, with this JSON text; a member that was there before stays.
    Add(String),
    /// It is another JSON text.
    Set(String),
    /// What it holds is of another type.
    Retype(Type),
    /// It is an object that holds what it held under this name.
    Nest(String),
    /// Its number is so many times as large.
    Unit(f64),
    /// Its number is one over what it was.
    Invert,
    /// Its number has so many significant digits.
    Digits(usize),
    /// Its number has so many digits after the point.
    Decimals(usize),
    /// Its instant is another one, or is written otherwise.
    Instant(Instant),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Type {
    Text,
    Number,
    Boolean,
    Array,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Instant {
    /// So many days later.
    Future { days: u64 },
    /// 1970-01-01.
    Epoch,
    /// A number of seconds.
    Seconds,
    /// A number of milliseconds.
    Milliseconds,
    /// The instant that its seconds are when they are taken for milliseconds.
    SecondsAsMilliseconds,
}

impl Drift {
    fn new(changes: Vec<Change>) -> Self {
        Self { changes: changes.into(), salt: 0, since_step: 0 }
    }

    /// The step whose rows are served at `step`.
    pub(crate) fn step(&self, step: u64) -> u64 {
        let frozen = self.changes.iter().find_map(|change| match change {
            Change::Freeze { step } => Some(step.unwrap_or(self.since_step)),
            _ => None,
        });
        frozen.unwrap_or(step)
    }

    /// What comes in place of rows, if anything does.
    pub(super) fn error_page(&self) -> Option<ErrorPage> {
        self.changes.iter().find_map(|change| match change {
            Change::ErrorPage(page) => Some(*page),
            _ => None,
        })
    }

    /// The body after the changes; `is_csv` tells how its rows are written.
    pub(crate) fn applied(&self, whole: Whole, is_csv: bool) -> Whole {
        let keep = self.changes.iter().find_map(|change| match change {
            Change::TruncateRows { keep } => Some(*keep),
            _ => None,
        });
        let whole = match keep {
            Some(keep) => body::first_rows(whole, keep),
            None => whole,
        };
        if !self.changes.iter().any(|change| matches!(change, Change::Member { .. })) {
            return whole;
        }
        if is_csv { table::applied(self, whole) } else { body::applied(self, whole) }
    }

    /// A row, which is the JSON text of an object, after the changes; `None` where none concerns it.
    fn row(&self, external_id: &str, row: &str) -> Option<String> {
        let drawn = external_id.bytes().fold(self.salt, |drawn, byte| further(drawn, byte.into()));
        let mut changed: Option<String> = None;
        for (number, change) in (0..).zip(self.changes.iter()) {
            let Change::Member { share, member, change } = change else {
                continue;
            };
            let bits = u32::try_from(further(drawn, number) >> 32).unwrap_or(u32::MAX);
            if f64::from(bits) / (f64::from(u32::MAX) + 1.0) >= *share {
                continue;
            }
            let before = changed.as_deref().unwrap_or(row);
            if let Some(after) = member::applied(before, member, change) {
                changed = Some(after);
            }
        }
        changed
    }
}
