//! The columns of a record under names by which changes of a table are found.
//!
//! A column that is read goes by our name of it, so that a header which changes from one known name to
//! another is no change. The others go by their headers.

use std::collections::BTreeSet;

use kasparro_domain::{FieldRole, FieldUse};
use serde_json::{Map, Value};

use super::layout::{Column, ID, Layout, NAME, SYMBOL};
use super::reader::{Fields, unknown};
use crate::fields::read_into;

/// What the columns are read into; a table has those of them that its header names.
pub(super) static MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("symbol", "/symbol", FieldRole::Text),
    read_into("name", "/name", FieldRole::Text),
    read_into("price_usd", "/price_usd", FieldRole::Price),
    read_into("market_cap", "/market_cap", FieldRole::Amount),
    read_into("volume_24h", "/volume_24h", FieldRole::Amount),
    read_into("price_change_24h", "/price_change_24h", FieldRole::Percent),
    read_into("circulating_supply", "/circulating_supply", FieldRole::Amount),
    read_into("total_supply", "/total_supply", FieldRole::Amount),
    read_into("max_supply", "/max_supply", FieldRole::Amount),
    read_into("fully_diluted_valuation", "/fully_diluted_valuation", FieldRole::Amount),
    read_into("rank", "/rank", FieldRole::Rank),
    read_into("observed_at", "/time", FieldRole::Instant),
];

/// The most columns that are followed without being read; their names are stored with each page.
const MAX_OTHERS: usize = 256;
/// The most characters of a header that is followed.
const MAX_HEADER_CHARS: usize = 200;

/// The columns that are not read, each under a name that no other column has.
pub(super) fn others<'a>(
    headers: &[String],
    read: impl Iterator<Item = (&'a String, &'a Column)>,
) -> Vec<Column> {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for (name, column) in read {
        names.insert(name.clone());
        places.insert(column.index);
    }
    let mut others = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        if places.contains(&index) || header.chars().count() > MAX_HEADER_CHARS {
            continue;
        }
        let mut name = header.clone();
        if name.is_empty() || names.contains(&name) {
            name = format!("{header} (column {})", index + 1).trim_start().to_owned();
        }
        if others.len() < MAX_OTHERS && names.insert(name.clone()) {
            others.push(Column { index, header: name });
        }
    }
    others
}

/// The columns of one record by their names; `null` is what says that nothing is known.
pub(super) fn of(fields: &Fields<'_>, layout: &Layout) -> Value {
    let texts = [ID, SYMBOL, NAME];
    let read = layout.columns.iter();
    let others = layout.others.iter().map(|column| (&column.header, column));
    let member = |(name, column): (&String, &Column)| {
        let text = fields.at(column);
        // A coin may be called None.
        let known = if texts.contains(&name.as_str()) { !text.is_empty() } else { !unknown(text) };
        (name.clone(), if known { Value::from(text) } else { Value::Null })
    };
    Value::Object(read.chain(others).map(member).collect::<Map<_, _>>())
}
