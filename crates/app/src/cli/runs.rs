//! `runs`: the log of runs.

use kasparro_domain::{RunId, RunStatus};
use kasparro_store::RunFilter;

use super::Context;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{RunDocument, run_details, runs_document, runs_table};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro runs                                  the last 20
  kasparro runs --source csv --status failed
  kasparro runs 01890a5d-ac96-774b-bcce-b302099a8057 --json")]
pub(crate) struct Arguments {
    /// One run, by its id.
    #[arg(value_name = "ID")]
    id: Option<RunId>,
    /// Only of this source.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Only in this status: queued, running, success, partial, failed or abandoned.
    #[arg(long, value_name = "STATUS", value_parser = read_status)]
    status: Option<RunStatus>,
    /// At most so many, newest first.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

fn read_status(text: &str) -> Result<RunStatus, String> {
    RunStatus::from_name(text).ok_or_else(|| {
        let names: Vec<_> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        format!("is none of {}", names.join(", "))
    })
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let sources = match &arguments.source {
        Some(name) => vec![wire::known_source(config, name)?],
        None => Vec::new(),
    };
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let failed = |error| Failure::store(&error, &config.database);
    if let Some(id) = arguments.id {
        let Some(run) = store.run(id).await.map_err(failed)? else {
            return Err(Failure::new(
                Exit::Failed,
                "unknown_run",
                format!("there is no run {id}"),
                "`kasparro runs` lists the ids",
            ));
        };
        output.result(&RunDocument::from(&run), || run_details(&run))?;
        return Ok(Exit::Done);
    }
    let filter = RunFilter { sources, status: arguments.status, limit: arguments.limit, offset: 0 };
    let runs = store.runs(filter).await.map_err(failed)?;
    output.result(&runs_document(&runs), || {
        if runs.is_empty() {
            return "no runs".to_owned();
        }
        runs_table(&runs, true, output.colour)
    })?;
    Ok(Exit::Done)
}
