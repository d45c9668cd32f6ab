//! Looking quarantined rows up by their numbers.

use std::collections::BTreeSet;

use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStatus, Store, StoreResult};

/// Rows read at a time.
const PIECE: u32 = 1_000;

/// The open rows with these numbers, by number.
pub(crate) async fn open_rows(
    store: &dyn Store,
    wanted: &[i64],
) -> StoreResult<Vec<QuarantineRow>> {
    let wanted: BTreeSet<i64> = wanted.iter().copied().collect();
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(Vec::new()) };
    let mut after = first.saturating_sub(1);
    let mut rows = Vec::new();
    while after < *last {
        let filter = QuarantineFilter {
            status: Some(QuarantineStatus::Open),
            after: Some(after),
            limit: Some(PIECE),
            ..QuarantineFilter::default()
        };
        let piece = store.quarantined(filter).await?;
        let Some(end) = piece.last().map(|row| row.quarantine_id) else { break };
        after = end;
        rows.extend(piece.into_iter().filter(|row| wanted.contains(&row.quarantine_id)));
    }
    Ok(rows)
}
