//! `[alerts]`: where operators hear of what went wrong.

use kasparro_engine::Webhook;

use super::error::ConfigError;
use super::settings::Settings;

/// The key of the address; the address itself may hold a key.
pub(super) const URL: &str = "alerts.webhook_url";
/// The key of what alerts are signed with.
pub(super) const SECRET: &str = "alerts.webhook_secret";

/// Characters below which a secret can be guessed.
const SECRET_CHARS: usize = 16;

/// Where alerts are sent; `None` where nowhere.
///
/// # Errors
/// [`ConfigError`] for what is no web address, and for a secret that can be guessed.
pub(super) fn webhook(settings: &Settings) -> Result<Option<Webhook>, ConfigError> {
    let (url, secret) = (settings.text(URL)?, settings.text(SECRET)?);
    if !secret.is_empty() && secret.chars().count() < SECRET_CHARS {
        return Err(settings.refuse(
            SECRET,
            "is too short",
            "write at least 16 characters that nobody can guess, the same as at the receiver",
        ));
    }
    if url.is_empty() {
        return Ok(None);
    }
    if !is_web_address(&url) {
        return Err(settings.refuse(
            URL,
            "is not a web address",
            "write for example https://hooks.example.org/kasparro",
        ));
    }
    let secret = (!secret.is_empty()).then(|| secret.into());
    Ok(Some(Webhook { url: url.into(), secret }))
}

/// What was probably meant in another way.
pub(super) fn warning(settings: &Settings) -> Option<String> {
    let set = |key: &str| settings.text(key).is_ok_and(|text| !text.is_empty());
    (set(SECRET) && !set(URL))
        .then(|| format!("{SECRET} is set but {URL} is not: alerts are kept and logged only"))
}

fn is_web_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let graphic = url.bytes().all(|byte| byte.is_ascii_graphic());
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    graphic && !host.is_empty() && !host.starts_with(':')
}
