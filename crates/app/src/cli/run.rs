//! `run`: one run of sources now, in this process or in the one that holds the store or the source.

use std::sync::Arc;

use kasparro_domain::{Run, RunReason, SourceName};
use kasparro_engine::{Holding, Lists};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::withdraw::Held;
use super::{Context, beside, fleet, shutdown};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Watcher, exit_of, runs_document, runs_table};
use crate::wire::{self, Opened};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro run                           every enabled source, side by side
  kasparro run coinpaprika csv           these two
  kasparro run --all --json              the outcome as JSON, for scripts
  kasparro run --due                     from cron: leaves out lists that are not due yet
  kasparro run --upstream http://127.0.0.1:9000 --database sqlite:./try.db

SIGTERM or Ctrl-C ends the runs at their next page and keeps what they committed.

Exit codes: 0 every source succeeded; 1 every source failed; 4 some did.")]
pub(crate) struct Arguments {
    /// Sources to run; every enabled one when none is named.
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    /// Every enabled source.
    #[arg(long, conflicts_with = "sources")]
    all: bool,
    /// Leave out lists of coins that were loaded within their interval (`lists` in the configuration).
    #[arg(long)]
    due: bool,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    // `--all` says aloud what naming none means.
    let names = wire::chosen(config, if arguments.all { &[] } else { &arguments.sources })?;
    wire::sources(config)?;
    let clock = SystemClock::shared();
    let lists = if arguments.due { Lists::Due } else { Lists::All };
    let mut watcher = Watcher::new(output.live);
    let mut pending = Vec::new();
    let runs = loop {
        match wire::open_store(config, &clock).await? {
            Opened::Alone(store) => {
                let withdrawn =
                    beside::withdraw(store.as_ref(), &mut pending, Held::Store, &config.database);
                if let Some(runs) = withdrawn.await? {
                    break runs;
                }
                // Only here: beside a holder there is nothing to end, and a signal ends the wait.
                let shutdown = shutdown::token();
                wire::warn_of_plain_upstream(config);
                let (sources, clock) = (wire::sources(config)?, Arc::clone(&clock));
                let engine =
                    wire::start_engine(config, sources, store, clock, Holding::Alone).await?;
                let failed = |error| Failure::engine(error, &config.database);
                let runs = alone(&engine, &names, lists, &mut watcher, &shutdown).await;
                let runs = runs.map_err(failed)?;
                watcher.identity();
                engine.resolve_after_runs().await;
                break runs;
            }
            Opened::Shared(store) => {
                let shutdown = shutdown::token();
                wire::warn_of_plain_upstream(config);
                let task = fleet::Task { context: &context, clock: &clock, names: &names, lists };
                break task.carry_out(store, &mut watcher, &shutdown).await?;
            }
            Opened::Held(locked) => {
                locked.refuse_upstream(config)?;
                let store = locked.open_beside(&clock)?;
                let asked = beside::Asked {
                    store: store.as_ref(),
                    clock: clock.as_ref(),
                    names: &names,
                    lists,
                    database: &config.database,
                    holder: &locked.failure().message,
                };
                let mut show = |progress| watcher.show(progress);
                let alive = async || locked.still_held(&clock);
                // A holder that is gone leaves the store to this process.
                if let Some(runs) = asked.carry_out(&mut pending, &mut show, alive).await? {
                    break runs;
                }
            }
        }
    };
    for run in &runs {
        watcher.show(run.into());
    }
    drop(watcher);
    output.result(&runs_document(&runs), || runs_table(&runs, false, output.colour))?;
    Ok(exit_of(&runs))
}

async fn alone(
    engine: &Arc<kasparro_engine::Engine>,
    names: &[SourceName],
    lists: Lists,
    watcher: &mut Watcher,
    shutdown: &CancellationToken,
) -> Result<Vec<Run>, kasparro_engine::EngineError> {
    let mut progress = engine.progress();
    let running = engine.run_now(names, RunReason::Manual, lists);
    tokio::pin!(running);
    let mut stopped = false;
    loop {
        tokio::select! {
            () = shutdown.cancelled(), if !stopped => {
                engine.stop();
                stopped = true;
            }
            runs = &mut running => return runs,
            news = progress.recv() => match news {
                Ok(news) => watcher.show(news.into()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return running.await,
            },
        }
    }
}
