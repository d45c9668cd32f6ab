//! How pages are fetched, as the configuration says.

use std::time::Duration;

use reqwest::Url;

use crate::EngineError;

/// The longest contact, in bytes: what a header line can carry without being cut on its way.
const MAX_CONTACT_BYTES: usize = 200;

/// How pages are fetched.
#[derive(Debug, Clone)]
pub struct FetchSettings {
    /// Name and version in `User-Agent`.
    pub user_agent: String,
    /// An e-mail address or https address by which an upstream can reach the operator; it stands behind
    /// the name in `User-Agent`.
    pub contact: Option<String>,
    /// Scheme, host and port used in place of every source's own; the vendors' paths stay.
    pub upstream: Option<String>,
    /// Longest body, in bytes after decoding.
    pub max_body_bytes: u64,
    /// Longest time to connect, the handshake of TLS included.
    pub connect_timeout: Duration,
    /// Longest time without a byte.
    pub idle_timeout: Duration,
    /// Longest time for a whole answer.
    pub total_timeout: Duration,
    /// Most times one request is sent.
    pub max_attempts: u32,
    /// Wait before the second attempt; it doubles with each further one, up to a minute.
    pub backoff: Duration,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            user_agent: concat!("kasparro/", env!("CARGO_PKG_VERSION")).to_owned(),
            contact: None,
            upstream: None,
            max_body_bytes: 256 << 20,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(120),
            max_attempts: 3,
            backoff: Duration::from_secs(1),
        }
    }
}

impl FetchSettings {
    /// The whole value of `User-Agent`: `kasparro/0.1.0 (+CONTACT)`.
    ///
    /// # Errors
    /// [`EngineError::Setup`] when the contact is none.
    pub(super) fn full_user_agent(&self) -> Result<String, EngineError> {
        let Some(contact) = &self.contact else { return Ok(self.user_agent.clone()) };
        match contact_problem(contact) {
            None => Ok(format!("{} (+{contact})", self.user_agent)),
            Some(problem) => Err(EngineError::Setup(format!("fetch.contact {problem}"))),
        }
    }
}

/// What is wrong with a contact and what to write instead; nothing where it is an e-mail address or an
/// https address that can stand in a header.
#[must_use]
pub fn contact_problem(contact: &str) -> Option<String> {
    // A bracket would end the remark in which the contact stands.
    let stands = |byte: u8| byte.is_ascii_graphic() && !b"()\\".contains(&byte);
    if contact.len() > MAX_CONTACT_BYTES {
        return Some(format!("is longer than {MAX_CONTACT_BYTES} bytes; write a shorter address"));
    }
    if !contact.bytes().all(stands) {
        let what = "holds a blank, a bracket, a control character or a letter beyond ASCII";
        return Some(format!("{what}; percent-encode it or leave it out"));
    }
    let page = contact.starts_with("https://")
        && Url::parse(contact).is_ok_and(|page| page.username().is_empty());
    let mail = contact
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && mail_host(host) && !name.contains('/'));
    let wanted = "is neither an e-mail address nor an https address; write one of them";
    (!page && !mail).then(|| wanted.to_owned())
}

fn mail_host(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_contact(contact: &str) -> FetchSettings {
        FetchSettings { contact: Some(contact.to_owned()), ..FetchSettings::default() }
    }

    #[test]
    fn the_user_agent_tells_an_upstream_whom_to_ask() {
        let name = FetchSettings::default().user_agent;
        assert_eq!(FetchSettings::default().full_user_agent().unwrap(), name);
        for contact in ["ops@example.org", "https://example.org/about?team=data"] {
            let whole = with_contact(contact).full_user_agent().unwrap();
            assert_eq!(whole, format!("{name} (+{contact})"));
        }
    }

    #[test]
    fn a_contact_that_reaches_nobody_or_breaks_the_header_is_refused() {
        let long = format!("https://example.org/{}", "a".repeat(MAX_CONTACT_BYTES));
        for (contact, part) in [
            ("ops@example.org\r\nX-Other: 1", "control character"),
            ("ops@example.org\u{7f}", "control character"),
            ("mine (work)", "bracket"),
            ("caf\u{e9}@example.org", "beyond ASCII"),
            ("", "neither"),
            ("example.org", "neither"),
            ("@example.org", "neither"),
            ("ops@", "neither"),
            ("http://example.org", "neither"),
            ("https://", "neither"),
            ("https://name:word@example.org/", "neither"),
            (&long, "longer than 200"),
        ] {
            let error = with_contact(contact).full_user_agent().unwrap_err().to_string();
            assert!(error.contains("fetch.contact") && error.contains(part), "{contact}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
