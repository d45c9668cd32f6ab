//! Reading the elements of XML that feeds are made of.

use std::borrow::Cow;

use quick_xml::errors::IllFormedError;
use quick_xml::escape::resolve_html5_entity;
use quick_xml::events::Event;
use quick_xml::name::QName;
use quick_xml::{Error, Reader};

use super::encoding::Encoding;
use super::text;

/// A tolerant reader of a text.
pub(super) fn reader(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    // Ampersands that were not escaped are common in addresses and names.
    reader.config_mut().allow_dangling_amp = true;
    reader
}

/// The encoding that the declaration of a document names, where it is not UTF-8.
pub(super) fn declared_encoding(head: &[u8]) -> Option<Encoding> {
    let head = head.get(..1024).unwrap_or(head);
    let head = String::from_utf8_lossy(head.trim_ascii_start());
    match reader(&head).read_event() {
        Ok(Event::Decl(declaration)) => Encoding::of(&declaration.encoding()?.ok()?),
        _ => None,
    }
}

/// The text of the beginning of a document; what cannot be decoded is replaced.
pub(super) fn decoded(head: &[u8], encoding: Option<Encoding>) -> Cow<'_, str> {
    let other = encoding.and_then(|encoding| encoding.decode(head));
    other.map_or_else(|| String::from_utf8_lossy(head), Cow::Owned)
}

/// The name of an element without `own`, the prefix that the elements of the feed itself have.
pub(super) fn plain_name<'a>(name: QName<'a>, own: Option<&str>) -> &'a str {
    match name.prefix() {
        Some(prefix) if own == Some(prefix.into_inner()) => name.local_name().into_inner(),
        _ => name.into_inner(),
    }
}

/// What stands inside an element.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Its text, without any elements inside it.
    pub(super) plain: String,
    /// The same as HTML, where there are elements inside it.
    pub(super) html: Option<String>,
    /// The text of the first `name` inside it.
    pub(super) named: Option<String>,
}

impl Content {
    fn push(&mut self, text: &str) {
        self.plain.push_str(text);
        if let Some(html) = &mut self.html {
            text::push_escaped(html, text);
        }
    }

    fn push_tag(&mut self, tag: &str) {
        let plain = &self.plain;
        let html = self.html.get_or_insert_with(|| {
            let mut html = String::new();
            text::push_escaped(&mut html, plain);
            html
        });
        html.push_str(tag);
    }
}

/// Reads the element whose start tag was read last, its end tag included.
pub(super) fn content(reader: &mut Reader<&[u8]>) -> Result<Content, Error> {
    let mut content = Content::default();
    let mut depth = 0_u32;
    let mut naming = None;
    loop {
        match reader.read_event()? {
            Event::Start(element) => {
                depth += 1;
                let name = element.local_name().into_inner();
                if name == "name" && depth == 1 && content.named.is_none() {
                    naming = Some(content.plain.len());
                }
                content.push_tag(&format!("<{name}>"));
            }
            Event::Empty(element) => {
                content.push_tag(&format!("<{}/>", element.local_name().into_inner()));
            }
            Event::End(element) => {
                let Some(outer) = depth.checked_sub(1) else {
                    return Ok(content);
                };
                depth = outer;
                if let Some(from) = naming.take_if(|_| depth == 0) {
                    content.named = content.plain.get(from..).map(str::to_owned);
                }
                content.push_tag(&format!("</{}>", element.local_name().into_inner()));
            }
            Event::Text(text) => content.push(&text.xml10_content()),
            Event::CData(text) => content.push(&text.xml10_content()),
            // Only what the language itself and HTML define is resolved: nothing that a document
            // declares, and what is unknown stays as it is written.
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(c)) => content.push(c.encode_utf8(&mut [0; 4])),
                Err(_) => {}
                Ok(None) => match resolve_html5_entity(&reference) {
                    Some(text) => content.push(text),
                    None => content.push(&format!("&{};", &*reference)),
                },
            },
            Event::Eof => {
                return Err(Error::IllFormed(IllFormedError::MissingEndTag(String::new())));
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => {}
        }
    }
}
