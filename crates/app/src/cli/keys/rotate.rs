//! `keys rotate`.

use std::time::Duration;

use kasparro_domain::ApiKey;
use kasparro_store::NewKey;

use super::made::Made;
use super::{Context, find, open, read_span};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro keys rotate 4fQz81Lm
  kasparro keys rotate 4fQz81Lm --overlap 7d
  kasparro keys rotate 4fQz81Lm --overlap 0s       the old one is refused at once

The new key has name, scope and number of requests of the old one, and as long to live as that had at first. It is on
stdout and nowhere else. Change over before the overlap ends.")]
pub(crate) struct Arguments {
    /// The id of the key to replace, as `kasparro keys list` shows it.
    #[arg(value_name = "ID")]
    id: String,
    /// How long the old key stays good, at most.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = read_span)]
    overlap: Duration,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let config = &context.config;
    let clock = SystemClock::shared();
    let old = find(&context, &clock, &arguments.id).await?;
    let created_at = clock.now();
    if !old.good_at(created_at) {
        return Err(Failure::new(
            Exit::Failed,
            "key_ended",
            format!("key {} is expired or revoked", old.key_id),
            "make a new one with `kasparro keys create`",
        ));
    }
    let store = open(config, &clock).await?;
    let lifetime = old.expires_at.map(|end| end.since(old.created_at));
    let made = Made::new(
        &context,
        ApiKey {
            created_at,
            expires_at: lifetime.map(|span| created_at.plus(span)),
            last_used_at: None,
            ..old.clone()
        },
    )?;
    let until = created_at.plus(arguments.overlap);
    let replaces = Some((old.key_id.clone(), until));
    let added = store.add_key(NewKey { key: made.key.clone(), replaces }).await;
    added.map_err(|error| Failure::store(&error, &config.database))?;
    // An earlier end that the old key has stays.
    let until = old.expires_at.map_or(until, |end| end.min(until));
    made.show(&context, Some((&old.key_id, until)))?;
    Ok(Exit::Done)
}
