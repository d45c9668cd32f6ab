//! What is wrong with a batch for this store, whatever is stored: found before any SQL is sent.

use kasparro_store::{Batch, StoreError, StoreResult};

/// Checks that numbers fit into their columns. All else is checked for every store.
pub(super) fn check(batch: &Batch) -> StoreResult<()> {
    let ordinals = batch.rows.iter().map(|row| row.ordinal);
    let ordinals = ordinals.chain(batch.evidence.iter().map(|row| row.ordinal));
    let ordinals = ordinals.chain(batch.news.iter().map(|row| row.ordinal));
    let ordinals = ordinals.chain(batch.quarantined.iter().map(|row| row.ordinal));
    let again = batch.retry.iter().flat_map(|retry| retry.ordinals.iter().copied());
    let examined = batch.examined.iter().flat_map(|examined| &examined.drift);
    let seen = examined.flat_map(|event| [event.rows_affected, event.rows_examined]);
    let own = [batch.sequence, batch.epoch, batch.unchanged, batch.duplicate, batch.rows_done];
    if ordinals.chain(again).chain(seen).chain(own).any(|number| i64::try_from(number).is_err()) {
        let (source, sequence) = (&batch.source, batch.sequence);
        return Err(StoreError::Conflict(format!(
            "{source}: batch {sequence} holds a number that is too large for a store"
        )));
    }
    Ok(())
}
