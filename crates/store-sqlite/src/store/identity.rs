//! The trait of what is decided about which listings are one asset.

use async_trait::async_trait;
use kasparro_domain::{DecisionId, Generation, ListingId, SourceName, Timestamp};
use kasparro_store::{
    IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord, IdentityStore, Resolution,
    ResolutionRow, Sighting, StoreResult, StoredEdge,
};
use tokio::sync::mpsc;

use super::SqliteStore;
use crate::queries::{identity, identity_input, resolve};

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn identity_position(&self) -> StoreResult<IdentityPosition> {
        self.readers.read(identity::position).await
    }

    async fn identity_input(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<IdentityInput>>,
    ) -> StoreResult<IdentityPosition> {
        self.readers.read(move |connection| identity_input::send(connection, since, &pieces)).await
    }

    async fn sightings(&self, source: &SourceName, since: Timestamp) -> StoreResult<Vec<Sighting>> {
        let source = source.clone();
        self.readers.read(move |connection| identity::sightings(connection, &source, since)).await
    }

    async fn commit_resolution(&self, resolution: Resolution) -> StoreResult<Generation> {
        let rows = resolution.rows.len() + 1;
        self.write(rows, move |connection, minted| resolve::commit(connection, minted, &resolution))
            .await
    }

    async fn identity_records(&self, listings: &[ListingId]) -> StoreResult<Vec<IdentityRecord>> {
        let listings = listings.to_vec();
        self.readers.read(move |connection| identity::records(connection, &listings)).await
    }

    async fn asset_edges(&self, listings: &[ListingId]) -> StoreResult<Vec<StoredEdge>> {
        let listings = listings.to_vec();
        self.readers.read(move |connection| identity::edges(connection, &listings)).await
    }

    async fn resolutions(&self, limit: u32) -> StoreResult<Vec<ResolutionRow>> {
        self.readers.read(move |connection| identity::resolutions(connection, limit)).await
    }

    async fn decide_identity(&self, decision: IdentityDecision) -> StoreResult<DecisionId> {
        self.write(1, move |connection, _| resolve::decide(connection, decision)).await
    }
}
