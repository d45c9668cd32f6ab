//! The traits of what is found out about sources, and of what limits them.

use async_trait::async_trait;
use kasparro_domain::{Alert, Anomaly, DriftId, DriftRow, SourceName, Timestamp};
use kasparro_store::{
    AlertOutcome, AlertStore, AnomalyFilter, AnomalyStore, BudgetStore, DriftFilter, DriftStore,
    NamedBudget, StoreResult, StoredBudget,
};
use serde_json::Value;

use super::SqliteStore;
use crate::queries::{alerts, anomalies, budgets, drift};

#[async_trait]
impl DriftStore for SqliteStore {
    async fn profile(&self, source: &SourceName, endpoint: &str) -> StoreResult<Option<Value>> {
        let (source, endpoint) = (source.clone(), endpoint.to_owned());
        self.readers.read(move |connection| drift::profile(connection, &source, &endpoint)).await
    }

    async fn drift(&self, filter: DriftFilter) -> StoreResult<Vec<DriftRow>> {
        self.readers.read(move |connection| drift::list(connection, &filter)).await
    }

    async fn count_drift(&self, filter: DriftFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| drift::count(connection, &filter)).await
    }

    async fn accept_drift(
        &self,
        changes: Vec<DriftId>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let (who, why) = (who.to_owned(), why.to_owned());
        self.write(changes.len(), move |connection, _| {
            drift::accept(connection, changes, &who, &why, now)
        })
        .await
    }
}

#[async_trait]
impl AnomalyStore for SqliteStore {
    async fn anomalies(&self, filter: AnomalyFilter) -> StoreResult<Vec<Anomaly>> {
        self.readers.read(move |connection| anomalies::list(connection, &filter)).await
    }

    async fn count_anomalies(&self, filter: AnomalyFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| anomalies::count(connection, &filter)).await
    }
}

#[async_trait]
impl BudgetStore for SqliteStore {
    async fn budget(&self, source: &SourceName, name: &str) -> StoreResult<StoredBudget> {
        let (source, name) = (source.clone(), name.to_owned());
        self.readers.read(move |connection| budgets::budget(connection, &source, &name)).await
    }

    async fn put_budget(
        &self,
        source: &SourceName,
        name: &str,
        version: u64,
        state: Value,
    ) -> StoreResult<bool> {
        let (source, name) = (source.clone(), name.to_owned());
        self.write(1, move |connection, _| {
            budgets::put(connection, &source, &name, version, &state)
        })
        .await
    }

    async fn budgets(&self) -> StoreResult<Vec<NamedBudget>> {
        self.readers.read(budgets::all).await
    }
}

#[async_trait]
impl AlertStore for SqliteStore {
    async fn due_alerts(
        &self,
        sources: &[SourceName],
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Alert>> {
        let sources = sources.to_vec();
        self.readers.read(move |connection| alerts::due(connection, &sources, now, limit)).await
    }

    async fn settle_alert(&self, alert_id: i64, outcome: AlertOutcome) -> StoreResult<()> {
        self.write(1, move |connection, _| alerts::settle(connection, alert_id, outcome)).await
    }

    async fn alerts(&self, limit: u32) -> StoreResult<Vec<Alert>> {
        self.readers.read(move |connection| alerts::newest(connection, limit)).await
    }
}
