//! `assets resolve`.

use std::sync::Arc;

use kasparro_domain::Clock;
use tokio::time::Instant;

use super::{Context, Standing};
use crate::cli::beside::{CLAIM_PATIENCE, POLL, STILL};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::Counter;
use crate::wire::{self, Locked, Opened};

pub(super) const EXPLAINED: &str = "\
Examples:
  kasparro assets resolve                after a process was killed that had loaded pages
  kasparro assets resolve --json         how identity stands, as `status --json` gives it

A server does so by itself when loading pauses, and `run` at its end: this command is for what was left
undone, and for scripts that wait until identity is decided.

Exit codes: 0 everything that is known is looked at; 1 not within a minute; 3 the store cannot be used.";

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let counter = Counter::new(output.live);
    let asked_at = Instant::now();
    let standing = loop {
        let standing = match wire::open_store(config, &clock).await? {
            Opened::Alone(store) | Opened::Shared(store) => {
                counter.say("resolving identity".to_owned());
                let resolved =
                    kasparro_engine::resolve_identity(Arc::clone(&store), Arc::clone(&clock)).await;
                resolved.map_err(|error| Failure::engine(error, &config.database))?;
                Standing::of(store.as_ref(), &config.database).await?
            }
            Opened::Held(locked) => {
                counter.say("waiting for the server to resolve identity".to_owned());
                wait_beside(&context, &locked, &clock).await?
            }
        };
        if standing.up_to_date {
            break standing;
        }
        if asked_at.elapsed() >= CLAIM_PATIENCE {
            return Err(Failure::new(
                Exit::Failed,
                "not_resolved",
                "evidence came faster than it could be looked at for a minute",
                "ask again when less is loaded; `kasparro status` shows how identity stands",
            ));
        }
    };
    drop(counter);
    output.result(&standing, || standing.words())?;
    Ok(Exit::Done)
}

/// How identity stands once the holder has looked at everything, is gone, or takes long.
async fn wait_beside(
    context: &Context,
    locked: &Locked,
    clock: &Arc<dyn Clock>,
) -> Result<Standing, Failure> {
    let store = locked.open_beside(clock)?;
    let asked_at = Instant::now();
    let mut looked_at = asked_at;
    loop {
        let standing = Standing::of(store.as_ref(), &context.config.database).await?;
        if standing.up_to_date || asked_at.elapsed() >= CLAIM_PATIENCE {
            return Ok(standing);
        }
        if looked_at.elapsed() >= STILL {
            if !locked.still_held(clock) {
                return Ok(standing);
            }
            looked_at = Instant::now();
        }
        tokio::time::sleep(POLL).await;
    }
}
