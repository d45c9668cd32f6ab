//! Wrongs done to quarantine, decisions and news.

use async_trait::async_trait;
use kasparro_domain::{Decision, Timestamp};
use kasparro_store::{
    NewsFilter, NewsStore, QuarantineFilter, QuarantineRow, QuarantineStatus, QuarantineStore,
    StoreResult, StoredNews,
};

use super::{Fault, Twin};

#[async_trait]
impl QuarantineStore for Twin {
    async fn quarantined(&self, mut filter: QuarantineFilter) -> StoreResult<Vec<QuarantineRow>> {
        match self.fault {
            Fault::IgnoresQuarantineFilter => filter.status = None,
            Fault::IgnoresQuarantineNumber => filter.after = None,
            _ => {}
        }
        self.forget_sources(&mut filter.sources);
        let mut rows = self.inner.quarantined(filter).await?;
        for row in &mut rows {
            let reopened = match self.fault {
                Fault::ReopensRows => true,
                Fault::KeepsRetriedRowsOpen => row.status == QuarantineStatus::Loaded,
                _ => false,
            };
            if reopened {
                row.status = QuarantineStatus::Open;
            }
        }
        Ok(rows)
    }

    async fn count_quarantined(&self, filter: QuarantineFilter) -> StoreResult<u64> {
        match self.fault {
            Fault::CountsOnePageOfQuarantine => {
                Ok(self.inner.quarantined(filter).await?.len() as u64)
            }
            _ => self.inner.count_quarantined(filter).await,
        }
    }

    async fn discard(
        &self,
        rows: Vec<i64>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let asked = rows.len() as u64;
        let open = self.inner.discard(rows, who, why, now).await?;
        Ok(if self.fault == Fault::CountsEveryDiscard { asked } else { open })
    }

    async fn decisions(&self) -> StoreResult<Vec<Decision>> {
        let mut decisions = match self.fault {
            Fault::DecidesNothing => Vec::new(),
            _ => self.inner.decisions().await?,
        };
        decisions.iter_mut().for_each(|decision| self.spoil_decision(decision));
        Ok(decisions)
    }
}

#[async_trait]
impl NewsStore for Twin {
    async fn news(&self, mut filter: NewsFilter) -> StoreResult<Vec<StoredNews>> {
        match self.fault {
            Fault::IgnoresNewsOffset => filter.offset = 0,
            Fault::TakesWildcards => {
                filter.search = filter.search.map(|text| text.replace(['%', '_'], ""));
            }
            _ => {}
        }
        self.forget_sources(&mut filter.sources);
        let mut news = self.inner.news(filter).await?;
        if self.fault == Fault::ListsNewsOldestFirst {
            news.reverse();
        }
        Ok(news)
    }

    async fn count_news(&self, filter: NewsFilter) -> StoreResult<u64> {
        match self.fault {
            Fault::CountsOnePageOfNews => Ok(self.inner.news(filter).await?.len() as u64),
            _ => self.inner.count_news(filter).await,
        }
    }
}
