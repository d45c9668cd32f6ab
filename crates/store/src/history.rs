//! Points of the past.

use compact_str::CompactString;
use kasparro_domain::{Decimal, Quote, SourceName, Timestamp};

/// The values of a listing at one instant, as history keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPoint {
    /// The source.
    pub source: SourceName,
    /// The source's id of the listing.
    pub external_id: CompactString,
    /// The instant the values hold for.
    pub observed_at: Timestamp,
    /// 0 for what was stated first; each correction of the same instant adds one. The highest is what
    /// the source says now.
    pub revision: u32,
    /// Price of one unit in US dollars.
    pub price_usd: Option<Decimal>,
    /// Market capitalisation in US dollars.
    pub market_cap: Option<Decimal>,
    /// Volume traded over 24 hours in US dollars.
    pub volume_24h: Option<Decimal>,
    /// True when the source gave the instant.
    pub source_timed: bool,
}

impl HistoryPoint {
    /// True when history would say the same of these values. History keeps price, cap and volume, so
    /// a correction of anything else changes the quote and adds no revision.
    #[must_use]
    pub fn agrees(&self, quote: &Quote) -> bool {
        self.price_usd == quote.price_usd
            && self.market_cap == quote.market_cap
            && self.volume_24h == quote.volume_24h
    }
}

/// Which points of a listing to read; the default is all of them, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryRange {
    /// Only points at or after this instant.
    pub from: Option<Timestamp>,
    /// Only points before this instant.
    pub until: Option<Timestamp>,
    /// Newest first; the revisions of one instant are turned round as well.
    pub newest_first: bool,
    /// At most so many points.
    pub limit: Option<u32>,
}

impl HistoryRange {
    /// True when `instant` lies in the range.
    #[must_use]
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= instant)
            && self.until.is_none_or(|until| instant < until)
    }

    /// The limit as a count of points.
    #[must_use]
    pub fn limit_points(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
}
