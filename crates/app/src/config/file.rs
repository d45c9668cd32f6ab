//! The configuration file.

use std::path::Path;

use super::error::{ConfigError, Origin};
use super::reference;
use super::settings::{Settings, unknown};

/// Lays a file over the settings.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read or is not TOML, an unknown key, and a value of
/// another type than its key's.
pub(crate) fn apply(settings: &mut Settings, path: &Path) -> Result<(), ConfigError> {
    let name = path.display().to_string();
    let refuse = |reason: String, remedy: &str| ConfigError {
        key: name.clone(),
        value: None,
        origin: None,
        reason,
        remedy: remedy.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        refuse(format!("cannot be read: {error}"), "pass a readable file with --config")
    })?;
    let table = text.parse::<toml::Table>().map_err(|error| {
        let line = error
            .span()
            .and_then(|span| text.get(..span.start))
            .map_or(1, |before| before.bytes().filter(|byte| *byte == b'\n').count() + 1);
        // The parser's message may quote the line, which may hold a secret; its first line does not.
        let message = error.message().lines().next().unwrap_or_default().to_owned();
        refuse(
            format!("is not TOML at line {line}: {message}"),
            "mend that line; `kasparro config print` shows a whole file",
        )
    })?;
    lay(settings, "", table, &Origin::File(name))
}

fn lay(
    settings: &mut Settings,
    prefix: &str,
    table: toml::Table,
    origin: &Origin,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) if reference::find(&key).is_none() => {
                let within = format!("{key}.");
                if !reference::keys().iter().any(|known| known.key.starts_with(&within)) {
                    return Err(unknown(&key, origin.clone()));
                }
                lay(settings, &key, inner, origin)?;
            }
            value => settings.set(&key, value, origin.clone())?,
        }
    }
    Ok(())
}
