//! Sends alerts to the webhook until each has arrived or is given up.

mod post;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Alert, Clock, SourceName};
use kasparro_store::{AlertOutcome, Store, StoreError, StoreResult};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;
use crate::webhook::post::Address;
use crate::{Engine, Progress};

/// How often alerts are looked for that are to be sent again, or that a process before this one left.
const POLL: Duration = Duration::from_secs(5);

/// How long the end of the process waits for alerts to go out.
const LAST_ROUND: Duration = Duration::from_secs(2);

/// The most alerts that are sent before alerts are looked for again.
const ROUND_ALERTS: u32 = 20;

/// Waits after the first failed attempt, the second and so on, in seconds. An attempt that fails after all
/// of them is the last.
const WAITS_SECONDS: [u64; 8] = [10, 60, 5 * 60, 30 * 60, 7_200, 21_600, 43_200, 86_400];

/// The longest wait that a receiver can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// What to do about a receiver that takes no alerts.
const HINT: &str = "check alerts.webhook_url, and that its receiver runs and answers 2xx";

impl Engine {
    /// Sends alerts of the sources that are held here until `shutdown`, and for a moment longer; returns at
    /// once where no webhook is set.
    pub(crate) async fn deliver_alerts(self: Arc<Self>, shutdown: CancellationToken) {
        let Some(webhook) = &self.webhook else { return };
        let address = match Address::new(webhook, &self.fetcher.settings.user_agent) {
            Ok(address) => address,
            Err(problem) => {
                tracing::error!(hint = HINT, "alerts are kept and not sent: {problem}");
                return;
            }
        };
        let mut outbox = Outbox::new(Arc::clone(&self.store), Arc::clone(&self.clock), address);
        let mut progress = self.progress();
        let sending = async {
            loop {
                let last = shutdown.is_cancelled();
                outbox.round(|| self.sends_for()).await;
                if last {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(POLL) => {}
                    () = run_ended(&mut progress) => {}
                    () = shutdown.cancelled() => {}
                }
            }
        };
        let too_late = async {
            shutdown.cancelled().await;
            tokio::time::sleep(LAST_ROUND).await;
        };
        tokio::select! {
            () = sending => {}
            () = too_late => tracing::info!("alerts that were not sent in time are sent later"),
        }
    }

    /// The sources whose alerts this process sends. When it is to stop, its holds have ended for runs; the
    /// sources are given up only after the last alerts went out.
    fn sends_for(&self) -> Vec<SourceName> {
        let held = self.slots.values().filter(|slot| {
            slot.hold().is_some_and(|hold| hold.valid() || self.stopping.is_cancelled())
        });
        held.map(|slot| slot.name.clone()).collect()
    }
}

/// Waits until a run of this process has ended; alerts are raised then.
async fn run_ended(progress: &mut Receiver<Progress>) {
    loop {
        match progress.recv().await {
            Ok(progress) if progress.status.open() => {}
            // What was missed may have been an end.
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Sends what is due, one alert after the other.
struct Outbox {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    address: Address,
    /// What the store could not take in of the last attempt. While it cannot, nothing is sent: an alert
    /// that arrived would be sent anew with every round.
    unsettled: Option<(i64, AlertOutcome)>,
    trouble: Trouble,
}

impl Outbox {
    fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, address: Address) -> Self {
        Self { store, clock, address, unsettled: None, trouble: Trouble::default() }
    }

    /// Sends what is due of the sources that `held` names, as long as it names them.
    async fn round(&mut self, held: impl Fn() -> Vec<SourceName>) {
        match self.try_round(held).await {
            Ok(()) => _ = self.trouble.over(),
            Err(error) => _ = self.trouble.note(&error.to_string(), "alerts cannot be sent"),
        }
    }

    async fn try_round(&mut self, held: impl Fn() -> Vec<SourceName>) -> StoreResult<()> {
        self.settle().await?;
        let sources = held();
        if sources.is_empty() {
            return Ok(());
        }
        let due = self.store.due_alerts(&sources, self.clock.now(), ROUND_ALERTS).await?;
        for alert in due {
            // A slow receiver may take longer than a lease lasts.
            if held().contains(&alert.source) {
                self.unsettled = Some((alert.alert_id, self.attempt(&alert).await));
                self.settle().await?;
            }
        }
        Ok(())
    }

    /// Stores how the last attempt went, where that is not stored yet.
    async fn settle(&mut self) -> StoreResult<()> {
        let Some((alert_id, outcome)) = self.unsettled else { return Ok(()) };
        match self.store.settle_alert(alert_id, outcome).await {
            // A database may have been brought back to a state before the alert was raised.
            Err(StoreError::Conflict(problem)) => tracing::warn!(alert_id, "{problem}"),
            settled => settled?,
        }
        self.unsettled = None;
        Ok(())
    }

    async fn attempt(&self, alert: &Alert) -> AlertOutcome {
        let number = alert.attempts.saturating_add(1);
        let posted = self.address.post(alert, number, self.clock.now()).await;
        let at = self.clock.now();
        let (alert_id, source) = (alert.alert_id, &alert.source);
        let (code, webhook) = (&alert.alert.code, &self.address.host);
        let Err(failure) = posted else {
            tracing::info!(alert_id, %source, code, webhook, number, "alert delivered");
            return AlertOutcome::Delivered { at };
        };
        let wait = wait_after(number).filter(|_| !failure.gone);
        let Some(wait) = wait else {
            tracing::error!(
                alert_id, %source, code, webhook, number, hint = HINT,
                "alert given up: {}", failure.message
            );
            return AlertOutcome::Failed { next_attempt_at: None };
        };
        let asked_for = failure.retry_after.unwrap_or_default().min(LONGEST_WAIT);
        let next = at.plus(wait.max(asked_for));
        tracing::warn!(
            alert_id, %source, code, webhook, number, next_attempt_at = %next, hint = HINT,
            "alert not delivered: {}", failure.message
        );
        AlertOutcome::Failed { next_attempt_at: Some(next) }
    }
}

/// How long to wait after attempt `number` failed, with jitter of a fifth; `None` after the last.
fn wait_after(number: u32) -> Option<Duration> {
    let place = usize::try_from(number.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs(*WAITS_SECONDS.get(place)?);
    Some(wait.mul_f64(rand::random_range(0.8..1.2)))
}
