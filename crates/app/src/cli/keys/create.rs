//! `keys create`.

use std::time::Duration;

use kasparro_domain::{ApiKey, Scope};
use kasparro_store::NewKey;

use super::made::Made;
use super::{Context, open, read_name, read_scope, read_span};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro keys create --name 'the dashboard' --scope read
  kasparro keys create --name 'cron of the office' --scope operate --expires 90d
  kasparro keys create --name reports --scope read --requests 50000 --json | jq -r .key > reports.key

Scopes: `read` looks at pages about operations, such as runs, sources and quarantine; `operate` also starts runs and
decides about quarantined rows and drift; `admin` also manages keys and decides which listings are one asset. A key is
sent as `X-API-Key: KEY` or `Authorization: Bearer KEY`. Servers know it within two seconds.

The key is on stdout and nowhere else: what is kept is its hash. It works with and without a running server, which
has to have the same secret (KASPARRO_SECRET, or the file beside the store).")]
pub(crate) struct Arguments {
    /// What the key is for; shown in lists and logs.
    #[arg(long, value_name = "NAME", value_parser = read_name)]
    name: String,
    /// What it allows: read, operate or admin.
    #[arg(long, value_name = "SCOPE", value_parser = read_scope)]
    scope: Scope,
    /// How long it is good, for example 90d, or never, which it does where nothing is said.
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = read_lifetime)]
    expires: Lifetime,
    /// Requests that it may make in each window of the limits; limits.keyed where nothing is said.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    requests: Option<u64>,
}

/// How long a key is good; nothing for one without an end.
#[derive(Debug, Clone, Copy)]
struct Lifetime(Option<Duration>);

fn read_lifetime(text: &str) -> Result<Lifetime, &'static str> {
    if text == "never" {
        return Ok(Lifetime(None));
    }
    let span = read_span(text).ok().filter(|span| !span.is_zero());
    span.map(|span| Lifetime(Some(span))).ok_or("write for example 12h, 90d or never")
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { name, scope, expires, requests } = arguments;
    let clock = SystemClock::shared();
    let store = open(&context.config, &clock).await?;
    let created_at = clock.now();
    let made = Made::new(
        &context,
        ApiKey {
            key_id: String::new(),
            name,
            scope,
            hmac: [0; 32],
            requests,
            created_at,
            expires_at: expires.0.map(|span| created_at.plus(span)),
            revoked_at: None,
            last_used_at: None,
        },
    )?;
    let added = store.add_key(NewKey { key: made.key.clone(), replaces: None }).await;
    added.map_err(|error| Failure::store(&error, &context.config.database))?;
    made.show(&context, None)?;
    Ok(Exit::Done)
}
