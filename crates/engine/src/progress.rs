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

#[cfg(test)]
mod tests {
    use kasparro_domain::{DriftEvent, DriftKey, DriftKind, RunReason, Timestamp};
    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };

    use super::*;

    /// Notes the names of the counters that are used.
    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);

    impl Recorder for Names {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.0.lock().unwrap().push(key.name().to_owned());
            Counter::noop()
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn rows_are_counted_by_the_process_that_loads_them_and_changes_by_the_store_alone() {
        let source = SourceName::new("csv");
        let run = Run {
            run_id: RunId(uuid::Uuid::nil()),
            source: source.clone(),
            status: RunStatus::Running,
            reason: RunReason::Manual,
            counts: RunCounts::default(),
            pages: 0,
            requests: 0,
            created_at: Timestamp::EPOCH,
            started_at: None,
            completed_at: None,
            error: None,
        };
        let key = DriftKey {
            endpoint: "tickers".to_owned(),
            kind: DriftKind::TypeChanged,
            pointer: "/price".to_owned(),
            before: "number".to_owned(),
            after: "text".to_owned(),
        };
        let event = DriftEvent {
            key,
            severity: DriftSeverity::Breaking,
            rows_affected: 9,
            rows_examined: 10,
            confidence_percent: 90,
            suggestion: "look at the page".to_owned(),
            breaks: Vec::new(),
        };
        let examined =
            Examined { endpoint: "tickers".to_owned(), drift: vec![event], profile: None };
        let watch = Watch::new(&run, broadcast::channel(1).0);
        let names = Names::default();
        metrics::with_local_recorder(&names, || {
            // What is found here is counted once it is on record, by whoever shows metrics.
            watch.found(&source, Some(&examined));
            assert_eq!(watch.take_alerts().len(), 1);
            assert!(names.0.lock().unwrap().is_empty());
            watch.batch_committed(&RunCounts::default());
        });
        assert!(names.0.lock().unwrap().iter().all(|name| name == "kasparro_rows_total"));
        assert!(!names.0.lock().unwrap().is_empty());
    }
}
