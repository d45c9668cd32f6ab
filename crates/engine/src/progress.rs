//! How runs under way stand, for people who watch and for the run's own row.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use kasparro_domain::{DriftSeverity, NewAlert, Run, RunCounts, RunId, RunStatus, SourceName};
use kasparro_store::Examined;
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
    credits: AtomicU64,
    lists_asked: AtomicBool,
    not_modified: AtomicU64,
    alerts: Mutex<Vec<NewAlert>>,
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
            credits: AtomicU64::new(0),
            lists_asked: AtomicBool::new(false),
            not_modified: AtomicU64::new(0),
            alerts: Mutex::default(),
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

    pub(crate) fn request_sent(&self, credits: u32) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.credits.fetch_add(u64::from(credits), Ordering::Relaxed);
    }

    /// Credits spent so far.
    pub(crate) fn credits(&self) -> u64 {
        self.credits.load(Ordering::Relaxed)
    }

    pub(crate) fn answered_not_modified(&self) {
        self.not_modified.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that were answered with nothing new.
    pub(crate) fn not_modified(&self) -> u64 {
        self.not_modified.load(Ordering::Relaxed)
    }

    pub(crate) fn list_asked(&self) {
        self.lists_asked.store(true, Ordering::Relaxed);
    }

    /// True where the run asked for a list, so that it cost more than others.
    pub(crate) fn lists_asked(&self) -> bool {
        self.lists_asked.load(Ordering::Relaxed)
    }

    /// Notes what operators should hear of once the run has ended.
    pub(crate) fn alert(&self, alert: NewAlert) {
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        if !alerts.contains(&alert) {
            alerts.push(alert);
        }
    }

    /// What operators should hear of.
    pub(crate) fn take_alerts(&self) -> Vec<NewAlert> {
        std::mem::take(&mut *self.alerts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells what examining a page brought.
    pub(crate) fn found(&self, source: &SourceName, examined: Option<&Examined>) {
        for event in examined.into_iter().flat_map(|examined| &examined.drift) {
            let kind = event.key.kind;
            metrics::counter!(
                "kasparro_drift_events_total", "source" => source.to_string(), "kind" => kind.name()
            )
            .increment(1);
            let message = format!("{source} {}", event.key);
            tracing::warn!(source = %source, severity = event.severity.name(), "{message}");
            if event.severity == DriftSeverity::Breaking {
                let hint = event.suggestion.clone();
                self.alert(NewAlert { code: "drift".to_owned(), message, hint });
            }
        }
    }

    pub(crate) fn page_landed(&self) {
        self.pages.fetch_add(1, Ordering::Relaxed);
        self.show(RunStatus::Running, None);
    }

    pub(crate) fn batch_committed(&self, batch: &RunCounts) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(batch);
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
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
