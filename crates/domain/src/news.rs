//! News that feeds carry.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// One item of a feed. Its texts are plain text, never markup; none of them names an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsItem {
    /// The feed's own id of the item (`guid`, `id`), its link, or a hash of its title and time.
    pub item_id: CompactString,
    /// The headline.
    pub title: String,
    /// Where the whole text stands: an `http` or `https` address.
    pub link: Option<String>,
    /// What it is about, in a few sentences.
    pub summary: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When it was published, as the feed says.
    pub published_at: Option<Timestamp>,
}
