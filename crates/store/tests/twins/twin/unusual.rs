//! Wrongs done to anomalies, budgets and alerts.

use async_trait::async_trait;
use kasparro_domain::{Alert, Anomaly, SourceName, Timestamp};
use kasparro_store::{
    AlertOutcome, AlertStore, AnomalyFilter, AnomalyStore, Batch, BudgetStore, Findings,
    NamedBudget, RowChange, StoreResult, StoredBudget,
};
use serde_json::Value;

use super::{Fault, Twin};

impl Twin {
    /// Spoils what is unusual about rows, on its way in.
    pub(super) fn spoil_anomalies(&self, batch: &mut Batch) {
        for row in &mut batch.rows {
            let loses = match self.fault {
                Fault::LosesAnomaliesOfTheLate => matches!(row.change, RowChange::Late { .. }),
                Fault::KeepsTheFirstWords => matches!(row.change, RowChange::Correction { .. }),
                _ => false,
            };
            if loses {
                row.anomalies.clear();
            }
        }
    }

    /// Spoils what the end of a run brings to light.
    pub(super) fn spoil_findings(&self, findings: &mut Findings) {
        match self.fault {
            Fault::ForgetsFindings => findings.anomalies.clear(),
            Fault::ForgetsUnwantedAlerts if !findings.send_alerts => findings.alerts.clear(),
            Fault::SendsUnwantedAlerts => findings.send_alerts = true,
            _ => {}
        }
    }
}

#[async_trait]
impl AnomalyStore for Twin {
    async fn anomalies(&self, mut filter: AnomalyFilter) -> StoreResult<Vec<Anomaly>> {
        if self.fault == Fault::IgnoresAnomalyRun {
            filter.run_id = None;
        }
        self.forget_sources(&mut filter.sources);
        let mut anomalies = self.inner.anomalies(filter).await?;
        if self.fault == Fault::ListsAnomaliesOldestFirst {
            anomalies.reverse();
        }
        Ok(anomalies)
    }

    async fn count_anomalies(&self, filter: AnomalyFilter) -> StoreResult<u64> {
        match self.fault {
            Fault::CountsOnePageOfAnomalies | Fault::IgnoresAnomalyRun => {
                Ok(self.anomalies(filter).await?.len() as u64)
            }
            _ => self.inner.count_anomalies(filter).await,
        }
    }
}

#[async_trait]
impl BudgetStore for Twin {
    async fn budget(&self, source: &SourceName, name: &str) -> StoreResult<StoredBudget> {
        self.inner.budget(source, name).await
    }

    async fn put_budget(
        &self,
        source: &SourceName,
        name: &str,
        version: u64,
        state: Value,
    ) -> StoreResult<bool> {
        let stored = self.inner.budget(source, name).await?;
        match self.fault {
            Fault::IgnoresBudgetVersions => {
                self.inner.put_budget(source, name, stored.version, state).await
            }
            Fault::KeepsTheFirstBudget if stored.version == version && version > 0 => Ok(true),
            _ => self.inner.put_budget(source, name, version, state).await,
        }
    }

    async fn budgets(&self) -> StoreResult<Vec<NamedBudget>> {
        match self.fault {
            Fault::ListsNoBudgets => Ok(Vec::new()),
            _ => self.inner.budgets().await,
        }
    }
}

#[async_trait]
impl AlertStore for Twin {
    async fn due_alerts(
        &self,
        sources: &[SourceName],
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Alert>> {
        let all = self.inner.alerts(u32::MAX).await?;
        let of_all: Vec<SourceName> = all.iter().map(|alert| alert.source.clone()).collect();
        match self.fault {
            Fault::SendsAlertsOfOthers => self.inner.due_alerts(&of_all, now, limit).await,
            Fault::SendsAlertsTooEarly => {
                let raised = all.iter().map(|alert| alert.raised_at).max().unwrap_or(now);
                self.inner.due_alerts(sources, now.max(raised), limit).await
            }
            _ => self.inner.due_alerts(sources, now, limit).await,
        }
    }

    async fn settle_alert(&self, alert_id: i64, outcome: AlertOutcome) -> StoreResult<()> {
        match (self.fault, outcome) {
            (Fault::DeliversAlertsTwice, AlertOutcome::Delivered { .. }) => Ok(()),
            (Fault::NeverGivesAlertsUp, AlertOutcome::Failed { next_attempt_at: None }) => {
                let next_attempt_at = Some(Timestamp::EPOCH);
                self.inner.settle_alert(alert_id, AlertOutcome::Failed { next_attempt_at }).await
            }
            _ => self.inner.settle_alert(alert_id, outcome).await,
        }
    }

    async fn alerts(&self, limit: u32) -> StoreResult<Vec<Alert>> {
        self.inner.alerts(limit).await
    }
}
