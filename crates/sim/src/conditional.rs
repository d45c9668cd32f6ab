//! Validators, and requests that want a body only if it changed.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::text::hex;
use crate::world::World;

/// A validator of everything that decides a body; `state` stands for the step where the body follows it.
pub(crate) fn weak_etag(world: &World, state: u64, path: &str, query: &str) -> String {
    let digest = Sha256::digest(format!("{}\0{state}\0{path}\0{query}", world.fingerprint()));
    format!("W/\"{}\"", hex(digest.get(..16).unwrap_or_default()))
}

/// Whether the client has the body already, judged by the validators of both (RFC 9110, section 13.2.2):
/// an entity tag outranks a date, and a date counts only where `by_date` says that the upstream reads it.
pub(crate) fn unchanged(asked: &HeaderMap, reply: &HeaderMap, by_date: bool) -> bool {
    if asked.contains_key(header::IF_NONE_MATCH) {
        let etag = reply.get(header::ETAG).and_then(|value| value.to_str().ok());
        return etag.is_some_and(|etag| names(asked, etag));
    }
    let instant = |headers: &HeaderMap, name| {
        let text = headers.get(name)?.to_str().ok()?;
        Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
    };
    by_date
        && match (instant(asked, header::IF_MODIFIED_SINCE), instant(reply, header::LAST_MODIFIED))
        {
            (Some(since), Some(modified)) => modified <= since,
            _ => false,
        }
}

fn names(asked: &HeaderMap, etag: &str) -> bool {
    let sent = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|value| {
        let value = value.trim();
        value == "*" || value.trim_start_matches("W/") == etag.trim_start_matches("W/")
    })
}
