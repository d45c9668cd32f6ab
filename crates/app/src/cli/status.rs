//! `status`: how every source stands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kasparro_domain::{Alert, Clock, RunError, RunStatus, SourceName, Timestamp};
use kasparro_store::{SourceState, SourceSummary};
use serde::Serialize;

use super::Context;
use super::assets::Standing as Identity;
use super::budget::{Breaker, Forecast, Standing, Window, words};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, ago, one_line};
use crate::wire;

/// Alerts that are looked at, newest first; more in a day are not counted.
const ALERTS_LOOKED_AT: u32 = 1000;

/// Alerts that are told in words.
const ALERTS_TOLD: usize = 3;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The document of `status --json`.
#[derive(Debug, Serialize)]
struct Status {
    generation: u64,
    /// Alerts that were raised in the last 24 hours.
    alerts_last_day: usize,
    /// How far it is decided which listings are one asset.
    identity: Identity,
    sources: Vec<SourceStatus>,
}

#[derive(Debug, Serialize)]
struct SourceStatus {
    source: String,
    /// The status of the newest run; `pending` before the first.
    status: &'static str,
    last_run_id: Option<String>,
    last_success_at: Option<Timestamp>,
    lag_seconds: Option<u64>,
    next_run_at: Option<Timestamp>,
    /// What is left of the upstream's limits; empty while nothing was asked.
    budget: Vec<Window>,
    /// `closed`, `half_open` or `open`.
    breaker: Option<&'static str>,
    /// How long the credits of the month last, where something limits them.
    forecast: Option<Forecast>,
    /// Why the newest run failed, while no later one succeeded.
    error: Option<RunError>,
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let store = wire::open_to_read(config, &clock).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let generation = store.generation().await.map_err(failed)?;
    let summaries = store.source_summaries().await.map_err(failed)?;
    let states = store.source_states().await.map_err(failed)?;
    let running = |summary: &SourceSummary| {
        summary.last_run.as_ref().is_some_and(|run| run.status == RunStatus::Running)
    };
    let orphaned = if summaries.iter().any(running) {
        match wire::held_sources(config, store.as_ref()).await.map_err(failed)? {
            None => BTreeSet::new(),
            Some(held) => {
                let names = summaries.iter().map(|summary| summary.source.clone());
                names.filter(|name| !held.contains(name)).collect()
            }
        }
    } else {
        BTreeSet::new()
    };
    let mut alerts = store.alerts(ALERTS_LOOKED_AT).await.map_err(failed)?;
    alerts.retain(|alert| clock.now().since(alert.raised_at) < DAY);
    let names = config.sources.iter().map(|source| SourceName::new(&source.name));
    let status = Status {
        generation: generation.0,
        alerts_last_day: alerts.len(),
        identity: Identity::of(store.as_ref(), &config.database).await?,
        sources: gather(names, summaries, states, clock.as_ref(), &orphaned),
    };
    output.result(&status, || text(&status, &alerts, clock.now(), output.colour))?;
    Ok(Exit::Done)
}

/// What is configured and what is stored, by name: a source that was taken out of the configuration
/// still has its past. `orphaned` are the sources of which whoever began a run under way is gone.
fn gather(
    configured: impl Iterator<Item = SourceName>,
    summaries: Vec<SourceSummary>,
    states: Vec<SourceState>,
    clock: &dyn Clock,
    orphaned: &BTreeSet<SourceName>,
) -> Vec<SourceStatus> {
    let mut sources: BTreeMap<SourceName, (Option<SourceSummary>, Option<SourceState>)> =
        configured.map(|name| (name, (None, None))).collect();
    for summary in summaries {
        let name = summary.source.clone();
        sources.entry(name).or_default().0 = Some(summary);
    }
    for state in states {
        let name = state.source.clone();
        sources.entry(name).or_default().1 = Some(state);
    }
    let now = clock.now();
    let describe =
        |(name, (summary, state)): (SourceName, (Option<SourceSummary>, Option<SourceState>))| {
            let summary = summary.as_ref();
            let last_run = summary.and_then(|summary| summary.last_run.as_ref());
            let last_success = summary.and_then(|summary| summary.last_success.as_ref());
            let last_failure = summary.and_then(|summary| summary.last_failure.as_ref());
            let last_success_at = last_success.and_then(|run| run.completed_at);
            let failing = last_failure.filter(|run| {
                last_success.is_none_or(|success| success.created_at <= run.created_at)
            });
            let budgets = state.as_ref().map_or(&[][..], |state| &state.budgets);
            let Standing { windows, breaker, forecast } = Standing::of(budgets, now);
            SourceStatus {
                status: match last_run.map(|run| run.status) {
                    None => "pending",
                    Some(RunStatus::Running) if orphaned.contains(&name) => {
                        RunStatus::Abandoned.name()
                    }
                    Some(status) => status.name(),
                },
                source: name.to_string(),
                last_run_id: last_run.map(|run| run.run_id.to_string()),
                last_success_at,
                lag_seconds: last_success_at.map(|at| now.since(at).as_secs()),
                next_run_at: state.and_then(|state| state.next_run_at),
                budget: windows,
                breaker: breaker.map(Breaker::name),
                forecast,
                error: failing.and_then(|run| run.error.clone()),
            }
        };
    sources.into_iter().map(describe).collect()
}

fn text(status: &Status, alerts: &[Alert], now: Timestamp, colour: bool) -> String {
    let headings = ["source", "status", "last success", "next run", "budget left", "breaker"];
    let mut table = Table::new(&headings, colour);
    for source in &status.sources {
        let success = source
            .lag_seconds
            .map_or_else(|| "never".to_owned(), |lag| format!("{} ago", ago(lag)));
        let next = source.next_run_at.map_or_else(
            || "-".to_owned(),
            |at| {
                if at <= now {
                    "now".to_owned()
                } else {
                    format!("in {}", ago(at.since(now).as_secs()))
                }
            },
        );
        let cells = vec![
            Table::words(&source.source),
            table.status(source.status),
            Table::words(&success),
            Table::words(&next),
            Table::words(&words(&source.budget)),
            Table::words(source.breaker.unwrap_or("-")),
        ];
        table.row(cells);
    }
    let mut text = format!("{}\ngeneration {}", table.text(), status.generation);
    let mut say = |line: String| {
        text.push('\n');
        text.push_str(&one_line(&line));
    };
    say(status.identity.words());
    for source in &status.sources {
        if let Some(forecast) = &source.forecast {
            say(format!("{}: {}", source.source, forecast.words()));
        }
        if let Some(error) = &source.error {
            say(format!("{}: {} ({}); {}", source.source, error.message, error.code, error.hint));
        }
    }
    match alerts.len() {
        0 => {}
        1 => say("1 alert in the last day".to_owned()),
        many => say(format!("{many} alerts in the last day, the newest first")),
    }
    for Alert { source, alert, .. } in alerts.iter().take(ALERTS_TOLD) {
        say(format!("  {source}: {} ({}); {}", alert.message, alert.code, alert.hint));
    }
    text
}
