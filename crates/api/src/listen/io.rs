//! A stream that tells its connection what passes through it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connection::Connection;
use super::framing::Framing;

/// A TCP stream under watch.
#[derive(Debug)]
pub(super) struct WatchedIo {
    /// Present until dropped.
    stream: Option<TcpStream>,
    connection: Arc<Connection>,
    framing: Framing,
    /// What was read before and put back; it comes before everything else.
    unread: Bytes,
}

impl WatchedIo {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        let (framing, unread) = (Framing::new(), Bytes::new());
        Self { stream: Some(stream), connection, framing, unread }
    }

    /// Puts bytes back that were read last, so that they are read again. They are copied: a part of a large
    /// buffer would keep all of it.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.unread);
        self.unread = match (bytes.is_empty(), rest.is_empty()) {
            (true, _) => rest,
            (false, true) => Bytes::copy_from_slice(bytes),
            (false, false) => [bytes, &rest].concat().into(),
        };
    }

    /// Puts back what a parser read and did not use while it waited for a request; false where that is not
    /// what it should have left, and nothing can be said of what is to come.
    pub(super) fn take_over(&mut self, unused: &[u8]) -> bool {
        self.put_back(unused);
        self.is_part_of_head(self.unread.len())
    }

    /// Takes what was put back.
    pub(super) fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread).into()
    }

    /// True where so many bytes, the last that came, are the beginning of a head and nothing else.
    pub(super) fn is_part_of_head(&self, bytes: usize) -> bool {
        self.framing.of_head() == Some(bytes)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Tells the connection that bytes left, or that none could.
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.connection.stir();
        match written {
            Poll::Ready(Ok(1..)) => self.connection.sent(),
            Poll::Pending => self.connection.blocked(),
            Poll::Ready(_) => {}
        }
        written
    }

    /// Holds an automatic refusal back.
    fn check(&self, bytes: &[u8]) -> io::Result<()> {
        match automatic_refusal(bytes) {
            None => Ok(()),
            Some(status) => {
                self.connection.refuse(status);
                Err(unreadable())
            }
        }
    }
}

fn unreadable() -> io::Error {
    io::Error::other("the head of the request cannot be read")
}

/// The status of an answer that hyper gives by itself to a head that it cannot read: a client error
/// without a body. Every error of ours has a body.
fn automatic_refusal(bytes: &[u8]) -> Option<u16> {
    let status = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let [b'4', tens, ones, ..] = status else {
        return None;
    };
    let empty = bytes.windows(19).any(|part| part == b"content-length: 0\r\n");
    empty
        .then(|| 400 + 10 * u16::from(tens.wrapping_sub(b'0')) + u16::from(ones.wrapping_sub(b'0')))
}

impl AsyncRead for WatchedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            self.connection.stir();
            let bytes = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(bytes));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = self.stream()?.poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled().get(before..)
            && !bytes.is_empty()
        {
            self.connection.stir();
            self.connection.received(bytes);
            if self.framing.read(bytes).is_err() {
                self.connection.refuse(400);
                return Poll::Ready(Err(unreadable()));
            }
            self.connection.reads_head(self.framing.of_head().is_some());
        }
        polled
    }
}

impl AsyncWrite for WatchedIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(bytes)?;
        let polled = self.stream()?.poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(first) = slices.first() {
            self.check(first)?;
        }
        let polled = self.stream()?.poll_write_vectored(cx, slices);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.connection.is_refused() {
            // Nothing could be told any more.
            return Poll::Ready(Ok(()));
        }
        self.stream()?.poll_shutdown(cx)
    }
}

impl Drop for WatchedIo {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.connection.give_back(stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::automatic_refusal;

    #[test]
    fn only_client_errors_without_a_body_are_held_back() {
        let head = |line: &str, length: u32| {
            format!("{line}\r\ncontent-length: {length}\r\ndate: x\r\n\r\n")
        };
        let refused = |line, length| automatic_refusal(head(line, length).as_bytes());
        assert_eq!(refused("HTTP/1.1 431 Request Header Fields Too Large", 0), Some(431));
        assert_eq!(refused("HTTP/1.1 400 Bad Request", 0), Some(400));
        assert_eq!(refused("HTTP/1.1 400 Bad Request", 10), None);
        assert_eq!(refused("HTTP/1.1 200 OK", 0), None);
        assert_eq!(automatic_refusal(b"{\"data\":[]}"), None);
    }
}
