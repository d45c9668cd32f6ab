//! `replay`: builds a store anew from the raw pages and decisions of another, and compares the two.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::{Clock, Generation, PageId};
use kasparro_engine::{EngineError, ReplayProgress, ReplaySummary};
use kasparro_store::Store;
use serde::Serialize;

use super::Context;
use super::assets::Standing as Identity;
use super::verify::{self, Verified};
use crate::clock::SystemClock;
use crate::config::{Config, Database};
use crate::failure::{Exit, Failure};
use crate::output::{Counter, Table, note};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro replay --from sqlite:./data/kasparro.db --into sqlite:./rebuilt.db
  kasparro replay --from ./data/kasparro.db --into ./rebuilt.db --json | jq .ok

Every raw page is read again in the order in which it was landed, with the options of its own run, and
every decision is taken again where it was taken. Nothing is asked of an upstream. Afterwards both stores
are verified: equal digests show that the first holds what its pages say, no more and no less. The new store ends
with its identity resolved; where that of the origin is not, `kasparro assets resolve` does it first.

Exit codes: 0 the digests are equal; 1 they differ, or a violation was found; 2 the target holds something or is
the origin; 3 a store cannot be opened, or somebody holds the target.")]
pub(crate) struct Arguments {
    /// The store whose pages and decisions are read; a server may go on using it.
    #[arg(long, value_name = "DATABASE")]
    from: String,
    /// The store to build: a file or a PostgreSQL schema that is not there yet, or an empty store.
    #[arg(long, value_name = "DATABASE")]
    into: String,
}

/// The document of `replay --json`.
#[derive(Debug, Serialize)]
struct Replayed {
    ok: bool,
    from: Verified,
    into: Verified,
    pages: u64,
    rows: u64,
    decisions: u64,
    /// The tables whose digests differ.
    differing: Vec<&'static str>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let from_database = config.named_database("--from", &arguments.from)?;
    let into_database = config.named_database("--into", &arguments.into)?;
    let from = wire::open_existing(&from_database, &clock).await?;
    if same(&from_database, &into_database) {
        return Err(Failure::new(
            Exit::Usage,
            "same_store",
            format!("--from and --into are both {from_database}"),
            "name a file that is not there yet with --into",
        ));
    }
    let into = open_target(&into_database, &clock).await?;

    let counter = Counter::new(output.live);
    let spool_dir = spool_dir(config, &into_database);
    let summary = rebuild(&from, &into, &clock, &into_database, &spool_dir, &counter).await?;
    counter.say("comparing both stores".to_owned());
    let identity = Identity::of(from.as_ref(), &from_database).await?;
    let from = verified(from.as_ref(), &from_database).await?;
    let into = verified(into.as_ref(), &into_database).await?;
    drop(counter);
    let replayed = compare(summary, from, into);
    output.result(&replayed, || text(&replayed, output.colour))?;
    if !identity.up_to_date && !replayed.ok {
        note(&format!(
            "{from_database} has evidence that nobody looked at, and what is built anew is resolved: bring it \
             up to date with `kasparro assets resolve` and replay again"
        ));
    }
    Ok(if replayed.ok { Exit::Done } else { Exit::Failed })
}

async fn rebuild(
    from: &Arc<dyn Store>,
    into: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    database: &Database,
    spool_dir: &Path,
    counter: &Counter,
) -> Result<ReplaySummary, Failure> {
    let mut progress = |progress: ReplayProgress| counter.say(words(&progress));
    let replaying = kasparro_engine::replay(
        Arc::clone(from),
        Arc::clone(into),
        Arc::clone(clock),
        wire::source_builder(),
        spool_dir,
        &mut progress,
    );
    let replayed = replaying.await;
    // Empty by now; what is left in it otherwise is no reason to fail.
    let _ = std::fs::remove_dir(spool_dir);
    replayed.map_err(|error| {
        let incomplete = match database {
            Database::Sqlite(path) => format!(
                "what was built so far is incomplete: remove {} before the next attempt",
                path.display()
            ),
            Database::Postgres(settings) => format!(
                "what was built so far is incomplete: drop the schema {} of {database} before the next \
                 attempt",
                settings.schema()
            ),
        };
        match error {
            EngineError::Setup(problem) => {
                Failure::new(Exit::Failed, "replay_failed", problem, incomplete)
            }
            other => {
                let mut failure = Failure::engine(other, database);
                failure.hint.push_str(&format!("; {incomplete}"));
                failure
            }
        }
    })
}

fn words(progress: &ReplayProgress) -> String {
    format!("pages {}, rows {}", progress.pages_done, progress.rows)
}

async fn open_target(
    database: &Database,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, Failure> {
    if let Some(path) = database.path() {
        wire::make_folder(&folder_of(path))?;
    }
    let failed = |error| Failure::store(&error, database);
    let store = wire::open_target(database, clock).await?;
    let untouched = store.generation().await.map_err(failed)? == Generation(0)
        && store.pages_after(PageId(0), 1).await.map_err(failed)?.is_empty();
    if untouched {
        return Ok(store);
    }
    Err(Failure::new(
        Exit::Usage,
        "target_not_empty",
        format!("--into {database} holds data already"),
        "name a file that is not there yet; a replay never adds to a store. If an unfinished replay left it, \
         delete it and start again",
    ))
}

/// Where bodies lie on their way.
fn spool_dir(config: &Config, into: &Database) -> PathBuf {
    match into {
        Database::Sqlite(path) => wire::beside(path, ".spool"),
        Database::Postgres(_) => {
            config.data_dir().join(format!("replay-{}.spool", std::process::id()))
        }
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// True where both are one store; the first exists.
pub(super) fn same(from: &Database, into: &Database) -> bool {
    match (from, into) {
        (Database::Sqlite(from), Database::Sqlite(into)) => same_file(from, into),
        (Database::Postgres(from), Database::Postgres(into)) => {
            (from.place(), from.schema()) == (into.place(), into.schema())
        }
        _ => false,
    }
}

/// True where both paths lead to one file, also through links; the first exists.
fn same_file(from: &Path, into: &Path) -> bool {
    let metadata = |path: &Path| std::fs::metadata(path).ok();
    match (metadata(from), metadata(into)) {
        (Some(from), Some(into)) => {
            use std::os::unix::fs::MetadataExt;
            (from.dev(), from.ino()) == (into.dev(), into.ino())
        }
        _ => false,
    }
}

async fn verified(store: &dyn Store, database: &Database) -> Result<Verified, Failure> {
    let report = store.verify().await.map_err(|error| Failure::store(&error, database))?;
    Ok(report.into())
}

fn compare(summary: ReplaySummary, from: Verified, into: Verified) -> Replayed {
    let differing: Vec<_> = from
        .tables
        .iter()
        .filter(|(name, audit)| into.tables.get(*name) != Some(*audit))
        .map(|(name, _)| *name)
        .collect();
    let holds = from.violations.is_empty() && into.violations.is_empty();
    Replayed {
        ok: from.digest == into.digest && holds,
        from,
        into,
        pages: summary.pages,
        rows: summary.rows,
        decisions: summary.decisions,
        differing,
    }
}

fn text(replayed: &Replayed, colour: bool) -> String {
    let Replayed { from, into, pages, rows, decisions, differing, .. } = replayed;
    let mut table = Table::new(&["", "digest"], colour);
    for (name, verified) in [("from", from), ("into", into)] {
        table.row(vec![Table::words(name), Table::words(&verified.digest)]);
    }
    let mut text = format!(
        "read again: {pages} pages, {rows} rows, {decisions} decisions\n{}\n",
        table.text()
    );
    if from.digest == into.digest {
        text.push_str("the digests are equal");
    } else {
        text.push_str(&format!("the digests differ in {}\n", differing.join(", ")));
        let mut table = Table::new(&["table", "rows from", "rows into"], colour);
        for name in differing {
            let rows =
                |verified: &Verified| verified.tables.get(name).map_or(0, |table| table.rows);
            table.row(vec![
                Table::words(name),
                Table::number(rows(from)),
                Table::number(rows(into)),
            ]);
        }
        text.push_str(&table.text());
    }
    for (name, verified) in [("from", from), ("into", into)] {
        if !verified.violations.is_empty() {
            text.push_str(&format!("\n{name}: {}", verify::violations(&verified.violations)));
        }
    }
    text
}
