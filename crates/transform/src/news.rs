//! Validation of news.

use std::time::Duration;

use kasparro_domain::{NewsItem, Rejection, RejectionReason, Timestamp};

/// How far the time of publication may lie after the fetch: feeds give local times without their zone,
/// and no zone is further than this from another.
pub const MAX_NEWS_AHEAD: Duration = Duration::from_secs(26 * 3600);

/// Validates and normalises one item that was fetched at `fetched_at`; the epoch, which feeds send for
/// "unknown", becomes an unknown instant.
///
/// # Errors
/// A [`Rejection`] when the item was published more than [`MAX_NEWS_AHEAD`] after the fetch.
pub fn believe_news(mut item: NewsItem, fetched_at: Timestamp) -> Result<NewsItem, Rejection> {
    item.published_at = item.published_at.filter(|instant| *instant != Timestamp::EPOCH);
    match item.published_at {
        Some(instant) if instant > fetched_at.plus(MAX_NEWS_AHEAD) => {
            let reason = RejectionReason::FutureTimestamp;
            Err(Rejection::new(reason, "published_at", &instant.to_string()).of(&item.item_id))
        }
        _ => Ok(item),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(published_at: Timestamp) -> NewsItem {
        NewsItem {
            item_id: "1".into(),
            title: "Block".to_owned(),
            link: None,
            summary: None,
            author: None,
            published_at: Some(published_at),
        }
    }

    #[test]
    fn news_of_tomorrow_is_a_zone_and_news_of_next_week_is_not_believed() {
        let fetched_at = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        let tomorrow = fetched_at.plus(Duration::from_secs(20 * 3600));
        assert_eq!(believe_news(item(tomorrow), fetched_at).unwrap().published_at, Some(tomorrow));
        let next_week = fetched_at.plus(Duration::from_secs(7 * 24 * 3600));
        let refused = believe_news(item(next_week), fetched_at).unwrap_err();
        assert_eq!(refused.reason, RejectionReason::FutureTimestamp);
        assert_eq!(believe_news(item(Timestamp::EPOCH), fetched_at).unwrap().published_at, None);
    }
}
