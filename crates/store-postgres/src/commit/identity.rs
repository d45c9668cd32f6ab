//! The store's trait about which listings are one asset.

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use kasparro_domain::{DecisionId, Generation, ListingId, SourceName, Timestamp};
use kasparro_store::{
    IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord, IdentityStore, Resolution,
    ResolutionRow, Sighting, StoreError, StoreResult, StoredEdge,
};
use tokio::sync::mpsc;

use super::decisions::{self, NewDecision};
use super::resolution;
use crate::PostgresStore;
use crate::error::{Failure, Queried, refused};
use crate::queries::{execute, find_source, first, identity, identity_input, text};
use crate::store::{finish, snapshot};

#[async_trait]
impl IdentityStore for PostgresStore {
    async fn identity_position(&self) -> StoreResult<IdentityPosition> {
        let client = self.connection().await?;
        Ok(identity::position(&client).await?)
    }

    async fn identity_input(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<IdentityInput>>,
    ) -> StoreResult<IdentityPosition> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(identity_input::send(&transaction, since, &pieces).await?)
    }

    async fn sightings(&self, source: &SourceName, since: Timestamp) -> StoreResult<Vec<Sighting>> {
        let client = self.connection().await?;
        Ok(identity::sightings(&client, source, since).await?)
    }

    async fn commit_resolution(&self, resolution: Resolution) -> StoreResult<Generation> {
        resolution.check()?;
        let mut client = self.connection().await?;
        let transaction = client.transaction().await.map_err(Failure::from)?;
        let generation = resolution::write(&transaction, &resolution).await?;
        finish(transaction).await?;
        self.announce(generation);
        Ok(generation)
    }

    async fn identity_records(&self, listings: &[ListingId]) -> StoreResult<Vec<IdentityRecord>> {
        let mut client = self.connection().await?;
        let transaction = snapshot(&mut client).await?;
        Ok(identity::records(&transaction, listings).await?)
    }

    async fn asset_edges(&self, listings: &[ListingId]) -> StoreResult<Vec<StoredEdge>> {
        let client = self.connection().await?;
        Ok(identity::edges(&client, listings).await?)
    }

    async fn resolutions(&self, limit: u32) -> StoreResult<Vec<ResolutionRow>> {
        let client = self.connection().await?;
        Ok(identity::resolutions(&client, limit).await?)
    }

    async fn decide_identity(&self, decision: IdentityDecision) -> StoreResult<DecisionId> {
        decision.check()?;
        if [&decision.who, &decision.why].iter().any(|text| text.contains('\0')) {
            let why = "who decides about listings, or why, holds the character U+0000";
            return Err(StoreError::Conflict(why.to_owned()));
        }
        let mut client = self.connection().await?;
        let transaction = client.transaction().await.map_err(Failure::from)?;
        let decision_id = decide(&transaction, decision).await?;
        finish(transaction).await?;
        Ok(decision_id)
    }
}

const STRANGER: &str = "SELECT told.source, told.external_id
    FROM unnest($1::text[], $2::text[]) AS told (source, external_id)
    WHERE NOT EXISTS (
        SELECT 1 FROM source AS s JOIN listing AS l ON l.source_id = s.source_id
        WHERE s.name = told.source AND l.external_id = told.external_id)
    LIMIT 1";

async fn decide(transaction: &Transaction<'_>, decision: IdentityDecision) -> Queried<DecisionId> {
    let keys = || decision.pairs.iter().flat_map(|(a, b)| [a, b]);
    let named: Vec<&str> = keys().map(|key| key.source.as_str()).collect();
    let ids: Vec<&str> = keys().map(|key| key.external_id.as_str()).collect();
    let stranger = first(transaction, STRANGER, &[&named, &ids], |row| {
        Ok(format!("{}:{}", text(row, 0)?, text(row, 1)?))
    })
    .await?;
    if let Some(stranger) = stranger {
        return refused(format!("there is no listing {stranger}"));
    }
    let IdentityDecision { kind, source, pairs, relation, who, why, decided_at } = decision;
    let Some(source_id) = find_source(transaction, &source).await? else {
        return refused(format!("source {source} is not known"));
    };
    let decision = NewDecision {
        kind,
        rows: Vec::new(),
        drift: Vec::new(),
        pairs,
        relation,
        forced: false,
        who: &who,
        why: &why,
        decided_at,
        run_id: None,
    };
    let decision_id = decisions::insert(transaction, source_id, decision).await?;
    // Last, as with every commit: writers of all sources wait for this row.
    let evidence = "UPDATE generation SET evidence_version = evidence_version + 1";
    execute(transaction, evidence, &[]).await?;
    Ok(decision_id)
}
