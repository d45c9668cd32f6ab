//! Wrongs done to pages.

use async_trait::async_trait;
use kasparro_domain::{BodyHash, PageId, PageState, RawPage, RunError, RunId, SourceName};
use kasparro_store::{
    CompressedBody, Examined, NewPage, PageFilter, PageRecord, PageStore, Reopening, StoreError,
    StoreResult,
};

use super::{Fault, Twin};

#[async_trait]
impl PageStore for Twin {
    async fn land(&self, page: NewPage, body: CompressedBody) -> StoreResult<RawPage> {
        let newest = self.newest_epoch(&page.source);
        match newest {
            Some(epoch) if self.fault == Fault::LandsUnderOldEpochs => {
                self.inner.land(NewPage { epoch, ..page }, body).await
            }
            _ => self.inner.land(page, body).await,
        }
    }

    async fn refuse(
        &self,
        page: PageId,
        epoch: u64,
        error: RunError,
        examined: Option<Examined>,
    ) -> StoreResult<()> {
        let examined = examined.filter(|_| self.fault != Fault::ForgetsDriftOfRefusedPages);
        match self.inner.refuse(page, epoch, error.clone(), examined).await {
            Err(StoreError::Fenced { .. }) if self.fault == Fault::RefusesUnderOldEpochs => {}
            outcome => outcome?,
        }
        self.note(|notes| {
            notes.refused.push(page);
            notes.errors.insert(page, error);
        });
        Ok(())
    }

    async fn reopen(&self, page: PageId, epoch: u64, reopening: Reopening) -> StoreResult<RawPage> {
        let before = self.inner.page(page).await?;
        let newest = before.as_ref().and_then(|page| self.newest_epoch(&page.source));
        let epoch = newest.filter(|_| self.fault == Fault::ReopensForAnybody).unwrap_or(epoch);
        match (self.inner.reopen(page, epoch, reopening).await, before) {
            (Err(StoreError::Conflict(_)), Some(page)) if self.fault == Fault::ReopensAnything => {
                Ok(page)
            }
            (outcome, _) => outcome,
        }
    }

    async fn pages(&self, mut filter: PageFilter) -> StoreResult<Vec<PageRecord>> {
        if self.fault == Fault::IgnoresPageState {
            filter.state = None;
        }
        self.forget_sources(&mut filter.sources);
        let mut pages = self.inner.pages(filter).await?;
        if self.fault == Fault::LeavesTheErrorOfReopenedPages {
            for record in &mut pages {
                record.error = self.note(|notes| notes.errors.get(&record.page.page_id).cloned());
            }
        }
        Ok(pages)
    }

    async fn count_pages(&self, filter: PageFilter) -> StoreResult<u64> {
        match self.fault {
            Fault::CountsOneListOfPages => Ok(self.inner.pages(filter).await?.len() as u64),
            _ => self.inner.count_pages(filter).await,
        }
    }

    async fn landed_pages(&self, source: &SourceName) -> StoreResult<Vec<RawPage>> {
        let mut pages = self.inner.landed_pages(source).await?;
        if self.fault == Fault::BringsRefusedPagesBack {
            for page in self.note(|notes| notes.refused.clone()) {
                pages.extend(self.inner.page(page).await?);
            }
        }
        Ok(pages)
    }

    async fn loaded_pages(&self, run_id: RunId) -> StoreResult<Vec<RawPage>> {
        match self.fault {
            Fault::ForgetsLoadedPages => Ok(Vec::new()),
            _ => self.inner.loaded_pages(run_id).await,
        }
    }

    async fn last_loaded(
        &self,
        source: &SourceName,
        request: &serde_json::Value,
    ) -> StoreResult<Option<RawPage>> {
        match self.note(|notes| notes.loaded) {
            Some(page) if self.fault == Fault::FindsAnyLoadedPage => self.inner.page(page).await,
            _ => self.inner.last_loaded(source, request).await,
        }
    }

    async fn page(&self, page: PageId) -> StoreResult<Option<RawPage>> {
        let mut page = self.inner.page(page).await?;
        if self.fault == Fault::ForgetsProgress
            && let Some(page) = &mut page
        {
            page.rows_done = 0;
            page.state = PageState::Landed;
        }
        Ok(page)
    }

    async fn pages_after(&self, after: PageId, limit: u32) -> StoreResult<Vec<PageRecord>> {
        let limit = if self.fault == Fault::IgnoresPageLimit { u32::MAX } else { limit };
        let mut pages = self.inner.pages_after(after, limit).await?;
        if self.fault == Fault::SkipsRefusedPages {
            pages.retain(|record| record.page.state != PageState::Refused);
        }
        Ok(pages)
    }

    async fn body_chunk(&self, body: BodyHash, index: u32) -> StoreResult<Option<Vec<u8>>> {
        let mut chunk = self.inner.body_chunk(body, index).await?;
        if self.fault == Fault::CutsBodies
            && let Some(chunk) = &mut chunk
        {
            chunk.pop();
        }
        Ok(chunk)
    }
}
