//! The items of RSS and the entries of Atom.

use kasparro_domain::{Rejection, RejectionReason, Statement};
use kasparro_extract::RowReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Error, Reader};
use serde_json::Value;

use super::draft::{Draft, Named};
use super::elements::{self, Content};
use super::encoding::Encoding;
use super::text;
use crate::fields::reject;

/// Elements that are read; all others are passed over.
const KNOWN: [&str; 14] = [
    "author",
    "content",
    "content:encoded",
    "dc:creator",
    "dc:date",
    "description",
    "guid",
    "id",
    "link",
    "pubDate",
    "published",
    "summary",
    "title",
    "updated",
];

/// Reads the elements that the cutter hands out.
pub(super) struct ItemReader {
    encoding: Option<Encoding>,
}

impl ItemReader {
    /// A reader for a feed in the encoding that the survey noted; without one, in UTF-8.
    pub(super) fn new(encoding: Option<&str>) -> Self {
        Self { encoding: encoding.and_then(Encoding::of) }
    }

    fn text(&self, row: &[u8]) -> Result<String, Rejection> {
        let invalid = |at: usize| {
            let begin = row.get(at..).unwrap_or_default();
            reject(RejectionReason::InvalidText, "", &begin.escape_ascii().to_string())
        };
        match self.encoding {
            Some(encoding) => encoding.decode(row).ok_or_else(|| invalid(0)),
            None => match std::str::from_utf8(row) {
                Ok(text) => Ok(text.to_owned()),
                Err(error) => Err(invalid(error.valid_up_to())),
            },
        }
    }
}

impl RowReader for ItemReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let text = self.text(row)?;
        let malformed = |_| reject(RejectionReason::Malformed, "", &text);
        let (name, elements) = elements_of(&text).map_err(malformed)?;
        let draft = match name.as_str() {
            "item" => rss(&elements),
            "entry" => atom(&elements),
            _ => return Err(reject(RejectionReason::Malformed, "", &text)),
        };
        draft.finish().map(Statement::News)
    }

    /// Not followed: every item chooses its own members, and all feeds are one endpoint.
    fn members(&mut self, _: &[u8]) -> Option<Value> {
        None
    }
}

/// One element of an item.
#[derive(Debug)]
struct Element {
    name: &'static str,
    attributes: Vec<(String, String)>,
    content: Content,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn named(&self, value: String) -> Option<Named<'_>> {
        (!value.trim().is_empty()).then_some(Named { name: self.name, value })
    }

    /// Its text as it stands.
    fn plain(&self) -> Option<Named<'_>> {
        self.named(self.content.plain.clone())
    }

    /// Its text, which is HTML.
    fn html(&self) -> Option<Named<'_>> {
        let html = self.content.html.as_ref().unwrap_or(&self.content.plain);
        self.named(text::from_html(html))
    }

    /// Its text, by the type that Atom gives it; none of what is no text.
    fn typed(&self) -> Option<Named<'_>> {
        match self.attribute("type").unwrap_or("text") {
            "html" | "xhtml" | "text/html" | "application/xhtml+xml" => self.html(),
            other if other == "text" || other.starts_with("text/") => self.plain(),
            _ => None,
        }
    }
}

/// The local name of a row and its known elements.
fn elements_of(text: &str) -> Result<(String, Vec<Element>), Error> {
    let mut reader = elements::reader(text);
    let mut row = None;
    let mut found = Vec::new();
    loop {
        let event = reader.read_event()?;
        let own = row.as_ref().and_then(|(_, prefix): &(String, Option<String>)| prefix.as_deref());
        match (&event, &row) {
            (Event::Start(element) | Event::Empty(element), None) => {
                let prefix = element.name().prefix().map(|prefix| prefix.into_inner().to_owned());
                row = Some((element.local_name().into_inner().to_owned(), prefix));
            }
            (Event::Start(element), Some(_)) => {
                let name = elements::plain_name(element.name(), own);
                match KNOWN.into_iter().find(|known| *known == name) {
                    Some(name) => found.push(read(name, element, Some(&mut reader))?),
                    None => {
                        reader.read_to_end(element.name())?;
                    }
                }
            }
            (Event::Empty(element), Some(_)) => {
                let name = elements::plain_name(element.name(), own);
                if let Some(name) = KNOWN.into_iter().find(|known| *known == name) {
                    found.push(read(name, element, None)?);
                }
            }
            (Event::Eof, _) => break,
            _ => {}
        }
    }
    Ok((row.map(|(name, _)| name).unwrap_or_default(), found))
}

fn read(
    name: &'static str,
    start: &BytesStart<'_>,
    reader: Option<&mut Reader<&[u8]>>,
) -> Result<Element, Error> {
    let mut attributes = Vec::new();
    for attribute in start.html_attributes().with_checks(false).flatten() {
        let value = text::decoded(&attribute.value).into_owned();
        attributes.push((attribute.key.into_inner().to_owned(), value));
    }
    let content = reader.map(elements::content).transpose()?.unwrap_or_default();
    Ok(Element { name, attributes, content })
}

fn first<'a, T>(
    elements: &'a [Element],
    names: &[&str],
    value: impl Fn(&'a Element) -> Option<T>,
) -> Option<T> {
    let of = |name: &&str| elements.iter().filter(|element| element.name == *name).find_map(&value);
    names.iter().find_map(of)
}

fn rss(elements: &[Element]) -> Draft<'_> {
    let link = first(elements, &["link"], Element::plain);
    // A guid is an address unless it is said to be none.
    let permanent = || {
        let guid = first(elements, &["guid"], |guid| {
            (guid.attribute("isPermaLink") != Some("false")).then_some(guid)
        })?;
        guid.plain().filter(|guid| text::web_address(&guid.value).is_some())
    };
    let author = first(elements, &["dc:creator", "author"], Element::plain);
    Draft {
        id: first(elements, &["guid"], Element::plain),
        title: first(elements, &["title"], Element::plain),
        link: link.or_else(permanent),
        summary: first(elements, &["description", "content:encoded"], Element::html),
        author: author.map(|author| Named { value: person(&author.value), ..author }),
        published: first(elements, &["pubDate", "dc:date"], Element::plain),
        title_name: "title",
        summary_entitles: false,
    }
}

/// The name in `mail@example.com (Name)`, which is how RSS writes an author.
fn person(author: &str) -> String {
    let name = author.trim().strip_suffix(')').and_then(|author| author.split_once('('));
    match name {
        Some((mail, name)) if mail.contains('@') && !name.trim().is_empty() => name.to_owned(),
        _ => author.to_owned(),
    }
}

fn atom(elements: &[Element]) -> Draft<'_> {
    let author = first(elements, &["author"], |author| match &author.content.named {
        Some(name) => author.named(name.clone()),
        None if author.content.html.is_none() => author.plain(),
        None => None,
    });
    Draft {
        id: first(elements, &["id"], Element::plain),
        title: first(elements, &["title"], Element::typed),
        link: first(elements, &["link"], |link| {
            let alternate = link.attribute("rel").is_none_or(|rel| rel == "alternate");
            let address = link.attribute("href").filter(|_| alternate)?;
            link.named(address.to_owned())
        }),
        summary: first(elements, &["summary", "content"], Element::typed),
        author,
        published: first(elements, &["published", "updated"], Element::plain),
        title_name: "title",
        summary_entitles: false,
    }
}
