//! The key with which somebody who has none yet gets in.

use std::path::{Path, PathBuf};

use kasparro_api::{NewApiKey, key_id_of};
use kasparro_domain::{ApiKey, Clock, Scope};
use kasparro_store::{Store, StoreError};
use secrecy::{ExposeSecret, SecretString};

use super::private::make_private;
use super::secret::ServerSecret;
use crate::config::Config;

/// What people call it in lists of keys.
const NAME: &str = "first admin key";

/// A key that was just made.
pub(crate) struct FirstKey {
    /// The file that holds it.
    pub(crate) path: PathBuf,
    /// The key itself.
    pub(crate) text: SecretString,
}

/// Makes a key of scope `admin` where none was ever made and none is configured, and writes it to a file in
/// the data folder. Where that does not work the log says why: whoever reads can do without it.
pub(crate) async fn first_key(
    config: &Config,
    store: &dyn Store,
    secret: &ServerSecret,
    clock: &dyn Clock,
) -> Option<FirstKey> {
    if config.access.admin_key.is_some() {
        return None;
    }
    let path = config.data_dir().join("admin.key");
    match make(&path, store, secret, clock).await {
        Ok(text) => text.map(|text| FirstKey { path, text }),
        Err(why) => {
            tracing::warn!(%why, "no first admin key was made; `kasparro keys create` makes one");
            None
        }
    }
}

async fn make(
    path: &Path,
    store: &dyn Store,
    secret: &ServerSecret,
    clock: &dyn Clock,
) -> Result<Option<SecretString>, String> {
    let failed = |error: StoreError| error.to_string();
    if !store.keys().await.map_err(failed)?.is_empty() {
        if secret.made {
            tracing::warn!(
                "the secret was just made, so no key that was made before is good: bring the former one back, \
                 or make new keys with `kasparro keys create`"
            );
        }
        return Ok(None);
    }
    let unusable = |why: &str| format!("{}: {why}", path.display());
    // The file first: a process that dies in between leaves a key that the next one takes.
    let new = NewApiKey::random();
    let written = make_private(path, new.text.expose_secret());
    let written = written.map_err(|error| unusable(&error.to_string()))?;
    let text = std::fs::read_to_string(path).map_err(|error| unusable(&error.to_string()))?;
    let text = text.trim_end();
    let key_id = key_id_of(text).ok_or_else(|| unusable("is no key; move it away"))?;
    let key = ApiKey {
        key_id: key_id.to_owned(),
        name: NAME.to_owned(),
        scope: Scope::Admin,
        hmac: secret.pepper().hmac(text),
        requests: None,
        created_at: clock.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    if store.add_first_key(key).await.map_err(failed)? {
        return Ok(Some(text.into()));
    }
    if written {
        // Another process made one, and this is none.
        std::fs::remove_file(path).map_err(|error| unusable(&error.to_string()))?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kasparro_domain::{ManualClock, Timestamp};
    use kasparro_store::{KeyStore, MemoryStore};

    use super::super::secret::server_secret;
    use super::*;
    use crate::config::{Environment, Flags};

    struct Place {
        folder: tempfile::TempDir,
        store: Arc<MemoryStore>,
    }

    impl Place {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), store: Arc::new(MemoryStore::new()) }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("admin.key")
        }

        async fn first(&self, admin_key: &str) -> Option<String> {
            let database = self.folder.path().join("a.db").display().to_string();
            let variables = [("DATABASE_URL", format!("sqlite:{database}"))]
                .map(|(name, value)| (name.to_owned(), value));
            let mut variables = Environment::from(variables);
            variables.insert("ADMIN_API_KEY".to_owned(), admin_key.to_owned());
            let config = Config::load(&Flags::default(), &variables).unwrap();
            let secret = server_secret(&config).ok().unwrap();
            let clock = ManualClock::new(Timestamp::EPOCH);
            let made = first_key(&config, self.store.as_ref(), &secret, &clock).await;
            made.map(|made| made.text.expose_secret().to_owned())
        }
    }

    #[tokio::test]
    async fn it_is_made_once_and_stands_in_its_file() {
        let place = Place::new();
        let text = place.first("").await.unwrap();
        assert_eq!(std::fs::read_to_string(place.path()).unwrap(), format!("{text}\n"));
        let keys = place.store.keys().await.unwrap();
        assert_eq!((keys.len(), keys[0].scope, keys[0].expires_at), (1, Scope::Admin, None));
        assert_eq!(key_id_of(&text), Some(keys[0].key_id.as_str()));
        assert_eq!(place.first("").await, None);
        std::fs::remove_file(place.path()).unwrap();
        assert_eq!(place.first("").await, None, "there was a key once");
        assert!(!place.path().exists());
    }

    #[tokio::test]
    async fn none_is_made_where_one_is_configured() {
        let place = Place::new();
        assert_eq!(place.first("an-admin-key-of-my-own").await, None);
        assert!(place.store.keys().await.unwrap().is_empty() && !place.path().exists());
    }

    #[tokio::test]
    async fn one_that_was_written_and_not_kept_is_kept_by_the_next() {
        let place = Place::new();
        let left = NewApiKey::random();
        assert!(make_private(&place.path(), left.text.expose_secret()).unwrap());
        assert_eq!(place.first("").await.as_deref(), Some(left.text.expose_secret()));
        assert_eq!(place.store.keys().await.unwrap()[0].key_id, left.key_id);
    }

    #[tokio::test]
    async fn a_file_of_that_name_which_is_no_key_stays_as_it_is() {
        let place = Place::new();
        std::fs::write(place.path(), "something else").unwrap();
        assert_eq!(place.first("").await, None);
        assert_eq!(std::fs::read_to_string(place.path()).unwrap(), "something else");
        assert!(place.store.keys().await.unwrap().is_empty());
    }
}
