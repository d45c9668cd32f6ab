//! What a line says of a request and its key.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::extract::OriginalUri;
use http::{Request, Uri};

use crate::access::{KEY_PREFIX, RingKey};
use crate::answer::RequestContext;

/// Bytes of a text of a client that are shown.
const MAX_SHOWN_BYTES: usize = 200;

/// The request that a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    context: Option<&'a RequestContext>,
    uri: &'a Uri,
}

/// The same, for when the request is gone.
#[derive(Debug)]
pub(crate) struct Kept {
    context: Option<RequestContext>,
    uri: Uri,
}

/// The key that a line is about, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) id: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// The request for this address.
    pub(crate) const fn of(context: &'a RequestContext, uri: &'a Uri) -> Self {
        Self { context: Some(context), uri }
    }

    /// A request that the router has: under the address that it came with.
    pub(crate) fn within<B>(request: &'a Request<B>) -> Self {
        let original = request.extensions().get::<OriginalUri>();
        let uri = original.map_or(request.uri(), |original| &original.0);
        Self { context: request.extensions().get(), uri }
    }

    /// The same for later.
    pub(crate) fn kept(self) -> Kept {
        Kept { context: self.context.cloned(), uri: self.uri.clone() }
    }

    pub(super) fn request_id(&self) -> Option<Cow<'a, str>> {
        self.context.map(|context| shown(context.id()))
    }

    pub(super) fn client(&self) -> Option<IpAddr> {
        self.context.and_then(RequestContext::client)
    }

    /// Without the query, in which anything may stand.
    pub(super) fn path(&self) -> Cow<'a, str> {
        shown(self.uri.path())
    }
}

impl Kept {
    pub(crate) const fn borrowed(&self) -> Asked<'_> {
        Asked { context: self.context.as_ref(), uri: &self.uri }
    }
}

impl<'a> Named<'a> {
    /// The id that a key names that may not be good.
    pub(crate) const fn claimed(id: Option<&'a str>) -> Self {
        Self { name: None, id }
    }

    /// A good key, if there is one.
    pub(crate) fn of(key: Option<&'a RingKey>) -> Self {
        key.map(Self::from).unwrap_or_default()
    }
}

impl<'a> From<&'a RingKey> for Named<'a> {
    fn from(key: &'a RingKey) -> Self {
        Self { name: Some(&key.kept.name), id: Some(&key.kept.key_id) }
    }
}

/// A text of a client as a line shows it: not too much of it, and nothing behind where a key begins, which people
/// do send in the wrong place.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    let key_at = text.find(KEY_PREFIX).map(|at| at + KEY_PREFIX.len());
    let end = key_at.unwrap_or(text.len()).min(MAX_SHOWN_BYTES);
    if end == text.len() {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(end);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_a_client_is_shown_in_part_and_never_a_key() {
        assert_eq!(shown("/keys/abcdefgh/revoke"), "/keys/abcdefgh/revoke");
        assert_eq!(shown(&"x".repeat(MAX_SHOWN_BYTES)).len(), MAX_SHOWN_BYTES);
        let long = "é".repeat(MAX_SHOWN_BYTES);
        assert_eq!(shown(&long), format!("{}…", "é".repeat(MAX_SHOWN_BYTES / 2)));
        let key = crate::NewApiKey::random();
        let text = secrecy::ExposeSecret::expose_secret(&key.text);
        assert_eq!(shown(text), "kasparro_live_…");
        assert_eq!(shown(&format!("/keys/{text}/revoke")), "/keys/kasparro_live_…");
        let late = format!("{}{text}", "x".repeat(MAX_SHOWN_BYTES - 4));
        assert!(!shown(&late).contains("kaspa…kasparro") && shown(&late).ends_with("kasp…"));
    }
}
