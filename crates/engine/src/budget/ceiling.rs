//! What an upstream was heard to allow in one window, by refusals and by headers.

use std::time::Duration;

use kasparro_domain::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a refusal is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);
/// Quiet windows in which the allowance comes back from half of a ceiling to the whole of it.
const STEPS: u32 = 10;

/// The ceiling of one window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ceiling {
    /// The limit that the upstream stated last.
    stated: Option<u32>,
    learned: Option<Learned>,
}

/// A ceiling that a refusal taught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Learned {
    /// Never more than this.
    most: u32,
    at: Timestamp,
    /// Requests that had been granted by then: those among them that are refused later teach nothing
    /// new.
    asked: u64,
    /// The limit that the upstream stated at that time, which was not the truth.
    stated_then: Option<u32>,
}

impl Ceiling {
    pub(super) const fn is_blank(&self) -> bool {
        self.stated.is_none() && self.learned.is_none()
    }

    /// The most that may ever be spent in a window, as far as is known.
    pub(super) fn most(&self, configured: u32) -> u32 {
        let learned = self.learned.as_ref().map(|learned| learned.most);
        configured.min(self.stated.unwrap_or(u32::MAX)).min(learned.unwrap_or(u32::MAX))
    }

    /// The most that may be spent in a window now: half of it after a refusal, then a step more for
    /// each window that passed quietly.
    pub(super) fn allowance(&self, configured: u32, whole: Duration, now: Timestamp) -> u32 {
        let most = self.most(configured);
        let Some(learned) = &self.learned else { return most };
        let quiet = now.since(learned.at).as_millis() / whole.as_millis().max(1);
        let step = (learned.most / (2 * STEPS)).max(1);
        let steps = u32::try_from(quiet).unwrap_or(u32::MAX);
        (learned.most / 2).max(1).saturating_add(steps.saturating_mul(step)).min(most)
    }

    /// Learns from a refusal of the ticket numbered `refused` that this much was accepted before it.
    /// Returns false where this window cannot explain the refusal: its ceiling was as low as can be.
    pub(super) fn learn(
        &mut self,
        accepted: u32,
        configured: u32,
        now: Timestamp,
        refused: u64,
        asked: u64,
    ) -> bool {
        if self.learned.as_ref().is_some_and(|learned| refused <= learned.asked) {
            return true;
        }
        let before = self.most(configured);
        // Refused although no more was spent than is known to be right: it was not right.
        let most = accepted.min(before - before.div_ceil(10)).max(1);
        self.learned = Some(Learned { most, at: now, asked, stated_then: self.stated });
        most < before
    }

    /// Takes a limit that the upstream states. One that is larger than a learned ceiling lifts it only if
    /// it is stated for exactly this window and the upstream did not already state as much when it
    /// refused a request.
    pub(super) fn state(&mut self, limit: u32, exactly: bool) {
        self.stated = Some(limit);
        let raised = |learned: &mut Learned| {
            let news = learned.stated_then.is_none_or(|then| limit > then);
            exactly && limit > learned.most && news
        };
        let _ = self.learned.take_if(raised);
    }

    pub(super) fn settle(&mut self, now: Timestamp) {
        let _ = self.learned.take_if(|learned| now.since(learned.at) >= REMEMBERED);
    }

    pub(super) fn shift_back(&mut self, step: Duration) {
        if let Some(learned) = &mut self.learned {
            learned.at = learned.at.minus(step);
        }
    }
}
