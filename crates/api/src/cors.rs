//! Which pages of other sites may read answers (the Fetch standard, CORS protocol).

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
    ORIGIN,
};
use http::{HeaderMap, HeaderValue};

const ANY: &str = "*";
/// What some path takes; of a path that there is, `Allow` says it.
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,POST,OPTIONS");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "accept, authorization, content-type, idempotency-key, if-none-match, last-event-id, x-api-key, \
     x-min-generation, x-request-id",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "etag, link, location, ratelimit, ratelimit-policy, retry-after, server-timing, x-generation, \
     x-request-id, x-total-count",
);
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// What a page of another site may do with the answer to one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sharing {
    /// The origin that may read it.
    origin: Option<HeaderValue>,
    /// True where the browser asks before it sends the request itself.
    preflight: bool,
    /// True where another origin would be answered otherwise.
    varies: bool,
}

impl Sharing {
    /// What the configured origins allow to the sender of a request. No origin is allowed unless it is
    /// configured; `*` allows all. Cookies mean nothing here, so none are allowed to be sent.
    pub(crate) fn of(headers: &HeaderMap, origins: &[String]) -> Self {
        if origins.is_empty() {
            return Self::default();
        }
        let any = origins.iter().any(|allowed| allowed == ANY);
        let given = headers.get(ORIGIN);
        let allowed = given.filter(|given| {
            any || origins.iter().any(|allowed| allowed.as_bytes() == given.as_bytes())
        });
        Self {
            origin: allowed
                .map(|own| if any { HeaderValue::from_static(ANY) } else { own.clone() }),
            preflight: headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD),
            varies: !any,
        }
    }

    /// True where a browser asks for a page that may read: whatever the answer is, it holds no data.
    pub(crate) const fn asks_first(&self) -> bool {
        self.preflight && self.origin.is_some()
    }

    /// True where the answer depends on the origin.
    pub(crate) const fn varies(&self) -> bool {
        self.varies
    }

    /// Adds what the browser has to know.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        let Some(origin) = &self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.preflight {
            let methods = headers.get(ALLOW).cloned().unwrap_or(METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(origins: &[&str], origin: Option<&'static str>, preflight: bool) -> HeaderMap {
        let mut request = HeaderMap::new();
        if let Some(origin) = origin {
            request.insert(ORIGIN, HeaderValue::from_static(origin));
        }
        if preflight {
            request.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        }
        let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let mut headers = HeaderMap::new();
        Sharing::of(&request, &origins).add_headers(&mut headers);
        headers
    }

    #[test]
    fn a16_only_configured_origins_may_read() {
        const SITE: &str = "https://wallet.example";
        for (origins, origin, allowed) in [
            (&[][..], Some(SITE), None),
            (&["*"][..], Some(SITE), Some("*")),
            (&["*"], None, None),
            (&[SITE], Some(SITE), Some(SITE)),
            (&[SITE], Some("https://wallet.example.evil"), None),
            (&[SITE], Some("http://wallet.example"), None),
            (&[SITE], Some("null"), None),
        ] {
            let headers = answered(origins, origin, false);
            let found = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|it| it.to_str().unwrap());
            assert_eq!(found, allowed, "{origins:?} {origin:?}");
            assert_eq!(headers.is_empty(), allowed.is_none());
        }
    }

    #[test]
    fn a16_a_browser_that_asks_first_is_told_which_headers_it_may_send() {
        let headers = answered(&["*"], Some("https://a.example"), true);
        assert!(headers[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("x-api-key"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
    }
}
