//! `GET /compare-runs` and `POST /compare-runs`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{Run, RunId};
use kasparro_store::{RunFilter, StoreResult};
use kasparro_transform::{BASELINE_RUNS, Comparison, MetricChange, MetricValue, compare_runs};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::change_params::ChangeParams;
use super::run_body::RunBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::change::Change;
use crate::openapi::Problems;
use crate::problem::{Code, Mistakes, Problem};
use crate::query::{Params, no_params, run_id};
use crate::{Shared, respond};

/// Every parameter of `/compare-runs`.
pub(crate) const KNOWN: &[&str] = &["run1_id", "run2_id", "run_id_1", "run_id_2"];

/// The names of the first run, then those of the second.
const NAMES: [[&str; 2]; 2] = [["run1_id", "run_id_1"], ["run2_id", "run_id_2"]];

/// Two runs of one source side by side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunComparison)]
pub(crate) struct ComparisonBody {
    /// The first run.
    run1: RunBody,
    /// The second run.
    run2: RunBody,
    /// The source of both.
    source: String,
    /// True where anything about the second run is unusual for its source.
    anomalous: bool,
    /// Every property that is compared, always in the same order.
    metrics: Vec<MetricBody>,
}

/// One property of two runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunMetric)]
pub(crate) struct MetricBody {
    /// `received`, `inserted`, `updated`, `unchanged`, `stale`, `duplicate`, `quarantined`, `pages`,
    /// `requests`, `duration_ms` or `status`.
    metric: &'static str,
    /// Its value in the first run; `null` where unknown.
    before: Option<MetricValueBody>,
    /// Its value in the second run; `null` where unknown.
    after: Option<MetricValueBody>,
    /// The second less the first; `null` where either is unknown or no number.
    delta: Option<i64>,
    /// True where the second run's value is unusual for the source, whatever the first run's was.
    anomalous: bool,
    /// Why it is: the value, and the median and spread of the source's own runs.
    why: Option<String>,
}

/// A number, or a status.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = RunMetricValue)]
pub(crate) enum MetricValueBody {
    /// Rows, pages, requests or milliseconds.
    Count(u64),
    /// What became of the run.
    Status(&'static str),
}

/// Which runs to compare.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunsToCompare)]
pub(crate) struct RunPair {
    /// The id of the first run, a UUID
    run1_id: Option<String>,
    /// The id of the second run, a UUID
    run2_id: Option<String>,
    /// The same as `run1_id`
    run_id_1: Option<String>,
    /// The same as `run2_id`
    run_id_2: Option<String>,
}

impl RunPair {
    fn get(&self, name: &str) -> Option<&str> {
        let value = match name {
            "run1_id" => &self.run1_id,
            "run2_id" => &self.run2_id,
            "run_id_1" => &self.run_id_1,
            "run_id_2" => &self.run_id_2,
            _ => &None,
        };
        value.as_deref()
    }
}

impl From<MetricValue> for MetricValueBody {
    fn from(value: MetricValue) -> Self {
        match value {
            MetricValue::Count(count) => Self::Count(count),
            MetricValue::Status(status) => Self::Status(status.name()),
        }
    }
}

impl From<MetricChange> for MetricBody {
    fn from(change: MetricChange) -> Self {
        Self {
            metric: change.metric.name(),
            before: change.before.map(MetricValueBody::from),
            after: change.after.map(MetricValueBody::from),
            delta: change.delta,
            anomalous: change.anomalous,
            why: change.why,
        }
    }
}

/// Compares two runs of one source, and says which of the differences are unusual for it.
#[utoipa::path(
    get, path = "/compare-runs", tag = "Operations",
    params(
        ("run1_id" = Option<String>, Query, description = "The id of the first run, a UUID; needed under one of its names"),
        ("run2_id" = Option<String>, Query, description = "The id of the second run, a UUID; needed under one of its names"),
        ("run_id_1" = Option<String>, Query, description = "The same as `run1_id`"),
        ("run_id_2" = Option<String>, Query, description = "The same as `run2_id`"),
    ),
    responses((status = 200, description = "The runs and what differs", body = Enveloped<ComparisonBody>), Problems),
)]
pub(crate) async fn compare(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let found = pair(|name| params.get(name), !params.mistaken());
    let found = found.map_err(|mistakes| {
        mistakes.into_iter().for_each(|(name, message)| params.refuse(name, message));
    });
    // Where the pair was not found, something was refused.
    let (first, second) = params.check(found.ok())?.ok_or_else(unreadable)?;
    answer(&shared, &context, first, second).await
}

/// Compares two runs of one source, as `GET /compare-runs` does. Nothing is changed.
#[utoipa::path(
    post, path = "/compare-runs", tag = "Operations",
    params(ChangeParams),
    request_body(content = RunPair, description = "The runs"),
    responses((status = 200, description = "The runs and what differs", body = Enveloped<ComparisonBody>), Problems),
)]
pub(crate) async fn compare_posted(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    change: Change,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let asked: RunPair = change.body()?;
    let mut mistakes = Mistakes::default();
    let found = pair(|name| asked.get(name), true).map_err(|found| {
        for (name, message) in found {
            mistakes.add(Code::InvalidParameter, name, message);
        }
    });
    let (first, second) = mistakes.check(found.ok())?.ok_or_else(unreadable)?;
    // Nothing is changed, so only another request under the same name is to be found out.
    change.hand_in(&shared, Ok((Vec::new(), Value::Null))).await?;
    answer(&shared, &context, first, second).await
}

fn unreadable() -> Problem {
    Problem::new(Code::BadRequest, "the runs to compare cannot be read")
}

/// The two runs that are asked for; `complete` wants both to be named.
fn pair<'a>(
    given: impl Fn(&'static str) -> Option<&'a str>,
    complete: bool,
) -> Result<(RunId, RunId), Vec<(&'static str, String)>> {
    let mut mistakes = Vec::new();
    let ids = NAMES.map(|[name, synonym]| {
        let mut read = |name| {
            let id = run_id(given(name)?);
            if let Err(message) = id {
                mistakes.push((name, message.to_owned()));
            }
            id.ok()
        };
        let (first, second) = (read(name), read(synonym));
        if first.is_some() && second.is_some() && first != second {
            mistakes.push((synonym, format!("differs from {name}, which means the same")));
        }
        if complete && given(name).or(given(synonym)).is_none() {
            let message = format!("is missing: the id of a run, a UUID; {synonym} means the same");
            mistakes.push((name, message));
        }
        first.or(second)
    });
    match ids {
        [Some(first), Some(second)] if mistakes.is_empty() => Ok((first, second)),
        _ => Err(mistakes),
    }
}

async fn answer(
    shared: &Shared,
    context: &RequestContext,
    first: RunId,
    second: RunId,
) -> Result<Response, Problem> {
    let asking = async { Ok((shared.store.run(first).await?, shared.store.run(second).await?)) };
    let (before, after) = shared.ask(asking).await?;
    let known = |run: Option<Run>, id| {
        run.ok_or_else(|| Problem::new(Code::RunNotFound, format!("there is no run {id}")))
    };
    let (before, after) = (known(before, first)?, known(after, second)?);
    if before.source != after.source {
        let detail =
            format!("run {first} is of {}, run {second} of {}", before.source, after.source);
        return Err(Problem::new(Code::SourcesDiffer, detail));
    }
    let history = shared.ask(history(shared, &after)).await?;
    let Comparison { source, anomalous, metrics, .. } = compare_runs(&history, &before, &after);
    let body = ComparisonBody {
        run1: RunBody::from(&before),
        run2: RunBody::from(&after),
        source: source.to_string(),
        anomalous,
        metrics: metrics.into_iter().map(MetricBody::from).collect(),
    };
    Ok(respond::json(context, body))
}

/// The runs before this one that it is judged by, newest first.
///
/// Runs are listed newest first, so its place among them is found by halving, however long ago it was.
async fn history(shared: &Shared, this: &Run) -> StoreResult<Vec<Run>> {
    let of_source = RunFilter { sources: vec![this.source.clone()], ..RunFilter::default() };
    let (mut newer, mut end) = (0, shared.store.count_runs(of_source.clone()).await?);
    while newer < end {
        let middle = newer + (end - newer) / 2;
        let filter = RunFilter { limit: 1, offset: middle, ..of_source.clone() };
        let found = shared.store.runs(filter).await?;
        let is_newer = found
            .first()
            .is_some_and(|run| (run.created_at, run.run_id) > (this.created_at, this.run_id));
        if is_newer {
            newer = middle + 1;
        } else {
            end = middle;
        }
    }
    // The run itself, and as many before it as its own source's engine looks at.
    let limit = u32::try_from(BASELINE_RUNS).unwrap_or(u32::MAX).saturating_add(1);
    shared.store.runs(RunFilter { limit, offset: newer, ..of_source }).await
}
