//! What an upstream may do overnight, and what is to be found.

mod empties;
mod market;
mod renames;
mod structure;

use kasparro_domain::{DriftKind, DriftSeverity};
use serde_json::Value;

use super::shapes::Shape;

/// One change of a page, and what is to be said of it.
pub(super) struct Mutation {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) change: fn(&mut Vec<Value>),
    pub(super) kind: DriftKind,
    pub(super) pointer: &'static str,
    pub(super) severity: DriftSeverity,
    /// What `after` holds; empty for whatever it says.
    pub(super) after: &'static str,
    /// Other members that may be named: what follows from the same change.
    pub(super) also: &'static [&'static str],
    /// Hours that the last page comes again before it is judged.
    pub(super) hours: u32,
}

fn m(
    name: &'static str,
    shape: Shape,
    change: fn(&mut Vec<Value>),
    kind: DriftKind,
    pointer: &'static str,
    severity: DriftSeverity,
    after: &'static str,
) -> Mutation {
    Mutation { name, shape, change, kind, pointer, severity, after, also: &[], hours: 0 }
}

const G: Shape = Shape::Markets;
const P: Shape = Shape::Tickers;
const PRICE: &str = "/current_price";
const CAP: &str = "/market_cap";
const CHANGE: &str = "/price_change_percentage_24h";
const AT: &str = "/last_updated";
const USD: &str = "/quotes/USD/price";

pub(super) fn catalogue() -> Vec<Mutation> {
    [renames::all(), structure::all(), market::all(), empties::all()]
        .into_iter()
        .flatten()
        .collect()
}
