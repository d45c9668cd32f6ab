//! What people see of changes of upstreams and decide about them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use kasparro_domain::{DecisionKind, DriftId, DriftKey, DriftRow, SourceName, Timestamp};
use kasparro_store::{DriftFilter, DriftStore, StoreError, StoreResult};
use serde_json::Value;

use super::decisions::{self, NewDecision};
use crate::PostgresStore;
use crate::error::{Failure, Queried};
use crate::queries::{Sources, drift, each, get};
use crate::store::finish;

#[async_trait]
impl DriftStore for PostgresStore {
    async fn profile(&self, source: &SourceName, endpoint: &str) -> StoreResult<Option<Value>> {
        let client = self.connection().await?;
        Ok(drift::profile(&client, source, endpoint).await?)
    }

    async fn drift(&self, filter: DriftFilter) -> StoreResult<Vec<DriftRow>> {
        let client = self.connection().await?;
        Ok(drift::list(&client, &filter).await?)
    }

    async fn count_drift(&self, filter: DriftFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(drift::count(&client, &filter).await?)
    }

    async fn accept_drift(
        &self,
        drift: Vec<DriftId>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        if [who, why].iter().any(|text| text.contains('\0')) {
            let why = "who accepts changes, or why, holds the character U+0000";
            return Err(StoreError::Conflict(why.to_owned()));
        }
        let mut client = self.connection().await?;
        let transaction = client.transaction().await.map_err(Failure::from)?;
        let count = accept(&transaction, &drift, who, why, now).await?;
        finish(transaction).await?;
        Ok(count)
    }
}

/// Locked by ascending number, as by commits that see a change again, so that nobody waits in a circle.
const ACCEPT: &str = "UPDATE drift SET status = 'accepted'
    FROM (SELECT drift_id FROM drift WHERE drift_id = ANY($1) AND status = 'open'
          ORDER BY drift_id FOR UPDATE) AS open
    WHERE drift.drift_id = open.drift_id
    RETURNING source_id, endpoint, kind, pointer, before_value, after_value";

/// Accepts open changes; returns how many were open.
async fn accept(
    transaction: &Transaction<'_>,
    numbers: &[DriftId],
    who: &str,
    why: &str,
    now: Timestamp,
) -> Queried<u64> {
    let numbers: Vec<i64> = numbers.iter().map(|number| number.0).collect();
    let sources = Sources::read(transaction).await?;
    let accepted = each(transaction, ACCEPT, &[&numbers], |row| {
        Ok((get::<i64>(row, 0)?, drift::read_key(row, 1)?))
    })
    .await?;
    let count = accepted.len() as u64;
    let mut of_sources: BTreeMap<&SourceName, (i64, Vec<DriftKey>)> = BTreeMap::new();
    for (source, key) in accepted {
        let of_source = of_sources.entry(sources.name(source)?);
        of_source.or_insert_with(|| (source, Vec::new())).1.push(key);
    }
    for (source, drift) in of_sources.into_values() {
        let decision = NewDecision {
            kind: DecisionKind::AcceptDrift,
            rows: Vec::new(),
            drift,
            pairs: Vec::new(),
            relation: None,
            forced: false,
            who,
            why,
            decided_at: now,
            run_id: None,
        };
        decisions::insert(transaction, source, decision).await?;
    }
    Ok(count)
}
