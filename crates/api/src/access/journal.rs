//! What is logged of those who ask: never a key, and no more lines than somebody reads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines in each [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Writes lines about callers until there are too many; then it counts them. Who is refused takes no room
/// from who changes something.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    refused: Gate,
    limited: Gate,
    changed: Gate,
}

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun_at: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Journal {
    /// A request was refused; `key_id` where the key at least has the form of one.
    pub(crate) fn refused(&self, key_id: Option<&str>, why: &str) {
        if self.refused.room() {
            tracing::info!(key_id, why, "a request was refused");
        }
    }

    /// A request was one too many; `key_id` where it brought a good key.
    pub(crate) fn limited(&self, key_id: Option<&str>, why: &str) {
        if self.limited.room() {
            tracing::info!(key_id, why, "a request was one too many");
        }
    }

    /// A request that changes something was carried out.
    pub(crate) fn changed(&self, who: &str, method: &str, path: &str) {
        if self.changed.room() {
            tracing::info!(who, method, path, "a request changed something");
        }
    }
}

impl Gate {
    /// True where one more line may be written.
    fn room(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.begun_at.is_none_or(|begun_at| now.duration_since(begun_at) >= WINDOW) {
            if state.left_out > 0 {
                tracing::info!(lines = state.left_out, "more was refused or changed than is told");
            }
            *state = State { begun_at: Some(now), ..State::default() };
        }
        let room = state.written < LINES;
        if room {
            state.written += 1;
        } else {
            state.left_out += 1;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_is_no_flood_of_lines() {
        let gate = Gate::default();
        let mut written = 0;
        for _ in 0..1_000 {
            written += u32::from(gate.room());
        }
        assert_eq!(written, LINES);
        tokio::time::advance(WINDOW).await;
        assert!(gate.room());
    }
}
