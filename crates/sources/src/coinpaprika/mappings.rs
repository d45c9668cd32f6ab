//! Which coins of other vendors CoinPaprika's coins are, by its own table.
//!
//! The vendor documents one filter for each request (`?coinpaprika=btc-bitcoin`), and its own command line
//! lists all without one. A row also names CoinMarketCap, CryptoCompare, ISIN and DTI: of those no listing is
//! ever stored, so they stay in the raw page.

use kasparro_domain::{
    Attributes, Evidence, FieldRole, FieldUse, ListingKey, Rejection, Statement,
};
use kasparro_extract::RowReader;
use serde::Deserialize;

use crate::fields::{self, Field, read_into};

/// What the members of a row of `/v1/coins/mappings` are read into.
pub(super) static MAPPED: &[FieldUse] = &[
    read_into("external_id", "/coinpaprika", FieldRole::Id),
    read_into("same_as", "/coingecko", FieldRole::Other),
];

#[derive(Deserialize)]
struct Mapping<'a> {
    #[serde(borrow)]
    coinpaprika: Field<'a>,
    #[serde(borrow)]
    coingecko: Field<'a>,
}

/// Reads the rows of `/v1/coins/mappings`.
pub(super) struct MappingReader;

impl RowReader for MappingReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let mapping: Mapping<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(mapping.coinpaprika, "/coinpaprika")?;
        let other = fields::text(mapping.coingecko, "/coingecko", fields::MAX_ID_CHARS)
            .map_err(|rejection| rejection.of(&external_id))?;
        // A row without one says that there is none, and takes the place of one that named some.
        let same_as = other.iter().filter(|id| !id.trim().is_empty());
        let same_as = same_as.map(|id| ListingKey::new(crate::coingecko::SPEC.name, id.trim()));
        Ok(Statement::Evidence(Evidence {
            external_id,
            part: "".into(),
            attributes: Attributes::default(),
            contracts: Vec::new(),
            active: None,
            kind: None,
            same_as: same_as.collect(),
        }))
    }
}
