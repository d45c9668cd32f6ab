//! How often a link with so many bits is right, measured on pairs whose truth is known.
//!
//! The tables are the lower ends of the 95 % intervals (Wilson) of what `cargo run --package kasparro-identity
//! --example score` counts over its cases in closed and open worlds: 41,329 links by name, 41,209 of them right,
//! and 19,980 by contract, none wrong. The same pairs are counted in several worlds, and the weights have seen
//! the real ones among them: the tables order links well, and say of other lists what they say of these.

use crate::pairs::Pair;
use crate::weights::{self, Centibits};

/// From so many hundredths of a bit on, a link without a common contract was right so often, in
/// ten-thousandths.
const BY_NAME: &[(Centibits, u16)] = &[(300, 9844), (400, 9949), (800, 9976)];
/// The same for links with a common contract.
const BY_CONTRACT: &[(Centibits, u16)] = &[(0, 9947), (1000, 9980), (1500, 9997)];

/// How likely a link is right, in ten-thousandths. That a source says so raises no confidence: how often such
/// statements are right was never measured, so a link is as sure as it would be without.
pub(crate) fn confidence(pair: &Pair) -> u16 {
    let measured = pair.score - weights::said(&pair.comparison).max(0);
    let table = if pair.shares_contract() { BY_CONTRACT } else { BY_NAME };
    let found = table.iter().rev().find(|(from, _)| measured >= *from);
    found.or(table.first()).map_or(0, |(_, measured)| *measured)
}
