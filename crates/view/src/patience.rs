//! How long a view waits for its store: a call that never returns must not end the following.

use std::pin::pin;
use std::time::Duration;

use kasparro_domain::Generation;
use kasparro_store::{ListingRow, StoreError, StoreResult};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

/// How long the store may take to say its generation.
pub(crate) const GENERATION_WITHIN: Duration = Duration::from_secs(10);
/// How long a refresh goes on while the store brings nothing.
pub(crate) const PIECE_WITHIN: Duration = Duration::from_secs(30);

/// The answer of the store, or that there was none in time.
pub(crate) async fn in_time<T>(
    limit: Duration,
    asking: impl Future<Output = StoreResult<T>>,
) -> StoreResult<T> {
    timeout(limit, asking).await.unwrap_or_else(|_| Err(silent(limit)))
}

/// Hands pieces on from a store to the renderer until the store has brought all of them.
///
/// Only the store is timed: the time that the renderer takes for a piece does not count.
pub(crate) async fn handing_on(
    reading: impl Future<Output = StoreResult<Generation>>,
    mut pieces: mpsc::Receiver<Vec<ListingRow>>,
    renderer: mpsc::Sender<Vec<ListingRow>>,
    limit: Duration,
) -> StoreResult<Generation> {
    let mut reading = pin!(reading);
    let (mut read, mut open) = (None, true);
    let mut deadline = Instant::now() + limit;
    loop {
        if let (Some(generation), false) = (read, open) {
            return Ok(generation);
        }
        tokio::select! {
            generation = &mut reading, if read.is_none() => read = Some(generation?),
            piece = pieces.recv(), if open => match piece {
                Some(piece) => renderer.send(piece).await.map_err(|_| {
                    StoreError::Unavailable("the read model could not be made".to_owned())
                })?,
                None => open = false,
            },
            () = sleep_until(deadline) => return Err(silent(limit)),
        }
        deadline = Instant::now() + limit;
    }
}

fn silent(limit: Duration) -> StoreError {
    StoreError::Unavailable(format!("the store brought nothing for {} seconds", limit.as_secs()))
}
