//! Writing a page of listings.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use kasparro_domain::Generation;
use kasparro_view::{ListingPage, Row, Start};

use super::encoded::EncodedForms;
use super::{DataQuery, FieldSet, cursor, fields};
use crate::paging::total_pages;
use crate::represent::{self, Format, Members};

/// A page as it was written.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// Of JSON everything behind the members of the request itself, else the whole body.
    pub(crate) body: Bytes,
    /// How many listings fit in all.
    pub(crate) total: u64,
    /// The cursor of the next page; none on the last one.
    pub(crate) next_cursor: Option<String>,
    /// The same body encoded.
    pub(super) encoded: EncodedForms,
    /// Among which pages it is kept, if it is.
    pub(super) kept_among: Option<u64>,
}

/// Writes a page of a generation in the form that was asked for.
pub(crate) fn render(
    query: &DataQuery,
    page: &ListingPage,
    generation: Generation,
    cursor_key: &[u8; 32],
) -> Rendered {
    let next_cursor = next_cursor(query, page, generation, cursor_key);
    let rows = page.rows.iter().map(|row| row_text(row, query));
    let body = match query.format {
        Format::Json => middle(query, page, next_cursor.as_deref()),
        Format::Csv => Bytes::from(represent::csv(&query.fields.shown(), rows)),
        Format::Ndjson => Bytes::from(represent::ndjson(rows)),
    };
    Rendered {
        body,
        total: page.total,
        next_cursor,
        encoded: EncodedForms::default(),
        kept_among: None,
    }
}

/// The cursor behind the last row. In an order that changes it goes on in the same generation.
fn next_cursor(
    query: &DataQuery,
    page: &ListingPage,
    generation: Generation,
    key: &[u8; 32],
) -> Option<String> {
    let last = page.rows.last().filter(|_| page.more)?;
    if query.default_order() {
        return Some(cursor::write(last.listing_id(), &query.listings.filter, key));
    }
    let Start::Offset(offset) = query.listings.start else { return None };
    let behind = offset.saturating_add(page.rows.len() as u64);
    Some(cursor::write_pinned(generation, behind, &query.listings, key))
}

/// A row with the members that are asked for.
fn row_text<'a>(row: &'a Row, query: &DataQuery) -> Cow<'a, str> {
    let as_rendered = |fields| query.fields == fields && !query.decimals_as_text;
    if as_rendered(FieldSet::default()) {
        return row.json();
    }
    if as_rendered(FieldSet::LISTED) {
        return Cow::Owned(listed_row(row));
    }
    let mut out = String::with_capacity(512);
    write_row(&mut out, row, query);
    Cow::Owned(out)
}

/// `"data":[…],"pagination":{…},"total":…,"page":…,"page_size":…}`.
fn middle(query: &DataQuery, page: &ListingPage, next_cursor: Option<&str>) -> Bytes {
    let mut out = String::with_capacity(512 * (page.rows.len() + 1));
    out.push_str(r#""data":["#);
    for (index, row) in page.rows.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&row_text(row, query));
    }
    let limit = query.listings.limit as u64;
    let number = query.page.map_or_else(|| "null".to_owned(), |page| page.to_string());
    let next = next_cursor.map_or_else(|| "null".to_owned(), |next| format!(r#""{next}""#));
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
        for (name, value) in Members::of(json).0 {
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
