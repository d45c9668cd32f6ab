//! How each source is doing: what several operations tell, put together once.

use std::collections::BTreeMap;

use kasparro_domain::{Run, RunError, RunStatus, SourceName, Timestamp};
use kasparro_store::{Lease, SourceState, SourceSummary, Store, StoreResult};

use crate::settings::SourceInfo;

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Its newest run that ended brought everything, recently enough.
    Healthy,
    /// Its newest run failed, or its last success is too old; older values are still served.
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

    /// How it is doing.
    pub(crate) fn condition(&self, now: Timestamp) -> Condition {
        if self.state.as_ref().is_some_and(|state| !state.enabled) {
            return Condition::Disabled;
        }
        let failing = self.standing_failure().is_some();
        match (self.lag_seconds(now), failing) {
            (None, true) => Condition::Unhealthy,
            (None, false) => Condition::Pending,
            (Some(_), true) => Condition::Degraded,
            (Some(lag), false) => {
                let limit = self.state.as_ref().map(|state| state.stale_after_seconds);
                if limit.is_some_and(|limit| lag > limit) {
                    Condition::Degraded
                } else {
                    Condition::Healthy
                }
            }
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
