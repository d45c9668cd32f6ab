//! News as readers get it.

use compact_str::CompactString;
use kasparro_domain::{NewsItem, SourceName, Timestamp};

/// A stored piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNews {
    /// Its number, in the order of arrival.
    pub news_id: i64,
    /// The source.
    pub source: SourceName,
    /// The feed that carries it: its address without the scheme.
    pub feed: CompactString,
    /// The item.
    pub item: NewsItem,
    /// When it was fetched first.
    pub first_seen_at: Timestamp,
    /// When its present text was fetched.
    pub fetched_at: Timestamp,
}

/// Which news to list: newest first by the time of publication (that of the first fetch where the feed
/// gives none), then by descending number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewsFilter {
    /// Only of these sources; any where there are none.
    pub sources: Vec<SourceName>,
    /// Only of this feed.
    pub feed: Option<String>,
    /// Only items whose title or summary holds this text, without regard to ASCII case; wildcards of
    /// SQL stand for themselves.
    pub search: Option<String>,
    /// Only published at or after this instant.
    pub from: Option<Timestamp>,
    /// Only published before this instant.
    pub until: Option<Timestamp>,
    /// At most so many.
    pub limit: Option<u32>,
    /// Leave out the first so many.
    pub offset: u64,
}
