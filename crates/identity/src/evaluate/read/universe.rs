//! What a source lists.

use std::collections::BTreeMap;

use kasparro_domain::Contract;
use serde_json::Value;

use super::super::{InputError, InputFile};
use super::contracts::{of_entry, of_text};
use super::json::{Entry, entries, parse};
use super::table::{Row, Table};
use super::{Text, text};

/// What is said of one listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Listing {
    pub(in super::super) symbol: Option<String>,
    pub(in super::super) name: Option<String>,
    pub(in super::super) rank: Option<u32>,
    pub(in super::super) kind: Option<String>,
    pub(in super::super) contracts: Vec<Contract>,
}

/// The listings of a source by their ids.
#[derive(Debug, Default)]
pub(in super::super) struct Universe {
    pub(in super::super) listings: BTreeMap<String, Listing>,
    /// Rows without an id, which some vendors send.
    pub(in super::super) without_id: usize,
}

impl Universe {
    fn add(&mut self, id: String, listing: Listing) -> Result<(), (&'static str, String)> {
        match self.listings.get(&id) {
            Some(known) if *known != listing => {
                Err(("id", format!("`{id}` stands twice, with different values")))
            }
            Some(_) => Ok(()),
            None => {
                self.listings.insert(id, listing);
                Ok(())
            }
        }
    }
}

const TWICE: &str = "keep one of the two rows";

/// Reads the listings of files.
pub(in super::super) fn universe(files: &[InputFile<'_>]) -> Result<Universe, InputError> {
    let mut universe = Universe::default();
    for file in files {
        match text(file)? {
            Text::Csv(bytes) => {
                for row in Table::read(file, bytes, &["id", "symbol", "name"])?.rows() {
                    let Some(id) = row.get("id") else {
                        universe.without_id += 1;
                        continue;
                    };
                    let listing = of_row(&row)?;
                    let added = universe.add(id.to_owned(), listing);
                    added.map_err(|(field, problem)| row.wrong(field, problem, TWICE))?;
                }
            }
            Text::Json(bytes) => {
                let value = parse(file, bytes)?;
                for entry in entries(file, &value)? {
                    for field in ["id", "symbol", "name"] {
                        entry.need(field)?;
                    }
                    let Some(id) = entry.text("id")? else {
                        universe.without_id += 1;
                        continue;
                    };
                    let added = universe.add(id, of_object(&entry)?);
                    added.map_err(|(field, problem)| entry.wrong(field, problem, TWICE))?;
                }
            }
        }
    }
    Ok(universe)
}

fn of_row(row: &Row<'_>) -> Result<Listing, InputError> {
    let text = |column| row.get(column).map(str::to_owned);
    let rank = match row.get("rank") {
        None => None,
        Some(text) => rank(text).map_err(|problem| row.wrong("rank", problem, RANK_REMEDY))?,
    };
    let contracts = match row.get("contracts") {
        None => Vec::new(),
        Some(text) => {
            let remedy = "write contracts as chain:address, with spaces between them";
            of_text(text).map_err(|problem| row.wrong("contracts", problem, remedy))?
        }
    };
    Ok(Listing { symbol: text("symbol"), name: text("name"), rank, kind: text("type"), contracts })
}

fn of_object(entry: &Entry<'_>) -> Result<Listing, InputError> {
    let field = if entry.get("market_cap_rank").is_some() { "market_cap_rank" } else { "rank" };
    let rank = match entry.get(field) {
        None => None,
        Some(Value::Number(number)) => {
            rank(&number.to_string()).map_err(|problem| entry.wrong(field, problem, RANK_REMEDY))?
        }
        Some(other) => {
            let problem = format!("{other} is no place");
            return Err(entry.wrong(field, problem, RANK_REMEDY));
        }
    };
    Ok(Listing {
        symbol: entry.text("symbol")?,
        name: entry.text("name")?,
        rank,
        kind: entry.text("type")?,
        contracts: of_entry(entry)?,
    })
}

const RANK_REMEDY: &str = "a rank is a whole number from 1; leave it empty where it is not known";

/// A place from 1; CoinPaprika writes 0 where it has none, and spreadsheets write 12.0.
fn rank(text: &str) -> Result<Option<u32>, String> {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    match whole.parse::<u32>() {
        Ok(0) => Ok(None),
        Ok(rank) => Ok(Some(rank)),
        Err(_) => Err(format!("`{text}` is no place")),
    }
}
