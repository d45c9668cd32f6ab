//! `quarantine retry`.

use std::collections::BTreeSet;
use std::sync::Arc;

use kasparro_domain::{Clock, CommandKind, PageId, SourceName};
use kasparro_store::{QuarantineFilter, QuarantineStatus};

use super::rerun::{exit_of, rerun};
use super::selection::Selection;
use super::{Context, page};
use crate::cli::decision::{decider, read_words};
use crate::cli::request::Request;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{runs_document, runs_table};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro quarantine retry 17 18
  kasparro quarantine retry --source csv --why 'the time column is configured now'
  kasparro quarantine retry --all --json
  kasparro quarantine retry --page 42                        after its drift was accepted, or the settings changed
  kasparro quarantine retry --page 42 --force --why 'half of the coins were delisted, says the vendor'

The kept bytes are read again with the program and the settings of now; no upstream is asked. Believed rows
are stored with the time of their page; what is refused again stays open with the reason that it has now.

With --page a page that was refused as a whole is loaded after all. The rules judge it as they judge every page
and may refuse it once more; --force loads it whatever speaks against it. Rows that are bad by themselves go to
quarantine either way.

Exit codes: 0 the rows were read, believed or not, or the page is loaded; 1 nothing could be read, or the page
was refused once more; 4 some sources' rows could not.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// A refused page by its id, as `kasparro quarantine list --pages` shows it.
    #[arg(long, value_name = "ID", group = "Selection", conflicts_with_all = ["ids", "all", "reason", "source"])]
    page: Option<i64>,
    /// Load the page whatever speaks against it.
    #[arg(long, requires = "page", conflicts_with_all = ["ids", "all", "reason", "source"])]
    force: bool,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", default_value = "read again", value_parser = read_words)]
    why: String,
    /// Who decides, for the record; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    if let Some(id) = arguments.page {
        let who = decider(arguments.who, &context);
        let retrial =
            page::Retrial { id: PageId(id), forced: arguments.force, who, why: arguments.why };
        return page::retry(&context, &clock, retrial).await;
    }
    let by_source = arguments.selection.rows(&context, &clock).await?;
    let who = decider(arguments.who, &context);
    let why = arguments.why;
    let ask = |(source, rows): (&SourceName, &Vec<i64>)| {
        let (source, rows) = (source.clone(), rows.clone());
        let (who, why) = (who.clone(), why.clone());
        Request::new(CommandKind::Retry { source, rows, who, why })
    };
    let runs = rerun(&context, &clock, by_source.iter().map(ask).collect()).await?;
    let mut rows: Vec<_> = by_source.into_values().flatten().collect();
    rows.sort_unstable();
    let became = became(&context, &clock, &rows).await?;
    context.output.result(&runs_document(&runs), || {
        if rows.is_empty() {
            return "no open row fits: nothing was read".to_owned();
        }
        if runs.is_empty() {
            return format!("nothing was read again: no row was open any more\n{}", became.told());
        }
        format!("{}\n{}", runs_table(&runs, false, context.output.colour), became.told())
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
