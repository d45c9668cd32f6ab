//! What a survey finds out about a delimited text: delimiter, columns and key.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use kasparro_domain::{QuoteField, Timestamp};
use kasparro_extract::frame::RowCutter;
use kasparro_extract::{Framing, PageError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::reader::Splitter;
use super::settings::Settings;
use super::{dated, members};

pub(super) const ID: &str = "id";
pub(super) const SYMBOL: &str = "symbol";
pub(super) const NAME: &str = "name";
pub(super) const RANK: &str = "rank";
pub(super) const TIME: &str = "time";

/// Delimiters in the order of preference where a header allows several.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// More ambiguous keys than this say that the text needs another key, and would bloat the notes that
/// are stored with each page.
const MAX_REPEATED: usize = 10_000;

/// Our columns and the headers that name them, in lower case and in the order in which they are looked
/// for.
const ALIASES: [(&str, &[&str]); 13] = [
    (ID, &["id", "coin_id", "coinid", "slug", "external_id"]),
    (SYMBOL, &["symbol", "ticker", "sym"]),
    (NAME, &["name", "coin", "coin_name"]),
    (RANK, &["rank", "market_cap_rank"]),
    (TIME, &["last_updated", "updated_at", "timestamp", "date", "time", "datetime"]),
    (
        QuoteField::PriceUsd.name(),
        &["price_usd", "price", "usd_price", "current_price", "close", "last"],
    ),
    (
        QuoteField::MarketCap.name(),
        &["market_cap", "marketcap", "mkt_cap", "cap", "market_cap_usd"],
    ),
    (
        QuoteField::Volume24h.name(),
        &["volume_24h", "volume", "total_volume", "totalvolume", "24h_volume", "volume_usd"],
    ),
    (
        QuoteField::PriceChange24h.name(),
        &[
            "price_change_24h",
            "percent_change_24h",
            "price_change_percentage_24h",
            "change_24h",
            "24h",
        ],
    ),
    (QuoteField::CirculatingSupply.name(), &["circulating_supply"]),
    (QuoteField::TotalSupply.name(), &["total_supply"]),
    (QuoteField::MaxSupply.name(), &["max_supply"]),
    (QuoteField::FullyDilutedValuation.name(), &["fully_diluted_valuation"]),
];

/// Our names of columns.
pub(super) fn column_names() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|(name, _)| *name)
}

/// What a change of price is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeUnit {
    /// 2.5 is 2.5 %.
    #[default]
    Percent,
    /// 0.025 is 2.5 %.
    Fraction,
}

/// What identifies a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// A column of ids.
    Id,
    /// Name and symbol together, as `name|symbol`.
    NameSymbol,
    /// The name alone, in a text without ids and symbols.
    Name,
    /// The symbol alone, in a text without ids and names.
    Symbol,
}

/// A column of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    /// Its place, from 0.
    pub(super) index: usize,
    /// Its header as written.
    pub(super) header: String,
}

/// All that reading a record needs to know; stored with each page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) delimiter: char,
    /// Fields of a record.
    pub(super) width: usize,
    /// Our names of columns and where they are.
    pub(super) columns: BTreeMap<String, Column>,
    /// The columns that are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) others: Vec<Column>,
    pub(super) key: Key,
    /// Keys that more than one row has, in lower case and sorted, where the key is a symbol or name.
    pub(super) repeated: Vec<String>,
    pub(super) change_unit: ChangeUnit,
    pub(super) zero_is_unknown: bool,
    /// When every row was observed, where no column but the name of the text says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dated: Option<Timestamp>,
}

impl Layout {
    /// Finds the layout of the text `name`.
    pub(super) fn find(
        settings: &Settings,
        name: &str,
        body: &mut dyn Read,
    ) -> Result<Self, PageError> {
        let mut context = json!({"first": false});
        if let Some(delimiter) = settings.delimiter {
            context["delimiter"] = json!(char::from(delimiter));
        }
        let mut rows = RowCutter::new(&Framing::Csv, &context, body);
        let first = rows.next_row().map_err(|error| error.to_page_error())?;
        let header = match first {
            None => return Err(no_table("the text is empty")),
            Some(cut) => cut.row.map_err(|_| no_table("the first line has no end"))?.to_vec(),
        };
        recognise(&header)?;
        let (delimiter, headers) = split_header(&header, settings.delimiter);
        let columns = find_columns(&headers, settings)?;
        let key = find_key(&columns).ok_or_else(|| {
            let names = headers.join(", ");
            let message = format!("CSV: no column identifies a row; the header is: {names}");
            let hint = "name a column id or symbol, or map one with files = [{path, columns}]";
            PageError::stop("no_key_column", message.chars().take(500).collect::<String>(), hint)
        })?;
        let repeated = match key {
            Key::Symbol => repeated(&mut rows, delimiter, columns.get(SYMBOL))?,
            Key::Name => repeated(&mut rows, delimiter, columns.get(NAME))?,
            Key::Id | Key::NameSymbol => Vec::new(),
        };
        let dated = if settings.ignores_date_in_name || columns.contains_key(TIME) {
            None
        } else {
            dated::instant_in(name)
        };
        Ok(Self {
            dated,
            delimiter: char::from(delimiter),
            width: headers.len(),
            others: members::others(&headers, columns.iter()),
            columns,
            key,
            repeated,
            change_unit: settings.change,
            zero_is_unknown: settings.zero_is_unknown,
        })
    }
}

fn no_table(what: &str) -> PageError {
    let hint = "the file must be UTF-8 text with a header line";
    PageError::stop("not_csv", format!("CSV: {what}"), hint)
}

/// Refuses what is no table at all.
fn recognise(header: &[u8]) -> Result<(), PageError> {
    if header.starts_with(b"\xff\xfe") || header.starts_with(b"\xfe\xff") {
        return Err(no_table("the text is UTF-16; save it as UTF-8"));
    }
    match header.trim_ascii_start().first() {
        Some(b'<') => Err(no_table("the text is a web page or XML")),
        Some(b'{' | b'[') => Err(no_table("the text is JSON")),
        _ if header.contains(&0) => Err(no_table("the first line holds binary data")),
        _ => Ok(()),
    }
}

/// Splits the header by the delimiter under which the most columns are known.
fn split_header(header: &[u8], fixed: Option<u8>) -> (u8, Vec<String>) {
    let mut best = (b',', Vec::new());
    let mut best_score = None;
    for delimiter in DELIMITERS {
        if fixed.is_some_and(|fixed| fixed != delimiter) {
            continue;
        }
        let mut splitter = Splitter::new(delimiter);
        let headers: Vec<String> = splitter.split(header).map_or_else(Vec::new, |fields| {
            fields.map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect()
        });
        let known = ALIASES.iter().filter(|(_, aliases)| by_alias(&headers, aliases).is_some());
        let score = Some((known.count(), headers.len()));
        if score > best_score {
            best_score = score;
            best = (delimiter, headers);
        }
    }
    best
}

/// Headers are compared without regard to case, and a blank or hyphen counts as an underscore.
fn normal(header: &str) -> String {
    header.trim().to_lowercase().replace([' ', '-'], "_")
}

fn by_alias(headers: &[String], aliases: &[&str]) -> Option<usize> {
    aliases.iter().find_map(|alias| headers.iter().position(|header| normal(header) == *alias))
}

fn find_columns(
    headers: &[String],
    settings: &Settings,
) -> Result<BTreeMap<String, Column>, PageError> {
    let mut columns = BTreeMap::new();
    for (name, aliases) in ALIASES {
        // Of two settings for one column the later one, `time`, is the more special.
        let set = settings.columns.iter().rev().find(|(column, _)| *column == name);
        let index = match set {
            None => by_alias(headers, aliases),
            Some((_, wanted)) => {
                let exact = headers.iter().position(|header| header == wanted);
                let wanted_normal = normal(wanted);
                let found = exact
                    .or_else(|| headers.iter().position(|header| normal(header) == wanted_normal));
                Some(found.ok_or_else(|| {
                    let message = format!("CSV: there is no column {wanted} for {name}");
                    let hint = "correct the column in the files option";
                    PageError::stop("column_missing", message, hint)
                })?)
            }
        };
        if let Some((index, header)) = index.and_then(|at| Some((at, headers.get(at)?))) {
            columns.insert(name.to_owned(), Column { index, header: header.clone() });
        }
    }
    Ok(columns)
}

fn find_key(columns: &BTreeMap<String, Column>) -> Option<Key> {
    let has = |name| columns.contains_key(name);
    match (has(ID), has(NAME), has(SYMBOL)) {
        (true, ..) => Some(Key::Id),
        (false, true, true) => Some(Key::NameSymbol),
        (false, true, false) => Some(Key::Name),
        (false, false, true) => Some(Key::Symbol),
        (false, false, false) => None,
    }
}

/// The form in which keys are compared.
pub(super) fn folded(key: &str) -> String {
    key.trim().to_lowercase()
}

fn repeated<R: Read>(
    rows: &mut RowCutter<R>,
    delimiter: u8,
    column: Option<&Column>,
) -> Result<Vec<String>, PageError> {
    let index = column.map_or(0, |column| column.index);
    let mut splitter = Splitter::new(delimiter);
    let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
    while let Some(cut) = rows.next_row().map_err(|error| error.to_page_error())? {
        let Ok(row) = cut.row else { continue };
        let Some(mut fields) = splitter.split(row) else {
            continue;
        };
        let key = fields.nth(index).and_then(|field| std::str::from_utf8(field).ok()).map(folded);
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            continue;
        };
        if !once.contains(&key) {
            once.insert(key);
        } else if again.insert(key) && again.len() > MAX_REPEATED {
            let message =
                format!("CSV: more than {MAX_REPEATED} symbols stand in several rows each");
            let hint = "add a column id, or one with names, so that rows can be told apart";
            return Err(PageError::stop("ambiguous_keys", message, hint));
        }
    }
    Ok(again.into_iter().collect())
}
