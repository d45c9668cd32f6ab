//! Alerts: what operators should hear of, kept with the run that raised it and sent by webhook.

use std::time::Duration;

use kasparro_domain::{NewAlert, Run, RunAnomaly, RunReason, RunStatus, Timestamp};
use kasparro_store::{Findings, RunFilter, StoreError};
use kasparro_transform::{BASELINE_RUNS, unusual_run};
use secrecy::SecretString;

use crate::Engine;
use crate::progress::Watch;

/// Where alerts are sent.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The address that takes them, by POST.
    pub url: SecretString,
    /// The key under which each is signed (HMAC-SHA-256).
    pub secret: Option<SecretString>,
}

/// How long the same alert of a source is not raised again.
const QUIET: Duration = Duration::from_secs(24 * 3600);

/// Alerts among which one that was raised already is looked for.
const ALERTS_LOOKED_AT: u32 = 200;

impl Engine {
    /// What the end of a run brings to light; `ended` is the run as it will stand.
    pub(crate) async fn findings(
        &self,
        ended: &Run,
        watch: &Watch,
    ) -> Result<Findings, StoreError> {
        let anomalies = self.run_anomalies(ended, watch.not_modified()).await?;
        let mut alerts = watch.take_alerts();
        alerts.extend(anomalies.iter().map(|anomaly| of_anomaly(ended, anomaly)));
        let now = ended.completed_at.unwrap_or_default();
        let alerts = self.not_raised_lately(ended, alerts, now).await?;
        for alert in &alerts {
            tracing::warn!(
                source = %ended.source, run_id = %ended.run_id, code = %alert.code, hint = %alert.hint,
                "alert: {}", alert.message
            );
        }
        Ok(Findings { anomalies, alerts, send_alerts: self.webhook.is_some() })
    }

    /// What is unusual about a run, against the runs of its source before it.
    async fn run_anomalies(
        &self,
        ended: &Run,
        not_modified: u64,
    ) -> Result<Vec<RunAnomaly>, StoreError> {
        if ended.reason == RunReason::Replay || ended.status == RunStatus::Abandoned {
            return Ok(Vec::new());
        }
        let before = RunFilter {
            sources: vec![ended.source.clone()],
            limit: u32::try_from(BASELINE_RUNS).unwrap_or(u32::MAX).saturating_add(1),
            ..RunFilter::default()
        };
        let before = self.store.runs(before).await?;
        let before: Vec<Run> = before
            .into_iter()
            .filter(|run| run.run_id != ended.run_id && !run.status.open())
            .collect();
        Ok(unusual_run(&before, ended, not_modified))
    }

    async fn not_raised_lately(
        &self,
        ended: &Run,
        alerts: Vec<NewAlert>,
        now: Timestamp,
    ) -> Result<Vec<NewAlert>, StoreError> {
        if alerts.is_empty() {
            return Ok(alerts);
        }
        let raised = self.store.alerts(ALERTS_LOOKED_AT).await?;
        let lately = |alert: &NewAlert| {
            raised.iter().any(|before| {
                before.source == ended.source
                    && before.alert.code == alert.code
                    && without_figures(&before.alert.message) == without_figures(&alert.message)
                    && now.since(before.raised_at) < QUIET
            })
        };
        Ok(alerts.into_iter().filter(|alert| !lately(alert)).collect())
    }
}

/// A message without what differs from one sighting to the next.
fn without_figures(message: &str) -> String {
    message.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

fn of_anomaly(run: &Run, anomaly: &RunAnomaly) -> NewAlert {
    let kind = anomaly.kind.name();
    let reason = run.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    NewAlert {
        code: format!("run_{kind}"),
        message: format!(
            "the run of {} shows {}; usual is {}{reason}",
            run.source, anomaly.value, anomaly.expected
        ),
        hint: "compare it with the run before: kasparro runs, /compare-runs".to_owned(),
    }
}
