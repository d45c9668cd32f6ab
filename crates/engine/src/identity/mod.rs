//! The stage that decides which listings are one asset.
//!
//! It runs beside the loading of pages and never inside it: it reads what speaks for identity at one
//! generation, decides, and writes what changed in a transaction of its own, which is refused where newer
//! evidence has come. What it decides is a function of the stored evidence and of nothing else, so whoever
//! resolves, and however often, ends with the same partition.

mod decide;
mod known;
mod reads;
mod settle;

use std::sync::Arc;

use kasparro_domain::{Clock, Generation, ListingKey, NewAlert, RunId, SourceName};
use kasparro_identity::{Explanation, RULE_VERSION};
use kasparro_store::{IdentityPosition, ResolutionRow, Store, StoreError};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{Engine, EngineError};
use known::Known;

/// How often a resolution is made anew because evidence came in between.
const ATTEMPTS: u32 = 8;

/// Decides about identity in one store.
pub(crate) struct IdentityStage {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// True when alerts are to be sent.
    send_alerts: bool,
    /// What this process has read and decided; held while it resolves, so that it does so once at a time.
    known: Mutex<Option<Known>>,
}

/// True where nothing has come that could change a decision.
#[must_use]
pub fn identity_is_up_to_date(position: &IdentityPosition) -> bool {
    // A store of an earlier version has listings and has not counted what is said of them.
    position.resolved.as_ref().map_or(position.generation == Generation(0), |resolved| {
        // Of two programs the one with the older rules abstains.
        if number(&resolved.rule_version) > number(RULE_VERSION) {
            return true;
        }
        resolved.evidence_version == position.evidence_version
            && resolved.rule_version == RULE_VERSION
            // What waits to be settled may be by pages that came since.
            && (!resolved.pending || resolved.generation == position.generation)
    })
}

impl IdentityStage {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, send_alerts: bool) -> Self {
        Self { store, clock, send_alerts, known: Mutex::default() }
    }

    /// Brings what is decided up to what is known; `None` where it was already.
    pub(crate) async fn resolve(&self) -> Result<Option<ResolutionRow>, EngineError> {
        let mut held = self.known.lock().await;
        let (mut outcome, mut last) = (None, None);
        for _ in 0..ATTEMPTS {
            let position = self.store.identity_position().await?;
            if outcome.is_none() && identity_is_up_to_date(&position) {
                return Ok(None);
            }
            let read_at = (position.evidence_version, position.generation);
            let (mut known, evidence_version) = self.read(held.take(), &position).await?;
            let now = self.clock.now();
            let resolution =
                known.resolution(&self.store, evidence_version, now, self.send_alerts).await?;
            let alerts = resolution.alerts.clone();
            match self.store.commit_resolution(resolution).await {
                Ok(generation) => {
                    let missed = known.written(generation);
                    tell(&known, &alerts);
                    *held = Some(known);
                    outcome = self.store.identity_position().await?.resolved;
                    if !missed {
                        return Ok(outcome);
                    }
                }
                // Nothing came in between, so it is not that: everything is read once more.
                Err(StoreError::Conflict(reason)) if last.replace(read_at) == Some(read_at) => {
                    return Err(StoreError::Conflict(reason).into());
                }
                // Evidence came in between, or somebody else resolved.
                Err(StoreError::Conflict(reason)) => {
                    tracing::debug!(%reason, "identity is resolved again");
                    let now = self.store.identity_position().await?;
                    *held =
                        Some(known).filter(|_| (now.evidence_version, now.generation) != read_at);
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Whoever brings evidence that fast resolves when it ends.
        Ok(outcome)
    }

    /// Everything that is known at this position, from what was known before. What is taken out of the
    /// stage is lost with a failure, and everything is read again.
    async fn read(
        &self,
        known: Option<Known>,
        position: &IdentityPosition,
    ) -> Result<(Known, u64), EngineError> {
        let follows = position.resolved.as_ref().map(|row| row.generation);
        let now = self.clock.now();
        match known.filter(|known| known.before(position.generation)) {
            Some(known) if known.follows == follows => known.catch_up(&self.store, now).await,
            Some(known) => known.follow(&self.store, now, follows).await,
            None => Known::read(&self.store, now, follows).await,
        }
    }
}

/// Logs what a resolution brought.
fn tell(known: &Known, alerts: &[(SourceName, RunId, NewAlert)]) {
    let totals = known.totals();
    tracing::info!(
        listings = totals.listings,
        assets = totals.assets,
        linked = totals.linked,
        ambiguous = totals.ambiguous,
        "identity resolved"
    );
    for (source, _, alert) in alerts {
        tracing::warn!(%source, code = %alert.code, hint = %alert.hint, "alert: {}", alert.message);
    }
}

/// The number in the version of the rules.
fn number(rule_version: &str) -> u64 {
    rule_version.parse().unwrap_or(0)
}

/// Decides which listings of a store are one asset, where evidence has come since it was decided last; `None`
/// where none has.
///
/// # Errors
/// [`EngineError::Store`] when the store cannot be used.
pub async fn resolve_identity(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Option<ResolutionRow>, EngineError> {
    IdentityStage::new(store, clock, false).resolve().await
}

/// Why two listings are one asset or not; why one is what it is, where the other is left out. Made anew of
/// all the evidence in the store, which is only read.
///
/// # Errors
/// [`EngineError::Store`] when the store cannot be used.
pub async fn explain_identity(
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    a: &ListingKey,
    b: Option<&ListingKey>,
) -> Result<Explanation, EngineError> {
    let (known, _) = Known::everything(&store, clock.now(), None).await?;
    Ok(known.explain(a, b))
}

impl Engine {
    /// Decides anew which listings are one asset, where evidence has come since it was decided last; `None`
    /// where none has, or where it comes faster than it can be looked at.
    ///
    /// # Errors
    /// [`EngineError::Store`] when the store cannot be used.
    pub async fn resolve_identity(&self) -> Result<Option<ResolutionRow>, EngineError> {
        self.identity.resolve().await
    }

    /// Decides anew after runs have ended. What they loaded is kept whatever becomes of that, so a failure is
    /// only logged.
    pub async fn resolve_after_runs(&self) {
        if let Err(error) = self.resolve_identity().await {
            tracing::error!(%error, "identity could not be resolved; `kasparro assets resolve` does it");
        }
    }

    /// Resolves identity after commits of this process, when they pause, until `shutdown`.
    pub(crate) async fn keep_identity(self: Arc<Self>, shutdown: CancellationToken) {
        let mut commits = self.store.watch();
        loop {
            tokio::select! {
                resolved = self.resolve_identity() => if let Err(error) = resolved {
                    tracing::error!(%error, "identity could not be resolved");
                },
                // What is written is written whole or not at all.
                () = shutdown.cancelled() => return,
            }
            tokio::select! {
                changed = commits.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = shutdown.cancelled() => return,
            }
            let patience = tokio::time::Instant::now() + LONGEST_PATIENCE;
            loop {
                tokio::select! {
                    changed = commits.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(PAUSE) => break,
                    () = tokio::time::sleep_until(patience) => break,
                    () = shutdown.cancelled() => return,
                }
            }
        }
    }
}

/// How long commits must pause before identity is resolved: a load is looked at once, not page by page.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// How long a pause is waited for.
const LONGEST_PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// After how long it is looked whether another process left evidence that nobody resolved.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);
