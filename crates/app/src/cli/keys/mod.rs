//! `keys`: who may use the API, and for what.

mod create;
mod list;
mod made;
mod revoke;
mod rotate;

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{ApiKey, Clock, Scope, Timestamp};
use kasparro_store::Store;
use serde::Serialize;

use super::Context;
use crate::config::{Config, Database, read_duration};
use crate::failure::{Exit, Failure};
use crate::wire::{self, Opened};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Make a key and show it, this once.
    Create(create::Arguments),
    /// List the keys that were ever made; the keys themselves are kept nowhere.
    #[command(after_help = list::EXPLAINED)]
    List,
    /// Take a key back: servers refuse it within two seconds.
    #[command(after_help = revoke::EXPLAINED)]
    Revoke(revoke::Arguments),
    /// Make a key in place of another, which stays good for a while.
    Rotate(rotate::Arguments),
}

pub(crate) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::Create(arguments) => create::execute(context, arguments).await,
        Action::List => list::execute(context).await,
        Action::Revoke(arguments) => revoke::execute(context, arguments).await,
        Action::Rotate(arguments) => rotate::execute(context, arguments).await,
    }
}

/// The longest that anything about a key lasts, ten years: beyond it a slip is likelier than a plan.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// The longest name of a key, in characters.
const NAME_CHARS: usize = 255;

fn read_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
        return Err("write 1 to 255 characters in one line");
    }
    Ok(name.to_owned())
}

fn read_scope(text: &str) -> Result<Scope, &'static str> {
    Scope::named(text).ok_or("is none of read, operate, admin")
}

fn read_span(text: &str) -> Result<Duration, &'static str> {
    let span = read_duration(text).filter(|span| *span <= LONGEST);
    span.ok_or("write for example 12h, 90d or 52w")
}

/// A key as the documents of these commands give it; its text is in none of them.
#[derive(Debug, Serialize)]
struct KeyDocument {
    key_id: String,
    name: String,
    /// `read`, `operate` or `admin`.
    scope: Scope,
    /// `good`, `expired` or `revoked`.
    status: &'static str,
    /// Requests in each window of the limits; null where the limit of all keys holds.
    requests: Option<u64>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl KeyDocument {
    fn new(key: &ApiKey, now: Timestamp) -> Self {
        let status = match key {
            ApiKey { revoked_at: Some(_), .. } => "revoked",
            key if key.good_at(now) => "good",
            _ => "expired",
        };
        Self {
            key_id: key.key_id.clone(),
            name: key.name.clone(),
            scope: key.scope,
            status,
            requests: key.requests,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
        }
    }
}

/// The store, to write keys into: they are no decision of whoever holds a source or the file, so nobody is
/// asked to write them.
///
/// # Errors
/// A [`Failure`] with exit code 3.
async fn open(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Store>, Failure> {
    match &config.database {
        Database::Postgres(_) => wire::open_existing(&config.database, clock).await,
        Database::Sqlite(_) => match wire::open_store(config, clock).await? {
            Opened::Alone(store) | Opened::Shared(store) => Ok(store),
            Opened::Held(locked) => locked.open_beside(clock),
        },
    }
}

/// The key with this public id.
///
/// # Errors
/// A [`Failure`]: exit code 3 where the store cannot be read, 1 where no key has this id, 2 for what looks
/// like a whole key, which is repeated nowhere.
async fn find(context: &Context, clock: &Arc<dyn Clock>, id: &str) -> Result<ApiKey, Failure> {
    const LISTED: &str = "`kasparro keys list` shows the ids";
    let plain = id.len() <= 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain {
        return Err(Failure::new(
            Exit::Usage,
            "no_key_id",
            "this is not the id of a key, which has eight letters and digits",
            format!(
                "{LISTED}; a key itself does not belong on a command line, where others may read it"
            ),
        ));
    }
    let config = &context.config;
    // Closed again before the store is opened to write: whoever closes it last tidies its files up.
    let store = wire::open_to_read(config, clock).await?;
    let keys = store.keys().await.map_err(|error| Failure::store(&error, &config.database))?;
    keys.into_iter().find(|key| key.key_id == id).ok_or_else(|| {
        Failure::new(Exit::Failed, "unknown_key", format!("there is no key {id}"), LISTED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_of_a_key_is_read() {
        assert_eq!(read_name(" a dashboard ").unwrap(), "a dashboard");
        for name in ["", " ", "two\nlines", "\u{1b}[31m", &"x".repeat(256)] {
            assert!(read_name(name).is_err(), "{name:?}");
        }
        assert_eq!(read_span("90d").unwrap(), Duration::from_secs(90 * 24 * 3600));
        assert_eq!(read_span("0s").unwrap(), Duration::ZERO);
        for span in ["", "90", "never", "-1d", "1000000d"] {
            assert!(read_span(span).is_err(), "{span}");
        }
        assert!(read_scope("operate").is_ok() && read_scope("root").is_err());
    }
}
