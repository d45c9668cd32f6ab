//! How often the values of an endpoint move.

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::limits::{FROZEN_FETCHES, FROZEN_GAPS, FROZEN_S, MOVES};

/// Pages of one run follow each other within this time, seconds: they are one fetch.
const ONE_FETCH_S: i64 = 60;
/// Times between two moves that are remembered.
const GAPS: usize = 10;

/// When the values of an endpoint moved, and how often they came again unchanged since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cadence {
    /// The member with the instant of the source, so that both ways to find a standstill name it.
    pub(super) pointer: String,
    /// True when rows carry instants of the source: only then is a standstill one of the source.
    pub(super) timed: bool,
    /// Seconds between moves, the last ones.
    gaps_s: Vec<i64>,
    /// When a page with moved values was fetched last, Unix seconds.
    moved_at: Option<i64>,
    /// Fetches since then that brought nothing new.
    still: u32,
    /// When the last of these was.
    still_at: i64,
}

impl Cadence {
    /// Notes a fetch whose values had moved.
    pub(super) fn moved(&mut self, at: Timestamp) {
        let at = at.as_millis() / 1000;
        if let Some(before) = self.moved_at.filter(|before| at - before >= ONE_FETCH_S) {
            self.gaps_s.push(at - before);
            if self.gaps_s.len() > GAPS {
                self.gaps_s.remove(0);
            }
        }
        self.moved_at = self.moved_at.max(Some(at));
        self.still = 0;
    }

    /// Notes a fetch that brought nothing new.
    pub(super) fn still(&mut self, at: Timestamp) {
        let at = at.as_millis() / 1000;
        if self.still == 0 || at - self.still_at >= ONE_FETCH_S {
            self.still = self.still.saturating_add(1);
            self.still_at = at;
        }
    }

    /// Seconds between two moves, usually.
    pub(super) fn usual_gap_s(&self) -> Option<i64> {
        let mut gaps = self.gaps_s.clone();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied()
    }

    /// True when a fetch at `at` that brings nothing new makes the standstill too long.
    pub(super) fn frozen(&self, at: Timestamp) -> bool {
        let (Some(moved_at), Some(gap_s)) = (self.moved_at, self.usual_gap_s()) else {
            return false;
        };
        let span_s = at.as_millis() / 1000 - moved_at;
        self.timed
            && self.gaps_s.len() >= MOVES
            && self.still + 1 >= FROZEN_FETCHES
            && span_s >= FROZEN_S.max(FROZEN_GAPS * gap_s)
    }
}
