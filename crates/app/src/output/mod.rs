//! What commands say: one JSON document or text for people on stdout, everything else on stderr.

mod progress;
mod run;
mod table;

pub(crate) use progress::{Counter, Progress, Watcher};
pub(crate) use run::{RunDocument, exit_of, run_details, runs_document, runs_table};
pub(crate) use table::Table;

use std::io::{self, IsTerminal, Write};

use owo_colors::OwoColorize;
use serde::Serialize;

use crate::failure::{Exit, Failure};

/// Where and how a command speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// One JSON document instead of text.
    pub(crate) json: bool,
    /// Colours on stdout.
    pub(crate) colour: bool,
    /// Colours on stderr.
    pub(crate) colour_errors: bool,
    /// Progress that is drawn over, instead of lines.
    pub(crate) live: bool,
}

impl Output {
    /// Colours only on a terminal and where they are welcome; live progress only on a terminal.
    pub(crate) fn new(json: bool, colour_welcome: bool) -> Self {
        let stderr = io::stderr().is_terminal();
        Self {
            json,
            colour: colour_welcome && io::stdout().is_terminal(),
            colour_errors: colour_welcome && stderr,
            live: stderr,
        }
    }

    /// Prints the result: `document` with `--json`, otherwise what `text` makes.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 1 when stdout takes nothing, as on a full disk.
    pub(crate) fn result(
        self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { self.json_line(document) } else { print(&text()).map_err(unprinted) }
    }

    /// Prints a JSON document as one line.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn json_line(self, document: &impl Serialize) -> Result<(), Failure> {
        let json = serde_json::to_string(document).map_err(io::Error::from);
        json.and_then(|json| print(&json)).map_err(unprinted)
    }

    /// The first line of a command that listens.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn listening(self, url: &str) -> Result<(), Failure> {
        self.result(&serde_json::json!({"listening": url}), || format!("listening on {url}"))
    }

    /// The first line of a command that works without listening.
    ///
    /// # Errors
    /// As [`Output::result`].
    pub(crate) fn working(self, holder: &str) -> Result<(), Failure> {
        self.result(&serde_json::json!({"working": holder}), || format!("working as {holder}"))
    }

    /// Says why the command ends: one line on stderr, and with `--json` the document on stdout.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            // The line on stderr and the exit code say it too.
            let _ = self.json_line(&failure.to_json());
        }
        let label = if self.colour_errors {
            "error:".red().bold().to_string()
        } else {
            "error:".to_owned()
        };
        note(&format!("{label} {}", one_line(&failure.to_string())));
    }
}

/// Prints to stdout. A reader that has gone away wants no more, which is no failure.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn unprinted(error: io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "stdout_failed",
        format!("the result cannot be written to stdout: {error}"),
        "the command itself is done; check where its output goes, and ask for the result again",
    )
}

/// Prints one line to stderr, around progress that is drawn there.
pub(crate) fn note(line: &str) {
    crate::logs::DRAWN.suspend(|| {
        let _ = writeln!(io::stderr(), "{line}");
    });
}

/// Text from outside may hold line breaks and terminal commands; neither may reach a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A duration as people read it: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn ago(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
