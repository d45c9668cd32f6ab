//! One item of a feed, whatever its format, on its way to a piece of news.

use compact_str::CompactString;
use kasparro_domain::{NewsItem, Rejection, RejectionReason, Timestamp};
use sha2::{Digest, Sha256};

use super::{dates, text};
use crate::fields::reject;

/// The most characters of a headline.
const MAX_TITLE_CHARS: usize = 500;
/// The most characters of a summary.
const MAX_SUMMARY_CHARS: usize = 2_000;
/// The most characters of the names of authors.
const MAX_AUTHOR_CHARS: usize = 200;
/// The most characters of an item's id.
const MAX_ID_CHARS: usize = 500;
/// The most characters of a web address.
const MAX_LINK_CHARS: usize = 2_000;
/// The most characters of a headline that is the beginning of a text.
const BEGINNING_CHARS: usize = 80;

/// A value and the name of the element or the JSON pointer that it comes from.
#[derive(Debug)]
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) value: String,
}

impl Named<'_> {
    fn reject(&self, reason: RejectionReason) -> Rejection {
        reject(reason, self.name, &self.value)
    }
}

/// An item as the feed states it: texts without markup, but neither cut nor cleaned.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) id: Option<Named<'a>>,
    pub(super) title: Option<Named<'a>>,
    /// An address, also one that cannot be linked to.
    pub(super) link: Option<Named<'a>>,
    pub(super) summary: Option<Named<'a>>,
    pub(super) author: Option<Named<'a>>,
    pub(super) published: Option<Named<'a>>,
    /// Where a missing headline is said to be missing.
    pub(super) title_name: &'a str,
    /// True where the beginning of the summary serves as a headline by itself.
    pub(super) summary_entitles: bool,
}

impl Draft<'_> {
    /// The piece of news.
    ///
    /// # Errors
    /// A [`Rejection`] that names the element or pointer.
    pub(super) fn finish(self) -> Result<NewsItem, Rejection> {
        let texts = [&self.id, &self.title, &self.link, &self.summary, &self.author];
        if let Some(bad) = texts.into_iter().flatten().find(|named| named.value.contains('\0')) {
            return Err(bad.reject(RejectionReason::NulInText));
        }
        let id = self.id.as_ref().and_then(|id| text::line(&id.value, usize::MAX));
        if let (Some(sent), Some(id)) = (&self.id, &id)
            && id.chars().count() > MAX_ID_CHARS
        {
            return Err(sent.reject(RejectionReason::TextTooLong));
        }
        let shown = id.clone().unwrap_or_default();
        let of = |rejection: Rejection| {
            if shown.is_empty() { rejection } else { rejection.of(&shown) }
        };
        let link = self.link().map_err(of)?;
        let published_at = self.published_at().map_err(of)?;
        let line = |named: &Option<Named<'_>>, max| {
            named.as_ref().and_then(|named| text::line(&named.value, max))
        };
        let title = line(&self.title, MAX_TITLE_CHARS);
        let beginning = line(&self.summary, BEGINNING_CHARS);
        let entitled = self.summary_entitles || link.is_some();
        let title = title.or_else(|| beginning.filter(|_| entitled)).or_else(|| link.clone());
        let Some(title) = title else {
            return Err(of(reject(RejectionReason::MissingField, self.title_name, "")));
        };
        let item_id = id.unwrap_or_else(|| match &link {
            Some(link) if link.chars().count() <= MAX_ID_CHARS => link.clone(),
            Some(link) => hashed(link),
            None => hashed(&format!(
                "{title}\n{}",
                published_at.map_or(String::new(), |at| at.to_string())
            )),
        });
        Ok(NewsItem {
            item_id: CompactString::from(item_id),
            title,
            link,
            summary: line(&self.summary, MAX_SUMMARY_CHARS),
            author: line(&self.author, MAX_AUTHOR_CHARS),
            published_at,
        })
    }

    fn link(&self) -> Result<Option<String>, Rejection> {
        let Some(sent) = &self.link else { return Ok(None) };
        let link = text::web_address(&sent.value);
        if link.as_ref().is_some_and(|link| link.chars().count() > MAX_LINK_CHARS) {
            return Err(sent.reject(RejectionReason::TextTooLong));
        }
        Ok(link)
    }

    fn published_at(&self) -> Result<Option<Timestamp>, Rejection> {
        let sent = self.published.as_ref().filter(|sent| !sent.value.trim().is_empty());
        let read = sent.map(|sent| {
            dates::instant(&sent.value).map_err(|_| sent.reject(RejectionReason::BadTimestamp))
        });
        read.transpose()
    }
}

/// An id made of what distinguishes an item that has none.
fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
