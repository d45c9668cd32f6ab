//! The server: accepting, watching and closing connections.
//!
//! `axum::serve` has no time limits, and hyper's own header timer costs 4 to 6 % of the server. So
//! each connection notes in atomics when it last changed what it is doing, and one task looks at all
//! of them every second or sooner.

mod connection;
mod framing;
mod io;
mod refusal;
mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::metrics::Limited;
use crate::problem::{Code, Problem};
use crate::{Api, freshness, limits};
use connection::{Connection, Connections};
use io::WatchedIo;
use service::Door;

pub(crate) use connection::InFlight;

/// What of a request head is buffered at most: 8 KiB of target and 24 KiB of headers.
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

/// How long streams have to end in when the server does; a client that takes nothing holds nobody up.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(1);

/// Serves until `shutdown`, then drains.
pub(crate) async fn serve(
    api: Arc<Api>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    tracing::debug!(%address, "accepting connections");
    let server = Server::new(Arc::clone(&api));
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
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => server.take(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                if !connection_gone(&error) {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    api.shared.draining.store(true, Ordering::Relaxed);
    drop(listener);
    api.shared.stream.end();
    server.drain().await;
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
    builder: Arc<Builder<TokioExecutor>>,
    connections: Arc<Connections>,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Server {
    fn new(api: Arc<Api>) -> Self {
        let settings = &api.shared.settings;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
        builder
            .http2()
            .max_concurrent_streams(MAX_STREAMS)
            .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX));
        Self {
            builder: Arc::new(builder),
            connections: Arc::new(Connections::new(settings, Arc::clone(&api.shared.load))),
            places: Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS))),
            turned_away: Arc::new(Semaphore::new(MAX_TURNED_AWAY)),
            tasks: TaskTracker::new(),
            api,
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
        let (api, builder) = (Arc::clone(&self.api), Arc::clone(&self.builder));
        self.tasks.spawn(async move {
            let door = Door::new(Arc::clone(&api), Arc::clone(&connection), origin);
            serve_connection(stream, api, &builder, &connection, door).await;
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

    /// Lets requests under way end, for a limited time.
    async fn drain(&self) {
        self.connections.drain();
        self.tasks.close();
        let limit = self.api.shared.settings.drain_timeout;
        let streams_end = STREAMS_END_WITHIN.min(limit);
        if tokio::time::timeout(streams_end, self.tasks.wait()).await.is_ok() {
            return;
        }
        self.connections.close_streams();
        let limit = limit.saturating_sub(streams_end);
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_err() {
            tracing::warn!("closing connections whose requests did not end in time");
            self.connections.close();
            self.tasks.wait().await;
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    api: Arc<Api>,
    builder: &Builder<TokioExecutor>,
    connection: &Arc<Connection>,
    door: Door,
) {
    {
        let io = TokioIo::new(WatchedIo::new(stream, Arc::clone(connection)));
        let mut serving = std::pin::pin!(builder.serve_connection(io, door));
        let mut draining = false;
        std::future::poll_fn(|cx| {
            let command = connection.command(cx);
            if command.close {
                return std::task::Poll::Ready(());
            }
            if command.drain && !draining {
                draining = true;
                serving.as_mut().graceful_shutdown();
            }
            serving.as_mut().poll(cx).map(|served| {
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended early");
                }
            })
        })
        .await;
    }
    if let Some((stream, problem)) = connection.take_refused() {
        refusal::refuse(stream, &problem, api.shared.clock.as_ref()).await;
    }
}

/// True when only the connection that was being accepted is affected.
fn connection_gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
