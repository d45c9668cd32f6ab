//! The items of JSON Feed 1.0 and 1.1.

use std::borrow::Cow;

use kasparro_domain::{Rejection, RejectionReason, Statement};
use kasparro_extract::RowReader;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::draft::{Draft, Named};
use super::text;
use crate::fields::{self, Field, reject};

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    url: Field<'a>,
    #[serde(borrow)]
    external_url: Field<'a>,
    #[serde(borrow)]
    title: Field<'a>,
    #[serde(borrow)]
    summary: Field<'a>,
    #[serde(borrow)]
    content_text: Field<'a>,
    #[serde(borrow)]
    content_html: Field<'a>,
    #[serde(borrow)]
    date_published: Field<'a>,
    #[serde(borrow)]
    date_modified: Field<'a>,
    #[serde(borrow)]
    author: Field<'a>,
    #[serde(borrow)]
    authors: Field<'a>,
}

/// Reads the elements of `items`.
pub(super) struct ItemReader;

impl RowReader for ItemReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let item: Item<'_> = fields::read_row(row, &[])?;
        let id = id(item.id)?;
        let shown = id.as_ref().map(|id| id.value.clone());
        let news = item.draft(id).and_then(Draft::finish);
        news.map(Statement::News).map_err(|rejection| match (&rejection.external_id, shown) {
            (None, Some(id)) if rejection.field != "/id" => rejection.of(&id),
            _ => rejection,
        })
    }

    /// Not followed: every item chooses its own members, and all feeds are one endpoint.
    fn members(&mut self, _: &[u8]) -> Option<Value> {
        None
    }
}

impl<'a> Item<'a> {
    fn draft(&self, id: Option<Named<'a>>) -> Result<Draft<'a>, Rejection> {
        let html = |field, name| {
            let named = named(field, name)?;
            Ok(named.map(|html| Named { value: text::from_html(&html.value), ..html }))
        };
        Ok(Draft {
            id,
            title: named(self.title, "/title")?,
            link: or(named(self.url, "/url")?, || named(self.external_url, "/external_url"))?,
            summary: or(named(self.summary, "/summary")?, || {
                or(named(self.content_text, "/content_text")?, || {
                    html(self.content_html, "/content_html")
                })
            })?,
            author: or(self.first_author()?, || author(self.author, Cow::Borrowed("/author")))?,
            published: or(named(self.date_published, "/date_published")?, || {
                named(self.date_modified, "/date_modified")
            })?,
            title_name: "/title",
            summary_entitles: true,
        })
    }

    fn first_author(&self) -> Result<Option<Named<'a>>, Rejection> {
        let Some(raw) = self.authors else { return Ok(None) };
        let wrong = |_| reject(RejectionReason::WrongType, "/authors", raw.get());
        let authors: Vec<Field<'_>> = serde_json::from_str(raw.get()).map_err(wrong)?;
        let first = authors.into_iter().enumerate().find(|(_, author)| author.is_some());
        first.map_or(Ok(None), |(place, first)| author(first, format!("/authors/{place}").into()))
    }
}

fn author<'a>(
    field: Field<'_>,
    pointer: Cow<'static, str>,
) -> Result<Option<Named<'a>>, Rejection> {
    let members = fields::members(field, &pointer)?;
    let Some((_, name)) = members.into_iter().find(|(name, _)| name == "name") else {
        return Ok(None);
    };
    // A fault of the name is told here; nothing of it is refused later but U+0000.
    let name = fields::text(name, &fields::member(&pointer, "name"), usize::MAX)?;
    Ok(name.map(|name| Named { name: "/authors", value: name.into() }))
}

/// The one, or else the other.
fn or<T>(
    one: Option<T>,
    other: impl FnOnce() -> Result<Option<T>, Rejection>,
) -> Result<Option<T>, Rejection> {
    one.map_or_else(other, |one| Ok(Some(one)))
}

fn named<'a>(field: Field<'_>, name: &'a str) -> Result<Option<Named<'a>>, Rejection> {
    let text = fields::text(field, name, usize::MAX)?;
    let text = text.filter(|text| !text.trim().is_empty());
    Ok(text.map(|text| Named { name, value: text.into() }))
}

/// The id, which some feeds send as a number.
fn id<'a>(field: Field<'_>) -> Result<Option<Named<'a>>, Rejection> {
    let number = field.map(RawValue::get);
    match number.filter(|token| token.starts_with(|c: char| c == '-' || c.is_ascii_digit())) {
        Some(number) => Ok(Some(Named { name: "/id", value: number.to_owned() })),
        None => named(field, "/id"),
    }
}
