//! Logs on stderr, kept apart from progress that is drawn there.

use std::io::{self, Write};
use std::sync::LazyLock;

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Log;

/// Everything drawn on the terminal while work goes on; logs step around it.
pub(crate) static DRAWN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Starts logging. `quiet` lowers a level that nobody chose to warnings, for commands that show their
/// progress in another way.
pub(crate) fn start(log: &Log, quiet: bool, colour: bool) {
    let level = if quiet && !log.level_chosen { "warn" } else { &log.level };
    // The migrations tell of themselves over several lines each time a store is made.
    let Ok(filter) = EnvFilter::try_new(format!("refinery_core=warn,{level}")) else {
        return;
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(AroundProgress);
    // Failing means that logging was started before, which is as good.
    let _ = if log.json {
        logs.json().flatten_event(true).try_init()
    } else {
        logs.with_ansi(colour).with_target(false).try_init()
    };
}

/// Writes to stderr with the progress taken away for that moment.
struct AroundProgress;

impl<'a> MakeWriter<'a> for AroundProgress {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for AroundProgress {
    /// Never fails: a log that nobody takes (a closed pipe, a full disk) must not end the task that
    /// writes it, which is what the subscriber's own complaint about a failure would do.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = DRAWN.suspend(|| io::stderr().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}
