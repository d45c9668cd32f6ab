//! What several processes on one database have to agree on.

use std::time::Duration;

use kasparro_engine::LeaseTimes;
use secrecy::SecretString;

use super::error::ConfigError;
use super::settings::Settings;

/// The key of the secret.
pub(super) const SECRET: &str = "api.secret";

/// Characters below which a secret can be guessed.
const SECRET_CHARS: usize = 16;

/// True for a secret that nobody guesses by trying.
pub(crate) fn secret_is_long_enough(text: &str) -> bool {
    text.chars().count() >= SECRET_CHARS
}

/// The secret that they share; `None` where there is none.
///
/// # Errors
/// [`ConfigError`] for one that can be guessed.
pub(super) fn secret(settings: &Settings) -> Result<Option<SecretString>, ConfigError> {
    let text = settings.text(SECRET)?;
    match text.as_str() {
        "" => Ok(None),
        long if secret_is_long_enough(long) => Ok(Some(text.into())),
        _ => Err(settings.refuse(
            SECRET,
            "is too short",
            "write at least 16 characters that nobody can guess, the same for every process",
        )),
    }
}

/// How they hold sources.
///
/// # Errors
/// [`ConfigError`] for times that do not go together.
pub(super) fn lease(settings: &Settings) -> Result<LeaseTimes, ConfigError> {
    let seconds = Duration::from_secs;
    let ttl = settings.duration_within("lease.ttl", seconds(2), seconds(600))?;
    let renew_every = settings.duration("lease.renew_every")?;
    if renew_every < Duration::from_millis(200) || renew_every * 2 >= ttl {
        return Err(settings.refuse(
            "lease.renew_every",
            "does not go with lease.ttl",
            "write at least 200 ms and less than half of lease.ttl, so that one renewal may fail",
        ));
    }
    let default = LeaseTimes::default();
    Ok(LeaseTimes { ttl, renew_every, look_every: default.look_every.min(renew_every) })
}
