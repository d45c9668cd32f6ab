//! Arguments that the grammar refuses.

use std::ffi::OsString;
use std::io;

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Reads the command line; prints help, the version or what is wrong with it otherwise.
///
/// # Errors
/// How the process ends where there is nothing to execute.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Cli, Exit> {
    let before_values = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let json = before_values.into_iter().any(|argument| argument == "--json");
    Cli::try_parse_from(arguments).map_err(|error| {
        let printed = error.print();
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // A pager that was left wants no more.
            let lost = printed.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
            return if lost { Exit::Failed } else { Exit::Done };
        }
        if json {
            // The exit code says it too.
            let _ = Output::new(true, false).json_line(&failure(&error).to_json());
        }
        Exit::Usage
    })
}

fn failure(error: &clap::Error) -> Failure {
    const HELP: &str = "`kasparro --help` and `kasparro COMMAND --help` show what can be written";
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::new(Exit::Usage, "usage", "a command is missing", HELP);
    }
    let text = error.render().to_string();
    let said = text.split("\nUsage:").next().unwrap_or_default();
    let said = said.split("\nFor more information").next().unwrap_or_default();
    let (message, tip) = said.split_once("\n  tip: ").unwrap_or((said, HELP));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = words(message.strip_prefix("error: ").unwrap_or(message));
    Failure::new(Exit::Usage, "usage", message, words(tip))
}
