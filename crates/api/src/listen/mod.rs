//! The server: accepting, watching and closing connections.
//!
//! `axum::serve` has no time limits, and hyper's own header timer costs 4 to 6 % of the server. So
//! each connection notes in atomics when it last changed what it is doing, and one task looks at all
//! of them every second or sooner.

mod backlog;
mod clock;
mod commands;
mod connection;
mod connections;
mod ending;
mod framing;
mod host;
mod in_flight;
mod io;
mod refusal;
mod refused;
mod request;
mod service;
mod serving;
mod turn;
mod unsent;
mod upload;
#[cfg(test)]
mod watch_tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Limited;
use crate::problem::{Code, Problem};
use crate::{Api, freshness, limits};
use connections::Connections;
use serving::Protocols;

pub(crate) use in_flight::InFlight;
pub(crate) use service::Door;

/// A way in past the network, for tests that ask more often than connections carry.
#[cfg(test)]
pub(crate) fn door(api: &Arc<Api>, peer: SocketAddr) -> Door {
    let shared = &api.shared;
    let load = Arc::clone(&shared.load);
    let connections = Arc::new(Connections::new(&shared.settings, load, PARK_AFTER));
    let origin = shared.limits.origin(peer);
    let connection = connections.add(&origin).map(|watched| Arc::clone(&watched));
    Door::new(Arc::clone(api), connection.expect("nobody else holds a place"), origin)
}

/// What of a request head is buffered at most. It is more than a head may have, so that one that is a little too
/// large is read and told so like any other request.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// Requests under way at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;
/// Requests on one HTTP/2 connection that were taken back before they were looked at; a connection that has more
/// ends.
const MAX_RESET_STREAMS: usize = 32;
/// Connections that are being told 503 at once; more are closed without a word.
const MAX_TURNED_AWAY: usize = 64;
/// How long to wait before accepting again when the system is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long an HTTP/1 connection waits for its next request before its buffers are given back.
const PARK_AFTER: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then drains.
pub(crate) async fn serve(
    api: Arc<Api>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    serve_parking(api, listener, shutdown, PARK_AFTER).await
}

/// The same with another time after which connections are parked.
pub(crate) async fn serve_parking(
    api: Arc<Api>,
    listener: TcpListener,
    shutdown: CancellationToken,
    park_after: Duration,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    tracing::debug!(%address, "accepting connections");
    backlog::widen(&listener);
    unsent::bound(&listener);
    let server = Server::new(Arc::clone(&api), park_after);
    let watchdog =
        tokio::spawn(Arc::clone(&server.connections).watch(api.shared.metrics.handle.clone()));
    let schedule = Arc::clone(&api);
    let schedule = tokio::spawn(async move { freshness::follow(&schedule.shared).await });
    let telling = tokio::spawn(Arc::clone(&api.shared.stream).follow(&api.shared.view));
    let served = CancellationToken::new();
    let (sharing, end) = (Arc::clone(&api.shared), served.clone());
    let sharing = tokio::spawn(async move {
        limits::share(&sharing.limits, sharing.store.as_ref(), end).await;
    });
    server.accept(&listener, shutdown.cancelled()).await;
    api.shared.draining.store(true, Ordering::Relaxed);
    api.shared.stream.end();
    server.end(listener).await;
    telling.abort();
    watchdog.abort();
    schedule.abort();
    // What the last requests used is told, so that the next start knows it.
    served.cancel();
    if let Err(error) = sharing.await {
        tracing::error!(%error, "sharing what clients used ended early");
    }
    Ok(())
}

struct Server {
    api: Arc<Api>,
    protocols: Arc<Protocols>,
    connections: Arc<Connections>,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Server {
    fn new(api: Arc<Api>, park_after: Duration) -> Self {
        let settings = &api.shared.settings;
        let load = Arc::clone(&api.shared.load);
        Self {
            protocols: Arc::new(Protocols::new()),
            connections: Arc::new(Connections::new(settings, load, park_after)),
            places: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
            tasks: TaskTracker::new(),
            api,
        }
    }

    /// Takes connections until then.
    async fn accept(&self, listener: &TcpListener, until: impl Future<Output = ()>) {
        let mut until = std::pin::pin!(until);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut until => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    if !connection_gone(&error) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    /// Serves a connection in a task of its own.
    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.turn_away(stream, "no more connections are taken");
        };
        let origin = self.api.shared.limits.origin(peer);
        let Some(connection) = self.connections.add(&origin) else {
            return self.turn_away(stream, "no more connections are taken of this client");
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the connection is gone already");
            return;
        }
        let (api, protocols) = (Arc::clone(&self.api), Arc::clone(&self.protocols));
        self.tasks.spawn(async move {
            let door = Door::new(Arc::clone(&api), Arc::clone(&connection), origin);
            serving::serve_connection(stream, api, &protocols, &connection, door).await;
            drop(place);
        });
    }

    /// Says on a connection why it is not served, or closes it where that is said to many already.
    fn turn_away(&self, stream: TcpStream, why: &'static str) {
        self.api.shared.metrics.count_limited(Limited::Overload);
        if let Ok(place) = Arc::clone(&self.turned_away).try_acquire_owned() {
            let api = Arc::clone(&self.api);
            self.tasks.spawn(async move {
                let problem = Problem::new(Code::Overloaded, why);
                refusal::refuse(stream, &problem, api.shared.clock.as_ref()).await;
                drop(place);
            });
        }
    }
}

/// True when only the connection that was being accepted is affected.
fn connection_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
