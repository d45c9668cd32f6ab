//! How many clients may wait to be let in.

use tokio::net::TcpListener;

/// So many connections may wait to be accepted; the system may allow fewer. Runtimes ask for 128: where more come at
/// once, the next client waits for a second until its system tries again.
pub(super) const BACKLOG: i32 = 4_096;

/// Lets more clients wait at `listener`, which listens already, where the system can.
pub(super) fn widen(listener: &TcpListener) {
    if let Err(error) = socket2::SockRef::from(listener).listen(BACKLOG) {
        tracing::debug!(%error, "the listener lets as many clients wait as it did");
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn many_clients_that_come_at_once_need_not_try_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        widen(&listener);
        let address = listener.local_addr().unwrap();
        // Less than the second after which they would.
        let soon = Duration::from_millis(900);
        let waiting: Vec<_> =
            (0..400).map(|_| TcpStream::connect_timeout(&address, soon).unwrap()).collect();
        assert_eq!(waiting.len(), 400);
    }
}
