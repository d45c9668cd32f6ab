//! `[access]`, `[limits]` and `[cors]`: who may ask, how often, and from which pages.

use std::time::Duration;

use kasparro_api::{Area, LimitSettings, MAX_KEY_BYTES, Network};
use secrecy::SecretString;

use super::error::ConfigError;
use super::settings::Settings;

/// The key of the one API key that is configured.
pub(super) const ADMIN_KEY: &str = "access.admin_key";

/// Characters below which a key can be guessed.
const KEY_CHARS: usize = 16;

/// Who may ask for what.
#[derive(Debug)]
pub(crate) struct Access {
    /// Areas that need a key although they are open otherwise.
    pub(crate) closed: Vec<Area>,
    /// Whether programs on this machine read pages about operations without a key.
    pub(crate) loopback_reads: bool,
    /// The configured key of scope `admin`.
    pub(crate) admin_key: Option<SecretString>,
}

/// Reads `[access]`.
///
/// # Errors
/// [`ConfigError`] for an area that there is not, and for a key that can be guessed or never be sent.
pub(super) fn access(settings: &Settings) -> Result<Access, ConfigError> {
    const CLOSED: &str = "access.closed";
    let closed = settings.texts(CLOSED)?;
    let closed: Option<Vec<_>> = closed.iter().map(|name| Area::named(name)).collect();
    let closed = closed.ok_or_else(|| {
        let names = Area::ALL.map(Area::name).join(", ");
        settings.refuse(CLOSED, "names no area", &format!("write any of {names}"))
    })?;
    let loopback_reads = settings.flag("access.loopback_reads")?;
    Ok(Access { closed, loopback_reads, admin_key: admin_key(settings)? })
}

fn admin_key(settings: &Settings) -> Result<Option<SecretString>, ConfigError> {
    let key = settings.text(ADMIN_KEY)?;
    if key.is_empty() {
        return Ok(None);
    }
    if key.contains(char::is_control) || key.trim() != key {
        return Err(settings.refuse(
            ADMIN_KEY,
            "holds a character that no request can carry",
            "write one line without control characters, and without blanks at its ends",
        ));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(settings.refuse(
            ADMIN_KEY,
            &format!("has {} bytes", key.len()),
            &format!("write at most {MAX_KEY_BYTES}; a letter beyond ASCII has two to four"),
        ));
    }
    if key.chars().count() < KEY_CHARS {
        return Err(settings.refuse(
            ADMIN_KEY,
            "is too short",
            "write at least 16 characters that nobody can guess, or leave ADMIN_API_KEY out",
        ));
    }
    Ok(Some(key.into()))
}

/// Reads `[limits]`.
///
/// # Errors
/// [`ConfigError`] for what is no limit.
pub(super) fn limits(settings: &Settings) -> Result<LimitSettings, ConfigError> {
    let (shortest, longest) = (Duration::from_secs(15), Duration::from_secs(24 * 3600));
    Ok(LimitSettings {
        anonymous: settings.limit("limits.anonymous")?,
        keyed: settings.limit("limits.keyed")?,
        window: settings.duration_within("limits.window", shortest, longest)?,
        failed_auth: settings.number("limits.failed_auth", 1)?,
    })
}

/// Reads `server.trusted_proxies`.
///
/// # Errors
/// [`ConfigError`] for what is no address and no network.
pub(super) fn trusted_proxies(settings: &Settings) -> Result<Vec<Network>, ConfigError> {
    const KEY: &str = "server.trusted_proxies";
    let proxies = settings.texts(KEY)?;
    let networks: Result<Vec<_>, _> = proxies.iter().map(|proxy| proxy.parse()).collect();
    networks.map_err(|problem: String| {
        settings.refuse(
            KEY,
            &format!("is refused: {problem}"),
            "write for example [\"10.0.0.0/8\"]",
        )
    })
}

/// Reads `[cors]`.
///
/// # Errors
/// [`ConfigError`] for what no browser sends as the origin of a page.
pub(super) fn origins(settings: &Settings) -> Result<Vec<String>, ConfigError> {
    const KEY: &str = "cors.origins";
    let origins = settings.texts(KEY)?;
    if origins.iter().all(|origin| is_origin(origin)) {
        return Ok(origins);
    }
    Err(settings.refuse(
        KEY,
        "holds what is no origin",
        "write scheme and host, and a port where it has one, for example https://charts.example.org, or *",
    ))
}

/// True for `*`, and for scheme, host and port as a browser sends them: lower case, no slash at the end.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text == "*"
        || host.is_some_and(|host| {
            let plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
            };
            !host.is_empty() && !host.starts_with(':') && host.bytes().all(plain)
        })
}
