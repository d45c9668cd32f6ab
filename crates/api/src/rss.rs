//! News as an RSS 2.0 document.

use std::borrow::Cow;

use kasparro_domain::Timestamp;
use kasparro_store::StoredNews;
use quick_xml::Writer;
use quick_xml::escape::escape;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::problem::{Code, Problem};

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const MILLIS_PER_DAY: i64 = 86_400_000;

/// Where the client found this server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Server<'a> {
    /// True where it came by `https`.
    pub(crate) https: bool,
    /// The host, with a port where one was named.
    pub(crate) host: Option<&'a str>,
}

/// The document with these items, in their order.
pub(crate) fn document(
    project_name: &str,
    server: Server<'_>,
    news: &[StoredNews],
) -> Result<Vec<u8>, Problem> {
    write(project_name, server, news).map_err(|error| {
        tracing::error!(%error, "an RSS document could not be written");
        Problem::new(Code::Internal, "the document could not be written")
    })
}

fn write(project_name: &str, server: Server<'_>, news: &[StoredNews]) -> std::io::Result<Vec<u8>> {
    let mut out = Writer::new(Vec::with_capacity(1024 * (news.len() + 1)));
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut rss = BytesStart::new("rss");
    rss.push_attribute(("version", "2.0"));
    rss.push_attribute(("xmlns:dc", "http://purl.org/dc/elements/1.1/"));
    out.write_event(Event::Start(rss))?;
    open(&mut out, "channel")?;
    element(&mut out, "title", &format!("{project_name} news"))?;
    let scheme = if server.https { "https" } else { "http" };
    let host = server.host.unwrap_or("localhost");
    element(&mut out, "link", &format!("{scheme}://{host}/news"))?;
    element(&mut out, "description", "News of every configured feed, newest first")?;
    for stored in news {
        open(&mut out, "item")?;
        let item = &stored.item;
        element(&mut out, "title", &item.title)?;
        if let Some(link) = &item.link {
            element(&mut out, "link", link)?;
        }
        if let Some(summary) = &item.summary {
            // Readers take a description for HTML, so plain text is made HTML first.
            element(&mut out, "description", &escape(summary.as_str()))?;
        }
        if let Some(author) = &item.author {
            element(&mut out, "dc:creator", author)?;
        }
        let mut guid = BytesStart::new("guid");
        guid.push_attribute(("isPermaLink", "false"));
        let id = format!("{}:{}:{}", stored.source, stored.feed, item.item_id);
        out.write_event(Event::Start(guid))?;
        out.write_event(Event::Text(BytesText::new(&allowed(&id))))?;
        close(&mut out, "guid")?;
        element(&mut out, "pubDate", &date(item.published_at.unwrap_or(stored.first_seen_at)))?;
        close(&mut out, "item")?;
    }
    close(&mut out, "channel")?;
    close(&mut out, "rss")?;
    Ok(out.into_inner())
}

fn open(out: &mut Writer<Vec<u8>>, name: &str) -> std::io::Result<()> {
    out.write_event(Event::Start(BytesStart::new(name)))
}

fn close(out: &mut Writer<Vec<u8>>, name: &str) -> std::io::Result<()> {
    out.write_event(Event::End(BytesEnd::new(name)))
}

fn element(out: &mut Writer<Vec<u8>>, name: &str, text: &str) -> std::io::Result<()> {
    open(out, name)?;
    out.write_event(Event::Text(BytesText::new(&allowed(text))))?;
    close(out, name)
}

/// The text without the characters that no XML document may hold, not even escaped.
fn allowed(text: &str) -> Cow<'_, str> {
    let refused = |character: char| {
        character < ' ' && !matches!(character, '\t' | '\n' | '\r')
            || matches!(character, '\u{fffe}' | '\u{ffff}')
    };
    if text.contains(refused) {
        Cow::Owned(text.replace(refused, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// An instant as RFC 822 writes it, which RSS asks for.
fn date(instant: Timestamp) -> String {
    let text = instant.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let day = instant.as_millis().div_euclid(MILLIS_PER_DAY).rem_euclid(7);
    let weekday = usize::try_from(day).ok().and_then(|day| WEEKDAYS.get(day)).unwrap_or(&"");
    let month =
        part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let (day, month, year, time) =
        (part(8, 10), month.copied().unwrap_or_default(), part(0, 4), part(11, 19));
    format!("{weekday}, {day} {month} {year} {time} GMT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_rfc_822() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("2024-02-29T23:59:59.999Z", "Thu, 29 Feb 2024 23:59:59 GMT"),
        ] {
            assert_eq!(date(Timestamp::parse(text).unwrap()), expected);
        }
    }

    #[test]
    fn characters_that_xml_refuses_are_replaced() {
        assert_eq!(allowed("a\u{1}b\n\u{ffff}"), "a\u{fffd}b\n\u{fffd}");
    }
}
