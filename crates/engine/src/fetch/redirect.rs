//! Redirects: followed within one origin only, so that neither a key nor a request leaves it.

use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Response, Url};

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 3;

/// Follows redirects within scheme, host and port. The addresses behind a name are those that were
/// judged before the first request, for they are pinned.
pub(super) fn same_origin() -> Policy {
    Policy::custom(|attempt| {
        let first = attempt.previous().first().map(Url::origin);
        if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if first == Some(attempt.url().origin()) {
            attempt.follow()
        } else {
            attempt.error("a redirect to another origin is not followed")
        }
    })
}

/// True for a redirect that leads to no web address, which the policy is never asked about.
pub(super) fn leads_nowhere(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
        && response.headers().contains_key(LOCATION)
}
