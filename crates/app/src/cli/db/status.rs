//! `db status`.

use std::path::Path;

use serde::Serialize;

use super::Context;
use crate::clock::SystemClock;
use crate::config::{Config, Database};
use crate::failure::{Exit, Failure};
use crate::wire;

/// The document of `db status --json`.
#[derive(Debug, Serialize)]
struct Status {
    /// `sqlite` or `postgres`.
    kind: &'static str,
    /// Where it is, without user and password.
    database: String,
    /// The schema that holds the store; absent for a file.
    schema: Option<String>,
    /// The server, in its own words; absent for a file.
    server: Option<String>,
    /// The schema version found; 0 where there is no store.
    found: u32,
    /// The newest version that this program knows; absent where there is no file.
    known: Option<u32>,
    /// What `kasparro db migrate` would do, by name.
    pending: Vec<String>,
    /// Length of everything, in bytes.
    size_bytes: u64,
    /// How many batches were committed; absent where the store cannot be read by this program.
    generation: Option<u64>,
}

impl Status {
    /// True where a newer program wrote the store.
    fn newer(&self) -> bool {
        self.known.is_some_and(|known| self.found > known)
    }
}

pub(crate) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let status = match &config.database {
        Database::Sqlite(path) => of_file(config, path).await?,
        Database::Postgres(settings) => {
            let status = kasparro_store_postgres::status(settings).await;
            let status = status.map_err(|error| Failure::store(&error, &config.database))?;
            let readable = status.found > 0 && status.found == status.known;
            Status {
                kind: "postgres",
                database: config.database.to_string(),
                schema: Some(settings.schema().to_owned()),
                server: Some(status.server),
                found: status.found,
                known: Some(status.known),
                pending: status.pending,
                size_bytes: status.size_bytes,
                generation: if readable { Some(generation(config).await?) } else { None },
            }
        }
    };
    output.result(&status, || text(&status))?;
    Ok(if status.newer() { Exit::Store } else { Exit::Done })
}

async fn generation(config: &Config) -> Result<u64, Failure> {
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let generation = store.generation().await;
    Ok(generation.map_err(|error| Failure::store(&error, &config.database))?.0)
}

async fn of_file(config: &Config, path: &Path) -> Result<Status, Failure> {
    let (found, known) = wire::file_versions(path)?;
    let files = [path.to_owned(), wire::beside(path, "-wal")];
    let lengths = files.iter().filter_map(|file| std::fs::metadata(file).ok());
    let missing = found + 1..=known.unwrap_or(0);
    Ok(Status {
        kind: "sqlite",
        database: config.database.to_string(),
        schema: None,
        server: None,
        found,
        known,
        pending: missing.map(|version| format!("V{version}")).collect(),
        size_bytes: lengths.map(|file| file.len()).sum(),
        generation: if known == Some(found) { Some(generation(config).await?) } else { None },
    })
}

fn text(status: &Status) -> String {
    let mut facts = vec![("kind", status.kind.to_owned()), ("database", status.database.clone())];
    for (name, fact) in [("schema", &status.schema), ("server", &status.server)] {
        facts.extend(fact.clone().map(|fact| (name, fact)));
    }
    let known = status.known.map(|known| format!(", this program knows {known}"));
    let version = match status.found {
        0 => "none yet".to_owned(),
        found => found.to_string(),
    };
    facts.push(("version", version + &known.unwrap_or_default()));
    let pending = match status.pending.as_slice() {
        [] if status.newer() => {
            "the schema is newer than this program; use the newer kasparro that made it".to_owned()
        }
        [] => "nothing".to_owned(),
        pending => format!("{}; run `kasparro db migrate` as the owner", pending.join(", ")),
    };
    facts.push(("pending", pending));
    facts.push(("size", format!("{:.1} MB", status.size_bytes as f64 / 1e6)));
    facts.extend(status.generation.map(|number| ("generation", number.to_string())));
    let lines: Vec<_> = facts.iter().map(|(name, fact)| format!("{name:12}{fact}")).collect();
    lines.join("\n")
}
