//! The trait of raw pages.

use async_trait::async_trait;
use kasparro_domain::{BodyHash, PageId, RawPage, RunError, RunId, SourceName};
use kasparro_store::{
    CompressedBody, Examined, NewPage, PageFilter, PageRecord, PageStore, Reopening, StoreResult,
};

use super::SqliteStore;
use crate::queries::{pages, refusals};

/// A page counts as so many rows where requests are committed together: its body is large.
const PAGE_ROWS: usize = 250;

#[async_trait]
impl PageStore for SqliteStore {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        self.write(PAGE_ROWS, move |connection, _| pages::land(connection, page, body)).await
    }

    async fn refuse(
        &self,
        page: PageId,
        epoch: u64,
        error: RunError,
        examined: Option<Examined>,
    ) -> StoreResult<()> {
        self.write(1, move |connection, _| {
            refusals::refuse(connection, page, epoch, &error, examined.as_ref())
        })
        .await
    }

    async fn reopen(&self, page: PageId, epoch: u64, reopening: Reopening) -> StoreResult<RawPage> {
        self.write(1, move |connection, _| refusals::reopen(connection, page, epoch, &reopening))
            .await
    }

    async fn pages(&self, filter: PageFilter) -> StoreResult<Vec<PageRecord>> {
        self.readers.read(move |connection| refusals::list(connection, &filter)).await
    }

    async fn count_pages(&self, filter: PageFilter) -> StoreResult<u64> {
        self.readers.read(move |connection| refusals::count(connection, &filter)).await
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let source = source.clone();
        self.readers.read(move |connection| pages::landed(connection, &source)).await
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        self.readers.read(move |connection| pages::loaded_pages(connection, run_id)).await
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        let (source, request) = (source.clone(), request.to_string());
        self.readers.read(move |connection| pages::last_loaded(connection, &source, &request)).await
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        self.readers.read(move |connection| pages::page(connection, page)).await
    }

    async fn pages_after(&self, after: PageId, limit: u32) -> StoreResult<Vec<PageRecord>> {
        self.readers.read(move |connection| pages::pages_after(connection, after, limit)).await
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        self.readers.read(move |connection| pages::body_chunk(connection, body, index)).await
    }
}
