//! `identity generate`.

use std::path::{Path, PathBuf};

use kasparro_identity::generate::generate;
use serde_json::json;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro identity generate --pairs 4000 --seed 1 --into lists

Writes universe_a.csv, universe_b.csv, contracts_a.csv, contracts_b.csv, truth.csv and negatives.csv, which
`kasparro identity evaluate` takes. The same number and seed make the same bytes. Everything is made up: the names
come out of syllables, and the shares of collisions, renames and contracts are those measured on real lists.")]
pub(crate) struct Arguments {
    /// So many assets that both sources list.
    #[arg(long, value_name = "NUMBER", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pairs: u32,
    /// Decides what is made.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// The folder for the files; made where it is not there.
    #[arg(long, value_name = "DIR")]
    into: PathBuf,
}

pub(super) fn execute(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = &arguments.into;
    let made = generate(usize::try_from(arguments.pairs).unwrap_or(usize::MAX), arguments.seed);
    if let Some(taken) =
        made.files().map(|(name, _)| folder.join(name)).iter().find(|path| path.exists())
    {
        return Err(Failure::new(
            Exit::Usage,
            "file_exists",
            format!("{} exists already", taken.display()),
            "give --into a folder that is empty or not there yet",
        ));
    }
    std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    let mut files = Vec::new();
    for (name, bytes) in made.files() {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(|error| unwritten(&path, &error))?;
        files.push(path.display().to_string());
    }
    let document = json!({"pairs": arguments.pairs, "seed": arguments.seed, "files": files});
    context.output.result(&document, || {
        format!("{} pairs with seed {}:\n{}", arguments.pairs, arguments.seed, files.join("\n"))
    })?;
    Ok(Exit::Done)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        "not_written",
        format!("{} cannot be written: {error}", path.display()),
        "check the folder, its permissions and the free space",
    )
}
