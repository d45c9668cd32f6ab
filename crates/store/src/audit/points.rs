//! Points of history and the quotes that they lead to.

use std::collections::HashMap;

use kasparro_domain::{Decimal, SourceName, Timestamp};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::found::Found;
use crate::{HistoryPoint, ListingRow};

/// What a quote must have in history: its instant, and XXH3-64 of what history keeps of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    observed_at: Timestamp,
    values: u64,
}

/// Name of a listing, hashed: 128 bits.
type Key = u128;

/// Compares each quote with the newest point of its listing.
#[derive(Debug, Default)]
pub(super) struct Points {
    quotes: HashMap<Key, Mark>,
    last: Option<(Key, HistoryPoint)>,
}

fn key(source: &SourceName, external_id: &str) -> Key {
    let mut hash = Xxh3::new();
    hash.update(source.as_str().as_bytes());
    hash.update(&[0]);
    hash.update(external_id.as_bytes());
    hash.digest128()
}

fn mark(observed_at: Timestamp, values: [Option<&Decimal>; 3]) -> Mark {
    let text = values.map(|value| value.map_or("-", Decimal::as_str)).join(" ");
    Mark { observed_at, values: xxh3_64(text.as_bytes()) }
}

fn mark_of(point: &HistoryPoint) -> Mark {
    let HistoryPoint { price_usd, market_cap, volume_24h, .. } = point;
    mark(point.observed_at, [price_usd.as_ref(), market_cap.as_ref(), volume_24h.as_ref()])
}

impl Points {
    pub(super) fn quote(&mut self, row: &ListingRow) {
        if let (Some(quote), Some(observed_at)) = (&row.quote, row.observed_at) {
            let values =
                [quote.price_usd.as_ref(), quote.market_cap.as_ref(), quote.volume_24h.as_ref()];
            self.quotes.insert(key(&row.source, &row.external_id), mark(observed_at, values));
        }
    }

    pub(super) fn point(&mut self, point: &HistoryPoint, found: &mut Found) {
        let key = key(&point.source, &point.external_id);
        let (source, id) = (&point.source, &point.external_id);
        match &self.last {
            Some((last, before)) if *last == key && before.observed_at == point.observed_at => {
                if point.revision != before.revision + 1 {
                    let at = point.observed_at;
                    let what = format!(
                        "{source} {id} at {at}: revision {} follows {}",
                        point.revision, before.revision
                    );
                    found.say("history", what);
                }
            }
            last => {
                let newest_before = last.as_ref().filter(|(last, _)| *last != key).cloned();
                if point.revision != 0 {
                    let at = point.observed_at;
                    found.say(
                        "history",
                        format!("{source} {id} at {at}: the first revision is {}", point.revision),
                    );
                }
                self.newest(newest_before, found);
            }
        }
        self.last = Some((key, point.clone()));
    }

    /// The newest point of a listing has gone by: it must be what the quote says.
    fn newest(&mut self, point: Option<(Key, HistoryPoint)>, found: &mut Found) {
        let Some((key, point)) = point else { return };
        let (source, id) = (&point.source, &point.external_id);
        match self.quotes.remove(&key) {
            Some(quote) if quote == mark_of(&point) => {}
            Some(quote) => {
                let what = format!(
                    "{source} {id}: the quote at {} is not the newest point of its history, at {}",
                    quote.observed_at, point.observed_at
                );
                found.say("quote", what);
            }
            None => found.say("quote", format!("{source} {id}: history without a quote")),
        }
    }

    /// Tells what does not hold once every point has gone by.
    pub(super) fn finish(mut self, found: &mut Found) {
        let last = self.last.take();
        self.newest(last, found);
        let unkept = self.quotes.len();
        if unkept > 0 {
            found.say("quote", format!("{unkept} quotes have no point in history"));
        }
    }
}
