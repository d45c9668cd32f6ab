//! Snapshots that are kept for those who walk them.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Generation, Timestamp};

use crate::Snapshot;

/// How long a snapshot is kept after another took its place.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(60);
/// Memory that the kept snapshots may hold beside the one that is shown.
pub(crate) const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// So many are kept however old and large they are.
pub(crate) const KEPT_AT_LEAST: usize = 2;

/// Snapshots that were shown before the present one, each of another generation, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Vec<Former>);

/// A snapshot that another took the place of.
#[derive(Debug, Clone)]
struct Former {
    snapshot: Arc<Snapshot>,
    replaced_at: Timestamp,
    /// About so many bytes it holds that the next one does not. What several former ones share counts
    /// for the newest of them alone.
    own_bytes: usize,
}

impl Kept {
    /// Those to keep once `next` takes the place of `shown`.
    pub(crate) fn once(&self, shown: &Arc<Snapshot>, next: &Snapshot, now: Timestamp) -> Self {
        let never_loaded = shown.version() == 0;
        if never_loaded || next.generation() < shown.generation() {
            // The store went back: its generations will be given to other contents.
            return Self::default();
        }
        let mut former = self.0.clone();
        let own_bytes = next.replaced_bytes();
        if next.generation() > shown.generation() {
            former.push(Former { snapshot: Arc::clone(shown), replaced_at: now, own_bytes });
        } else if let Some(newest) = former.last_mut() {
            // What it shared with the one that goes now may be its own from here on.
            newest.own_bytes += own_bytes;
        }
        let kept = Self(former);
        kept.at(now).unwrap_or(kept)
    }

    /// Those to keep at an instant; `None` where that is all of them.
    pub(crate) fn at(&self, now: Timestamp) -> Option<Self> {
        let limit = i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX);
        let old = |former: &Former| {
            now.as_millis().saturating_sub(former.replaced_at.as_millis()) > limit
        };
        let mut bytes: usize = self.0.iter().map(|former| former.own_bytes).sum();
        let mut left = self.0.len();
        let due = self.0.iter().take_while(|former| {
            let goes = left > KEPT_AT_LEAST && (bytes > KEPT_BYTES || old(former));
            left -= 1;
            bytes -= former.own_bytes;
            goes
        });
        let due = due.count();
        (due > 0).then(|| Self(self.0.iter().skip(due).cloned().collect()))
    }

    /// The snapshot of a generation.
    pub(crate) fn find(&self, generation: Generation) -> Option<&Arc<Snapshot>> {
        let of_it = self.0.iter().find(|former| former.snapshot.generation() == generation)?;
        Some(&of_it.snapshot)
    }
}
