//! For tests only: the real binary as a process, small upstreams on loopback, a plain HTTP client,
//! and a PostgreSQL server.
//!
//! Nothing here sleeps for luck: processes are waited for by the lines they print, states by asking
//! again until a condition holds, both with a limit after which the test fails and says what it saw.

mod http;
pub mod postgres;
mod process;
mod simulator;
mod upstream;

pub use http::{HttpAnswer, get, request, send};
pub use process::{Finished, Program, Server};
pub use simulator::SimulatedUpstream;
pub use upstream::{Reply, TinyUpstream, closed_port};

use std::time::{Duration, Instant};

/// The longest that anything in a test is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until `look` finds what it looks for.
///
/// # Panics
/// When it is not found within [`PATIENCE`]; the message names `what`.
#[expect(
    clippy::disallowed_methods,
    reason = "polling a condition of another process, with a limit"
)]
#[expect(clippy::panic, reason = "a test that waits in vain has failed")]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        if begun.elapsed() > PATIENCE {
            panic!("{what}: not seen within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
