//! What is known of the pages of one endpoint.

use std::collections::BTreeMap;

use compact_str::CompactString;
use kasparro_domain::{DriftEvent, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::anchor::Kept;
use super::cadence::Cadence;
use super::learned::Learned;
use super::page::PageSample;
use super::{compare, frozen};

/// The form in which profiles are written. A profile in another form is learned anew.
const FORMAT: u32 = 1;

/// Totals of a walk that are remembered.
const TOTALS: usize = 10;

/// What was learned of the pages of one endpoint of one source; kept as JSON of at most 64 KiB.
///
/// The first page only teaches. Only pages that were believed are learned from, in the order in which
/// they were landed: the same pages give the same profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    format: u32,
    pub(super) endpoint: String,
    /// Pages with rows that were learned from.
    pub(super) pages: u64,
    /// Rows of these that were looked at.
    pub(super) rows: u64,
    pub(super) members: BTreeMap<CompactString, Learned>,
    /// Members whose values are remembered row by row, in the order of the values.
    pub(super) tracked: Vec<CompactString>,
    /// Mapped members by the bits of the masks of the rows.
    pub(super) masked: Vec<CompactString>,
    /// The usual move of each tracked member from page to page, in thousandths of a decade.
    pub(super) moves: Vec<Vec<i64>>,
    /// True when members were left out for their number: what is not known may still be old.
    pub(super) cut: bool,
    pub(super) anchors: BTreeMap<u32, Kept>,
    pub(super) cadence: Cadence,
    totals: BTreeMap<String, Vec<u64>>,
}

impl Profile {
    /// A profile that knows nothing yet of `endpoint`.
    #[must_use]
    pub fn new(endpoint: &str) -> Self {
        Self { format: FORMAT, endpoint: endpoint.to_owned(), ..Self::default() }
    }

    /// Reads a profile of `endpoint` from its JSON. One that cannot be read, or was written by another
    /// version in another form, is begun anew: it costs one page of learning, and no run.
    #[must_use]
    pub fn from_json(endpoint: &str, json: &Value) -> Self {
        Self::deserialize(json).ok().filter(|profile| profile.format == FORMAT).map_or_else(
            || Self::new(endpoint),
            |mut profile| {
                endpoint.clone_into(&mut profile.endpoint);
                profile
            },
        )
    }

    /// The profile as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        // Maps with text or number keys and finite numbers: there is nothing that JSON cannot say.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Length of its JSON in bytes.
    pub(super) fn json_bytes(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }

    /// Pages that were learned from.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// What has changed on a page against what was learned; always in the same order.
    #[must_use]
    pub fn compare(&self, page: &PageSample) -> Vec<DriftEvent> {
        compare::compare(self, page)
    }

    /// Notes that a page was fetched at `fetched_at` which equals one before byte for byte, and says
    /// when the endpoint has stood still for too long.
    pub fn same_bytes(&mut self, fetched_at: Timestamp) -> Option<DriftEvent> {
        let event = frozen::same_bytes(self, fetched_at);
        self.cadence.still(fetched_at);
        event
    }

    /// Rows that a whole walk of the kind `walk` usually has: the median of the last ten.
    #[must_use]
    pub fn usual_rows(&self, walk: &str) -> Option<u64> {
        let mut totals = self.totals.get(walk)?.clone();
        totals.sort_unstable();
        totals.get(totals.len() / 2).copied()
    }

    /// Notes that a walk of the kind `walk` had `rows` rows in all.
    pub fn note_rows(&mut self, walk: &str, rows: u64) {
        let totals = self.totals.entry(walk.to_owned()).or_default();
        totals.push(rows);
        if totals.len() > TOTALS {
            totals.remove(0);
        }
    }
}
