//! Writing a page of listings.

use std::fmt::Write as _;

use bytes::Bytes;
use kasparro_view::{ListingPage, Row};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{DataQuery, FieldSet, cursor, fields};
use crate::paging::total_pages;

/// `"data":[…],"pagination":{…},"total":…,"page":…,"page_size":…}`.
pub(crate) fn middle(query: &DataQuery, page: &ListingPage, cursor_key: &[u8; 32]) -> Bytes {
    let mut out = String::with_capacity(512 * (page.rows.len() + 1));
    out.push_str(r#""data":["#);
    let as_rendered = |fields| query.fields == fields && !query.decimals_as_text;
    for (index, row) in page.rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if as_rendered(FieldSet::default()) {
            out.push_str(&row.json());
        } else if as_rendered(FieldSet::LISTED) {
            out.push_str(&listed_row(row));
        } else {
            write_row(&mut out, row, query);
        }
    }
    let limit = query.listings.limit as u64;
    let number = query.page.map_or_else(|| "null".to_owned(), |page| page.to_string());
    let next = page.rows.last().filter(|_| page.more && query.default_order()).map_or_else(
        || "null".to_owned(),
        |last| {
            format!(r#""{}""#, cursor::write(last.listing_id(), &query.listings.filter, cursor_key))
        },
    );
    let (total, pages) = (page.total, total_pages(page.total, limit));
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        r#"],"pagination":{{"page":{number},"per_page":{limit},"total_items":{total},"total_pages":{pages},"next_cursor":{next}}},"total":{total},"page":{number},"page_size":{limit}}}"#,
    );
    Bytes::from(out)
}

/// A row with what lists and sweeps say of it.
pub(crate) fn listed_row(row: &Row) -> String {
    let json = row.json();
    format!("{},{}}}", json.strip_suffix('}').unwrap_or_default(), row.listed_json())
}

/// Writes the fields of a row that are asked for, in the order in which rows have them.
fn write_row(out: &mut String, row: &Row, query: &DataQuery) {
    out.push('{');
    let mut first = true;
    let mut write_members = |json: &str| {
        let members = serde_json::from_str::<Members<'_>>(json).unwrap_or_default();
        for (name, value) in members.0 {
            if !query.fields.shows(name) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            let value = value.get();
            let quote = query.decimals_as_text && fields::decimal(name) && value != "null";
            let mark = if quote { "\"" } else { "" };
            let _ = write!(out, r#""{name}":{mark}{value}{mark}"#);
        }
    };
    write_members(&row.json());
    if query.fields.shows_further() {
        write_members(&format!("{{{}}}", row.extra_json()));
    }
    out.push('}');
}

/// The members of an object with their values as they are written.
#[derive(Debug, Default)]
struct Members<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for InOrder<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}
