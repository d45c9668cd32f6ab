//! When the process is asked to stop.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Signals within this time are one request: `timeout`, shells and make send the same one twice.
const ONE_REQUEST: Duration = Duration::from_secs(2);

/// A token that is cancelled by SIGTERM or SIGINT. A later second signal ends the process at once with
/// exit code 1, so that nobody has to wait for a drain.
pub(crate) fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let asked = token.clone();
    // Taken before the caller says that it listens: whoever reads that may send a signal at once.
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be handled; stop this process with SIGKILL");
        return token;
    };
    tokio::spawn(async move {
        let mut asked_at: Option<Instant> = None;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match asked_at {
                None => {
                    asked_at = Some(Instant::now());
                    asked.cancel();
                    tracing::info!("stopping: open requests and pages are finished first");
                }
                Some(at) if at.elapsed() >= ONE_REQUEST => {
                    tracing::warn!("asked to stop again: stopping at once");
                    std::process::exit(1);
                }
                Some(_) => {}
            }
        }
    });
    token
}
