//! Whoever carries commands out in these tests: what an engine does with the store alone.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Clock as _, Command, CommandKind};
use kasparro_store::{
    CommandStore as _, DriftStore as _, IdentityDecision, IdentityStore as _, MemoryStore,
    QuarantineStore as _, RunStore as _,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::world::World;

/// Carries commands out until it is dropped.
pub(super) struct Worker(JoinHandle<()>);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// Has commands carried out.
    pub(super) fn work(&self) -> Worker {
        let (store, clock) = (Arc::clone(&self.kept), Arc::clone(&self.clock));
        Worker(tokio::spawn(async move {
            loop {
                for command in store.claim(false).await.unwrap() {
                    let result = outcome(&store, &command, clock.now()).await;
                    store.complete(command.command_id, command.epoch, result).await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }))
    }
}

async fn outcome(store: &MemoryStore, command: &Command, now: kasparro_domain::Timestamp) -> Value {
    match command.kind.clone() {
        CommandKind::Run { source, run_id, .. } => {
            let reason = kasparro_domain::RunReason::Manual;
            let run = store.queue_run(run_id, &source, reason, now).await.unwrap();
            json!({"run_id": run.run_id})
        }
        CommandKind::Retry { rows, .. } if rows == [1] => {
            json!({"error": "the store cannot be used: secret-host:5432"})
        }
        CommandKind::Retry { .. } | CommandKind::RetryPage { .. } => json!({"run_ids": ["r"]}),
        CommandKind::Discard { rows, who, why, .. } => {
            json!({"discarded": store.discard(rows, &who, &why, now).await.unwrap()})
        }
        CommandKind::AcceptDrift { drift, who, why, .. } => {
            json!({"accepted": store.accept_drift(drift, &who, &why, now).await.unwrap()})
        }
        CommandKind::DecideIdentity { source, decision: kind, pairs, relation, who, why } => {
            let decided_at = now;
            let decision = IdentityDecision { kind, source, pairs, relation, who, why, decided_at };
            json!({"decision_id": store.decide_identity(decision).await.unwrap()})
        }
    }
}
