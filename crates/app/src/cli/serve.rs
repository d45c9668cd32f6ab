//! `serve`: the API and the scheduler in one process.

use std::sync::Arc;
use std::time::Duration;

use kasparro_store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Context, shutdown};
use crate::clock::SystemClock;
use crate::config::{Flags, Origin};
use crate::failure::{Exit, Failure};
use crate::wire;

/// Time beyond the API's own drain that runs are given to reach the end of a page.
pub(super) const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro serve
  kasparro serve --listen 0.0.0.0:8080 --database sqlite:/var/lib/kasparro/kasparro.db
  kasparro serve --listen 127.0.0.1:0 --json      a free port; {\"listening\":\"http://ADDR\"} on stdout

SIGTERM or Ctrl-C finishes open requests and pages, then exits 0.")]
pub(crate) struct Arguments {
    /// Address and port of the API; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
}

impl Arguments {
    pub(super) fn lay(&self, flags: &mut Flags) {
        if let Some(listen) = &self.listen {
            flags.values.push(("server.listen", listen.clone(), Origin::Flag("--listen")));
        }
    }
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    wire::warn_of_plain_upstream(&context.config);
    serve(&context, shutdown::token()).await
}

/// Serves until `shutdown`.
pub(super) async fn serve(context: &Context, shutdown: CancellationToken) -> Result<Exit, Failure> {
    let config = &context.config;
    let clock = SystemClock::shared();
    let sources = wire::sources(config)?;
    // The store first: a second server on the same store is told who holds it, not that the port is taken.
    let store = wire::open_store(config, &clock)?.map_err(|locked| locked.into_failure(config))?;
    let listener = bind(&config.server.listen).await?;
    let url = local_url(&listener)?;
    store.set_address(&url).map_err(|error| Failure::store(&error, &config.database))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let read_side = wire::read_side(config, &sources, &store, &clock)?;

    let mut api = tokio::spawn(read_side.api.serve(listener, shutdown.clone()));
    let view = tokio::spawn(read_side.view.follow(shutdown.clone()));
    context.output.listening(&url)?;

    let started = tokio::select! {
        started = wire::start_engine(config, sources, Arc::clone(&store), clock) => Some(started),
        () = shutdown.cancelled() => None,
    };
    let mut failure = None;
    let mut tasks: Vec<JoinHandle<()>> = vec![view];
    match started {
        None => {}
        Some(Err(error)) => failure = Some(error),
        Some(Ok(engine)) => {
            let mut scheduler = tokio::spawn(engine.serve(shutdown.clone()));
            tokio::select! {
                // In this order, because everything ends once the token is cancelled.
                biased;
                () = shutdown.cancelled() => {}
                _ = &mut api => failure = Some(ended("the API")),
                _ = &mut scheduler => failure = Some(ended("the scheduler")),
            }
            tasks.push(scheduler);
        }
    }
    shutdown.cancel();
    let drained = async {
        if !api.is_finished() {
            let _ = api.await;
        }
        for task in tasks.into_iter().filter(|task| !task.is_finished()) {
            let _ = task.await;
        }
    };
    if tokio::time::timeout(config.server.drain_timeout + GRACE, drained).await.is_err() {
        tracing::warn!(
            "not everything ended in time; what was under way is closed at the next start"
        );
    }
    failure.map_or(Ok(Exit::Done), Err)
}

fn ended(what: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "ended",
        format!("{what} ended unexpectedly"),
        "the log above says why; start again, and report it if it comes back",
    )
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
