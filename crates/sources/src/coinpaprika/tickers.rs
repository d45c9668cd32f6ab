//! The rows of `/v1/tickers`: what each coin is worth.

use kasparro_domain::{Attributes, FieldRole, FieldUse, Observation, Quote, Rejection, Statement};
use kasparro_extract::RowReader;
use serde::Deserialize;

use crate::fields::{self, Field, Object, read_into};

/// What the members of a row are read into.
pub(super) static MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("symbol", "/symbol", FieldRole::Text),
    read_into("name", "/name", FieldRole::Text),
    read_into("price_usd", "/quotes/USD/price", FieldRole::Price),
    read_into("market_cap", "/quotes/USD/market_cap", FieldRole::Amount),
    read_into("volume_24h", "/quotes/USD/volume_24h", FieldRole::Amount),
    read_into("price_change_24h", "/quotes/USD/percent_change_24h", FieldRole::Percent),
    read_into("circulating_supply", "/circulating_supply", FieldRole::Amount),
    read_into("total_supply", "/total_supply", FieldRole::Amount),
    read_into("max_supply", "/max_supply", FieldRole::Amount),
    read_into("rank", "/rank", FieldRole::Rank),
    read_into("observed_at", "/last_updated", FieldRole::Instant),
];

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    rank: Field<'a>,
    #[serde(borrow)]
    circulating_supply: Field<'a>,
    #[serde(borrow)]
    total_supply: Field<'a>,
    #[serde(borrow)]
    max_supply: Field<'a>,
    #[serde(borrow)]
    last_updated: Field<'a>,
    #[serde(borrow)]
    quotes: Option<Object<Quotes<'a>>>,
}

#[derive(Deserialize)]
struct Quotes<'a> {
    #[serde(borrow, rename = "USD")]
    usd: Option<Object<InUsd<'a>>>,
}

#[derive(Deserialize, Default)]
struct InUsd<'a> {
    #[serde(borrow)]
    price: Field<'a>,
    #[serde(borrow)]
    volume_24h: Field<'a>,
    #[serde(borrow)]
    market_cap: Field<'a>,
    #[serde(borrow)]
    percent_change_24h: Field<'a>,
}

/// Reads the rows of `/v1/tickers`.
pub(super) struct TickerReader;

impl RowReader for TickerReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let ticker: Ticker<'_> = fields::read_row(row, &["quotes", "USD"])?;
        let external_id = fields::id(ticker.id, "/id")?;
        let observed = observe(&ticker, &external_id);
        observed.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

fn observe(ticker: &Ticker<'_>, external_id: &str) -> Result<Observation, Rejection> {
    let unpriced = InUsd::default();
    let quotes = ticker.quotes.as_ref().and_then(|Object(quotes)| quotes.usd.as_ref());
    let usd = quotes.map_or(&unpriced, |Object(usd)| usd);
    Ok(Observation {
        external_id: external_id.into(),
        attributes: Attributes {
            symbol: fields::text(ticker.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
            name: fields::text(ticker.name, "/name", fields::MAX_NAME_CHARS)?,
        },
        quote: Quote {
            price_usd: fields::number(usd.price, "/quotes/USD/price")?,
            market_cap: fields::number_or_zero(usd.market_cap, "/quotes/USD/market_cap")?,
            volume_24h: fields::number(usd.volume_24h, "/quotes/USD/volume_24h")?,
            price_change_24h: fields::number(
                usd.percent_change_24h,
                "/quotes/USD/percent_change_24h",
            )?,
            circulating_supply: fields::number_or_zero(
                ticker.circulating_supply,
                "/circulating_supply",
            )?,
            total_supply: fields::number_or_zero(ticker.total_supply, "/total_supply")?,
            max_supply: fields::number_or_zero(ticker.max_supply, "/max_supply")?,
            fully_diluted_valuation: None,
            rank: fields::rank(ticker.rank, "/rank")?,
        },
        observed_at: fields::instant(ticker.last_updated, "/last_updated")?,
    })
}
