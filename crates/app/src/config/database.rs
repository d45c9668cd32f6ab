//! How a database is named.

use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::Settings;

const KEY: &str = "store.database";

/// The configured database.
///
/// # Errors
/// [`ConfigError`] for what is not `sqlite:` and the path of a file.
pub(super) fn configured(settings: &Settings) -> Result<PathBuf, ConfigError> {
    let text = settings.text(KEY)?;
    read(&text).map_err(|refusal| {
        let mut error = settings.refuse(KEY, refusal.reason, refusal.remedy);
        if let Some(shown) = refusal.shown {
            error.value = Some(shown);
        }
        error
    })
}

/// The database that a flag names: `sqlite:PATH`, or the path alone.
///
/// # Errors
/// [`ConfigError`] for anything else.
pub(crate) fn database_path(flag: &'static str, text: &str) -> Result<PathBuf, ConfigError> {
    let plain = !text.is_empty() && !text.contains([':', '?', '\0']) && !text.ends_with('/');
    if plain {
        return Ok(PathBuf::from(text));
    }
    read(text).map_err(|refusal| ConfigError {
        key: flag.to_owned(),
        value: Some(refusal.shown.unwrap_or_else(|| text.to_owned())),
        origin: None,
        reason: refusal.reason.to_owned(),
        remedy: refusal.remedy.to_owned(),
    })
}

struct Refusal {
    /// Shown instead of the value, which may hold a password in a shape of its own.
    shown: Option<String>,
    reason: &'static str,
    remedy: &'static str,
}

fn read(text: &str) -> Result<PathBuf, Refusal> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if let Some(scheme) = scheme.filter(|scheme| scheme.starts_with("postgres")) {
        return Err(Refusal {
            shown: Some(format!("{scheme}://…")),
            reason: "asks for PostgreSQL, and this build stores in SQLite",
            remedy: "write for example sqlite:./data/kasparro.db (--database, \
                     KASPARRO_STORE__DATABASE)",
        });
    }
    // Three slashes before a relative path are how SQLAlchemy, which the older services use, writes it.
    let path = text
        .strip_prefix("sqlite:")
        .map(|path| path.strip_prefix("///").unwrap_or(path))
        .filter(|path| {
            !path.trim().is_empty()
                && !path.starts_with("//")
                && !path.starts_with(':')
                && !path.contains(['?', '\0'])
                && !path.ends_with('/')
        });
    path.map(PathBuf::from).ok_or(Refusal {
        shown: None,
        reason: "is not sqlite:PATH of a file",
        remedy: "write for example sqlite:./data/kasparro.db",
    })
}
