//! How a server ends: it says so first, and leaves then.
//!
//! Whoever sends requests here learns from `/readyz`, or from an answer that is the last of its connection, that they
//! have to go elsewhere. Until they had time for that, new connections are taken; otherwise those who come in the
//! meantime would be turned away without a word.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::{Server, backlog};

/// How long streams have to end in when the server does; a client that takes nothing holds nobody up.
const STREAMS_END_WITHIN: Duration = Duration::from_secs(1);
/// How long a connection on which nothing came yet has to send something in when the server ends: the request of a
/// client that was just taken is on its way.
const FIRST_BYTES_WITHIN: Duration = Duration::from_millis(250);

impl Server {
    /// Ends, within the time that draining takes at most.
    pub(super) async fn end(&self, listener: TcpListener) {
        let settings = &self.api.shared.settings;
        let limit = settings.drain_timeout;
        let end = Instant::now() + limit;
        self.connections.last_answers();
        // At least half of the time is for what is under way.
        let notice = settings.shutdown_notice.min(limit / 2);
        if !notice.is_zero() {
            self.accept(&listener, tokio::time::sleep(notice)).await;
        }
        self.take_waiting(listener);
        self.drain(end).await;
    }

    /// Takes the connections that wait to be, and then no more.
    fn take_waiting(&self, listener: TcpListener) {
        let taken = listener.into_std().and_then(|listener| {
            for _ in 0..backlog::BACKLOG {
                let (stream, peer) = match listener.accept() {
                    Ok(accepted) => accepted,
                    Err(error) if super::connection_gone(&error) => continue,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                };
                stream.set_nonblocking(true)?;
                self.take(TcpStream::from_std(stream)?, peer);
            }
            Ok(())
        });
        if let Err(error) = taken {
            tracing::warn!(%error, "connections that waited when the server ended were not taken");
        }
    }

    /// Lets requests under way end until then.
    async fn drain(&self, end: Instant) {
        let begun = Instant::now();
        let ended_by = async |at: Instant| {
            tokio::time::timeout_at(at.min(end), self.tasks.wait()).await.is_ok()
        };
        self.connections.drain_begun();
        self.tasks.close();
        if ended_by(begun + FIRST_BYTES_WITHIN).await {
            return;
        }
        self.connections.drain();
        if ended_by(begun + STREAMS_END_WITHIN).await {
            return;
        }
        self.connections.close_streams();
        if !ended_by(end).await {
            tracing::warn!("closing connections whose requests did not end in time");
            self.connections.close();
            self.tasks.wait().await;
        }
    }
}
