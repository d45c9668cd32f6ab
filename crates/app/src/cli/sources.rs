//! `sources`: what can be asked, how it is configured, and what the store holds of it.

use std::collections::BTreeMap;

use kasparro_domain::{SourceName, Timestamp};
use kasparro_extract::{Limits, SourceSpec};
use kasparro_store::{QuarantineCount, SourceSummary};
use serde::Serialize;

use super::Context;
use crate::clock::SystemClock;
use crate::config::{Config, SourceConfig};
use crate::failure::{Exit, Failure};
use crate::output::Table;
use crate::wire;

#[derive(Debug, Serialize)]
struct SourceDocument {
    source: &'static str,
    title: &'static str,
    documentation: &'static str,
    enabled: bool,
    schedule: String,
    /// How often its lists are asked for; absent where it has none.
    lists: Option<String>,
    stale_after_seconds: u64,
    requests_per_minute: Option<u32>,
    credits_per_month: Option<u64>,
    /// What is done about pages that have drifted.
    drift: &'static str,
    listings: u64,
    quarantined: u64,
    last_success_at: Option<Timestamp>,
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let asking = wire::sources(config)?;
    let limits_of = |name: &str| {
        let built = asking.iter().find(|source| source.source.spec().name == name);
        built.map(|built| built.source.limits()).unwrap_or_default()
    };
    let (summaries, quarantine) = stored(config).await?;
    let documents: Vec<_> = kasparro_sources::specs()
        .into_iter()
        .filter_map(|spec| {
            let source = config.sources.iter().find(|source| source.name == spec.name)?;
            Some(describe(spec, source, &limits_of(spec.name), &summaries, &quarantine))
        })
        .collect();
    output
        .result(&serde_json::json!({ "sources": documents }), || text(&documents, output.colour))?;
    Ok(Exit::Done)
}

type Summaries = BTreeMap<SourceName, SourceSummary>;

/// What the store holds; nothing where there is no store yet.
async fn stored(config: &Config) -> Result<(Summaries, Vec<QuarantineCount>), Failure> {
    if !wire::store_exists(config).await? {
        return Ok((Summaries::new(), Vec::new()));
    }
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    let summaries = store.source_summaries().await.map_err(failed)?;
    let quarantine = store.quarantine_counts().await.map_err(failed)?;
    let by_name = summaries.into_iter().map(|summary| (summary.source.clone(), summary));
    Ok((by_name.collect(), quarantine))
}

fn describe(
    spec: &SourceSpec,
    source: &SourceConfig,
    own: &Limits,
    summaries: &Summaries,
    quarantine: &[QuarantineCount],
) -> SourceDocument {
    let summary = summaries.get(spec.name);
    let minute = own.windows.iter().find(|window| window.name == "minute");
    let quarantined = quarantine.iter().filter(|count| count.source.as_str() == spec.name);
    SourceDocument {
        source: spec.name,
        title: spec.title,
        documentation: spec.documentation,
        enabled: source.runs(),
        schedule: source.schedule.to_string(),
        lists: spec.lists_interval.map(|_| source.lists.to_string()),
        stale_after_seconds: source.stale_after.as_secs(),
        requests_per_minute: source.requests_per_minute.or(minute.map(|window| window.limit)),
        credits_per_month: source.credits_per_month.or(own.credits_per_month),
        drift: source.page_rules.drift.name(),
        listings: summary.map_or(0, |summary| summary.listings),
        quarantined: quarantined.map(|count| count.rows).sum(),
        last_success_at: summary
            .and_then(|summary| summary.last_success.as_ref())
            .and_then(|run| run.completed_at),
    }
}

fn text(documents: &[SourceDocument], colour: bool) -> String {
    let headings = [
        "source",
        "what",
        "enabled",
        "schedule",
        "lists",
        "requests/min",
        "credits/month",
        "drift",
        "listings",
        "quarantined",
        "last success",
    ];
    let mut table = Table::new(&headings, colour);
    for source in documents {
        let number = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let success =
            source.last_success_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        table.row(vec![
            Table::words(source.source),
            Table::words(source.title),
            Table::words(if source.enabled { "yes" } else { "no" }),
            Table::words(&source.schedule),
            Table::words(source.lists.as_deref().unwrap_or("-")),
            Table::number(number(source.requests_per_minute.map(u64::from))),
            Table::number(number(source.credits_per_month)),
            Table::words(source.drift),
            Table::number(source.listings),
            Table::number(source.quarantined),
            Table::words(&success),
        ]);
    }
    table.text()
}
