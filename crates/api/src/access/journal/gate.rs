//! How many lines are written.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lines in each [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Lets so many lines pass in each window, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    begun_at: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Gate {
    /// True where one more line may be written.
    pub(super) fn room(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if state.begun_at.is_none_or(|begun_at| now.duration_since(begun_at) >= WINDOW) {
            if state.left_out > 0 {
                tracing::info!(lines = state.left_out, "more of this was seen than is told");
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
