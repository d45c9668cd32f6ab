//! By what a client knows an answer again (RFC 9110, section 8.8).

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};
use kasparro_domain::Generation;

use super::Format;

/// Endings that compression adds to a strong tag.
const ENCODINGS: [&str; 4] = [".gzip", ".br", ".zstd", ".deflate"];

/// `"<generation>-<query>-<format>"`. Weak for JSON, whose bodies differ in the id of the request and its
/// latency; strong for what is the same byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag(String);

impl Tag {
    /// The tag of the answer to a question about one generation. `shown` is what else decides what rows
    /// show: how many of them are stale, for one.
    pub(crate) fn new(
        generation: Generation,
        question: &impl Hash,
        shown: &impl Hash,
        format: Format,
    ) -> Self {
        let weak = if format == Format::Json { "W/" } else { "" };
        let hash = hash_of(&(question, shown));
        Self(format!("{weak}\"{generation}-{hash:016x}-{}\"", format.name()))
    }

    /// The weak tag of a JSON answer that shows this, whatever the generation.
    pub(crate) fn of_shown(shown: &impl Hash) -> Self {
        Self(format!("W/\"{:016x}-{}\"", hash_of(shown), Format::Json.name()))
    }

    /// The strong tag of bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(format!("\"{}-{:016x}\"", env!("CARGO_PKG_VERSION"), hash_of(bytes)))
    }

    /// The tag of the same answer in an encoding, where it was strong: its bytes are others.
    pub(crate) fn encoded(tag: &HeaderValue, encoding: &HeaderValue) -> Option<HeaderValue> {
        let inner = tag.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
        HeaderValue::from_str(&format!("\"{inner}.{}\"", encoding.to_str().ok()?)).ok()
    }

    /// It as a header.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static("W/\"\""))
    }
}

fn hash_of(what: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Another version may write the same rows in another way.
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    what.hash(&mut hasher);
    hasher.finish()
}

/// The tag that `If-None-Match` names of this answer, with the ending that compression gave it: the client has
/// the answer already. Where the header names anything it is the tag itself. Compared as weak tags, as the
/// header asks.
pub(crate) fn matched(headers: &HeaderMap, tag: &Tag) -> Option<Tag> {
    let own = opaque(&tag.0);
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).map(str::trim).find_map(|given| match given {
        "*" => Some(tag.clone()),
        given if opaque(given) != own => None,
        given if tag.0.starts_with("W/") || !given.starts_with('"') => Some(tag.clone()),
        given => Some(Tag(given.to_owned())),
    })
}

/// What stands between the quotes, without what compression added.
fn opaque(tag: &str) -> &str {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    ENCODINGS.iter().find_map(|ending| tag.strip_suffix(ending)).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn a13_a_tag_is_known_again_in_every_form_that_clients_send() {
        let tag = Tag::new(Generation(7), &"symbol=btc", &0, Format::Csv);
        let text = tag.0.clone();
        assert!(text.starts_with("\"7-") && text.ends_with("-csv\""), "{text}");
        let inner = text.trim_matches('"');
        for given in [
            text.clone(),
            format!("W/{text}"),
            format!("\"other\", {text}"),
            format!("\"{inner}.gzip\""),
            "*".to_owned(),
        ] {
            let found = matched(&headers(&given), &tag).unwrap_or_else(|| panic!("{given}"));
            let compressed = given.ends_with(".gzip\"");
            assert_eq!(found.0, if compressed { given } else { text.clone() });
        }
        for given in ["\"\"", "7", "W/\"7\"", "\"*\""] {
            assert_eq!(matched(&headers(given), &tag), None, "{given}");
        }
        assert_eq!(matched(&HeaderMap::new(), &tag), None);
    }

    #[test]
    fn tags_differ_where_answers_may() {
        let tag = |generation, question: &str, stale: usize, format| {
            Tag::new(Generation(generation), &question, &stale, format)
        };
        let one = tag(7, "a", 0, Format::Json);
        assert!(one.0.starts_with("W/\"7-"));
        for other in [
            tag(8, "a", 0, Format::Json),
            tag(7, "b", 0, Format::Json),
            tag(7, "a", 1, Format::Json),
            tag(7, "a", 0, Format::Ndjson),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one, tag(7, "a", 0, Format::Json));
    }
}
