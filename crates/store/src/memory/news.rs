//! News as the in-memory store serves it.

use async_trait::async_trait;

use super::MemoryStore;
use super::tables::{Tables, of_sources};
use crate::{NewsFilter, NewsStore, StoreResult, StoredNews};

/// True when `text` holds `part`, without regard to ASCII case.
fn holds(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(&part.to_ascii_lowercase())
}

/// News that fits, newest first; paging left aside.
fn fitting(tables: &Tables, filter: &NewsFilter) -> Vec<StoredNews> {
    let published = |news: &StoredNews| news.item.published_at.unwrap_or(news.first_seen_at);
    let fits = |news: &&StoredNews| {
        let texts = [Some(&news.item.title), news.item.summary.as_ref()];
        of_sources(&filter.sources, &news.source)
            && filter.feed.as_ref().is_none_or(|feed| news.feed == *feed)
            && filter.from.is_none_or(|from| from <= published(news))
            && filter.until.is_none_or(|until| published(news) < until)
            && filter
                .search
                .as_ref()
                .is_none_or(|part| texts.into_iter().flatten().any(|text| holds(text, part)))
    };
    let news = tables.news.values().map(|news| &news.stored);
    let mut news: Vec<StoredNews> = news.filter(fits).cloned().collect();
    news.sort_unstable_by_key(|news| std::cmp::Reverse((published(news), news.news_id)));
    news
}

#[async_trait]
impl NewsStore for MemoryStore {
    async fn news(&self, filter: NewsFilter) -> StoreResult<Vec<StoredNews>> {
        let news = fitting(&self.tables(), &filter);
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(news.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect())
    }

    async fn count_news(&self, filter: NewsFilter) -> StoreResult<u64> {
        Ok(fitting(&self.tables(), &filter).len() as u64)
    }
}
