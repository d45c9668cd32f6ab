//! What CoinGecko lists: every coin with its contracts.

use kasparro_domain::{Attributes, Contract, Evidence, FieldRole, FieldUse, Rejection, Statement};
use kasparro_extract::RowReader;
use serde::Deserialize;

use crate::fields::{self, Field, read_into};

/// What the members of a row are read into.
pub(super) static MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("symbol", "/symbol", FieldRole::Text),
    read_into("name", "/name", FieldRole::Text),
    read_into("contracts", "/platforms", FieldRole::Other),
];

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    platforms: Field<'a>,
}

/// Reads the rows of `/coins/list`.
pub(super) struct ListReader;

impl RowReader for ListReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let listed: Listed<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(listed.id, "/id")?;
        let evidence = state(&listed, &external_id);
        evidence.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

fn state(listed: &Listed<'_>, external_id: &str) -> Result<Evidence, Rejection> {
    let mut contracts = Vec::new();
    for (platform, address) in fields::members(listed.platforms, "/platforms")? {
        let pointer = fields::member("/platforms", &platform);
        let address = fields::address(address, &pointer)?;
        fields::check_text(&platform, &pointer, fields::MAX_ID_CHARS)?;
        let platform = platform.trim();
        if let Some(address) = address.filter(|_| !platform.is_empty()) {
            contracts.push(Contract { platform: platform.into(), address });
        }
    }
    Ok(Evidence {
        external_id: external_id.into(),
        part: "".into(),
        attributes: Attributes {
            symbol: fields::text(listed.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
            name: fields::text(listed.name, "/name", fields::MAX_NAME_CHARS)?,
        },
        contracts,
        active: None,
        kind: None,
        same_as: Vec::new(),
    })
}
