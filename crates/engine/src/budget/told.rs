//! Reads what response headers say about limits.
//!
//! There is no standard, so every common form is read: `RateLimit` and `RateLimit-Policy` of the IETF
//! draft in its versions, the older `RateLimit-Limit`, `-Remaining`, `-Reset` and their `X-` twins,
//! lists with one item for each window, and `X-MBX-USED-WEIGHT-1M`. What cannot be meant is ignored,
//! and so are two statements about one window that contradict each other.

use std::time::Duration;

use kasparro_domain::Timestamp;

use super::field::{Field, Item, items, window_named};
use super::pauses::LONGEST_DELAY;
use crate::retry_after;

/// What an answer stated about limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Told {
    /// One for each window that was stated.
    pub(crate) quotas: Vec<Quota>,
}

/// What was stated about one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Quota {
    /// Its length, where that was stated.
    pub(crate) window: Option<Duration>,
    /// The most that may be spent in it.
    pub(crate) limit: Option<u32>,
    /// What is left of that.
    pub(crate) remaining: Option<u32>,
    /// The weight that was spent in it.
    pub(crate) used_weight: Option<u32>,
    /// How long until it begins anew.
    pub(crate) reset_after: Option<Duration>,
}

impl Told {
    /// Reads the headers of an answer that came at `now`; names in any case, one pair for each header
    /// line.
    pub(crate) fn read<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: Timestamp,
    ) -> Self {
        let (mut policy, mut plain, mut extended) = <(Family, Family, Family)>::default();
        let mut weights = Vec::new();
        for (name, value) in headers {
            let name = name.trim().to_ascii_lowercase();
            if let Some(window) = name.strip_prefix("x-mbx-used-weight-").and_then(window_named) {
                let used_weight = value.trim().parse().ok();
                weights.push(Quota { window: Some(window), used_weight, ..Quota::default() });
            } else if name == "ratelimit-policy" || name == "ratelimit" {
                items(value).for_each(|item| policy.take_structured(&item, now));
            } else if let Some(rest) = name.strip_prefix("ratelimit-") {
                plain.take_part(rest, value, now);
            } else if let Some(rest) =
                name.strip_prefix("x-ratelimit-").or_else(|| name.strip_prefix("x-rate-limit-"))
            {
                extended.take_part(rest, value, now);
            }
        }
        let families = [policy, plain, extended].into_iter().flat_map(Family::quotas);
        Self { quotas: without_contradictions(families.chain(weights).collect()) }
    }
}

/// Headers that speak of the same windows.
#[derive(Default)]
struct Family {
    windows: Vec<Draft>,
}

/// What one family states about one window so far.
#[derive(Default)]
struct Draft {
    /// What tells windows of a family apart where their length does not.
    name: Option<String>,
    window: Field<Duration>,
    limit: Field<u32>,
    remaining: Field<u32>,
    reset_after: Field<Duration>,
}

impl Family {
    fn draft(&mut self, name: Option<&str>, window: Option<Duration>) -> &mut Draft {
        let same = |draft: &Draft| {
            draft.name.as_deref() == name && (name.is_some() || draft.window.get() == window)
        };
        let index = self.windows.iter().position(same).unwrap_or_else(|| {
            let name = name.map(str::to_owned);
            self.windows.push(Draft { name, ..Draft::default() });
            self.windows.len() - 1
        });
        let draft = &mut self.windows[index];
        draft.window.set(window);
        draft
    }

    /// An item of `RateLimit-Policy` (`"name";q=100;w=60`, `100;w=60`) or `RateLimit` (`"name";r=5;t=30`,
    /// `limit=100`, `remaining=5`, `reset=30`).
    fn take_structured(&mut self, item: &Item<'_>, now: Timestamp) {
        if item.parameter("qu").is_some_and(|unit| unit != "requests") {
            return;
        }
        if let Some((key, value)) = item.bare.split_once('=') {
            let draft = self.draft(None, None);
            match key.trim() {
                "limit" => draft.limit.set(value.trim().parse().ok()),
                "remaining" => draft.remaining.set(value.trim().parse().ok()),
                "reset" => draft.reset_after.set(reset(value, now)),
                _ => {}
            }
            return;
        }
        if item.is_quoted() {
            let draft = self.draft(Some(item.bare), None);
            draft.window.set(item.seconds("w"));
            draft.limit.set(item.number("q"));
            draft.remaining.set(item.number("r"));
            draft.reset_after.set(item.parameter("t").and_then(|value| reset(value, now)));
        } else if let (Some(window), Ok(limit)) = (item.seconds("w"), item.bare.parse()) {
            self.draft(None, Some(window)).limit.set(Some(limit));
        }
    }

    /// A header with one part of the statement: `limit`, `remaining` or `reset`, of one window or of
    /// several.
    fn take_part(&mut self, name: &str, value: &str, now: Timestamp) {
        let (part, suffix) = name.split_once('-').unwrap_or((name, ""));
        let named = window_named(suffix);
        if named.is_none() && !["", "all"].contains(&suffix) {
            return;
        }
        for item in items(value) {
            let window = item.seconds("w").or_else(|| item.seconds("window")).or(named);
            match part {
                "limit" => {
                    // Where there is a burst, the number is a mean rate and the burst is the limit.
                    let limit = item.number("burst").or_else(|| item.bare.parse().ok());
                    self.draft(None, window).limit.set(limit);
                }
                "remaining" => {
                    self.draft(None, window).remaining.set(item.bare.parse().ok());
                }
                "reset" => self.draft(None, window).reset_after.set(reset(item.bare, now)),
                _ => {}
            }
        }
    }

    fn quotas(mut self) -> Vec<Quota> {
        // Numbers without a window are about the one with the same limit, where there is one.
        let policies: Vec<_> =
            self.windows.iter().map(|draft| (draft.window.get(), draft.limit.get())).collect();
        for draft in &mut self.windows {
            let limit = draft.limit.get();
            let same = |policy: &&(Option<Duration>, Option<u32>)| {
                policy.0.is_some() && limit.is_some() && policy.1 == limit
            };
            if draft.window.get().is_none() {
                draft.window.set(policies.iter().find(same).and_then(|policy| policy.0));
            }
        }
        let whole = self.windows.iter().filter(|draft| draft.is_sound());
        whole.map(Draft::quota).filter(|quota| !quota.is_empty()).collect()
    }
}

impl Draft {
    /// False where it contradicts itself or cannot be meant.
    fn is_sound(&self) -> bool {
        let clash = self.window.clashes() || self.limit.clashes() || self.remaining.clashes();
        let more = self.limit.get().is_some_and(|limit| {
            limit == 0 || self.remaining.get().is_some_and(|remaining| remaining > limit)
        });
        !(clash || self.reset_after.clashes() || more)
    }

    fn quota(&self) -> Quota {
        Quota {
            window: self.window.get(),
            limit: self.limit.get(),
            remaining: self.remaining.get(),
            used_weight: None,
            reset_after: self.reset_after.get(),
        }
    }
}

impl Quota {
    const fn is_empty(&self) -> bool {
        self.limit.is_none() && self.remaining.is_none() && self.used_weight.is_none()
    }

    fn contradicts(&self, other: &Self) -> bool {
        let differ = |a: Option<u32>, b: Option<u32>| a.is_some() && b.is_some() && a != b;
        self.window == other.window
            && (differ(self.limit, other.limit) || differ(self.remaining, other.remaining))
    }
}

/// A reset in any of its forms, as a delay: seconds, a Unix number in seconds or milliseconds, a date.
fn reset(value: &str, now: Timestamp) -> Option<Duration> {
    let delay = retry_after::read(value, now)?;
    (!delay.is_zero() && delay <= LONGEST_DELAY).then_some(delay)
}

fn without_contradictions(quotas: Vec<Quota>) -> Vec<Quota> {
    let sound = |(_, quota): &(usize, &Quota)| !quotas.iter().any(|other| other.contradicts(quota));
    let first = |(index, quota): &(usize, &Quota)| !quotas[..*index].contains(quota);
    let kept = quotas.iter().enumerate().filter(sound).filter(first);
    kept.map(|(_, quota)| *quota).collect()
}
