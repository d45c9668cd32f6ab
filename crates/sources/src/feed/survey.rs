//! What a feed says about itself: its format, title and encoding.

use std::fmt;
use std::io::{BufReader, Read};

use kasparro_extract::{PageError, Request, Target};
use quick_xml::events::Event;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{elements, text};

/// How much of a feed is looked at for its root, encoding and title, in bytes.
const HEAD_BYTES: u64 = 256 << 10;

/// The most characters of a feed's title.
const MAX_TITLE_CHARS: usize = 200;

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Rss,
    Atom,
    Json,
}

/// All that reading an item, and telling where it comes from, needs; stored with each page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notes {
    pub(super) kind: Kind,
    /// The feed's address without the scheme.
    pub(super) feed: String,
    /// The feed's own title.
    pub(super) title: Option<String>,
    /// The encoding of the text, where it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<String>,
}

impl Notes {
    /// Looks at a whole body.
    pub(super) fn of(request: &Request, body: &mut dyn Read) -> Result<Self, PageError> {
        let mut head = Vec::new();
        body.take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| {
            let message = format!("the body cannot be read: {error}");
            PageError::stop("body_unreadable", message, "check the disk")
        })?;
        let begin = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
        let feed = address(request);
        match begin.trim_ascii_start().first() {
            None => {
                let hint = "the answer was damaged on its way; the schedule asks again";
                Err(PageError::retry("empty_body", "News feeds: the answer is empty", hint))
            }
            Some(b'{') => {
                let title = json_title(begin.chain(body));
                let title = title.and_then(|title| text::line(&title, MAX_TITLE_CHARS));
                Ok(Self { kind: Kind::Json, feed, title, encoding: None })
            }
            Some(b'<') if web_page(begin) => Err(not_feed("a web page")),
            Some(b'<') => {
                let encoding = elements::declared_encoding(begin);
                let text = elements::decoded(begin, encoding);
                let (kind, title) = xml_head(&text).ok_or_else(|| not_feed("another document"))?;
                let title = title.and_then(|title| text::line(&title, MAX_TITLE_CHARS));
                let encoding = encoding.map(|encoding| encoding.name().to_owned());
                Ok(Self { kind, feed, title, encoding })
            }
            Some(_) => Err(not_feed("something else")),
        }
    }
}

/// The answer is no feed.
pub(super) fn not_feed(found: &str) -> PageError {
    let hint = "check the address: it must be that of an RSS, Atom or JSON feed in an encoding that \
                extends ASCII; a portal or proxy may also have answered";
    PageError::retry("not_feed", format!("News feeds: {found} in place of a feed"), hint)
}

/// True when a body begins as HTML does.
pub(super) fn web_page(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    [b"<!doctype html".as_slice(), b"<html", b"<head", b"<body"]
        .iter()
        .any(|begin| head.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin)))
}

fn address(request: &Request) -> String {
    match &request.target {
        Target::Files { pattern } => pattern.clone(),
        Target::Http(http) => {
            let host = http.origin.split_once("://").map_or(http.origin.as_str(), |(_, host)| host);
            let mut address = format!("{host}{}", http.path);
            for (place, (name, value)) in http.query.iter().enumerate() {
                address.push(if place == 0 { '?' } else { '&' });
                address.push_str(name);
                address.push('=');
                address.push_str(value);
            }
            address
        }
    }
}

/// Format and title of an XML feed; `None` for another document.
fn xml_head(text: &str) -> Option<(Kind, Option<String>)> {
    let mut reader = elements::reader(text);
    reader.config_mut().check_end_names = false;
    let (kind, prefix, above) = loop {
        match reader.read_event().ok()? {
            Event::Start(root) | Event::Empty(root) => {
                let (kind, above) = match root.local_name().into_inner() {
                    "rss" | "RDF" => (Kind::Rss, 1),
                    "feed" => (Kind::Atom, 0),
                    _ => return None,
                };
                // The elements of RSS 1.0 have no prefix, though its root has one.
                let atom = kind == Kind::Atom;
                let prefix =
                    root.name().prefix().filter(|_| atom).map(|p| p.into_inner().to_owned());
                break (kind, prefix, above);
            }
            Event::Eof => return None,
            _ => {}
        }
    };
    let mut depth = 0_u32;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(element) => {
                match elements::plain_name(element.name(), prefix.as_deref()) {
                    "title" if depth == above => {
                        let title = elements::content(&mut reader).ok()?;
                        return Some((kind, Some(title.plain)));
                    }
                    "item" | "entry" => break,
                    _ => depth += 1,
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => break,
            _ => {}
        }
    }
    Some((kind, None))
}

/// The `title` of a JSON feed, as far as the text can be read.
fn json_title(body: impl Read) -> Option<String> {
    struct Head<'a>(&'a mut Option<String>);
    impl<'de> Visitor<'de> for Head<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
            while let Some(name) = members.next_key::<String>()? {
                if name == "title" {
                    let title: serde_json::Value = members.next_value()?;
                    *self.0 = title.as_str().map(str::to_owned);
                } else {
                    members.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }
    let mut title = None;
    let mut reader = serde_json::Deserializer::from_reader(BufReader::new(body));
    // A fault further on is the cutter's business.
    let _ = reader.deserialize_map(Head(&mut title));
    title
}
