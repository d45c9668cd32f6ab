//! Sharing sources with other processes: taking those that are free, and holding on to them.

use std::sync::Arc;

use futures_util::future::join_all;
use kasparro_domain::SourceName;
use kasparro_store::StoreError;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hold::{Hold, LeaseTimes};
use crate::slot::Slot;
use crate::{Engine, EngineError};

/// A source that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldElsewhere {
    /// The source.
    pub source: SourceName,
    /// Who holds it.
    pub holder: String,
}

impl Engine {
    /// Takes these sources, finishes what was left of them, and returns those that others hold. Where one
    /// process works alone it has them all already.
    ///
    /// # Errors
    /// [`EngineError::UnknownSource`] before anything is taken; [`EngineError::Store`] when the store
    /// cannot be used.
    pub async fn take(
        self: &Arc<Self>,
        sources: &[SourceName],
    ) -> Result<Vec<HeldElsewhere>, EngineError> {
        let slots = sources.iter().map(|name| self.slot(name)).collect::<Result<Vec<_>, _>>()?;
        let Some(times) = self.lease_times() else { return Ok(Vec::new()) };
        let mut elsewhere = Vec::new();
        for slot in slots.into_iter().filter(|slot| slot.hold().is_none()) {
            match self.acquire(&slot, times).await {
                Ok(hold) => self.recover_slot(&slot, &hold).await?,
                Err(StoreError::Held { source_name, holder, .. }) => {
                    elsewhere.push(HeldElsewhere { source: source_name, holder });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(elsewhere)
    }

    /// Holds on to what was taken until `shutdown`, then gives it up.
    pub async fn hold_on(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(times) = self.lease_times() else { return };
        loop {
            tokio::select! {
                () = tokio::time::sleep(times.look_every) => {}
                () = shutdown.cancelled() => break,
            }
            self.renew_held(times).await;
        }
        self.give_up().await;
    }

    /// Takes sources as they become free and serves each for as long as it is held, until `shutdown`.
    pub(crate) async fn share(
        self: Arc<Self>,
        times: LeaseTimes,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) {
        loop {
            self.renew_held(times).await;
            if let Some((slot, hold)) = self.take_one(times).await {
                let engine = Arc::clone(&self);
                tasks.spawn(async move { engine.serve_slot(&slot, &hold).await });
            }
            // Not all at the same instant, so that processes that start together share the sources.
            let pause = times.look_every.mul_f64(rand::random_range(0.75..1.25));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Gives every source up, so that others need not wait for the leases to end.
    pub(crate) async fn give_up(&self) {
        for slot in self.slots.values() {
            let Some(hold) = slot.hold() else { continue };
            slot.let_go(&hold);
            if let Err(error) = self.store.release(&slot.name, hold.epoch()).await {
                tracing::warn!(source = %slot.name, %error, "the lease could not be given up");
            }
        }
    }

    async fn acquire(&self, slot: &Slot, times: LeaseTimes) -> Result<Hold, StoreError> {
        let asked_at = Instant::now();
        let epoch = self.store.acquire(&slot.name, &self.holder, times.ttl).await?;
        let hold = Hold::leased(epoch, asked_at + times.ttl, &self.stopping);
        slot.take(hold.clone());
        tracing::info!(source = %slot.name, epoch, "the source is held here");
        Ok(hold)
    }

    /// Takes the first source that is free, beginning with a random one.
    async fn take_one(&self, times: LeaseTimes) -> Option<(Arc<Slot>, Hold)> {
        let free: Vec<_> = self.slots.values().filter(|slot| slot.hold().is_none()).collect();
        let first = if free.is_empty() { 0 } else { rand::random_range(0..free.len()) };
        for slot in free.iter().cycle().skip(first).take(free.len()) {
            // Whatever was done under the last hold must have come to its end.
            if slot.running.try_lock().is_err() {
                continue;
            }
            match timeout(times.renew_every, self.acquire(slot, times)).await {
                Ok(Ok(hold)) => {
                    self.trouble.over();
                    return Some((Arc::clone(slot), hold));
                }
                Ok(Err(StoreError::Held { .. })) => {
                    self.trouble.over();
                }
                Ok(Err(error)) => {
                    self.trouble.note(&error.to_string(), "no source can be taken");
                    return None;
                }
                Err(_) => {
                    self.trouble.note("the store does not answer", "no source can be taken");
                    return None;
                }
            }
        }
        None
    }

    /// Renews what is due, and lets go of what is lost.
    async fn renew_held(&self, times: LeaseTimes) {
        let due = self.slots.values().filter_map(|slot| Some((slot, slot.hold()?)));
        join_all(due.map(|(slot, hold)| self.renew(slot, hold, times))).await;
    }

    async fn renew(&self, slot: &Slot, hold: Hold, times: LeaseTimes) {
        if !hold.valid() {
            // A process that stops gives up what it holds once its runs have ended.
            if !self.stopping.is_cancelled() {
                tracing::warn!(source = %slot.name, "the lease ended before it was renewed");
                slot.let_go(&hold);
            }
            return;
        }
        let asked_at = Instant::now();
        if !hold.renewal_due(asked_at, times) {
            return;
        }
        let renewing = self.store.renew(&slot.name, hold.epoch(), times.ttl);
        match timeout(times.renew_every, renewing).await {
            Ok(Ok(())) => {
                hold.extend(asked_at + times.ttl);
                self.trouble.over();
            }
            Ok(Err(error @ StoreError::Fenced { .. })) => {
                tracing::warn!(source = %slot.name, %error, "the source is not held here any more");
                slot.let_go(&hold);
            }
            Ok(Err(error)) => {
                self.trouble.note(&error.to_string(), "leases cannot be renewed");
            }
            Err(_) => {
                self.trouble.note("the store does not answer", "leases cannot be renewed");
            }
        }
    }
}
