//! Keeping up with the store: notified to be fast, polling to be right.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::Generation;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::View;
use crate::patience::{GENERATION_WITHIN, in_time};

/// Least time between two swaps; what is committed meanwhile goes into the later one.
const SWAP_EVERY: Duration = Duration::from_secs(1);
/// How often the store is asked for its generation, whatever it announced.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often ages are judged anew while nothing is committed.
const JUDGE_EVERY: Duration = Duration::from_secs(30);

impl View {
    /// Keeps the view up with the store until `shutdown`: a commit is shown at once, or, while commits
    /// keep coming, together with others within a second. While the store fails or does not return, that
    /// is logged once and the last snapshot stays. A failure is tried again a second later, a call that
    /// does not return is given up first: after 10 seconds, or 30 where listings are read.
    pub async fn follow(self: Arc<Self>, shutdown: CancellationToken) {
        let mut announced = Some(self.store.watch());
        let mut poll = interval(POLL_EVERY);
        let mut judge = interval(JUDGE_EVERY);
        for timer in [&mut poll, &mut judge] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut next_swap = Instant::now();
        let mut failing = false;
        loop {
            let behind = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                open = announcement(&mut announced) => {
                    if !open {
                        announced = None;
                    }
                    open
                }
                _ = judge.tick() => {
                    if let Err(error) = self.judge().await {
                        tracing::warn!(%error, "the ages of rows could not be judged");
                    }
                    false
                }
                _ = poll.tick() => tokio::select! {
                    () = shutdown.cancelled() => return,
                    behind = self.behind(&mut failing) => behind,
                },
            };
            if !behind {
                continue;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep_until(next_swap) => {}
            }
            // What is announced from here on may be missing from this refresh.
            if let Some(announced) = &mut announced {
                announced.mark_unchanged();
            }
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = self.refresh() => outcome,
            };
            note(&outcome.map(drop), &mut failing);
            next_swap = Instant::now() + SWAP_EVERY;
        }
    }

    /// True when the store has another generation than the view shows: a later one, or an earlier one
    /// where it went back.
    async fn behind(&self, failing: &mut bool) -> bool {
        if !self.loaded() {
            return true;
        }
        let newest = in_time(GENERATION_WITHIN, self.store.generation()).await;
        note(&newest.clone().map(drop), failing);
        newest.is_ok_and(|newest| newest != self.snapshot().generation())
    }
}

/// Logs when the store stops answering and when it answers again, not every second between.
fn note(outcome: &Result<(), kasparro_store::StoreError>, failing: &mut bool) {
    match outcome {
        Err(error) if !*failing => {
            tracing::warn!(%error, "the store does not answer; the last snapshot stays");
        }
        Ok(()) if *failing => tracing::info!("the store answers again"),
        _ => {}
    }
    *failing = outcome.is_err();
}

/// Waits for a commit; false when none will be announced any more.
async fn announcement(watch: &mut Option<watch::Receiver<Generation>>) -> bool {
    match watch {
        Some(watch) => watch.changed().await.is_ok(),
        None => std::future::pending().await,
    }
}
