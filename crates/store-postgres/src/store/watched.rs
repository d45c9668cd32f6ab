//! The store's traits about what is unusual, what is spent, and whom to tell.

use async_trait::async_trait;
use kasparro_domain::{Alert, Anomaly, SourceName, Timestamp};
use kasparro_store::{
    AlertOutcome, AlertStore, AnomalyFilter, AnomalyStore, BudgetStore, NamedBudget, StoreResult,
    StoredBudget,
};
use serde_json::Value;

use super::PostgresStore;
use crate::queries::{alerts, anomalies, budgets};

#[async_trait]
impl AnomalyStore for PostgresStore {
    async fn anomalies(&self, filter: AnomalyFilter) -> StoreResult<Vec<Anomaly>> {
        let client = self.connection().await?;
        Ok(anomalies::list(&client, &filter).await?)
    }

    async fn count_anomalies(&self, filter: AnomalyFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(anomalies::count(&client, &filter).await?)
    }
}

#[async_trait]
impl BudgetStore for PostgresStore {
    async fn budget(&self, source: &SourceName, name: &str) -> StoreResult<StoredBudget> {
        let client = self.connection().await?;
        Ok(budgets::one(&client, source, name).await?)
    }

    async fn put_budget(
        &self,
        source: &SourceName,
        name: &str,
        version: u64,
        state: Value,
    ) -> StoreResult<bool> {
        let client = self.connection().await?;
        Ok(budgets::put(&client, source, name, version, &state).await?)
    }

    async fn budgets(&self) -> StoreResult<Vec<NamedBudget>> {
        let client = self.connection().await?;
        Ok(budgets::all(&client).await?)
    }
}

#[async_trait]
impl AlertStore for PostgresStore {
    async fn due_alerts(
        &self,
        sources: &[SourceName],
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Alert>> {
        let client = self.connection().await?;
        Ok(alerts::due(&client, sources, now, limit).await?)
    }

    async fn settle_alert(&self, alert_id: i64, outcome: AlertOutcome) -> StoreResult<()> {
        let client = self.connection().await?;
        Ok(alerts::settle(&client, alert_id, outcome).await?)
    }

    async fn alerts(&self, limit: u32) -> StoreResult<Vec<Alert>> {
        let client = self.connection().await?;
        Ok(alerts::newest(&client, limit).await?)
    }
}
