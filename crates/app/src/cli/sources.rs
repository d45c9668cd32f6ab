//! `sources`: what can be asked, how it is configured, and what the store holds of it.

use std::collections::BTreeMap;

use kasparro_domain::{SourceName, Timestamp};
use kasparro_engine::EngineSource;
use kasparro_store::{QuarantineCount, RunStore, SourceSummary};
use serde::Serialize;

use super::Context;
use crate::clock::SystemClock;
use crate::config::Config;
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
    stale_after_seconds: u64,
    requests_per_minute: Option<u32>,
    listings: u64,
    quarantined: u64,
    last_success_at: Option<Timestamp>,
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output } = &context;
    let sources = wire::sources(config)?;
    let (summaries, quarantine) = stored(config).await?;
    let documents: Vec<_> =
        sources.iter().map(|source| describe(source, &summaries, &quarantine)).collect();
    output.result(&serde_json::json!({ "sources": documents }), || text(&documents, output.colour));
    Ok(Exit::Done)
}

type Summaries = BTreeMap<SourceName, SourceSummary>;

/// What the store holds; nothing where there is no store yet.
async fn stored(config: &Config) -> Result<(Summaries, Vec<QuarantineCount>), Failure> {
    if !config.database.exists() {
        return Ok((Summaries::new(), Vec::new()));
    }
    let store = wire::open_to_read(config, &SystemClock::shared())?;
    let failed = |error| Failure::store(&error, &config.database);
    let summaries = store.source_summaries().await.map_err(failed)?;
    let quarantine = store.quarantine_counts().await.map_err(failed)?;
    let by_name = summaries.into_iter().map(|summary| (summary.source.clone(), summary));
    Ok((by_name.collect(), quarantine))
}

fn describe(
    source: &EngineSource,
    summaries: &Summaries,
    quarantine: &[QuarantineCount],
) -> SourceDocument {
    let spec = source.source.spec();
    let summary = summaries.get(spec.name);
    let quarantined = quarantine.iter().filter(|count| count.source.as_str() == spec.name);
    SourceDocument {
        source: spec.name,
        title: spec.title,
        documentation: spec.documentation,
        enabled: source.enabled,
        schedule: source.schedule.to_string(),
        stale_after_seconds: source.stale_after.as_secs(),
        requests_per_minute: source.requests_per_minute.or(source.source.requests_per_minute()),
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
        "requests/min",
        "listings",
        "quarantined",
        "last success",
    ];
    let mut table = Table::new(&headings, colour);
    for source in documents {
        let limit =
            source.requests_per_minute.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        let success =
            source.last_success_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        table.row(vec![
            Table::words(source.source),
            Table::words(source.title),
            Table::words(if source.enabled { "yes" } else { "no" }),
            Table::words(&source.schedule),
            Table::number(limit),
            Table::number(source.listings),
            Table::number(source.quarantined),
            Table::words(&success),
        ]);
    }
    table.text()
}
