//! How runs under way are shown: drawn over on a terminal, as lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kasparro_domain::{Run, RunCounts, RunStatus, SourceName};

use super::{note, one_line};
use crate::logs::DRAWN;
use tokio::time::Instant;

/// How one run stands, whoever carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Its source.
    pub(crate) source: SourceName,
    /// How it stands.
    pub(crate) status: RunStatus,
    /// Pages landed so far.
    pub(crate) pages: u64,
    /// What became of the rows so far.
    pub(crate) counts: RunCounts,
    /// What it waits for.
    pub(crate) waiting: Option<String>,
}

impl From<kasparro_engine::Progress> for Progress {
    fn from(progress: kasparro_engine::Progress) -> Self {
        Self {
            source: progress.source,
            status: progress.status,
            pages: progress.pages,
            counts: progress.counts,
            waiting: progress.waiting,
        }
    }
}

impl From<&Run> for Progress {
    fn from(run: &Run) -> Self {
        Self {
            source: run.source.clone(),
            status: run.status,
            pages: run.pages,
            counts: run.counts,
            waiting: None,
        }
    }
}

impl Progress {
    fn words(&self) -> String {
        let waiting = self.waiting.as_deref().map(|wait| format!(", {wait}")).unwrap_or_default();
        one_line(&format!(
            "{}, pages {}, rows {}, rejects {}{waiting}",
            self.status, self.pages, self.counts.received, self.counts.quarantined
        ))
    }
}

/// Shows how far one long task has come on stderr.
#[derive(Debug)]
pub(crate) struct Counter {
    bar: Option<ProgressBar>,
    said_at: Mutex<Option<Instant>>,
}

/// Time between two lines about one task.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Counter {
    /// Draws when `live`, otherwise writes a line every few seconds.
    pub(crate) fn new(live: bool) -> Self {
        Self { bar: live.then(spinner), said_at: Mutex::new(None) }
    }

    /// Shows where the task stands.
    pub(crate) fn say(&self, words: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(words);
            return;
        }
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        if said_at.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            *said_at = Some(Instant::now());
            note(&one_line(&words));
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = DRAWN.add(ProgressBar::new_spinner());
    let style = ProgressStyle::with_template("{spinner} {prefix:12} {wide_msg} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Shows progress on stderr.
#[derive(Debug)]
pub(crate) struct Watcher {
    live: bool,
    bars: BTreeMap<SourceName, ProgressBar>,
    said: BTreeMap<SourceName, Progress>,
}

impl Watcher {
    /// Draws when `live`, otherwise writes a line whenever something changed.
    pub(crate) fn new(live: bool) -> Self {
        Self { live, bars: BTreeMap::new(), said: BTreeMap::new() }
    }

    /// Shows how one run stands.
    pub(crate) fn show(&mut self, progress: Progress) {
        if self.said.get(&progress.source) == Some(&progress) {
            return;
        }
        if self.live {
            let bar = self
                .bars
                .entry(progress.source.clone())
                .or_insert_with(|| spinner().with_prefix(one_line(progress.source.as_str())));
            bar.set_message(progress.words());
        } else {
            note(&format!("{}: {}", one_line(progress.source.as_str()), progress.words()));
        }
        self.said.insert(progress.source.clone(), progress);
    }

    /// Shows that the runs are over and identity is being resolved; on a terminal only.
    pub(crate) fn identity(&mut self) {
        if self.live {
            let bar = spinner().with_prefix("identity").with_message("resolving");
            self.bars.insert(SourceName::new("identity"), bar);
        }
    }
}

impl Drop for Watcher {
    /// The result table says it all again, so nothing that was drawn stays.
    fn drop(&mut self) {
        for bar in self.bars.values() {
            bar.finish_and_clear();
        }
    }
}
