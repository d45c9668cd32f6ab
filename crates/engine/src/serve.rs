//! The schedule, and requests from other processes.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Command, CommandId, CommandKind, RunId, RunReason, RunStatus, Timestamp};
use kasparro_store::{RunFilter, StoreError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask::{Asked, Lists};
use crate::hold::{Hold, Holding};
use crate::slot::Slot;
use crate::trouble::Trouble;
use crate::under_way::UnderWay;
use crate::{Engine, EngineError};

/// How often command rows are looked for: what a person waits at most for a command to begin.
const COMMAND_POLL: Duration = Duration::from_millis(200);

/// How long to wait before a store that failed is asked again.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Successful runs among which one that asked for values is looked for.
const RUNS_LOOKED_AT: u32 = 20;

/// Longest sleep before the clock is looked at again, so that a clock that was set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl Engine {
    /// Runs every enabled source on its schedule, and carries out commands of other processes, until
    /// `shutdown`; returns when the runs under way have ended. Alone it runs every source at once; where
    /// sources are shared, each as it is taken and when it is due.
    pub async fn serve(self: Arc<Self>, shutdown: CancellationToken) {
        let tasks = TaskTracker::new();
        match self.lease_times() {
            None => {
                for slot in self.slots.values().filter(|slot| slot.settings.enabled) {
                    let Some(hold) = slot.hold() else { continue };
                    let (engine, slot) = (Arc::clone(&self), Arc::clone(slot));
                    tasks.spawn(async move { engine.keep_schedule(&slot, &hold, None).await });
                }
            }
            Some(times) => {
                let sharing = Arc::clone(&self).share(times, tasks.clone(), shutdown.clone());
                tasks.spawn(sharing);
            }
        }
        let (engine, ended) = (Arc::clone(&self), shutdown.clone());
        let carried_out = tasks.clone();
        tasks.spawn(async move { engine.carry_out_commands(&carried_out, &ended).await });
        tasks.spawn(Arc::clone(&self).deliver_alerts(shutdown.clone()));
        tasks.spawn(Arc::clone(&self).keep_identity(shutdown.clone()));
        shutdown.cancelled().await;
        self.stop();
        tasks.close();
        tasks.wait().await;
        if self.lease_times().is_some() {
            self.give_up().await;
        }
    }

    /// Serves a source that was just taken, for as long as it is held.
    pub(crate) async fn serve_slot(self: &Arc<Self>, slot: &Arc<Slot>, hold: &Hold) {
        // Whoever held it before may have died in the middle.
        while let Err(error) = self.recover_slot(slot, hold).await {
            if self.lost(slot, hold, &error) || !wait_unless_ended(STORE_PATIENCE, hold).await {
                return;
            }
            tracing::error!(source = %slot.name, %error, "what was left unfinished waits");
        }
        if !slot.settings.enabled {
            if let Err(error) = self.show_state(slot, None).await {
                tracing::error!(source = %slot.name, %error, "the state could not be stored");
            }
            return;
        }
        match self.last_good_start(slot).await {
            Ok(last) => self.keep_schedule(slot, hold, last).await,
            Err(error) => {
                tracing::error!(source = %slot.name, %error, "the log of runs could not be read");
                // The source becomes free, and whoever takes it begins anew.
                slot.let_go(hold);
            }
        }
    }

    /// When the source was last asked for its values with success, by whomever.
    pub(crate) async fn last_good_start(
        &self,
        slot: &Slot,
    ) -> Result<Option<Timestamp>, EngineError> {
        let newest = RunFilter {
            sources: vec![slot.name.clone()],
            status: Some(RunStatus::Success),
            limit: RUNS_LOOKED_AT,
            offset: 0,
        };
        let runs = self.store.runs(newest).await?;
        let fetched = runs.into_iter().find(|run| run.reason != RunReason::Retry);
        Ok(fetched.and_then(|run| run.started_at))
    }

    /// Lets a source go where `error` says that somebody else may hold it; true when it did.
    fn lost(&self, slot: &Slot, hold: &Hold, error: &EngineError) -> bool {
        if error.lost_source() {
            slot.let_go(hold);
        }
        error.lost_source()
    }

    /// Runs a source on its schedule: at once where it was never asked with success, else when it is due
    /// after `last_start`.
    async fn keep_schedule(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        hold: &Hold,
        last_start: Option<Timestamp>,
    ) {
        let mut values = true;
        let mut values_at = self.clock.now();
        if let Some(last_start) = last_start {
            values_at = last_start;
            let (next, of_values) = self.next_turn(slot, last_start, last_start).await;
            values = of_values;
            if !self.wait_until(slot, hold, next).await {
                return;
            }
        }
        loop {
            let lists_at = self.clock.now();
            if values {
                values_at = lists_at;
            }
            let run_id = RunId(uuid::Uuid::now_v7());
            let asked = Asked { values, lists: Lists::Due };
            let run = self.run_slot(Arc::clone(slot), run_id, RunReason::Schedule, asked).await;
            if let Err(error) = run {
                if self.lost(slot, hold, &error) {
                    return;
                }
                tracing::error!(source = %slot.name, %error, "the run could not be recorded");
                // The store is away. Whatever the run had landed is finished as soon as it is back.
                if !wait_unless_ended(STORE_PATIENCE, hold).await {
                    return;
                }
                continue;
            }
            let (next, of_values) = self.next_turn(slot, values_at, lists_at).await;
            values = of_values;
            if !self.wait_until(slot, hold, next).await {
                return;
            }
        }
    }

    /// When a source is asked next, and whether for its values, after it was asked for values and lists at
    /// these instants.
    pub(crate) async fn next_turn(
        &self,
        slot: &Slot,
        values_at: Timestamp,
        lists_at: Timestamp,
    ) -> (Option<Timestamp>, bool) {
        let now = self.clock.now();
        let next_values = slot.settings.schedule.next_after(values_at, now);
        let (next, of_values) = sooner(next_values, slot.next_lists(lists_at, now));
        // What the upstream asked for, and what its month allows, go before the schedule.
        let Some(next) = next else { return (None, of_values) };
        match self.affordable(slot, values_at, next).await {
            Ok(affordable) => (Some(affordable), of_values),
            Err(error) => {
                tracing::error!(source = %slot.name, %error, "the budget could not be read");
                (Some(next), of_values)
            }
        }
    }

    /// Shows when a source runs next and waits for that; false when it will not be.
    async fn wait_until(&self, slot: &Slot, hold: &Hold, next: Option<Timestamp>) -> bool {
        // What another holder shows stands.
        if hold.valid()
            && let Err(error) = self.show_state(slot, next).await
        {
            tracing::error!(source = %slot.name, %error, "the state could not be stored");
        }
        let Some(next) = next else { return false };
        loop {
            let left = next.since(self.clock.now());
            if left.is_zero() {
                return true;
            }
            if !wait_unless_ended(left.min(LONGEST_SLEEP), hold).await {
                return false;
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
        let trouble = Trouble::default();
        let under_way = UnderWay::default();
        loop {
            let claimed = match self.holding {
                Holding::Alone => self.store.claim(reclaim).await,
                Holding::Leased(_) => self.claim_held(&under_way.numbers()).await,
            };
            match claimed {
                Ok(commands) => {
                    reclaim = false;
                    trouble.over();
                    for command in commands {
                        let (engine, begun) =
                            (Arc::clone(self), under_way.begin(command.command_id));
                        tasks.spawn(async move {
                            engine.carry_out_command(command).await;
                            drop(begun);
                        });
                    }
                }
                Err(error) => {
                    trouble.note(&error.to_string(), "commands cannot be read");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(COMMAND_POLL) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// The commands about sources that are held here.
    async fn claim_held(&self, under_way: &[CommandId]) -> Result<Vec<Command>, StoreError> {
        let held = self.slots.values().filter_map(|slot| {
            let hold = slot.hold().filter(Hold::valid)?;
            Some((slot.name.clone(), hold.epoch()))
        });
        let held: Vec<_> = held.collect();
        if held.is_empty() { Ok(Vec::new()) } else { self.store.claim_held(&held, under_way).await }
    }

    async fn carry_out_command(self: Arc<Self>, command: Command) {
        let result = match self.outcome_of(&command).await {
            Ok(result) => result,
            // Whoever holds the source next takes the command up.
            Err(error) if error.lost_source() => return,
            Err(error) => json!({"error": error.to_string()}),
        };
        let trouble = Trouble::default();
        loop {
            let Command { command_id, epoch, .. } = command;
            match self.store.complete(command_id, epoch, result.clone()).await {
                Ok(()) => return,
                Err(error @ StoreError::Unavailable(_)) if !self.stopping.is_cancelled() => {
                    trouble.note(&error.to_string(), "the outcome of a command cannot be stored");
                    tokio::select! {
                        () = tokio::time::sleep(STORE_PATIENCE) => {}
                        () = self.stopping.cancelled() => {}
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the outcome of a command was not stored");
                    return;
                }
            }
        }
    }

    async fn outcome_of(self: &Arc<Self>, command: &Command) -> Result<Value, EngineError> {
        let epoch = command.epoch;
        match &command.kind {
            CommandKind::Run { source, run_id, lists } => {
                let lists = if *lists { Lists::All } else { Lists::Due };
                let asked = Asked { values: true, lists };
                let slot = self.slot(source)?;
                let run = self.run_slot(slot, *run_id, RunReason::Manual, asked).await?;
                Ok(json!({"run_id": run.run_id}))
            }
            CommandKind::Retry { source, rows, who, why } => {
                let run = self.retry_source(source, epoch, rows, who, why).await?;
                let run_ids: Vec<_> = run.iter().map(|run| run.run_id).collect();
                Ok(json!({"run_ids": run_ids}))
            }
            CommandKind::Discard { source, rows, who, why } => {
                Ok(json!({"discarded": self.discard_source(source, epoch, rows, who, why).await?}))
            }
            CommandKind::RetryPage { source, page_id, forced, who, why } => {
                let run = self.retry_page_of(source, epoch, *page_id, *forced, who, why).await?;
                Ok(json!({"run_ids": run.iter().map(|run| run.run_id).collect::<Vec<_>>()}))
            }
            CommandKind::AcceptDrift { source, drift, who, why } => {
                Ok(json!({"accepted": self.accept_drift_of(source, epoch, drift, who, why).await?}))
            }
            CommandKind::DecideIdentity { source: _, decision, pairs, relation, who, why } => {
                let (kind, pairs, relation) = (*decision, pairs.clone(), relation.clone());
                let decided = self.decide_identity_once(command, kind, pairs, relation, who, why);
                let decided = decided.await?;
                Ok(json!({"decision_id": decided}))
            }
        }
    }
}

/// Waits; false when the source is lost or the process is to stop before that.
async fn wait_unless_ended(wait: Duration, hold: &Hold) -> bool {
    tokio::select! {
        () = tokio::time::sleep(wait) => hold.valid(),
        () = hold.ended.cancelled() => false,
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
