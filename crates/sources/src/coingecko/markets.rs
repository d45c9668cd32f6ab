//! The rows of `/coins/markets`: what each coin is worth.

use kasparro_domain::{Attributes, FieldRole, FieldUse, Observation, Quote, Rejection, Statement};
use kasparro_extract::RowReader;
use serde::Deserialize;

use crate::fields::{self, Field, read_into};

/// What the members of a row are read into.
pub(super) static MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("symbol", "/symbol", FieldRole::Text),
    read_into("name", "/name", FieldRole::Text),
    read_into("price_usd", "/current_price", FieldRole::Price),
    read_into("market_cap", "/market_cap", FieldRole::Amount),
    read_into("volume_24h", "/total_volume", FieldRole::Amount),
    read_into("price_change_24h", "/price_change_percentage_24h", FieldRole::Percent),
    read_into("circulating_supply", "/circulating_supply", FieldRole::Amount),
    read_into("total_supply", "/total_supply", FieldRole::Amount),
    read_into("max_supply", "/max_supply", FieldRole::Amount),
    read_into("fully_diluted_valuation", "/fully_diluted_valuation", FieldRole::Amount),
    read_into("rank", "/market_cap_rank", FieldRole::Rank),
    read_into("observed_at", "/last_updated", FieldRole::Instant),
];

#[derive(Deserialize)]
struct Market<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    current_price: Field<'a>,
    #[serde(borrow)]
    market_cap: Field<'a>,
    #[serde(borrow)]
    market_cap_rank: Field<'a>,
    #[serde(borrow)]
    fully_diluted_valuation: Field<'a>,
    #[serde(borrow)]
    total_volume: Field<'a>,
    #[serde(borrow)]
    price_change_percentage_24h: Field<'a>,
    #[serde(borrow)]
    circulating_supply: Field<'a>,
    #[serde(borrow)]
    total_supply: Field<'a>,
    #[serde(borrow)]
    max_supply: Field<'a>,
    #[serde(borrow)]
    last_updated: Field<'a>,
}

/// Reads the rows of `/coins/markets`.
pub(super) struct MarketReader;

impl RowReader for MarketReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let market: Market<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(market.id, "/id")?;
        let observed = observe(&market, &external_id);
        observed.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

fn observe(market: &Market<'_>, external_id: &str) -> Result<Observation, Rejection> {
    Ok(Observation {
        external_id: external_id.into(),
        attributes: Attributes {
            symbol: fields::text(market.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
            name: fields::text(market.name, "/name", fields::MAX_NAME_CHARS)?,
        },
        quote: Quote {
            price_usd: fields::number(market.current_price, "/current_price")?,
            market_cap: fields::number(market.market_cap, "/market_cap")?,
            volume_24h: fields::number(market.total_volume, "/total_volume")?,
            price_change_24h: fields::number(
                market.price_change_percentage_24h,
                "/price_change_percentage_24h",
            )?,
            circulating_supply: fields::number_or_zero(
                market.circulating_supply,
                "/circulating_supply",
            )?,
            total_supply: fields::number(market.total_supply, "/total_supply")?,
            max_supply: fields::number(market.max_supply, "/max_supply")?,
            fully_diluted_valuation: fields::number(
                market.fully_diluted_valuation,
                "/fully_diluted_valuation",
            )?,
            rank: fields::rank(market.market_cap_rank, "/market_cap_rank")?,
        },
        observed_at: fields::instant(market.last_updated, "/last_updated")?,
    })
}
