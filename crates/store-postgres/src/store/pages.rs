//! Raw pages and their bodies, each call handed to a connection or to a transaction.

use async_trait::async_trait;
use kasparro_domain::{BodyHash, PageId, RawPage, RunError, RunId, SourceName};
use kasparro_store::{
    CompressedBody, Examined, NewPage, PageFilter, PageRecord, PageStore, Reopening, StoreError,
    StoreResult,
};

use super::traits::begin;
use super::{PostgresStore, finish};
use crate::queries::{bodies, pages};

#[async_trait]
impl PageStore for PostgresStore {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        pages::look(&transaction, &page).await?;
        // Before the lease is locked: a large body takes time, in which its holder must be able to renew.
        let hash = body.hash;
        let kept = bodies::keep(&transaction, body).await?;
        let landed = pages::keep(&transaction, page, hash, kept).await?;
        finish(transaction).await?;
        Ok(landed)
    }

    async fn refuse(
        &self,
        page: PageId,
        epoch: u64,
        error: RunError,
        examined: Option<Examined>,
    ) -> StoreResult<()> {
        if let Some(examined) = &examined {
            examined.check()?;
        }
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        pages::refuse(&transaction, page, epoch, &error, examined.as_ref()).await?;
        Ok(finish(transaction).await?)
    }

    async fn reopen(&self, page: PageId, epoch: u64, reopening: Reopening) -> StoreResult<RawPage> {
        if [&reopening.who, &reopening.why].iter().any(|text| text.contains('\0')) {
            let why = "who reads a page after all, or why, holds the character U+0000";
            return Err(StoreError::Conflict(why.to_owned()));
        }
        let mut client = self.connection().await?;
        let transaction = begin(&mut client).await?;
        let reopened = pages::reopen(&transaction, page, epoch, &reopening).await?;
        finish(transaction).await?;
        Ok(reopened)
    }

    async fn pages(&self, filter: PageFilter) -> StoreResult<Vec<PageRecord>> {
        let client = self.connection().await?;
        Ok(pages::list(&client, &filter).await?)
    }

    async fn count_pages(&self, filter: PageFilter) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(pages::count(&client, &filter).await?)
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let client = self.connection().await?;
        Ok(pages::landed(&client, source).await?)
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        let client = self.connection().await?;
        Ok(pages::loaded_pages(&client, run_id).await?)
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        let client = self.connection().await?;
        Ok(pages::last_loaded(&client, source, request).await?)
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        let client = self.connection().await?;
        Ok(pages::page(&client, page).await?)
    }

    async fn pages_after(&self, after: PageId, limit: u32) -> StoreResult<Vec<PageRecord>> {
        let client = self.connection().await?;
        Ok(pages::pages_after(&client, after, limit).await?)
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        let client = self.connection().await?;
        Ok(bodies::chunk(&client, body, index).await?)
    }
}
