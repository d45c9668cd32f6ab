//! Points at which a test can end the process as a power cut would.
//!
//! Without the feature `faults` a point is nothing at all. With it, the environment variable `CRASH_AT`
//! names a point and how often it is passed first: `CRASH_AT=commit.begun:3` sends SIGKILL to the process
//! when it comes to `commit.begun` for the third time.

/// Marks a point at which a test can kill the process.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::reach($name)
    };
}

/// Nothing, without the feature `faults`.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn reach(_point: &str) {}

/// Kills the process where `CRASH_AT` says so.
#[cfg(feature = "faults")]
#[expect(clippy::disallowed_methods, reason = "asked for by a test, never part of a release")]
pub fn reach(point: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static REACHED: AtomicU64 = AtomicU64::new(0);
    let Ok(wanted) = std::env::var("CRASH_AT") else { return };
    let (name, turn) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if name != point || turn.parse() != Ok(REACHED.fetch_add(1, Ordering::SeqCst) + 1) {
        return;
    }
    // The signal ends every thread at once; what follows is for a system that refuses to send it.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}
