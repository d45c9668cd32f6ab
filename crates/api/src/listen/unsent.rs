//! How much of an answer waits in the kernel.

use tokio::net::TcpListener;

/// So many bytes of a connection may wait in the kernel without having been sent. Unless told otherwise it takes
/// megabytes of each, which thousands of clients that read nothing could make it do at once, and copying that much
/// keeps others waiting. What is on its way to the client does not count, so that nobody is slowed down.
const MOST_UNSENT_BYTES: u32 = 16 * 1024;

/// Bounds what waits for clients of the connections that `listener` takes from now on, where the system can.
pub(super) fn bound(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(listener).set_tcp_notsent_lowat(MOST_UNSENT_BYTES) {
        tracing::debug!(%error, "the kernel keeps as much of slow answers as it likes");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (listener, MOST_UNSENT_BYTES);
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    /// How much is taken for a client that reads nothing.
    async fn taken(bounded: bool) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if bounded {
            bound(&listener);
        }
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (_client, (server, _)) = (client.unwrap(), accepted.unwrap());
        let piece = vec![0; 64 * 1024];
        let mut total = 0;
        server.writable().await.unwrap();
        loop {
            match server.try_write(&piece) {
                Ok(written) => total += written,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return total,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn the_kernel_takes_a_fraction_for_a_client_that_reads_nothing() {
        let (free, bounded) = (taken(false).await, taken(true).await);
        assert!(bounded * 3 < free, "{bounded} of {free} bytes");
    }
}
