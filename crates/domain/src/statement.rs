//! What one row of a page says.

use crate::{Evidence, NewsItem, Observation};

/// One row of a page in our words: what the source said, before validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// The values of a listing at an instant.
    Observation(Observation),
    /// What a list says a listing is.
    Evidence(Evidence),
    /// A piece of news.
    News(NewsItem),
}

impl From<Observation> for Statement {
    fn from(observation: Observation) -> Self {
        Self::Observation(observation)
    }
}

impl From<Evidence> for Statement {
    fn from(evidence: Evidence) -> Self {
        Self::Evidence(evidence)
    }
}

impl From<NewsItem> for Statement {
    fn from(news: NewsItem) -> Self {
        Self::News(news)
    }
}
