//! What is learned of one member.

use std::collections::BTreeMap;

use compact_str::CompactString;
use serde::{Deserialize, Serialize, Serializer};

use super::kind::{KINDS, Kind};
use super::limits::{FEW_VALUES, MEMORY_ROWS, RELAX};
use super::member::Member;

/// The range in which something was, which comes back to the present slowly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Range {
    #[serde(serialize_with = "short")]
    pub(super) low: f32,
    #[serde(serialize_with = "short")]
    pub(super) high: f32,
}

/// Writes a number as the double of the same few digits: widened it would have many more.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn short<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(number.to_string().parse().unwrap_or_else(|_| f64::from(*number)))
}

impl Range {
    pub(super) fn learn(range: &mut Option<Self>, value: f32) {
        // Three digits are enough, and keep the profile short.
        let value = (value * 1000.0).round() / 1000.0;
        let old = range.unwrap_or(Self { low: value, high: value });
        let toward = |edge: f32| ((edge + (value - edge) * RELAX) * 1000.0).round() / 1000.0;
        *range = Some(Self { low: toward(old.low).min(value), high: toward(old.high).max(value) });
    }

    pub(super) fn middle(self) -> f32 {
        f32::midpoint(self.low, self.high)
    }
}

/// One member over the pages that were believed; counts are of rows, and old ones weigh less.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Learned {
    /// Objects in which it could have been.
    #[serde(rename = "o")]
    pub(super) of: f64,
    /// Of these, how many had it.
    #[serde(rename = "p")]
    pub(super) present: f64,
    #[serde(rename = "k")]
    kinds: BTreeMap<Kind, f64>,
    /// The number of the page that had it last, and its day.
    #[serde(rename = "s")]
    pub(super) seen: (u64, i64),
    /// Shares of the rows of a page that had it.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub(super) presence: Option<Range>,
    /// Shares of the rows of a page without a value.
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    pub(super) empty: Option<Range>,
    /// Medians of the magnitudes of a page.
    #[serde(rename = "m", skip_serializing_if = "Option::is_none")]
    pub(super) medians: Option<Range>,
    /// Shares of the rows found again that lost their value.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub(super) lost: Option<Range>,
    /// Shares of unusable instants.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none")]
    pub(super) bad: Option<Range>,
    /// The different texts of a member that has few, with their rows.
    #[serde(rename = "t", skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) texts: BTreeMap<CompactString, f64>,
    /// True when there are many texts.
    #[serde(rename = "f", skip_serializing_if = "std::ops::Not::not")]
    pub(super) open: bool,
    /// True when the keys of its objects are data.
    #[serde(rename = "d", skip_serializing_if = "std::ops::Not::not")]
    pub(super) map: bool,
}

impl Learned {
    pub(super) fn kind(&self, kind: Kind) -> f64 {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    pub(super) fn kinds(&self) -> [f64; KINDS] {
        Kind::ALL.map(|kind| self.kind(kind))
    }

    /// Values that are neither null nor empty.
    pub(super) fn known(&self) -> f64 {
        self.kinds.iter().filter(|(kind, _)| kind.known()).map(|(_, count)| count).sum()
    }

    /// The kind most known values have, and their share.
    pub(super) fn usual(&self) -> Option<(Kind, f64)> {
        let (kind, count) = self
            .kinds
            .iter()
            .filter(|(kind, _)| kind.known())
            .max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some((*kind, count / self.known()))
    }

    /// Takes in what a page shows; `objects` is how many could have had it, also when none did.
    pub(super) fn learn(&mut self, member: Option<&Member>, objects: usize, at: (u64, i64)) {
        self.of += objects as f64;
        if let Some(member) = member {
            self.seen = at;
            self.present += member.present as f64;
            for kind in Kind::ALL {
                if member.kind(kind) > 0 {
                    *self.kinds.entry(kind).or_default() += member.kind(kind) as f64;
                }
            }
            self.map |= member.map;
            self.learn_texts(member);
        }
        let weight = MEMORY_ROWS / self.of.max(self.present);
        if weight < 1.0 {
            // One decimal keeps the profile short and forgets what is a thousandth of a page.
            let fade = |count: &mut f64| *count = (*count * weight * 10.0).round() / 10.0;
            fade(&mut self.of);
            fade(&mut self.present);
            self.kinds.values_mut().chain(self.texts.values_mut()).for_each(fade);
            self.kinds.retain(|_, count| *count > 0.0);
            self.texts.retain(|_, count| *count > 0.0);
        }
        if objects > 0 {
            let present = member.map_or(0, |member| member.present);
            let share = present as f64 / objects as f64;
            #[expect(clippy::cast_possible_truncation, reason = "a share")]
            let share = share as f32;
            // A page of a handful of rows says nothing about shares.
            if objects >= 5 {
                Range::learn(&mut self.presence, share);
            }
        }
    }

    fn learn_texts(&mut self, member: &Member) {
        self.open |= member.open;
        for (text, rows) in &member.texts {
            if !self.open {
                *self.texts.entry(text.clone()).or_default() += *rows as f64;
                self.open = self.texts.len() > FEW_VALUES;
            }
        }
        if self.open {
            self.texts.clear();
        }
    }

    /// Adds what another member has learned, as that of a map's other key.
    pub(super) fn absorb(&mut self, other: Self) {
        self.present += other.present;
        self.of = self.present;
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.seen = self.seen.max(other.seen);
        self.map |= other.map;
        self.open = true;
        self.texts.clear();
    }
}
