//! `quarantine retry`.

use std::collections::BTreeSet;
use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, Run, RunId, RunStatus, SourceName};
use kasparro_engine::{Engine, Holding};
use kasparro_store::{QuarantineFilter, QuarantineStatus, Store, StoreError};
use serde_json::Value;

use super::selection::Selection;
use super::{Context, Held, Request, ask_elsewhere, ask_holder, decider, fleet, read_words};
use crate::cli::fleet::Member;
use crate::clock::SystemClock;
use crate::config::Database;
use crate::failure::{Exit, Failure};
use crate::output::{runs_document, runs_table};
use crate::wire::{self, Opened};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro quarantine retry 17 18
  kasparro quarantine retry --source csv --why 'the time column is configured now'
  kasparro quarantine retry --all --json

The kept bytes are read again with the program and the settings of now; no upstream is asked. Believed rows
are stored with the time of their page; what is refused again stays open with the reason that it has now.

Exit codes: 0 the rows were read, believed or not; 1 nothing could be read; 4 some sources' rows could not.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "read again", value_parser = read_words)]
    why: String,
    /// Who decides, for the record; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let by_source = arguments.selection.rows(&context, &clock).await?;
    let who = decider(arguments.who, &context);
    let why = arguments.why;
    let ask = |(source, rows): (&SourceName, &Vec<i64>)| {
        let (source, rows) = (source.clone(), rows.clone());
        let (who, why) = (who.clone(), why.clone());
        Request::new(CommandKind::Retry { source, rows, who, why })
    };
    let mut requests: Vec<_> = by_source.iter().map(ask).collect();
    let mut runs = Vec::new();
    while !requests.is_empty() {
        match wire::open_store(config, &clock).await? {
            Opened::Alone(store) => {
                runs = alone(&context, &store, &clock, &mut requests).await?;
                break;
            }
            Opened::Shared(store) => {
                let member = Member::join(config, store, &clock).await?;
                let retried = shared(&context, &member, &clock, &mut requests).await;
                member.leave().await;
                runs = retried?;
                break;
            }
            // A holder that is gone leaves the store to this process.
            Opened::Held(locked) => {
                if ask_holder(&context, &locked, &clock, &mut requests).await? {
                    let store = wire::open_to_read(config, &clock).await?;
                    for answer in requests.iter().filter_map(Request::answer) {
                        runs.extend(runs_of(store.as_ref(), answer, &config.database).await?);
                    }
                    break;
                }
            }
        }
    }
    let mut rows: Vec<_> = by_source.into_values().flatten().collect();
    rows.sort_unstable();
    let became = became(&context, &clock, &rows).await?;
    output.result(&runs_document(&runs), || {
        if rows.is_empty() {
            return "no open row fits: nothing was read".to_owned();
        }
        if runs.is_empty() {
            return format!("nothing was read again: no row was open any more\n{}", became.told());
        }
        format!("{}\n{}", runs_table(&runs, false, output.colour), became.told())
    })?;
    Ok(exit_of(&runs))
}

/// What became of the rows, whoever did it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Became {
    loaded: usize,
    open: usize,
    discarded: Vec<i64>,
}

/// The most rows that are named one by one.
const NAMED: usize = 20;

impl Became {
    fn told(&self) -> String {
        let Self { loaded, open, discarded } = self;
        let mut told = Vec::new();
        if *open > 0 {
            told.push(format!(
                "believed: {loaded}, refused again: {open}; `kasparro quarantine list` shows why"
            ));
        } else if *loaded > 0 || discarded.is_empty() {
            told.push(format!("believed: {loaded}"));
        }
        if !discarded.is_empty() {
            let named: Vec<_> = discarded.iter().take(NAMED).map(ToString::to_string).collect();
            let more = match discarded.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            told.push(format!("discarded meanwhile: {}{more}", named.join(", ")));
        }
        told.join("\n")
    }
}

/// Reads rows again in a store that no other process works on.
async fn alone(
    context: &Context,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<Vec<Run>, Failure> {
    let (config, database) = (&context.config, &context.config.database);
    let (mut runs, mut left) = (Vec::new(), Vec::new());
    for request in requests {
        match request.withdraw(store.as_ref(), Held::Store, database).await? {
            Some(answer) => runs.extend(runs_of(store.as_ref(), &answer, database).await?),
            None => left.push(request.kind().clone()),
        }
    }
    if left.is_empty() {
        return Ok(runs);
    }
    let (sources, store, clock) = (wire::sources(config)?, Arc::clone(store), Arc::clone(clock));
    let engine = wire::start_engine(config, sources, store, clock, Holding::Alone).await?;
    for kind in left {
        runs.extend(again(&engine, &kind, database).await?);
    }
    Ok(runs)
}

/// Reads rows again, here where their source is free, else by its holder.
async fn shared(
    context: &Context,
    member: &Member,
    clock: &Arc<dyn Clock>,
    requests: &mut [Request],
) -> Result<Vec<Run>, Failure> {
    let (database, store) = (&context.config.database, member.store.as_ref());
    let mut runs = Vec::new();
    for request in requests {
        let source = request.kind().source().clone();
        let answer = loop {
            let Some(elsewhere) = member.take(&source, database).await? else {
                let epoch = fleet::own_epoch(store, &source, database).await?;
                break request.withdraw(store, Held::Source(&source, epoch), database).await?;
            };
            let asked = ask_elsewhere(context, &elsewhere, store, clock, request);
            // A holder that is gone leaves the source to this process.
            if let Some(answer) = asked.await? {
                break Some(answer);
            }
        };
        runs.extend(match answer {
            Some(answer) => runs_of(store, &answer, database).await?,
            None => again(&member.engine, request.kind(), database).await?,
        });
    }
    Ok(runs)
}

async fn again(
    engine: &Arc<Engine>,
    kind: &CommandKind,
    database: &Database,
) -> Result<Vec<Run>, Failure> {
    let CommandKind::Retry { rows, who, why, .. } = kind else { return Ok(Vec::new()) };
    let runs = engine.retry(rows, who, why).await;
    runs.map_err(|error| Failure::engine(error, database))
}

/// The runs that a holder names in its answer.
async fn runs_of(
    store: &dyn Store,
    answer: &Value,
    database: &Database,
) -> Result<Vec<Run>, Failure> {
    let failed = |error: StoreError| Failure::store(&error, database);
    let ids = answer.get("run_ids").and_then(Value::as_array).into_iter().flatten();
    let mut runs = Vec::new();
    for id in ids.filter_map(|id| id.as_str()?.parse::<RunId>().ok()) {
        runs.extend(store.run(id).await.map_err(failed)?);
    }
    Ok(runs)
}

/// How the rows stand now. Counted, because others may decide about them at the same time.
async fn became(
    context: &Context,
    clock: &Arc<dyn Clock>,
    rows: &[i64],
) -> Result<Became, Failure> {
    let mut became = Became::default();
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(became);
    };
    let store = wire::open_to_read(&context.config, clock).await?;
    let asked: BTreeSet<_> = rows.iter().collect();
    let mut after = first.checked_sub(1);
    loop {
        let filter = QuarantineFilter { after, limit: Some(5_000), ..QuarantineFilter::default() };
        let found = store.quarantined(filter).await;
        let found = found.map_err(|error| Failure::store(&error, &context.config.database))?;
        for row in found.iter().filter(|row| asked.contains(&row.quarantine_id)) {
            match row.status {
                QuarantineStatus::Loaded => became.loaded += 1,
                QuarantineStatus::Open => became.open += 1,
                QuarantineStatus::Discarded => became.discarded.push(row.quarantine_id),
            }
        }
        after = found.last().map(|row| row.quarantine_id);
        if after.is_none_or(|after| after >= *last) {
            return Ok(became);
        }
    }
}

/// A row that is refused again is no failure of the command: it was read.
fn exit_of(runs: &[Run]) -> Exit {
    let failed = |run: &&Run| matches!(run.status, RunStatus::Failed | RunStatus::Abandoned);
    match runs.iter().filter(failed).count() {
        0 => Exit::Done,
        all if all == runs.len() => Exit::Failed,
        _ => Exit::Partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_what_became_of_them() {
        let became = Became { loaded: 2, open: 1, discarded: vec![4, 9] };
        let told = became.told();
        assert!(told.starts_with("believed: 2, refused again: 1; "), "{told}");
        assert!(told.ends_with("\ndiscarded meanwhile: 4, 9"), "{told}");
        let many = Became { discarded: (0..23).collect(), ..Became::default() };
        assert!(many.told().ends_with(", 18, 19 and 3 more"), "{}", many.told());
        assert_eq!(Became { loaded: 1, ..Became::default() }.told(), "believed: 1");
    }
}
