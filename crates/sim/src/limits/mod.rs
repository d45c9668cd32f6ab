//! Limits that a client has to find out: what is over them is refused, and everything is on record.

mod account;
mod plan;
mod read;
mod refusal;
mod report;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use kasparro_domain::Timestamp;
use serde_json::{Value, json};

pub use plan::HiddenLimits;
pub use read::HiddenLimitsError;
pub use report::{LimitReport, LimitViolation, LimitViolationKind, LimitsReport};

pub(crate) use plan::KeyKind;

use account::{Account, Told, month_name};

use crate::http::Reply;

/// A request as limits see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) path: &'a str,
    pub(crate) key: KeyKind,
    pub(crate) key_id: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// What limits say to a request.
pub(crate) struct Verdict {
    /// The refusal and the number of the rule that speaks it.
    pub(crate) refused: Option<(usize, Reply)>,
    /// What the answer states, refused or not.
    pub(crate) headers: HeaderMap,
}

/// The limits that hold, and what came of them.
#[derive(Debug, Default)]
pub(crate) struct Limits(Mutex<Holding>);

#[derive(Debug, Default)]
struct Holding {
    limits: HiddenLimits,
    /// One for each rule.
    kept: Vec<Kept>,
    violations: VecDeque<LimitViolation>,
    violations_dropped: u64,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the key's name; requests without a key share one.
    accounts: BTreeMap<Option<String>, Account>,
    report: LimitReport,
}

impl Limits {
    fn holding(&self) -> MutexGuard<'_, Holding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets these limits hold in place of the ones before, with nothing used up.
    pub(crate) fn set(&self, limits: HiddenLimits) {
        let kept = limits.rules.iter().map(|_| Kept::default()).collect();
        *self.holding() = Holding { limits, kept, ..Holding::default() };
    }

    /// Judges a request. Every rule that is about it has to have room for it; only then any is used up.
    pub(crate) fn meet(&self, asked: Asked<'_>) -> Verdict {
        let mut holding = self.holding();
        let Holding { limits, kept, violations, violations_dropped } = &mut *holding;
        let now_ms = asked.now.as_millis();
        let mut note = |rule, kind, since_refusal_ms| {
            violations.push_back(LimitViolation {
                at: asked.now,
                rule,
                kind,
                path: asked.path.to_owned(),
                key_id: asked.key_id.map(str::to_owned),
                since_refusal_ms,
            });
            if violations.len() > LimitsReport::MAX_VIOLATIONS {
                violations.pop_front();
                *violations_dropped += 1;
            }
        };
        let mut refused = None;
        let mut concerned = Vec::new();
        for (number, (rule, kept)) in limits.rules.iter().zip(kept).enumerate() {
            if !rule.path.matches(asked.path) || rule.key.is_some_and(|key| key != asked.key) {
                continue;
            }
            let Kept { accounts, report } = kept;
            let account = accounts.entry(asked.key_id.map(str::to_owned)).or_default();
            if let Some(told) = account.told.filter(|told| now_ms < told.until_ms) {
                report.before_retry_after += 1;
                let since_ms = u64::try_from(now_ms.saturating_sub(told.at_ms)).unwrap_or(0);
                note(number, LimitViolationKind::BeforeRetryAfter, Some(since_ms));
            }
            let cost = rule.cost(asked.path);
            if !account.admits(rule, now_ms, cost) {
                report.refused += 1;
                report.first_refused_at.get_or_insert(asked.now);
                report.last_refused_at = Some(asked.now);
                note(number, LimitViolationKind::OverLimit, None);
                if refused.is_none() {
                    let free_at_ms = account.free_at_ms(rule, now_ms, cost);
                    let (reply, until_ms) = rule.refuse(asked.path, now_ms, free_at_ms);
                    account.told = until_ms.map(|until_ms| Told { at_ms: now_ms, until_ms });
                    refused = Some((number, reply));
                }
            }
            concerned.push((rule, account, report, cost));
        }
        let mut headers = HeaderMap::new();
        for (rule, account, report, cost) in concerned {
            report.allowed += u64::from(refused.is_none());
            if refused.is_none() || rule.counts_refused {
                account.charge(now_ms, cost);
                *report.spent_by_month.entry(month_name(now_ms)).or_default() += cost;
                let used = account.used(rule.window, now_ms);
                report.most_in_window = report.most_in_window.max(used);
            }
            rule.state(&mut headers, account, now_ms);
        }
        Verdict { refused, headers }
    }

    /// What became of requests since the limits were set.
    pub(crate) fn report(&self) -> LimitsReport {
        let holding = self.holding();
        LimitsReport {
            rules: holding.kept.iter().map(|kept| kept.report.clone()).collect(),
            violations: holding.violations.iter().cloned().collect(),
            violations_dropped: holding.violations_dropped,
        }
    }

    /// The report, with the fields of each rule as they were sent.
    pub(crate) fn show(&self) -> Value {
        let report = self.report();
        let holding = self.holding();
        let rules = holding.limits.rules.iter().zip(&report.rules).map(|(rule, report)| {
            let mut text = rule.text.clone();
            if let Value::Object(told) = json!(report) {
                text.extend(told);
            }
            Value::Object(text)
        });
        json!({
            "rules": rules.collect::<Vec<_>>(),
            "violations": report.violations,
            "violations_dropped": report.violations_dropped,
        })
    }
}
