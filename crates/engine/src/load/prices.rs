//! What is unusual about the values of a row.

use kasparro_domain::{Decimal, Timestamp};
use kasparro_store::{HistoryRange, ListingRef, RowAnomaly, RowChange};
use kasparro_transform::{
    Believed, JUMP_HISTORY, PricePoint, UnusualValue, jump, unusual, worth_looking,
};
use tokio::runtime::Handle;

use super::Loader;

/// Listings of one page whose history is read: where more have moved that far, the page has moved and not
/// they.
const MOST_LOOKED_UP: u32 = 1_000;

impl Loader<'_> {
    /// What is unusual about a row that has to be written, given the price before it: its logarithm and
    /// instant.
    pub(super) fn unusual(
        &mut self,
        row: &Believed,
        change: RowChange,
        last_price: Option<(f32, Timestamp)>,
    ) -> Vec<RowAnomaly> {
        let mut found = unusual(&row.observation.quote);
        found.extend(self.jumped(row, change, last_price));
        let kept = |one: UnusualValue| RowAnomaly {
            kind: one.kind,
            value: one.value,
            expected: one.expected,
        };
        found.into_iter().map(kept).collect()
    }

    /// Compares a newer price with the listing's own history, which is read only where the price moved
    /// far enough to be worth it.
    fn jumped(
        &mut self,
        row: &Believed,
        change: RowChange,
        last_price: Option<(f32, Timestamp)>,
    ) -> Option<UnusualValue> {
        let RowChange::Newer { listing } = change else { return None };
        let (log_price, last_at) = last_price?;
        let price = number(row.observation.quote.price_usd.as_ref()?)?;
        if !worth_looking(log_price, price) || self.looked_up >= MOST_LOOKED_UP {
            return None;
        }
        self.looked_up += 1;
        let mut history = match listing {
            ListingRef::Stored(id) => {
                let range = HistoryRange {
                    until: Some(row.observed_at),
                    newest_first: true,
                    limit: u32::try_from(JUMP_HISTORY).ok(),
                    ..HistoryRange::default()
                };
                let points = self.parts.store.history(id, range);
                // Without history nothing is compared; whatever ails the store shows at the commit.
                Handle::current().block_on(points).unwrap_or_default()
            }
            ListingRef::InBatch => Vec::new(),
        };
        history.reverse();
        let mut points: Vec<PricePoint> = history
            .iter()
            .filter(|point| point.observed_at < row.observed_at)
            .filter_map(|point| {
                let price = number(point.price_usd.as_ref()?)?;
                Some(PricePoint { observed_at: point.observed_at, price })
            })
            .collect();
        // The newest point may stand in a batch that is not committed yet.
        if points.last().is_none_or(|point| point.observed_at < last_at) {
            let price = f64::from(log_price).exp();
            points.push(PricePoint { observed_at: last_at, price });
        }
        jump(&points, PricePoint { observed_at: row.observed_at, price })
    }
}

fn number(price: &Decimal) -> Option<f64> {
    price.as_str().parse().ok()
}
