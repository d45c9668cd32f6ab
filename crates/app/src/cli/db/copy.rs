//! `db copy`: moves a whole store into another database.

use std::collections::BTreeMap;
use std::time::Duration;

use kasparro_store::{Copied, CopyError, CopyProgress, Violation};
use serde::Serialize;
use tokio::time::Instant;

use super::super::{replay, verify};
use super::Context;
use crate::clock::SystemClock;
use crate::config::{Config, Database};
use crate::failure::{Exit, Failure};
use crate::output::{Counter, Output, Table, ago, note};
use crate::wire;

pub(super) const EXPLAINED: &str = "\
Examples:
  kasparro db copy --from sqlite:./data/kasparro.db --to @./owner-url
  kasparro db copy --from @./owner-url --to ./data/back.db --json | jq .equal

Everything that is kept is copied: raw bodies, listings, quotes, history, news, quarantine, decisions, runs and their
numbers. Leases are copied as ended. The origin is read in one snapshot and may be in use; the target must be
empty and free, gets the newest schema first, and is written in one transaction: a copy that fails leaves it
empty. Afterwards both are verified. A database that is left out is the configured one. @FILE stands for the
first line of a file, which begins with sqlite: or postgres://, so that no password is seen in the list of
processes.

To move: stop the processes that write, copy, and start them with the other database.

Exit codes: 0 the digests are equal; 1 they differ, or a violation was found; 2 the target holds something or is
the origin; 3 a store cannot be used, or somebody works on the target.";

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Arguments {
    /// The store that is copied: sqlite:PATH, postgres://... or @FILE. Its schema must be that of this program.
    #[arg(long, value_name = "DATABASE")]
    from: Option<String>,
    /// The store to write, empty or not there yet: sqlite:PATH, postgres://... or @FILE.
    #[arg(long, value_name = "DATABASE")]
    to: Option<String>,
}

/// The document of `db copy --json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    from: String,
    to: String,
    tables: &'a BTreeMap<&'static str, u64>,
    rows: u64,
    bytes: u64,
    duration_ms: u64,
    digest: &'a str,
    equal: bool,
    /// The tables whose digests differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differing: Vec<&'static str>,
    #[serde(skip_serializing_if = "<[Violation]>::is_empty")]
    violations_from: &'a [Violation],
    #[serde(skip_serializing_if = "<[Violation]>::is_empty")]
    violations_to: &'a [Violation],
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let from_database = database(config, "--from", arguments.from)?;
    let to_database = database(config, "--to", arguments.to)?;
    let from = wire::open_origin(&from_database, &clock).await?;
    if replay::same(&from_database, &to_database) {
        return Err(Failure::new(
            Exit::Usage,
            "same_store",
            format!("--from and --to are both {from_database}"),
            "name another database with --to; what is left out is the configured one",
        ));
    }
    let to = wire::open_empty(&to_database, &clock).await?;

    let mut shown = Shown::new(*output);
    let copied = kasparro_store::copy(from.as_ref(), to.as_ref(), |progress| shown.show(progress));
    let copied = copied.await;
    let (took, comparing) = (shown.begun.elapsed(), shown.comparing);
    drop(shown);
    let (copied, exit) = match copied {
        Ok(copied) => (Box::new(copied), Exit::Done),
        Err(CopyError::Unsound(copied)) => (copied, Exit::Failed),
        Err(CopyError::From(error)) => {
            return Err(ended(Failure::store(&error, &from_database), comparing));
        }
        Err(CopyError::To(error)) => {
            return Err(ended(Failure::store(&error, &to_database), comparing));
        }
    };
    let document = Document {
        from: from_database.to_string(),
        to: to_database.to_string(),
        tables: &copied.tables,
        rows: copied.rows,
        bytes: copied.bytes,
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        digest: &copied.to.digest,
        equal: copied.is_equal(),
        differing: copied.differing(),
        violations_from: &copied.from.violations,
        violations_to: &copied.to.violations,
    };
    output.result(&document, || text(&copied, took, output.colour))?;
    if copied.tables.iter().any(|(name, rows)| *name == "api_key" && *rows > 0) {
        note(
            "keys of the API stay good where the secret goes along: KASPARRO_SECRET, or the file FILE.secret beside \
             a SQLite store",
        );
    }
    Ok(exit)
}

/// The database that an argument names; the configured one where it is left out.
fn database(
    config: &Config,
    flag: &'static str,
    argument: Option<String>,
) -> Result<Database, Failure> {
    let Some(argument) = argument else {
        return Ok(config.database.clone());
    };
    let Some(file) = argument.strip_prefix('@') else {
        return Ok(config.named_database(flag, &argument)?);
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            Exit::Usage,
            "file_unreadable",
            format!("{flag} @{file}: {error}"),
            "name a file whose first line is the URL of the database",
        )
    })?;
    Ok(config.database_in_file(flag, text.lines().next().unwrap_or_default())?)
}

/// Says how a copy that failed leaves its target.
fn ended(mut failure: Failure, comparing: bool) -> Failure {
    failure.exit = Exit::Store;
    if comparing {
        "the copy is complete, but it was not compared: run `kasparro verify` on both stores"
            .clone_into(&mut failure.hint);
    } else {
        if failure.code == "store_conflict" {
            "a value of the origin breaks a rule of the target".clone_into(&mut failure.hint);
        }
        failure.hint.push_str("; the target holds nothing of the copy");
    }
    failure
}

/// Shows how far a copy is.
struct Shown {
    counter: Counter,
    begun: Instant,
    comparing: bool,
}

impl Shown {
    fn new(output: Output) -> Self {
        Self { counter: Counter::new(output.live), begun: Instant::now(), comparing: false }
    }

    fn show(&mut self, progress: CopyProgress) {
        match progress {
            // Of nothing there is no share.
            CopyProgress::Rows { of_rows: 0, .. } => {}
            CopyProgress::Rows { table, rows, of_rows, bytes } => {
                let percent = rows.saturating_mul(100).checked_div(of_rows).unwrap_or(100);
                let speed = megabytes_each_second(bytes, self.begun.elapsed());
                let words = format!("{table}: {rows} of {of_rows} rows, {percent} %, {speed} MB/s");
                self.counter.say(words);
            }
            CopyProgress::Comparing => {
                self.comparing = true;
                self.counter.say("comparing both stores".to_owned());
            }
        }
    }
}

fn megabytes_each_second(bytes: u64, elapsed: Duration) -> u64 {
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    (bytes / 1000).checked_div(elapsed_ms).unwrap_or(0)
}

fn text(copied: &Copied, took: Duration, colour: bool) -> String {
    let mut table = Table::new(&["table", "rows"], colour);
    for (name, rows) in &copied.tables {
        table.row(vec![Table::words(name), Table::number(*rows)]);
    }
    let mut text = table.text();
    for (name, report) in [("from", &copied.from), ("to", &copied.to)] {
        if !report.violations.is_empty() {
            text.push_str(&format!("\n{name}: {}\n", verify::violations(&report.violations)));
        }
    }
    if !copied.is_equal() {
        let (from, to, tables) =
            (&copied.from.digest, &copied.to.digest, copied.differing().join(", "));
        text.push_str(&format!("\nthe digests differ in {tables}\nfrom {from}\nto   {to}\n"));
    }
    let equal = if copied.is_equal() { "equal" } else { "NOT equal" };
    text.push_str(&format!(
        "\n{} rows, {} MB in {}, digest {}, {equal}",
        copied.rows,
        copied.bytes / 1_000_000,
        ago(took.as_secs()),
        copied.to.digest
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_in_megabytes_each_second() {
        assert_eq!(megabytes_each_second(12_000_000, Duration::from_secs(3)), 4);
        assert_eq!(megabytes_each_second(12_000_000, Duration::ZERO), 0);
    }
}
