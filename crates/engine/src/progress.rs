//! How runs under way stand, for people who watch and for the run's own row.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kasparro_domain::{Run, RunCounts, RunId, RunStatus, SourceName};
use tokio::sync::broadcast;

/// The state of one run at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The run.
    pub run_id: RunId,
    /// Its source.
    pub source: SourceName,
    /// How it stands.
    pub status: RunStatus,
    /// Pages landed so far.
    pub pages: u64,
    /// Requests sent so far, retries included.
    pub requests: u64,
    /// What became of the rows committed so far.
    pub counts: RunCounts,
    /// What it waits for, in words, while it does.
    pub waiting: Option<String>,
}

/// The figures of one run, shared by the tasks that carry it out.
#[derive(Debug)]
pub(crate) struct Watch {
    run_id: RunId,
    source: SourceName,
    pages: AtomicU64,
    requests: AtomicU64,
    counts: Mutex<RunCounts>,
    listeners: broadcast::Sender<Progress>,
}

impl Watch {
    pub(crate) fn new(run: &Run, listeners: broadcast::Sender<Progress>) -> Self {
        Self {
            run_id: run.run_id,
            source: run.source.clone(),
            pages: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            counts: Mutex::default(),
            listeners,
        }
    }

    pub(crate) const fn run_id(&self) -> RunId {
        self.run_id
    }

    /// Tells everybody who watches how the run stands.
    pub(crate) fn show(&self, status: RunStatus, waiting: Option<String>) {
        // Nobody watching is fine.
        let _ = self.listeners.send(Progress {
            run_id: self.run_id,
            source: self.source.clone(),
            status,
            pages: self.pages.load(Ordering::Relaxed),
            requests: self.requests(),
            counts: self.counts(),
            waiting,
        });
    }

    pub(crate) fn request_sent(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn page_landed(&self) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.show(RunStatus::Running, None);
    }

    pub(crate) fn batch_committed(&self, batch: &RunCounts) {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add(batch);
        for (disposition, rows) in [
            ("inserted", batch.inserted),
            ("updated", batch.updated),
            ("unchanged", batch.unchanged),
            ("stale", batch.stale),
            ("duplicate", batch.duplicate),
            ("quarantined", batch.quarantined),
        ] {
            let source = self.source.to_string();
            metrics::counter!("kasparro_rows_total", "source" => source, "disposition" => disposition)
                .increment(rows);
        }
        self.show(RunStatus::Running, None);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn counts(&self) -> RunCounts {
        *self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
