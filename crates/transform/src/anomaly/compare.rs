//! What changed from one run to another, and which of it is anomalous.

use kasparro_domain::{Run, RunAnomalyKind, RunId, RunStatus, SourceName};
use serde::Serialize;

use super::runs::unusual_run;
use super::usual::{Usual, earlier, fruitful, ordinary};

/// A property of a run that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Rows that arrived.
    Received,
    /// Rows that brought a new listing.
    Inserted,
    /// Rows that brought newer or corrected values.
    Updated,
    /// Rows that said what was known.
    Unchanged,
    /// Rows older than the current quote.
    Stale,
    /// Rows that repeated a listing and instant.
    Duplicate,
    /// Rows that were not believed.
    Quarantined,
    /// Pages landed.
    Pages,
    /// Requests sent.
    Requests,
    /// Milliseconds from start to end.
    DurationMs,
    /// What became of the run.
    Status,
}

impl Metric {
    /// Every metric, in the order in which comparisons show them.
    pub const ALL: [Self; 11] = [
        Self::Received,
        Self::Inserted,
        Self::Updated,
        Self::Unchanged,
        Self::Stale,
        Self::Duplicate,
        Self::Quarantined,
        Self::Pages,
        Self::Requests,
        Self::DurationMs,
        Self::Status,
    ];

    /// The metric as users see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Inserted => "inserted",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Quarantined => "quarantined",
            Self::Pages => "pages",
            Self::Requests => "requests",
            Self::DurationMs => "duration_ms",
            Self::Status => "status",
        }
    }

    /// The number of a run; `None` where it has none.
    fn count(self, run: &Run) -> Option<u64> {
        Some(match self {
            Self::Received => run.counts.received,
            Self::Inserted => run.counts.inserted,
            Self::Updated => run.counts.updated,
            Self::Unchanged => run.counts.unchanged,
            Self::Stale => run.counts.stale,
            Self::Duplicate => run.counts.duplicate,
            Self::Quarantined => run.counts.quarantined,
            Self::Pages => run.pages,
            Self::Requests => run.requests,
            Self::DurationMs => return run.duration_ms(),
            Self::Status => return None,
        })
    }

    fn value(self, run: &Run) -> Option<MetricValue> {
        match self {
            Self::Status => Some(MetricValue::Status(run.status)),
            _ => self.count(run).map(MetricValue::Count),
        }
    }

    /// What is counted, in words.
    const fn noun(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Requests => "requests",
            _ => "rows",
        }
    }

    /// The metrics that have a rule of their own in [`unusual_run`].
    const fn of_kind(kind: RunAnomalyKind) -> Self {
        match kind {
            RunAnomalyKind::FewRows | RunAnomalyKind::ManyRows | RunAnomalyKind::NoRows => {
                Self::Received
            }
            RunAnomalyKind::Slow | RunAnomalyKind::Fast => Self::DurationMs,
            RunAnomalyKind::ManyRejects => Self::Quarantined,
            RunAnomalyKind::Failed | RunAnomalyKind::FailureRate => Self::Status,
        }
    }

    const fn has_own_rule(self) -> bool {
        matches!(self, Self::Received | Self::DurationMs | Self::Quarantined | Self::Status)
    }
}

/// A value of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MetricValue {
    /// A number of rows, pages, requests or milliseconds.
    Count(u64),
    /// A status.
    Status(RunStatus),
}

/// One metric of two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricChange {
    /// Which.
    pub metric: Metric,
    /// Its value in the first run; null where unknown.
    pub before: Option<MetricValue>,
    /// Its value in the second run; null where unknown.
    pub after: Option<MetricValue>,
    /// The second minus the first; null where either is unknown or no number.
    pub delta: Option<i64>,
    /// True where the second run's value is unusual for the source, whatever the first run's was.
    pub anomalous: bool,
    /// Why it is: the value, and the median and spread of the source's own runs.
    pub why: Option<String>,
}

/// Two runs of one source side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The source of both.
    pub source: SourceName,
    /// The first run.
    pub before: RunId,
    /// The second run.
    pub after: RunId,
    /// True where anything about the second run is unusual.
    pub anomalous: bool,
    /// Every metric, in the order of [`Metric::ALL`].
    pub metrics: Vec<MetricChange>,
}

/// Compares two runs of one source that have ended.
///
/// `history` holds runs of the same source, newest first, at least those before `after`; it may hold both.
/// Whether `after` sent requests that were answered with "nothing new" is not kept with a run, so a success
/// without a page is taken for one. That both are of one source is for the caller to check.
#[must_use]
pub fn compare_runs(history: &[Run], before: &Run, after: &Run) -> Comparison {
    let mut reasons: Vec<(Metric, String)> =
        unusual_run(history, after, u64::from(after.pages == 0))
            .into_iter()
            .map(|found| (Metric::of_kind(found.kind), why(&found.value, &found.expected)))
            .collect();
    if ordinary(after) && after.status == RunStatus::Success && after.counts.received > 0 {
        let past = fruitful(&earlier(history, after));
        let counts = Metric::ALL.into_iter().filter(|metric| !metric.has_own_rule());
        reasons.extend(counts.filter_map(|metric| Some((metric, unusual(&past, metric, after)?))));
    }
    let metrics: Vec<MetricChange> =
        Metric::ALL.into_iter().map(|metric| change(metric, before, after, &reasons)).collect();
    Comparison {
        source: after.source.clone(),
        before: before.run_id,
        after: after.run_id,
        anomalous: metrics.iter().any(|change| change.anomalous),
        metrics,
    }
}

fn why(value: &str, expected: &str) -> String {
    format!("{value}; usual: {expected}")
}

/// Why a count without a rule of its own is unusual. One run like it makes it usual: no data are
/// missing where rows are merely of another kind.
fn unusual(past: &[&Run], metric: Metric, after: &Run) -> Option<String> {
    let usual = Usual::counts(past.iter().filter_map(|run| metric.count(run)))?;
    let count = metric.count(after)?;
    usual.unusual(count as f64, |_| 1)?;
    let (noun, name) = (metric.noun(), metric.name());
    let value =
        if noun == name { format!("{count} {noun}") } else { format!("{count} {noun} {name}") };
    Some(why(&value, &usual.in_counts(noun)))
}

fn change(metric: Metric, before: &Run, after: &Run, reasons: &[(Metric, String)]) -> MetricChange {
    let reasons: Vec<&str> =
        reasons.iter().filter(|(of, _)| *of == metric).map(|(_, why)| why.as_str()).collect();
    let signed = |run| metric.count(run).and_then(|count| i64::try_from(count).ok());
    let delta = signed(after).zip(signed(before)).map(|(after, before)| after - before);
    MetricChange {
        metric,
        before: metric.value(before),
        after: metric.value(after),
        delta,
        anomalous: !reasons.is_empty(),
        why: (!reasons.is_empty()).then(|| reasons.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::samples::{failed, run, steady, with_rejects};

    fn reason(comparison: &Comparison, metric: Metric) -> Option<&str> {
        comparison.metrics.iter().find(|change| change.metric == metric)?.why.as_deref()
    }

    #[test]
    fn two_healthy_runs_differ_without_an_anomaly() {
        let history = steady(60, 60, 1000, 20_000);
        let comparison = compare_runs(&history, &history[0], &run(60, 1004, 22_000));
        assert!(!comparison.anomalous);
        assert_eq!(comparison.metrics.len(), Metric::ALL.len());
        assert_eq!(comparison.metrics[0].delta, Some(4));
        assert_eq!(comparison.metrics[9].delta, Some(2_000));
    }

    #[test]
    fn what_is_anomalous_is_named_with_median_and_spread() {
        let history = steady(60, 60, 1000, 20_000);
        let mut after = run(60, 10, 20_000);
        after.requests = 40;
        let comparison = compare_runs(&history, &history[0], &after);
        assert!(comparison.anomalous);
        assert_eq!(
            reason(&comparison, Metric::Received),
            Some("10 rows; usual: median 1000 rows, spread 30")
        );
        assert_eq!(
            reason(&comparison, Metric::Updated),
            Some("5 rows updated; usual: median 500 rows, spread 15")
        );
        assert_eq!(
            reason(&comparison, Metric::Requests),
            Some("40 requests; usual: median 4 requests, spread 1")
        );
        assert_eq!(reason(&comparison, Metric::Stale), None);
        assert_eq!(reason(&comparison, Metric::Status), None);
    }

    #[test]
    fn a_rejected_half_is_anomalous_and_so_is_a_failure() {
        let history = steady(60, 60, 1000, 20_000);
        let rejected =
            compare_runs(&history, &history[0], &with_rejects(run(60, 1000, 20_000), 400));
        assert_eq!(
            reason(&rejected, Metric::Quarantined),
            Some("400 of 1000 rows: 40.0 %; usual: median 0.0 %, spread 1.0 %")
        );
        let broken = compare_runs(&history, &history[0], &failed(run(60, 1000, 20_000)));
        assert_eq!(
            reason(&broken, Metric::Status),
            Some("failed: no reason kept; usual: success, as the run before")
        );
        assert_eq!(reason(&broken, Metric::Received), None);
    }

    #[test]
    fn too_few_runs_make_nothing_anomalous() {
        let history = steady(60, 4, 1000, 20_000);
        assert!(!compare_runs(&history, &history[0], &run(60, 10, 900_000)).anomalous);
    }

    #[test]
    fn it_reads_as_json() {
        let history = steady(60, 60, 1000, 20_000);
        let mut after = run(60, 1000, 20_000);
        after.completed_at = None;
        let json = serde_json::to_value(compare_runs(&history, &history[0], &after)).unwrap();
        assert_eq!(json["source"], "coingecko");
        assert_eq!(json["before"], history[0].run_id.to_string());
        assert_eq!(
            json["metrics"][9],
            serde_json::json!({"metric": "duration_ms", "before": 20_000, "after": null, "delta": null, "anomalous": false, "why": null})
        );
        assert_eq!(json["metrics"][10]["after"], "success");
        for (change, metric) in json["metrics"].as_array().unwrap().iter().zip(Metric::ALL) {
            assert_eq!(change["metric"], metric.name());
        }
    }
}
