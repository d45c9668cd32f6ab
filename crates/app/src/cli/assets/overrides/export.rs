//! `assets overrides export`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::decisions;
use super::{Context, file, in_force};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets overrides export                        on stdout
  kasparro assets overrides export overrides.toml         into a file, which is replaced as a whole
  kasparro assets overrides export --json                 as one JSON document

For each pair of listings the newest decision, unless it was taken back; sorted, so that version control shows
what has changed.")]
pub(crate) struct Arguments {
    /// The file to write; stdout where it is left out.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let entries = file::entries(&in_force(decisions(&context, store.as_ref()).await?));
    let text = file::text(&entries);
    let Some(path) = arguments.file else {
        output.result(&json!({ "overrides": entries }), || text.trim_end().to_owned())?;
        return Ok(Exit::Done);
    };
    replace(&path, &text).map_err(|error| {
        Failure::new(
            Exit::Failed,
            "not_written",
            format!("{} cannot be written: {error}", path.display()),
            "check the path, its permissions and the free space",
        )
    })?;
    let written = json!({ "exported": entries.len(), "file": path.display().to_string() });
    output.result(&written, || match entries.len() {
        1 => format!("1 decision is written to {}", path.display()),
        many => format!("{many} decisions are written to {}", path.display()),
    })?;
    Ok(Exit::Done)
}

/// Writes a file as a whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = wire::beside(path, ".part");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}
