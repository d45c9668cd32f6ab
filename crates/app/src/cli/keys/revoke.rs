//! `keys revoke`.

use kasparro_domain::ApiKey;
use kasparro_store::KeyEnd;

use super::{Context, KeyDocument, find, open};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};

pub(super) const EXPLAINED: &str = "\
Examples:
  kasparro keys revoke 4fQz81Lm

A key that was taken back never comes back; make a new one instead. To replace one that is in use, `kasparro keys
rotate` leaves time to change over.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The id of the key, as `kasparro keys list` shows it.
    #[arg(value_name = "ID")]
    id: String,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let config = &context.config;
    let clock = SystemClock::shared();
    let key = find(&context, &clock, &arguments.id).await?;
    let now = clock.now();
    let store = open(config, &clock).await?;
    let ended = store.end_key(&key.key_id, KeyEnd::Revoked(now)).await;
    ended.map_err(|error| Failure::store(&error, &config.database))?;
    let revoked_at = key.revoked_at.unwrap_or(now);
    let revoked = ApiKey { revoked_at: Some(revoked_at), ..key };
    context.output.result(&KeyDocument::new(&revoked, now), || {
        let ApiKey { key_id, name, .. } = &revoked;
        format!("key {key_id} ({name}) is taken back since {revoked_at}")
    })?;
    Ok(Exit::Done)
}
