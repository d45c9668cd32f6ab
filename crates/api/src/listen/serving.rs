//! Serving one connection, from its first byte to its end.
//!
//! hyper holds buffers of 16 KiB for each connection. So it comes in only when the head of a request is there, and
//! an HTTP/1 connection that waits for its next one for a while is taken from it again: parked. Nothing can
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

use super::connection::Connection;
use super::io::WatchedIo;
use super::service::Door;
use super::{MAX_HEAD_BYTES, MAX_RESET_STREAMS, MAX_STREAMS, refusal};
use crate::Api;

/// With what HTTP/2 connections begin.
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What is read at once until the head of a request is there.
const READ_BYTES: usize = 2_048;

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
    let mut fresh = true;
    while let Some(version) = head_comes(&mut io, connection, fresh).await {
        connection.commands.stay();
        if version == Version::Http2 {
            connection.speaks_http2();
            return serve_http2(io, &protocols.http2, connection, door).await;
        }
        let Some(parked) = serve_http1(io, &protocols.http1, connection, door).await else {
            return;
        };
        (io, door) = parked;
        fresh = false;
    }
}

/// Waits until the head of a request is there, and puts it back; `None` where the connection ends before. What is
/// too long for a head, or cannot be one, is for the parser to refuse. `fresh` on a connection on which nothing was
/// asked yet: it may be one of HTTP/2.
async fn head_comes(io: &mut WatchedIo, connection: &Connection, fresh: bool) -> Option<Version> {
    let mut held = io.take_unread();
    let version = std::future::poll_fn(|cx| {
        let command = connection.commands.read(cx);
        if command.close {
            return Poll::Ready(None);
        }
        loop {
            // Not kept while nothing comes.
            let mut read = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut read);
            match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                // What came before is still answered.
                Poll::Pending if command.drain => {
                    return Poll::Ready((!held.is_empty()).then_some(Version::Http1));
                }
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "a connection ended before its next request");
                    return Poll::Ready(None);
                }
            }
            held.extend_from_slice(buffer.filled());
            if fresh && held.starts_with(HTTP2_PREFACE) {
                return Poll::Ready(Some(Version::Http2));
            }
            if buffer.filled().is_empty() {
                return Poll::Ready((!held.is_empty()).then_some(Version::Http1));
            }
            let preface = fresh && HTTP2_PREFACE.starts_with(&held);
            let only_part = io.is_part_of_head(held.len()) && held.len() < MAX_HEAD_BYTES;
            if !preface && !only_part {
                return Poll::Ready(Some(Version::Http1));
            }
        }
    })
    .await?;
    io.put_back(&held);
    Some(version)
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
        let command = connection.commands.read(cx);
        if command.close {
            return Poll::Ready(false);
        }
        let mut serving = Pin::new(&mut *serving);
        if command.drain && !draining {
            draining = true;
            // Without a look at what came it would end at once.
            if poll_to_end(serving.as_mut(), cx).is_ready() {
                return Poll::Ready(false);
            }
            serving.as_mut().graceful_shutdown();
        }
        if command.last_answer && !draining && connection.is_busy() {
            // The one that begins later is told to be the last when it is answered.
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
        connection.commands.stay();
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
        let command = connection.commands.read(cx);
        if command.close {
            return Poll::Ready(());
        }
        if command.drain && !draining {
            draining = true;
            serving.as_mut().graceful_shutdown();
        }
        let mut polled = poll_to_end(serving.as_mut(), cx);
        if command.last_answer && !draining && polled.is_pending() && connection.is_busy() {
            draining = true;
            serving.as_mut().graceful_shutdown();
            polled = poll_to_end(serving.as_mut(), cx);
        }
        polled
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
