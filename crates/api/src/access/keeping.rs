//! Keeping the ring: confirmed each second, read where a key changed, uses written each minute.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::Shared;
use crate::problem::Problem;

/// How often the store is asked whether keys changed: twice this, and a revoked key is refused everywhere.
const EVERY: Duration = Duration::from_secs(1);
/// How often uses are written.
const USES_EVERY: Duration = Duration::from_secs(60);

/// Asks the store once, and takes the keys over where any changed.
///
/// # Errors
/// Where the store does not answer.
pub(crate) async fn refresh(shared: &Shared) -> Result<(), Problem> {
    let asked_at = Instant::now();
    let known = shared.keys.mark();
    match shared.ask(shared.store.keys_since(known.clone())).await? {
        Some((mark, keys)) => shared.keys.confirm(mark, keys, asked_at),
        None => shared.keys.confirm_unchanged(known.as_ref(), asked_at),
    }
    Ok(())
}

/// Refreshes the keys each second until `end`, and writes their uses each minute and at the end.
pub(crate) async fn keep_ring(shared: Arc<Shared>, end: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            _ = ticks.tick() => {}
        }
        // What failed is logged where the store is asked; the ring says for itself how old it is.
        let _ = refresh(&shared).await;
        if written_at.elapsed() >= USES_EVERY {
            written_at = Instant::now();
            write_uses(&shared).await;
        }
    }
    write_uses(&shared).await;
}

async fn write_uses(shared: &Shared) {
    let uses = shared.keys.unwritten();
    if !uses.is_empty() && shared.ask(shared.store.note_key_uses(uses.clone())).await.is_ok() {
        shared.keys.written(&uses);
    }
}
