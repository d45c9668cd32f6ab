//! Listings that a complete sweep did not show, and those that came back.

use deadpool_postgres::Transaction;
use kasparro_domain::{SWEEPS_TO_INACTIVE, Timestamp};

use super::applied::Applied;
use crate::error::Queried;
use crate::queries::{Instant, execute};

/// Applies which listings came back, and what the sweep that ends with this batch showed. `before` is
/// when the source was swept last.
pub(super) fn apply(applied: &mut Applied<'_>, before: Option<Timestamp>) -> Queried<()> {
    let batch = applied.batch;
    for listing_id in &batch.returned {
        applied.change(*listing_id, |listing| {
            listing.now.missed = 0;
            listing.now.last_seen_at = None;
            // A list that says so keeps it inactive.
            listing.now.active = !listing.delisted();
        })?;
    }
    let missing = batch.sweep.iter().flat_map(|sweep| &sweep.missing);
    for listing_id in missing {
        applied.change(*listing_id, |listing| {
            let first_seen_at = listing.first_seen_at;
            if listing.now.missed == 0 {
                let swept = before.filter(|swept| first_seen_at <= *swept);
                let quoted = listing.quoted.map(|quoted| quoted.fetched_at);
                listing.now.last_seen_at = swept.max(quoted).max(Some(first_seen_at));
            }
            listing.now.missed = listing.now.missed.saturating_add(1).min(SWEEPS_TO_INACTIVE);
        })?;
    }
    Ok(())
}

const SWEEP: &str = "INSERT INTO sweep (source_id, swept_at) VALUES ($1, $2)
    ON CONFLICT (source_id) DO UPDATE SET swept_at = excluded.swept_at";

/// Notes the sweep that ends with this batch.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    if applied.batch.sweep.is_some() {
        execute(transaction, SWEEP, &[&source, &Instant(applied.batch.fetched_at)]).await?;
    }
    Ok(())
}
