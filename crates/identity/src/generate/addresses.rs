//! Chains as the two sources spell them, and addresses.

use super::chance::Chance;

/// How a chain writes addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Hex,
    Base58(&'static str),
    Move,
}

/// A chain: how often tokens begin there, its spelling at each source, its form of addresses.
pub(super) struct Chain {
    pub(super) weight: usize,
    pub(super) in_a: &'static str,
    pub(super) in_b: &'static str,
    pub(super) form: Form,
}

const fn chain(weight: usize, in_a: &'static str, in_b: &'static str, form: Form) -> Chain {
    Chain { weight, in_a, in_b, form }
}

pub(super) const CHAINS: &[Chain] = &[
    chain(44, "ethereum", "eth-ethereum", Form::Hex),
    chain(20, "binance-smart-chain", "bnb-binance-coin", Form::Hex),
    chain(13, "solana", "sol-solana", Form::Base58("")),
    chain(8, "base", "base-base", Form::Hex),
    chain(5, "polygon-pos", "matic-polygon", Form::Hex),
    chain(4, "arbitrum-one", "arb-arbitrum", Form::Hex),
    chain(2, "avalanche", "avax-avalanche", Form::Hex),
    chain(1, "optimistic-ethereum", "op-optimism", Form::Hex),
    chain(2, "tron", "trx-tron", Form::Base58("T")),
    chain(1, "sui", "sui-sui", Form::Move),
];

/// A deployment: the chain by its place above, and the address in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) chain: usize,
    pub(super) address: String,
}

/// A chain by how common it is.
pub(super) fn some_chain(chance: &mut Chance) -> usize {
    let mut drawn = chance.below(CHAINS.iter().map(|chain| chain.weight).sum());
    for (at, chain) in CHAINS.iter().enumerate() {
        match drawn.checked_sub(chain.weight) {
            Some(left) => drawn = left,
            None => return at,
        }
    }
    0
}

fn digits(chance: &mut Chance, alphabet: &str, count: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..count).map(|_| chance.pick(&alphabet)).collect()
}

pub(super) fn form(chain: usize) -> Form {
    CHAINS.get(chain).map_or(Form::Hex, |chain| chain.form)
}

/// A new address on a chain.
pub(super) fn address(chance: &mut Chance, chain: usize, symbol: &str) -> String {
    const HEX: &str = "0123456789abcdef";
    const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    match form(chain) {
        Form::Hex => format!("0x{}", digits(chance, HEX, 40)),
        Form::Base58(head) => format!("{head}{}", digits(chance, BASE58, 43 - 10 * head.len())),
        Form::Move => {
            let module = symbol.to_lowercase();
            format!("0x{}::{module}::{symbol}", digits(chance, HEX, 64))
        }
    }
}

/// The address as the second source writes it: hex with capitals, Move without leading zeros.
pub(super) fn respelt(chance: &mut Chance, place: &Place) -> String {
    let address = &place.address;
    match form(place.chain) {
        Form::Hex => {
            let digits = address.trim_start_matches("0x").chars();
            let spelt =
                digits.map(
                    |digit| {
                        if chance.per_mille(500) { digit.to_ascii_uppercase() } else { digit }
                    },
                );
            format!("0x{}", spelt.collect::<String>())
        }
        Form::Base58(_) => address.clone(),
        Form::Move => {
            let digits = address.trim_start_matches("0x").trim_start_matches('0');
            format!("0x{digits}")
        }
    }
}
