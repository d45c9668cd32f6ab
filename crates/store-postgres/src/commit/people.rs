//! What people see of quarantined rows and decide about them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use kasparro_domain::{Decision, DecisionKind, PageId, PageRow, SourceName, Timestamp};
use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStore, StoreError, StoreResult};

use super::decisions::{self, NewDecision};
use crate::PostgresStore;
use crate::error::Queried;
use crate::queries::{Sources, each, get, quarantine, uint};
use crate::store::finish;

#[async_trait]
impl QuarantineStore for PostgresStore {
    async fn quarantined(&self, filter: QuarantineFilter) -> StoreResult<Vec<QuarantineRow>> {
        let client = self.connection().await?;
        Ok(quarantine::list(&client, &filter).await?)
    }

    async fn count_quarantined(&self, filter: QuarantineFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(quarantine::count(&client, &filter).await?)
    }

    async fn discard(
        &self,
        rows: Vec<i64>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        if [who, why].iter().any(|text| text.contains('\0')) {
            let why = "who discards rows, or why, holds the character U+0000";
            return Err(StoreError::Conflict(why.to_owned()));
        }
        let mut client = self.connection().await?;
        let begun = client.transaction().await;
        let transaction = begun.map_err(crate::error::Failure::from)?;
        let count = discard(&transaction, rows, who, why, now).await?;
        finish(transaction).await?;
        Ok(count)
    }

    async fn decisions(&self) -> StoreResult<Vec<Decision>> {
        let client = self.connection().await?;
        Ok(decisions::all(&client).await?)
    }
}

/// Locked by ascending number, so that two people who discard the same rows wait and do not deadlock.
const DISCARD: &str = "UPDATE quarantine SET status = 'discarded'
    FROM (SELECT quarantine_id FROM quarantine WHERE quarantine_id = ANY($1) AND status = 'open'
          ORDER BY quarantine_id FOR UPDATE) AS open
    WHERE quarantine.quarantine_id = open.quarantine_id
    RETURNING source_id, page_id, ordinal";

/// Gives open rows up; returns how many were open.
async fn discard(
    transaction: &Transaction<'_>,
    rows: Vec<i64>,
    who: &str,
    why: &str,
    now: Timestamp,
) -> Queried<u64> {
    let sources = Sources::read(transaction).await?;
    let given_up = each(transaction, DISCARD, &[&rows], |row| {
        let place = PageRow { page_id: PageId(get(row, 1)?), ordinal: uint(row, 2)? };
        Ok((get::<i64>(row, 0)?, place))
    })
    .await?;
    let mut of_sources: BTreeMap<&SourceName, (i64, Vec<PageRow>)> = BTreeMap::new();
    let mut count = 0;
    for (source, place) in given_up {
        let of_source = of_sources.entry(sources.name(source)?);
        of_source.or_insert_with(|| (source, Vec::new())).1.push(place);
        count += 1;
    }
    for (source, rows) in of_sources.into_values() {
        let decision = NewDecision {
            kind: DecisionKind::Discard,
            rows,
            drift: Vec::new(),
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
