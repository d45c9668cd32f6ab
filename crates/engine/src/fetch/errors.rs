//! Failures below HTTP, in words that hold no secret.

use std::error::Error;

use kasparro_extract::PageError;

use super::encoding::MAX_RATIO;
use super::guard::Refused;

/// An answer that broke off, or arrived damaged.
pub(super) const TRANSFER_FAILED: &str = "transfer_failed";

/// A redirect that is not followed.
pub(super) const REDIRECT_REFUSED: &str = "redirect_refused";

/// A body that is longer than the cap, once decompressed.
pub(crate) fn body_too_large(what: &str, max_bytes: u64) -> PageError {
    let message = format!("{what} has more than {max_bytes} bytes");
    let hint = "raise fetch.max_body_bytes if a body of that size is right";
    PageError::stop("body_too_large", message, hint)
}

/// A body that unpacks to more than any page does.
pub(crate) fn bomb(what: &str) -> PageError {
    let message = format!("{what} unpacks to more than {MAX_RATIO} times what was sent");
    PageError::stop("bomb", message, "no page of prices does: check what answers at that address")
}

/// An address to which nothing is sent.
pub(super) fn address_refused(origin: &str, refused: &Refused) -> PageError {
    PageError::stop("address_refused", format!("{origin}: {refused}"), refused.hint())
}

/// A redirect that is not followed.
pub(super) fn redirect_refused(message: String) -> PageError {
    let hint = "check the configured address: only redirects within it are followed, three at most";
    PageError::stop(REDIRECT_REFUSED, message, hint)
}

/// A failure below HTTP, in words that hold no address parts beyond the origin.
pub(super) fn transport(origin: &str, error: reqwest::Error) -> PageError {
    let error = error.without_url();
    if let Some(refused) = cause::<Refused>(&error) {
        return address_refused(origin, refused);
    }
    let message = format!("{origin}: {}", causes(&error));
    let (code, hint) = if error.is_redirect() {
        return redirect_refused(message);
    } else if error.is_connect() {
        ("connect_failed", "check the network, the address and, behind a proxy, its settings")
    } else if error.is_timeout() {
        ("timed_out", "the upstream is slow or unreachable; the schedule asks again")
    } else {
        (TRANSFER_FAILED, "the answer broke off; the schedule asks again")
    };
    PageError::retry(code, message, hint)
}

/// The first cause of a type.
fn cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// An error with its causes, outermost first, each said once.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
