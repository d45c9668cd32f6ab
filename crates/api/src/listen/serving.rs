//! Serving one connection, from its first byte to its end.
//!
//! hyper holds buffers of 16 KiB for each connection. So it comes in only when there is something to read, and
//! an HTTP/1 connection that waits for its next request for a while is taken from it again: parked. Nothing can
//! get lost or be read twice, because it is taken away only right after hyper looked for more to read and to
//! write and there was neither, while no request was under way; and what it had read of a head that is not
//! complete is put back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::connection::{Command, Connection};
use super::io::WatchedIo;
use super::service::Door;
use super::{MAX_HEAD_BYTES, MAX_RESET_STREAMS, MAX_STREAMS, refusal};
use crate::Api;

/// With what HTTP/2 connections begin.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocols that are spoken here.
#[derive(Debug)]
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1.max_buf_size(MAX_HEAD_BYTES).header_read_timeout(None);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .max_concurrent_streams(MAX_STREAMS)
            .max_pending_accept_reset_streams(MAX_RESET_STREAMS)
            .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX));
        Self { http1, http2 }
    }
}

/// Which protocol a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Serves a connection to its end.
pub(super) async fn serve_connection(
    stream: TcpStream,
    api: Arc<Api>,
    protocols: &Protocols,
    connection: &Arc<Connection>,
    door: Door,
) {
    let io = WatchedIo::new(stream, Arc::clone(connection));
    serve(io, protocols, connection, door).await;
    if let Some((stream, problem)) = connection.take_refused() {
        // Seldom, so that the others do not keep room for it.
        Box::pin(refusal::refuse(stream, &problem, api.shared.clock.as_ref())).await;
    }
}

async fn serve(
    mut io: WatchedIo,
    protocols: &Protocols,
    connection: &Arc<Connection>,
    mut door: Door,
) {
    match first_bytes(&mut io, connection).await {
        Some(Version::Http1) => {}
        Some(Version::Http2) => {
            connection.speaks_http2();
            return serve_http2(io, &protocols.http2, connection, door).await;
        }
        None => return,
    }
    while let Some(parked) = serve_http1(io, &protocols.http1, connection, door).await {
        (io, door) = parked;
        if !more_comes(&io, connection).await {
            return;
        }
        connection.stay();
    }
}

/// Waits for the first bytes and puts them back; `None` where the connection ends before.
async fn first_bytes(io: &mut WatchedIo, connection: &Connection) -> Option<Version> {
    let (mut read, mut length) = ([0; HTTP2_PREFACE.len()], 0);
    let version = std::future::poll_fn(|cx| {
        loop {
            if ends(connection.command(cx)) {
                return Poll::Ready(None);
            }
            let mut buffer = ReadBuf::new(read.get_mut(length..).unwrap_or_default());
            match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a connection ended before its first request");
                    return Poll::Ready(None);
                }
            }
            let more = buffer.filled().len();
            length += more;
            let read = read.get(..length).unwrap_or_default();
            if read == HTTP2_PREFACE {
                return Poll::Ready(Some(Version::Http2));
            }
            if more == 0 || !HTTP2_PREFACE.starts_with(read) {
                return Poll::Ready((length > 0).then_some(Version::Http1));
            }
        }
    })
    .await?;
    io.put_back(read.get(..length).unwrap_or_default());
    Some(version)
}

/// Waits until a parked connection has something to read; false where it is to end.
async fn more_comes(io: &WatchedIo, connection: &Connection) -> bool {
    std::future::poll_fn(|cx| {
        if ends(connection.command(cx)) {
            return Poll::Ready(false);
        }
        io.poll_readable(cx).map(|readable| readable.is_ok())
    })
    .await
}

/// Whether a connection without a request is to end.
const fn ends(command: Command) -> bool {
    command.close || command.drain
}

/// Serves HTTP/1; returns what is needed to go on where the connection is to be parked.
async fn serve_http1(
    io: WatchedIo,
    http1: &http1::Builder,
    connection: &Connection,
    door: Door,
) -> Option<(WatchedIo, Door)> {
    let mut serving = Box::new(http1.serve_connection(TokioIo::new(io), door));
    let mut draining = false;
    let parks = std::future::poll_fn(|cx| {
        let command = connection.command(cx);
        if command.close {
            return Poll::Ready(false);
        }
        let mut serving = Pin::new(&mut *serving);
        if command.drain && !draining {
            draining = true;
            serving.as_mut().graceful_shutdown();
        }
        if !command.park {
            return poll_to_end(serving, cx).map(|()| false);
        }
        let free = connection.is_free();
        if poll_to_end(serving, cx).is_ready() {
            return Poll::Ready(false);
        }
        if free && !draining && connection.is_still() {
            return Poll::Ready(true);
        }
        connection.stay();
        Poll::Pending
    });
    if !parks.await {
        return None;
    }
    let parts = serving.into_parts();
    let mut io = parts.io.into_inner();
    if !io.take_over(&parts.read_buf) {
        tracing::warn!("a connection is closed: what it holds back is no part of a head");
        return None;
    }
    Some((io, parts.service))
}

async fn serve_http2(
    io: WatchedIo,
    http2: &http2::Builder<TokioExecutor>,
    connection: &Connection,
    door: Door,
) {
    let mut serving = Box::pin(http2.serve_connection(TokioIo::new(io), door));
    let mut draining = false;
    std::future::poll_fn(|cx| {
        let command = connection.command(cx);
        if command.close {
            return Poll::Ready(());
        }
        if command.drain && !draining {
            draining = true;
            serving.as_mut().graceful_shutdown();
        }
        poll_to_end(serving.as_mut(), cx)
    })
    .await;
}

fn poll_to_end(
    serving: Pin<&mut impl Future<Output = hyper::Result<()>>>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    serving.poll(cx).map(|served| {
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended early");
        }
    })
}
