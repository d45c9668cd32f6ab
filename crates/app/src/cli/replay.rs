//! `replay`: builds a store anew from the raw pages and decisions of another, and compares the two.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::{Clock, Generation, PageId};
use kasparro_engine::{EngineError, ReplayProgress, ReplaySummary};
use kasparro_store::{AuditStore, PageStore, ReadStore, Store};
use kasparro_store_sqlite::SqliteStore;
use serde::Serialize;

use super::Context;
use super::verify::{self, Verified};
use crate::clock::SystemClock;
use crate::config::database_path;
use crate::failure::{Exit, Failure};
use crate::output::{Counter, Table};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro replay --from sqlite:./data/kasparro.db --into sqlite:./rebuilt.db
  kasparro replay --from ./data/kasparro.db --into ./rebuilt.db --json | jq .ok

Every raw page is read again in the order in which it was landed, with the options of its own run, and
every decision is taken again where it was taken. Nothing is asked of an upstream. Afterwards both stores
are verified: equal digests show that the first holds what its pages say, no more and no less.

Exit codes: 0 the digests are equal; 1 they differ, or a violation was found; 2 the target holds something or is
the origin; 3 a store cannot be opened, or somebody holds the target.")]
pub(crate) struct Arguments {
    /// The store whose pages and decisions are read; a server may go on using it.
    #[arg(long, value_name = "DATABASE")]
    from: String,
    /// The store to build: a file that is not there yet, or an empty store.
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
    let output = &context.output;
    let clock = SystemClock::shared();
    let from_path = database_path("--from", &arguments.from)?;
    let into_path = database_path("--into", &arguments.into)?;
    let from = Arc::new(wire::open_existing(&from_path, &clock)?);
    if same_file(&from_path, &into_path) {
        return Err(Failure::new(
            Exit::Usage,
            "same_store",
            format!("--from and --into are both {}", from_path.display()),
            "name a file that is not there yet with --into",
        ));
    }
    let into = Arc::new(open_target(&into_path, &clock).await?);

    let counter = Counter::new(output.live);
    let summary = rebuild(&from, &into, &clock, &into_path, &counter).await?;
    counter.say("comparing both stores".to_owned());
    let from = verified(from.as_ref(), &from_path).await?;
    let into = verified(into.as_ref(), &into_path).await?;
    drop(counter);
    let replayed = compare(summary, from, into);
    output.result(&replayed, || text(&replayed, output.colour))?;
    Ok(if replayed.ok { Exit::Done } else { Exit::Failed })
}

async fn rebuild(
    from: &Arc<SqliteStore>,
    into: &Arc<SqliteStore>,
    clock: &Arc<dyn Clock>,
    into_path: &Path,
    counter: &Counter,
) -> Result<ReplaySummary, Failure> {
    let spool_dir = wire::beside(into_path, ".spool");
    let mut progress = |progress: ReplayProgress| counter.say(words(&progress));
    let replaying = kasparro_engine::replay(
        Arc::clone(from) as Arc<dyn Store>,
        Arc::clone(into) as Arc<dyn Store>,
        Arc::clone(clock),
        wire::source_builder(),
        &spool_dir,
        &mut progress,
    );
    let replayed = replaying.await;
    // Empty by now; what is left in it otherwise is no reason to fail.
    let _ = std::fs::remove_dir(&spool_dir);
    replayed.map_err(|error| {
        let incomplete = format!(
            "what was built so far is incomplete: remove {} before the next attempt",
            into_path.display()
        );
        match error {
            EngineError::Setup(problem) => {
                Failure::new(Exit::Failed, "replay_failed", problem, incomplete)
            }
            other => {
                let mut failure = Failure::engine(other, into_path);
                failure.hint.push_str(&format!("; {incomplete}"));
                failure
            }
        }
    })
}

fn words(progress: &ReplayProgress) -> String {
    format!("pages {}, rows {}", progress.pages_done, progress.rows)
}

async fn open_target(path: &Path, clock: &Arc<dyn Clock>) -> Result<SqliteStore, Failure> {
    wire::make_folder(&folder_of(path))?;
    let failed = |error| Failure::store(&error, path);
    let store = SqliteStore::open(path, Arc::clone(clock)).map_err(failed)?;
    let untouched = store.generation().await.map_err(failed)? == Generation(0)
        && store.pages_after(PageId(0), 1).await.map_err(failed)?.is_empty();
    if untouched {
        return Ok(store);
    }
    Err(Failure::new(
        Exit::Usage,
        "target_not_empty",
        format!("--into {} holds data already", path.display()),
        "name a file that is not there yet; a replay never adds to a store. If an unfinished replay left it, \
         delete it and start again",
    ))
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
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

async fn verified(store: &SqliteStore, path: &Path) -> Result<Verified, Failure> {
    let report = store.verify().await.map_err(|error| Failure::store(&error, path))?;
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
