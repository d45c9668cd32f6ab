//! How each source is doing: what several operations tell, put together once.

use std::collections::BTreeMap;

use kasparro_domain::{Run, RunError, RunStatus, SourceName, Timestamp};
use kasparro_store::{Lease, SourceState, SourceSummary, Store, StoreResult};

use crate::budgets::{Breaker, Budgets};
use crate::settings::SourceInfo;

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Its newest run that ended brought everything, recently enough.
    Healthy,
    /// Its newest run failed, its last success is too old, or nothing is sent to it because it failed so
    /// often; older values are still served.
    Degraded,
    /// It ran and never succeeded.
    Unhealthy,
    /// No run of it has ended yet.
    Pending,
    /// The configuration switches it off.
    Disabled,
}

impl Condition {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Pending => "pending",
            Self::Disabled => "disabled",
        }
    }
}

/// One source with everything the store knows of it.
#[derive(Debug, Clone)]
pub(crate) struct SourceReport {
    pub(crate) source: SourceName,
    pub(crate) state: Option<SourceState>,
    pub(crate) summary: Option<SourceSummary>,
    /// Who took it last; none where nobody ever did.
    pub(crate) lease: Option<Lease>,
}

/// Every source that is configured, has a state or ever ran: the configured ones first, in their
/// order.
pub(crate) async fn source_reports(
    store: &dyn Store,
    configured: &[SourceInfo],
) -> StoreResult<Vec<SourceReport>> {
    let summaries = store.source_summaries().await?;
    let states = store.source_states().await?;
    let leases = store.leases().await?;
    let mut summaries: BTreeMap<_, _> =
        summaries.into_iter().map(|summary| (summary.source.clone(), summary)).collect();
    let mut states: BTreeMap<_, _> =
        states.into_iter().map(|state| (state.source.clone(), state)).collect();
    let mut leases: BTreeMap<_, _> =
        leases.into_iter().map(|lease| (lease.source.clone(), lease)).collect();
    let mut names: Vec<SourceName> = configured.iter().map(|info| info.name.clone()).collect();
    for name in states.keys().chain(summaries.keys()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let report = |source: SourceName| SourceReport {
        state: states.remove(&source),
        summary: summaries.remove(&source),
        lease: leases.remove(&source),
        source,
    };
    Ok(names.into_iter().map(report).collect())
}

impl SourceReport {
    /// The newest run.
    pub(crate) fn last_run(&self) -> Option<&Run> {
        self.summary.as_ref()?.last_run.as_ref()
    }

    /// When the newest successful run ended.
    pub(crate) fn last_success(&self) -> Option<Timestamp> {
        self.summary.as_ref()?.last_success.as_ref()?.completed_at
    }

    /// When the newest run that did not succeed ended.
    pub(crate) fn last_failure(&self) -> Option<Timestamp> {
        self.summary.as_ref()?.last_failure.as_ref()?.completed_at
    }

    /// Seconds since the newest successful run ended.
    pub(crate) fn lag_seconds(&self, now: Timestamp) -> Option<u64> {
        Some(now.since(self.last_success()?).as_secs())
    }

    /// The newest run that did not succeed, unless a later one did.
    pub(crate) fn standing_failure(&self) -> Option<&Run> {
        let summary = self.summary.as_ref()?;
        let failure = summary.last_failure.as_ref()?;
        let succeeded_later = summary.last_success.as_ref().is_some_and(|success| {
            (success.created_at, success.run_id) > (failure.created_at, failure.run_id)
        });
        (!succeeded_later).then_some(failure)
    }

    /// Why the newest run that ended did not succeed.
    pub(crate) fn error(&self) -> Option<&RunError> {
        self.standing_failure()?.error.as_ref()
    }

    /// What is left of the limits of its upstreams.
    pub(crate) fn budgets(&self, now: Timestamp) -> Budgets {
        Budgets::of(self.state.as_ref(), now)
    }

    /// True when its last success is older than it may be; none where it never succeeded, or where the
    /// limit is not known.
    pub(crate) fn stale(&self, now: Timestamp) -> Option<bool> {
        Some(self.lag_seconds(now)? > self.state.as_ref()?.stale_after_seconds)
    }

    /// How it is doing, and why it is not healthy.
    pub(crate) fn condition(&self, now: Timestamp) -> (Condition, Option<&'static str>) {
        if self.state.as_ref().is_some_and(|state| !state.enabled) {
            return (Condition::Disabled, None);
        }
        let failing = self.standing_failure().is_some();
        let lag_seconds = self.lag_seconds(now);
        if self.budgets(now).breaker() == Some(Breaker::Open) && (lag_seconds.is_some() || !failing)
        {
            return (Condition::Degraded, Some("breaker_open"));
        }
        match (lag_seconds, failing) {
            (None, true) => (Condition::Unhealthy, Some("never_succeeded")),
            (None, false) => (Condition::Pending, None),
            (Some(_), true) => (Condition::Degraded, Some("failing")),
            (Some(_), false) if self.stale(now) == Some(true) => {
                (Condition::Degraded, Some("stale"))
            }
            (Some(_), false) => (Condition::Healthy, None),
        }
    }

    /// The status in the words of the older services.
    pub(crate) fn older_status(&self) -> &'static str {
        match self.last_run().map(|run| run.status) {
            Some(RunStatus::Running) => "running",
            Some(RunStatus::Success) => "completed",
            Some(RunStatus::Partial | RunStatus::Failed | RunStatus::Abandoned) => "failed",
            Some(RunStatus::Queued) | None => "pending",
        }
    }
}

/// How the sources are doing together: unhealthy when none of those that ended a run is better,
/// degraded when some is not healthy.
pub(crate) fn overall(conditions: &[Condition]) -> Condition {
    let judged: Vec<_> = conditions
        .iter()
        .filter(|condition| !matches!(condition, Condition::Pending | Condition::Disabled))
        .collect();
    if judged.iter().all(|condition| **condition == Condition::Healthy) {
        Condition::Healthy
    } else if judged.iter().all(|condition| **condition == Condition::Unhealthy) {
        Condition::Unhealthy
    } else {
        Condition::Degraded
    }
}
