//! What one page shows of one member.

use std::collections::BTreeMap;

use compact_str::CompactString;
use kasparro_domain::{FieldRole, Timestamp};
use serde_json::Value;

use super::kind::{KINDS, Kind, Reading, ZERO, magnitude};
use super::limits::{FEW_VALUES, FRESH, VALUE_CHARS};
use crate::validate::{FIRST_BLOCK_MILLIS, MAX_AHEAD};

/// One member over the rows of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Member {
    /// Times it was there, null included.
    pub(super) present: usize,
    /// Objects in which it could have been; filled in when the page is complete.
    pub(super) of: usize,
    /// Times each kind was seen.
    pub(super) kinds: [usize; KINDS],
    /// Numbers that were zero.
    pub(super) zeros: usize,
    /// Decimal logarithms of the other numbers.
    pub(super) logs: Vec<f32>,
    /// Different short texts with their rows, while they are few.
    pub(super) texts: BTreeMap<CompactString, usize>,
    /// True when the texts are too many or too long to be the names of a state.
    pub(super) open: bool,
    /// Instants of about the time of the fetch, whatever the member is for.
    pub(super) fresh: usize,
    /// Instants in the future.
    pub(super) ahead: usize,
    /// Instants before there was anything to observe; the epoch, too.
    pub(super) ancient: usize,
    /// True when the keys of its objects are data.
    pub(super) map: bool,
}

impl Member {
    /// Counts one value.
    pub(super) fn count(
        &mut self,
        value: &Value,
        reading: &Reading,
        role: Option<FieldRole>,
        fetched_at: Timestamp,
    ) {
        self.present += 1;
        self.kinds[reading.kind as usize] += 1;
        if let Some(number) = reading.number {
            #[expect(clippy::cast_possible_truncation, reason = "four digits of it are enough")]
            let log = number.abs().log10() as f32;
            if magnitude(number) == ZERO { self.zeros += 1 } else { self.logs.push(log) }
        }
        if let Some(at) = reading.instant {
            let apart = at.since(fetched_at).max(fetched_at.since(at));
            self.fresh += usize::from(apart <= FRESH);
        }
        if role == Some(FieldRole::Instant) && reading.kind.known() {
            match reading.instant {
                Some(at) if at > fetched_at.plus(MAX_AHEAD) => self.ahead += 1,
                Some(at) if at.as_millis() < FIRST_BLOCK_MILLIS => self.ancient += 1,
                _ => {}
            }
        }
        if reading.kind == Kind::Text
            && !self.open
            && !matches!(role, Some(FieldRole::Id | FieldRole::Text))
            && let Value::String(text) = value
        {
            self.note(text, 1);
        }
    }

    fn note(&mut self, text: &str, rows: usize) {
        if let Some(seen) = self.texts.get_mut(text) {
            *seen += rows;
        } else if text.len() > VALUE_CHARS || self.texts.len() >= FEW_VALUES {
            self.open = true;
            self.texts.clear();
        } else {
            self.texts.insert(CompactString::from(text), rows);
        }
    }

    /// Adds what another member shows, as that of a map's other key.
    pub(super) fn absorb(&mut self, other: Self) {
        self.present += other.present;
        self.of = self.of.max(other.of);
        for (count, more) in self.kinds.iter_mut().zip(other.kinds) {
            *count += more;
        }
        self.zeros += other.zeros;
        self.logs.extend(other.logs);
        self.fresh += other.fresh;
        self.ahead += other.ahead;
        self.ancient += other.ancient;
        self.map |= other.map;
        self.open |= other.open;
        if self.open {
            self.texts.clear();
        } else {
            for (text, rows) in other.texts {
                if !self.open {
                    self.note(&text, rows);
                }
            }
        }
    }

    pub(super) fn kind(&self, kind: Kind) -> usize {
        self.kinds[kind as usize]
    }

    /// Values that are neither null nor empty.
    pub(super) fn known(&self) -> usize {
        Kind::ALL.into_iter().filter(|kind| kind.known()).map(|kind| self.kind(kind)).sum()
    }

    /// The kind most values have that are known, and how many do.
    pub(super) fn usual(&self) -> Option<(Kind, usize)> {
        Kind::ALL
            .into_iter()
            .filter(|kind| kind.known())
            .map(|kind| (kind, self.kind(kind)))
            .filter(|(_, count)| *count > 0)
            .max_by_key(|(_, count)| *count)
    }

    /// The median of the logarithms; `None` for fewer than `least`.
    pub(super) fn median(&self, least: usize) -> Option<f32> {
        let mut logs = self.logs.clone();
        if logs.is_empty() || logs.len() < least {
            return None;
        }
        let middle = logs.len() / 2;
        let (_, median, _) = logs.select_nth_unstable_by(middle, f32::total_cmp);
        Some(*median)
    }
}
