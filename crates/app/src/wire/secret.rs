//! The secret of this installation, from which everything that has to be secret is made.

use std::path::{Path, PathBuf};

use kasparro_api::{Pepper, cursor_key_of};
use secrecy::{ExposeSecret, SecretString};

use super::private::make_private;
use super::store::{beside, unwritable};
use crate::config::{Config, Database, secret_is_long_enough};
use crate::failure::{Exit, Failure};

/// The secret of this installation.
pub(crate) struct ServerSecret {
    text: SecretString,
    /// True where there was none before.
    pub(super) made: bool,
}

impl ServerSecret {
    /// Under which keys are hashed.
    pub(crate) fn pepper(&self) -> Pepper {
        Pepper::of(self.text.expose_secret().as_bytes())
    }

    /// Under which cursors are signed.
    pub(super) fn cursor_key(&self) -> [u8; 32] {
        cursor_key_of(self.text.expose_secret().as_bytes())
    }
}

/// Refuses a database that several processes share where no secret is configured: one that each made for
/// itself would be none that they share.
///
/// # Errors
/// A [`Failure`] with exit code 2.
pub(crate) fn refuse_without_secret(config: &Config) -> Result<(), Failure> {
    match (&config.database, &config.secret) {
        (Database::Postgres(_), None) => Err(not_configured()),
        _ => Ok(()),
    }
}

fn not_configured() -> Failure {
    Failure::new(
        Exit::Usage,
        "no_secret",
        "KASPARRO_SECRET is not set, and every process that answers on one PostgreSQL database needs the same",
        "write 16 characters or more that nobody can guess into a file and name it in KASPARRO_SECRET_FILE; \
         for docker-compose.yml `scripts/make-env.sh` makes one",
    )
}

/// The secret: the configured one, else the one beside the file, which is made where there is none. The
/// folder of the file must be there.
///
/// # Errors
/// A [`Failure`]: exit code 2 where there is none and none can be made, or the file holds none; 3 where it
/// cannot be written.
pub(crate) fn server_secret(config: &Config) -> Result<ServerSecret, Failure> {
    let path = match (&config.secret, secret_path(config)) {
        (Some(secret), _) => return Ok(ServerSecret { text: secret.clone(), made: false }),
        (None, Some(path)) => path,
        (None, None) => return Err(not_configured()),
    };
    let mut made = false;
    if !path.exists() {
        let bytes: [u8; 32] = rand::random();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        made = make_private(&path, &hex).map_err(|error| unwritable(&path, &error))?;
    }
    // What another process made meanwhile counts.
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret_is_long_enough(secret) {
        return Ok(ServerSecret { text: secret.into(), made });
    }
    // A new one would make every key useless without a word.
    Err(no_secret(&path))
}

/// The file beside a store in a file, under the one name that all links to the store lead to.
fn secret_path(config: &Config) -> Option<PathBuf> {
    let path = config.database.path()?;
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    Some(beside(&path, ".secret"))
}

fn no_secret(path: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        "bad_secret",
        format!("{} cannot be read or holds no secret of 16 characters or more", path.display()),
        "bring it back from a backup; without it no key that was made is good: to make new ones, remove it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    fn config(database: &str, secret: &str) -> Config {
        let variables = [("DATABASE_URL", database), ("KASPARRO_SECRET", secret)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&Flags::default(), &Environment::from(variables)).unwrap()
    }

    fn made(database: &str, secret: &str) -> (Pepper, [u8; 32]) {
        let secret = server_secret(&config(database, secret)).ok().unwrap();
        (secret.pepper(), secret.cursor_key())
    }

    #[test]
    fn a_secret_is_made_once_beside_the_file_and_a_configured_one_goes_before() {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("a.db").display());
        let first = made(&database, "");
        assert_eq!(made(&database, ""), first);
        let configured = made(&database, "sixteen characters");
        assert_ne!(configured, first);
        assert_eq!(made("postgres://u@h/d", "sixteen characters"), configured);
        let other = format!("sqlite:{}", folder.path().join("b.db").display());
        assert_ne!(made(&other, ""), first);
    }

    #[test]
    fn a_damaged_secret_is_refused_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&format!("sqlite:{}", folder.path().join("a.db").display()), "");
        let path = folder.path().join("a.db.secret");
        for damaged in ["", "cut", "\n"] {
            std::fs::write(&path, damaged).unwrap();
            let failure = server_secret(&config).err().unwrap();
            assert_eq!((failure.exit, failure.code), (Exit::Usage, "bad_secret"));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn a_database_that_is_shared_needs_a_configured_one() {
        let failure = server_secret(&config("postgres://u@h/d", "")).err().unwrap();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "no_secret"));
        let line = failure.to_string();
        assert!(line.contains("make-env.sh") && !line.contains('\n'), "{line}");
    }
}
