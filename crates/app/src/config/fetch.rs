//! `[fetch]`: how upstreams are asked.

use std::time::Duration;

use kasparro_engine::contact_problem;

use super::error::ConfigError;
use super::settings::Settings;

/// How upstreams are asked.
#[derive(Debug)]
pub(crate) struct Fetch {
    /// The name in the User-Agent, without the contact.
    pub(crate) user_agent: String,
    /// Whom an upstream may turn to.
    pub(crate) contact: Option<String>,
    /// Replaces scheme, host and port of every HTTP source.
    pub(crate) upstream: Option<String>,
    /// Cap of a body in bytes.
    pub(crate) max_body_bytes: u64,
    /// Time to connect.
    pub(crate) connect_timeout: Duration,
    /// Time without a byte.
    pub(crate) idle_timeout: Duration,
    /// Time for one request.
    pub(crate) total_timeout: Duration,
    /// Attempts for one request.
    pub(crate) max_attempts: u32,
    /// Wait before the second attempt.
    pub(crate) backoff: Duration,
}

/// Reads the section.
///
/// # Errors
/// [`ConfigError`] for a value that makes no sense.
pub(super) fn configured(settings: &Settings) -> Result<Fetch, ConfigError> {
    Ok(Fetch {
        user_agent: user_agent(settings)?,
        contact: contact(settings)?,
        upstream: upstream(settings)?,
        max_body_bytes: settings.number("fetch.max_body_bytes", 1024)?,
        connect_timeout: settings.duration("fetch.connect_timeout")?,
        idle_timeout: settings.duration("fetch.idle_timeout")?,
        total_timeout: settings.duration("fetch.total_timeout")?,
        max_attempts: settings.number("fetch.max_attempts", 1)?,
        backoff: settings.duration("fetch.backoff")?,
    })
}

fn user_agent(settings: &Settings) -> Result<String, ConfigError> {
    let text = settings.text("fetch.user_agent")?;
    if !text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(settings.refuse(
            "fetch.user_agent",
            "holds more than printable ASCII",
            "leave those characters out",
        ));
    }
    let own = || concat!("kasparro/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(if text.is_empty() { own() } else { text })
}

fn contact(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let text = settings.text("fetch.contact")?;
    if text.is_empty() {
        return Ok(None);
    }
    match contact_problem(&text) {
        None => Ok(Some(text)),
        Some(problem) => {
            let (reason, remedy) = problem.split_once("; ").unwrap_or((&problem, "leave it out"));
            Err(settings.refuse("fetch.contact", reason, remedy))
        }
    }
}

fn upstream(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let text = settings.text("fetch.upstream")?;
    if text.is_empty() {
        return Ok(None);
    }
    let origin = text.trim_end_matches('/');
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let valid = host.is_some_and(|host| {
        !host.is_empty() && !host.contains(|c: char| "/?#@\\".contains(c) || c.is_whitespace())
    });
    if valid {
        return Ok(Some(origin.to_owned()));
    }
    Err(settings.refuse(
        "fetch.upstream",
        "is not an origin",
        "write scheme, host and port only, for example http://127.0.0.1:9000",
    ))
}
