//! The schedule, and requests from other processes.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Command, CommandKind, RunId, RunReason, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask::{Asked, Lists};
use crate::slot::Slot;
use crate::{Engine, EngineError};

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
        let mut values = true;
        let mut values_at = self.clock.now();
        loop {
            let lists_at = self.clock.now();
            if values {
                values_at = lists_at;
            }
            let run_id = RunId(uuid::Uuid::now_v7());
            let asked = Asked { values, lists: Lists::Due };
            let run = self.run_slot(Arc::clone(slot), run_id, RunReason::Schedule, asked).await;
            if let Err(error) = run {
                tracing::error!(source = %slot.name, %error, "the run could not be recorded");
            }
            let now = self.clock.now();
            let next_values = slot.settings.schedule.next_after(values_at, now);
            let next_lists = slot.next_lists(lists_at, now);
            let (next, of_values) = sooner(next_values, next_lists);
            values = of_values;
            // What the upstream asked for goes before the schedule.
            let next =
                next.map(|next| slot.all_not_before(now).map_or(next, |instant| next.max(instant)));
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
        let result = match self.outcome_of(&command.kind).await {
            Ok(result) => result,
            Err(error) => json!({"error": error.to_string()}),
        };
        if let Err(error) = self.store.complete(command.command_id, result).await {
            tracing::error!(%error, "the outcome of a command could not be stored");
        }
    }

    async fn outcome_of(self: &Arc<Self>, kind: &CommandKind) -> Result<Value, EngineError> {
        match kind {
            CommandKind::Run { source, run_id, lists } => {
                let lists = if *lists { Lists::All } else { Lists::Due };
                let asked = Asked { values: true, lists };
                let slot = self.slot(source)?;
                let run = self.run_slot(slot, *run_id, RunReason::Manual, asked).await?;
                Ok(json!({"run_id": run.run_id}))
            }
            CommandKind::Retry { rows, who, why } => {
                let runs = self.retry(rows, who, why).await?;
                let run_ids: Vec<_> = runs.iter().map(|run| run.run_id).collect();
                Ok(json!({"run_ids": run_ids}))
            }
            CommandKind::Discard { rows, who, why } => {
                Ok(json!({"discarded": self.discard(rows, who, why).await?}))
            }
        }
    }
}

/// How long lists that are due wait for the next run for values, so that most lists come with one.
const LISTS_WAIT: Duration = Duration::from_secs(3600);

/// The instant of the next run, and whether it asks for values.
fn sooner(values: Option<Timestamp>, lists: Option<Timestamp>) -> (Option<Timestamp>, bool) {
    match (values, lists) {
        (Some(values), Some(lists)) if lists.plus(LISTS_WAIT) < values => (Some(lists), false),
        (Some(values), _) => (Some(values), true),
        (None, lists) => (lists, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_with_values_unless_those_are_far_off() {
        let at = |text| Some(Timestamp::parse(text).unwrap());
        let noon = at("2026-01-01T12:00:00Z");
        assert_eq!(sooner(noon, at("2026-01-01T11:10:00Z")), (noon, true));
        assert_eq!(sooner(noon, at("2026-01-02T11:10:00Z")), (noon, true));
        let early = at("2026-01-01T09:00:00Z");
        assert_eq!(sooner(noon, early), (early, false));
        assert_eq!(sooner(None, early), (early, false));
        assert_eq!(sooner(noon, None), (noon, true));
        assert_eq!(sooner(None, None).0, None);
    }
}
