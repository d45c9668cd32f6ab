//! Holding a source: what must be shown wherever something is asked or written in its name.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kasparro_extract::PageError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::ask::stopped;

/// The code of a run whose source was taken over, or may have been.
pub(crate) const LEASE_LOST: &str = "lease_lost";

/// How the sources of a process are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// No other process works on the store: every source is taken at start and held to the end.
    Alone,
    /// Others may work on the store: sources are held by leases that have to be renewed.
    Leased(LeaseTimes),
}

/// The times of leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// How long a lease lasts unless it is renewed.
    pub ttl: Duration,
    /// How often it is renewed.
    pub renew_every: Duration,
    /// How often it is looked whether a source is free. One source is taken each time, so that several
    /// processes that start together share them.
    pub look_every: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(30),
            renew_every: Duration::from_secs(10),
            look_every: Duration::from_secs(1),
        }
    }
}

/// A source held under one epoch.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    epoch: u64,
    /// When others may take it; `None` where nobody else can. Counted from before the store was asked, so
    /// it comes no later than the expiry that the store knows.
    until: Arc<Mutex<Option<Instant>>>,
    /// Cancelled when the source is lost or the process is to stop.
    pub(crate) ended: CancellationToken,
}

impl Hold {
    /// A hold that nobody else can end.
    pub(crate) fn alone(epoch: u64, stopping: &CancellationToken) -> Self {
        Self { epoch, until: Arc::default(), ended: stopping.child_token() }
    }

    /// A hold by a lease that lasts until `until` at least.
    pub(crate) fn leased(epoch: u64, until: Instant, stopping: &CancellationToken) -> Self {
        Self { until: Arc::new(Mutex::new(Some(until))), ..Self::alone(epoch, stopping) }
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// True while nobody else can have taken the source. Asked before each request, since the store
    /// cannot fence what goes to an upstream: a process that was frozen finds its time over.
    pub(crate) fn valid(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        !self.ended.is_cancelled() && until.is_none_or(|until| Instant::now() < until)
    }

    /// True when it was renewed `renew_every` ago or earlier.
    pub(crate) fn renewal_due(&self, now: Instant, times: LeaseTimes) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| now + times.ttl >= until + times.renew_every)
    }

    /// Moves its end.
    pub(crate) fn extend(&self, until: Instant) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    /// Ends what is done in the name of the source.
    pub(crate) fn lose(&self) {
        self.ended.cancel();
    }
}

/// Why a run goes no further, `stopping` telling whether its process is to stop.
pub(crate) fn ended(stopping: &CancellationToken) -> PageError {
    if stopping.is_cancelled() {
        return stopped();
    }
    let hint = "what was committed is kept; whoever holds the source now goes on from there";
    PageError::stop(LEASE_LOST, "the lease of the source ended and was not renewed", hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn i4_a_hold_that_was_not_renewed_in_time_is_not_valid() {
        let stopping = CancellationToken::new();
        let ttl = Duration::from_secs(30);
        let hold = Hold::leased(3, Instant::now() + ttl, &stopping);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(hold.valid());
        hold.extend(Instant::now() + ttl);
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(hold.valid());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!hold.valid());
        assert_eq!(ended(&stopping).code, LEASE_LOST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_hold_of_one_process_alone_ends_with_it() {
        let stopping = CancellationToken::new();
        let hold = Hold::alone(1, &stopping);
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert!(hold.valid());
        stopping.cancel();
        assert!(!hold.valid());
        assert_eq!(ended(&stopping).code, crate::ask::STOPPED);
    }
}
