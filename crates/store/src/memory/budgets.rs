//! Budgets and alerts of the in-memory store.

use async_trait::async_trait;
use kasparro_domain::{Alert, RunId, SourceName, Timestamp};
use serde_json::Value;

use super::tables::Tables;
use super::{MemoryStore, refused};
use crate::{
    AlertOutcome, AlertStore, BudgetStore, Findings, NamedBudget, StoreResult, StoredBudget,
};

/// Keeps the alerts of a run that ended.
pub(super) fn raise(
    tables: &mut Tables,
    source: &SourceName,
    run_id: RunId,
    at: Timestamp,
    findings: Findings,
) {
    for alert in findings.alerts {
        let raised = Alert {
            alert_id: 0,
            source: source.clone(),
            run_id,
            alert,
            raised_at: at,
            attempts: 0,
            next_attempt_at: findings.send_alerts.then_some(at),
            delivered_at: None,
        };
        number(tables, raised);
    }
}

/// Keeps an alert under the next number.
pub(super) fn number(tables: &mut Tables, alert: Alert) {
    let alert_id = tables.alerts.last_key_value().map_or(1, |(last, _)| last + 1);
    tables.alerts.insert(alert_id, Alert { alert_id, ..alert });
}

#[async_trait]
impl BudgetStore for MemoryStore {
    async fn budget(&self, source: &SourceName, name: &str) -> StoreResult<StoredBudget> {
        let tables = self.tables();
        let stored = tables.budgets.get(&(source.clone(), name.to_owned()));
        Ok(stored.cloned().unwrap_or_default())
    }

    async fn put_budget(
        &self,
        source: &SourceName,
        name: &str,
        version: u64,
        state: Value,
    ) -> StoreResult<bool> {
        let mut tables = self.tables();
        let key = (source.clone(), name.to_owned());
        if tables.budgets.get(&key).map_or(0, |stored| stored.version) != version {
            return Ok(false);
        }
        tables.budgets.insert(key, StoredBudget { version: version + 1, state, now: None });
        Ok(true)
    }

    async fn budgets(&self) -> StoreResult<Vec<NamedBudget>> {
        let tables = self.tables();
        let named = |((source, name), budget): (&(SourceName, String), &StoredBudget)| {
            NamedBudget { source: source.clone(), name: name.clone(), budget: budget.clone() }
        };
        Ok(tables.budgets.iter().map(named).collect())
    }
}

#[async_trait]
impl AlertStore for MemoryStore {
    async fn due_alerts(
        &self,
        sources: &[SourceName],
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Alert>> {
        let tables = self.tables();
        let due = |alert: &&Alert| {
            sources.contains(&alert.source) && alert.next_attempt_at.is_some_and(|at| at <= now)
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(tables.alerts.values().filter(due).take(limit).cloned().collect())
    }

    async fn settle_alert(&self, alert_id: i64, outcome: AlertOutcome) -> StoreResult<()> {
        let mut tables = self.tables();
        let Some(alert) = tables.alerts.get_mut(&alert_id) else {
            return refused(format!("alert {alert_id} is not known"));
        };
        match outcome {
            AlertOutcome::Delivered { at } => {
                alert.delivered_at = Some(at);
                alert.next_attempt_at = None;
            }
            AlertOutcome::Failed { next_attempt_at } => {
                if alert.delivered_at.is_some() {
                    return refused(format!("alert {alert_id} was delivered"));
                }
                alert.attempts += 1;
                alert.next_attempt_at = next_attempt_at;
            }
        }
        Ok(())
    }

    async fn alerts(&self, limit: u32) -> StoreResult<Vec<Alert>> {
        let tables = self.tables();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(tables.alerts.values().rev().take(limit).cloned().collect())
    }
}
