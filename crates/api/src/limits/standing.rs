//! How a client stands with its limit, and how it is told.

use http::{HeaderMap, HeaderName, HeaderValue};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The longest text of either header: two numbers and what stands around them.
const HEADER_BYTES: usize = 80;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Of a client without a key.
    Anonymous,
    /// Of a key.
    Key,
    /// Of all clients without a key in an IPv6 network of 48 bits.
    Network,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Key => "key",
            Self::Network => "network",
        }
    }
}

/// How a client stands with its limit after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whose limit it is.
    pub(crate) class: Class,
    /// Requests in each window.
    pub(crate) limit: u64,
    /// The length of a window in seconds, rounded up.
    pub(crate) window_s: u64,
    /// Requests that it may make now.
    pub(crate) left: u64,
    /// Seconds until it may make more.
    pub(crate) more_in_s: u64,
}

impl Standing {
    /// Tells it in `RateLimit` and `RateLimit-Policy`.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let name = self.class.name();
        headers.insert(RATE_LIMIT_POLICY, header(name, ";q=", self.limit, ";w=", self.window_s));
        headers.insert(RATE_LIMIT, header(name, ";r=", self.left, ";t=", self.more_in_s));
    }
}

/// `"NAME";q=NUMBER;w=NUMBER`, and the like. Written on the stack, so that it is allocated once, as long as it is.
fn header(name: &str, first: &str, one: u64, second: &str, other: u64) -> HeaderValue {
    let mut text = [0; HEADER_BYTES];
    let (mut one_digits, mut other_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let (one, other) = (one_digits.format(one), other_digits.format(other));
    let mut length = 0;
    for part in ["\"", name, "\"", first, one, second, other] {
        let end = length + part.len();
        if let Some(place) = text.get_mut(length..end) {
            place.copy_from_slice(part.as_bytes());
            length = end;
        }
    }
    // Quotes, letters, digits and punctuation only.
    let text = text.get(..length).unwrap_or_default();
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l3_the_headers_read_as_the_draft_wants_them() {
        for (class, name) in
            [(Class::Anonymous, "anonymous"), (Class::Key, "key"), (Class::Network, "network")]
        {
            let standing = Standing { class, limit: 100, window_s: 900, left: 99, more_in_s: 840 };
            let mut headers = HeaderMap::new();
            standing.add_to(&mut headers);
            assert_eq!(headers["ratelimit-policy"], format!("\"{name}\";q=100;w=900"));
            assert_eq!(headers["ratelimit"], format!("\"{name}\";r=99;t=840"));
        }
        let most = u64::MAX;
        let text = header("anonymous", ";q=", most, ";w=", most);
        assert_eq!(text, format!("\"anonymous\";q={most};w={most}"));
    }
}
