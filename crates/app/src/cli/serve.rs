//! `serve`: the API and the scheduler in one process; and what `api` and `worker` have of it.

use std::sync::Arc;
use std::time::Duration;

use kasparro_store_postgres::MigrateMode;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Context, shutdown};
use crate::clock::SystemClock;
use crate::config::{Config, Flags, Origin};
use crate::failure::{Exit, Failure};
use crate::output::note;
use crate::wire::{self, Backing, FirstKey};

/// Time beyond the API's own drain that runs are given to reach the end of a page.
pub(super) const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro serve
  kasparro serve --listen 0.0.0.0:8080 --database sqlite:/var/lib/kasparro/kasparro.db
  kasparro serve --listen 127.0.0.1:0 --json      a free port; {\"listening\":\"http://ADDR\"} on stdout
  DATABASE_URL_FILE=./database-url kasparro serve  a file that holds postgres://USER:PASSWORD@HOST/DATABASE

On PostgreSQL any number of servers, workers and APIs may run side by side; they share the sources, and need one
KASPARRO_SECRET. Where the database is away at the start it is waited for: /livez answers 200, /readyz 503.

Where no key was ever made and ADMIN_API_KEY is not set, the first start makes a key of scope admin and writes it to
`admin.key` beside the store; `kasparro keys` makes others.

SIGTERM or Ctrl-C finishes open requests and pages, then exits 0.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) listening: Listening,
}

/// Where the API listens.
#[derive(Debug, clap::Args)]
pub(crate) struct Listening {
    /// Address and port of the API; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Listening {
    pub(super) fn lay(&self, flags: &mut Flags) {
        if let Some(listen) = &self.listen {
            flags.values.push(("server.listen", listen.clone(), Origin::Flag("--listen")));
        }
    }
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    wire::warn_of_plain_upstream(&context.config);
    serve(&context, Role::Both, shutdown::token()).await
}

/// What a serving process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Answers and fetches.
    Both,
    /// Answers.
    Api,
    /// Fetches.
    Worker,
}

impl Role {
    const fn answers(self) -> bool {
        matches!(self, Self::Both | Self::Api)
    }

    const fn fetches(self) -> bool {
        matches!(self, Self::Both | Self::Worker)
    }

    /// Whether it brings the schema up to date. An API waits for those who write to do so: its user may
    /// only read.
    const fn migrates(self) -> MigrateMode {
        if self.fetches() { MigrateMode::Run } else { MigrateMode::Check }
    }
}

/// Serves until `shutdown`.
pub(super) async fn serve(
    context: &Context,
    role: Role,
    shutdown: CancellationToken,
) -> Result<Exit, Failure> {
    let config = &context.config;
    let clock = SystemClock::shared();
    let sources = wire::sources(config)?;
    if role.answers() {
        wire::refuse_without_secret(config)?;
    }
    // The store first: a second server on the same store is told who holds it, not that the port is taken.
    let backing = Backing::open(config, &clock)?;
    let store = backing.store();
    let mut parts = Parts::default();
    let (mut view, mut secret) = (None, None);
    if role.answers() {
        let own = wire::server_secret(config)?;
        let listener = bind(&config.server.listen).await?;
        let url = local_url(&listener)?;
        let noted = backing.set_address(&url);
        noted.map_err(|error| Failure::store(&error, &config.database))?;
        let read_side = wire::read_side(config, &sources, &store, &clock, &own);
        let api = read_side.api.serve(listener, shutdown.clone());
        parts.api = Some(tokio::spawn(async move { drop(api.await) }));
        (view, secret) = (Some(read_side.view), Some(own));
        context.output.listening(&url)?;
    }
    let ready = tokio::select! {
        ready = backing.ready(role.migrates(), config) => Some(ready),
        () = shutdown.cancelled() => None,
    };
    let mut outcome = ready.unwrap_or(Ok(()));
    if outcome.is_ok() && !shutdown.is_cancelled() {
        if let Some(view) = view {
            parts.view = Some(tokio::spawn(view.follow(shutdown.clone())));
        }
        if let Some(secret) = secret {
            let first = wire::first_key(config, store.as_ref(), &secret, clock.as_ref());
            tokio::select! {
                first = first => first.iter().for_each(|first| tell(context, first)),
                () = shutdown.cancelled() => {}
            }
        }
        if role.fetches() {
            let holding = backing.holding(config);
            let started = tokio::select! {
                started =
                    wire::start_engine(config, sources, Arc::clone(&store), clock, holding) => Some(started),
                () = shutdown.cancelled() => None,
            };
            match started {
                Some(Ok(engine)) => {
                    parts.scheduler = Some(tokio::spawn(engine.serve(shutdown.clone())));
                    if role == Role::Worker {
                        outcome = context.output.working(wire::holder());
                    }
                }
                Some(Err(failure)) => outcome = Err(failure),
                None => {}
            }
        }
        if outcome.is_ok() {
            outcome = parts.until_one_ends(&shutdown).await;
        }
    }
    shutdown.cancel();
    let held_sources = parts.scheduler.is_some() && config.database.path().is_none();
    if tokio::time::timeout(config.server.drain_timeout + GRACE, parts.end()).await.is_err() {
        tracing::warn!(
            "not everything ended in time; what was under way is closed at the next start"
        );
    }
    if held_sources {
        // The database may be away, and then the leases end by themselves.
        let _ = tokio::time::timeout(GRACE, wire::release_all(store.as_ref())).await;
    }
    outcome.map(|()| Exit::Done)
}

/// Says where the first key is; the key itself only to a person who looks on, since logs are kept.
fn tell(context: &Context, first: &FirstKey) {
    let path = first.path.display();
    if context.config.log.json {
        tracing::info!(%path, "a first key of scope admin was made; this file holds it");
    } else {
        note(&format!("a first key of scope admin was made; this file holds it: {path}"));
    }
    if context.output.live {
        note(&format!("admin key: {}", first.text.expose_secret()));
    }
}

/// What goes on side by side.
#[derive(Default)]
struct Parts {
    api: Option<JoinHandle<()>>,
    view: Option<JoinHandle<()>>,
    scheduler: Option<JoinHandle<()>>,
}

impl Parts {
    /// Waits for `shutdown`.
    ///
    /// # Errors
    /// A [`Failure`] where a part ends before that.
    async fn until_one_ends(&mut self, shutdown: &CancellationToken) -> Result<(), Failure> {
        tokio::select! {
            // In this order, because everything ends once the token is cancelled.
            biased;
            () = shutdown.cancelled() => Ok(()),
            () = end_of(&mut self.api) => Err(ended("the API")),
            () = end_of(&mut self.scheduler) => Err(ended("the scheduler")),
        }
    }

    async fn end(self) {
        for part in [self.api, self.view, self.scheduler].into_iter().flatten() {
            if !part.is_finished() {
                let _ = part.await;
            }
        }
    }
}

async fn end_of(part: &mut Option<JoinHandle<()>>) {
    match part {
        Some(part) => drop(part.await),
        None => std::future::pending().await,
    }
}

fn ended(what: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "ended",
        format!("{what} ended unexpectedly"),
        "the log above says why; start again, and report it if it comes back",
    )
}

/// Refuses a command that works beside others of its kind on a file, on which one process works.
///
/// # Errors
/// A [`Failure`] with exit code 2 for a SQLite file.
pub(super) fn needs_postgres(command: &str, config: &Config) -> Result<(), Failure> {
    let Some(path) = config.database.path() else { return Ok(()) };
    Err(Failure::new(
        Exit::Usage,
        "one_process",
        format!(
            "one process holds a SQLite file ({}), and {command} is one of several",
            path.display()
        ),
        "use `kasparro serve`, or name a PostgreSQL database with --database or DATABASE_URL",
    ))
}

/// Takes an address.
pub(super) async fn bind(listen: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "stop the program that uses it, or choose another with --listen HOST:PORT (port 0 is free)"
        } else {
            "choose an address of this machine with --listen HOST:PORT"
        };
        let problem = format!("cannot listen on {listen}: {error}");
        Failure::new(Exit::Failed, "cannot_listen", problem, hint)
    })
}

/// The address that was taken.
pub(super) fn local_url(listener: &TcpListener) -> Result<String, Failure> {
    let address = listener.local_addr().map_err(|error| {
        Failure::new(Exit::Failed, "cannot_listen", error.to_string(), "try again")
    })?;
    Ok(format!("http://{address}"))
}
