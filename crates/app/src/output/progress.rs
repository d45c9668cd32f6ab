//! How runs under way are shown: drawn over on a terminal, as lines elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kasparro_domain::{Run, RunCounts, RunStatus, SourceName};

use super::{note, one_line};
use crate::logs::DRAWN;

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
            let bar = self.bars.entry(progress.source.clone()).or_insert_with(|| {
                let bar = DRAWN.add(ProgressBar::new_spinner());
                let style =
                    ProgressStyle::with_template("{spinner} {prefix:12} {wide_msg} {elapsed}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.set_prefix(one_line(progress.source.as_str()));
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(progress.words());
        } else {
            note(&format!("{}: {}", one_line(progress.source.as_str()), progress.words()));
        }
        self.said.insert(progress.source.clone(), progress);
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
