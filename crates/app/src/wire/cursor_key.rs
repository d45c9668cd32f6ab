//! The key that signs cursors.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::store::{beside, make_folder, unwritable};
use crate::config::{Config, Database};
use crate::failure::Failure;

/// What the key is derived for, so that the secret may serve other ends too.
const LABEL: &[u8] = b"kasparro cursor key, version 1";

/// The key: made of the configured secret, else of chance and kept, so that a cursor outlives a restart.
///
/// # Errors
/// A [`Failure`] with exit code 3 where it cannot be kept.
pub(super) fn cursor_key(config: &Config) -> Result<[u8; 32], Failure> {
    if let Some(secret) = &config.secret {
        return Ok(derived(secret.expose_secret().as_bytes()));
    }
    match &config.database {
        Database::Sqlite(path) => kept(&beside(path, ".cursor-key")),
        Database::Postgres(_) => {
            tracing::warn!(
                "no KASPARRO_SECRET is set: a cursor of this process is not understood by others"
            );
            let folder = config.data_dir();
            make_folder(&folder)?;
            kept(&folder.join("cursor-key"))
        }
    }
}

fn derived(secret: &[u8]) -> [u8; 32] {
    // A key of any length is taken, so there is always a code.
    let mac = Hmac::<Sha256>::new_from_slice(secret).map(|mac| mac.chain_update(LABEL));
    mac.map_or([0; 32], |mac| mac.finalize().into_bytes().into())
}

fn kept(path: &Path) -> Result<[u8; 32], Failure> {
    if let Ok(bytes) = std::fs::read(path)
        && let Ok(key) = <[u8; 32]>::try_from(bytes)
    {
        return Ok(key);
    }
    let key: [u8; 32] = rand::random();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(path).and_then(|mut file| std::io::Write::write_all(&mut file, &key));
    written.map_err(|error| unwritable(path, &error))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_gives_one_key_and_another_secret_another() {
        let key = derived(b"sixteen characters");
        assert_eq!(key, derived(b"sixteen characters"));
        assert_ne!(key, derived(b"sixteen character5"));
        assert_ne!(key, [0; 32]);
    }

    #[test]
    fn a_kept_key_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = kept(&path).unwrap();
        assert_eq!(kept(&path).unwrap(), key);
        std::fs::write(&path, "cut").unwrap();
        assert_ne!(kept(&path).unwrap(), key);
    }
}
