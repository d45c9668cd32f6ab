//! The schedule, and requests from other processes.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Command, CommandKind, RunId, RunReason};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Engine;
use crate::slot::Slot;

/// How often command rows are looked for: what a person waits at most for a command to begin.
const COMMAND_POLL: Duration = Duration::from_millis(200);

/// Longest sleep before the clock is looked at again, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs every enabled source at once and then on its schedule, and carries out commands of other
    /// processes, until `shutdown`; returns when the runs under way have ended.
    pub async fn serve(self: Arc<Self>, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        for slot in self.slots.values().filter(|slot| slot.settings.enabled) {
            let (engine, slot, shutdown) = (Arc::clone(&self), Arc::clone(slot), shutdown.clone());
            tasks.spawn(async move { engine.keep_schedule(&slot, &shutdown).await });
        }
        let (engine, ended) = (Arc::clone(&self), shutdown.clone());
        let carried_out = tasks.clone();
        tasks.spawn(async move { engine.carry_out_commands(&carried_out, &ended).await });
        shutdown.cancelled().await;
        self.stop();
        tasks.close();
        tasks.wait().await;
    }

    async fn keep_schedule(self: &Arc<Self>, slot: &Arc<Slot>, shutdown: &CancellationToken) {
        loop {
            let started_at = self.clock.now();
            let run_id = RunId(uuid::Uuid::now_v7());
            let run = self.run_slot(Arc::clone(slot), run_id, RunReason::Schedule).await;
            if let Err(error) = run {
                tracing::error!(source = %slot.name, %error, "the run could not be recorded");
            }
            let now = self.clock.now();
            let next = slot.settings.schedule.next_after(started_at, now);
            // What the upstream asked for goes before the schedule.
            let next =
                next.map(|next| slot.not_before(now).map_or(next, |instant| next.max(instant)));
            if let Err(error) = self.show_state(slot, next).await {
                tracing::error!(source = %slot.name, %error, "the state could not be stored");
            }
            let Some(next) = next else { return };
            loop {
                let left = next.since(self.clock.now());
                if left.is_zero() {
                    break;
                }
                tokio::select! {
                    () = tokio::time::sleep(left.min(LONGEST_SLEEP)) => {}
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }

    async fn carry_out_commands(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) {
        // What a dead holder had claimed is taken up again, once.
        let mut reclaim = true;
        loop {
            match self.store.claim(reclaim).await {
                Ok(commands) => {
                    reclaim = false;
                    for command in commands {
                        let engine = Arc::clone(self);
                        tasks.spawn(async move { engine.carry_out_command(command).await });
                    }
                }
                Err(error) => tracing::error!(%error, "commands could not be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(COMMAND_POLL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn carry_out_command(self: Arc<Self>, command: Command) {
        let CommandKind::Run { source, run_id } = &command.kind;
        let outcome = match self.slot(source) {
            Ok(slot) => self.run_slot(slot, *run_id, RunReason::Manual).await,
            Err(error) => Err(error),
        };
        let result = match outcome {
            Ok(run) => serde_json::json!({"run_id": run.run_id}),
            Err(error) => serde_json::json!({"error": error.to_string()}),
        };
        if let Err(error) = self.store.complete(command.command_id, result).await {
            tracing::error!(%error, "the outcome of a command could not be stored");
        }
    }
}
