//! Where a token lives: one name per chain, one spelling per address.

mod chains;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use compact_str::{CompactString, ToCompactString, format_compact};
use serde::{Deserialize, Serialize};

use crate::Contract;

/// A contract on a chain, however its source spells the two.
///
/// The same address on two chains is two deployments: predeployed contracts and copies made by one key
/// share an address and may be different assets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Deployment {
    /// The chain: CAIP-2 where it has such a name (`eip155:1`), else a slug.
    pub chain: CompactString,
    /// The address as that chain writes it, in its one normal form.
    pub address: CompactString,
}

/// `chain/address`.
impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.chain, self.address)
    }
}

/// How a chain writes its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    /// Twenty bytes in hex; upper case is a check sum only.
    Evm,
    /// `0.0.1234`, or the same number as twenty bytes in hex.
    Hedera,
    /// Base58, base32, base64 or a word: upper and lower case differ.
    Exact,
    /// Upper and lower case are the same.
    Lower,
    /// Hex, with or without `0x`.
    NeoHex,
    /// A hex number whose leading zeros may be left out.
    HexFelt,
    /// A hex number as above, then `::module::Type` whose case counts.
    Move,
}

/// Names of chains, folded, to their row.
static BY_NAME: LazyLock<HashMap<&'static str, &'static chains::Chain>> = LazyLock::new(|| {
    let names = chains::CHAINS.iter().flat_map(|chain| {
        std::iter::once(chain.0).chain(chain.2.split(' ')).map(move |name| (name, chain))
    });
    names.collect()
});

/// The chain whose tokens CoinPaprika lists together with those of the BNB smart chain.
const BEACON_CHAIN: &str = "binance-beacon-chain";
/// The BNB smart chain.
const SMART_CHAIN: &str = "eip155:56";
/// Solana, which lists numbered like EIP-155 call 101 (0x65).
const SOLANA: &str = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp";

impl Deployment {
    /// The deployment that a source states; nothing where the address stands for no contract
    /// (empty, zero, or a placeholder for the chain's own coin).
    #[must_use]
    pub fn of(contract: &Contract) -> Option<Self> {
        let address = contract.address.trim();
        let (chain, family) = chain_of(&contract.platform, address)?;
        let address = normal(address, family)?;
        (!is_placeholder(&address)).then_some(Self { chain, address })
    }

    /// Our name of a chain that a source calls `platform`; a name that is not known is folded to a slug
    /// and stands for itself. Nothing for an empty name.
    #[must_use]
    pub fn chain_name(platform: &str) -> Option<CompactString> {
        chain_of(platform, "").map(|(chain, _)| chain)
    }
}

/// A chain's name and the way it writes addresses.
fn chain_of(platform: &str, address: &str) -> Option<(CompactString, Family)> {
    let platform = platform.trim();
    if platform.is_empty() {
        return None;
    }
    // As it stands first: CAIP-2 names hold upper case where the chain's own hash does.
    if let Some(known) = BY_NAME.get(platform) {
        return Some(on_chain(known, address));
    }
    let folded = platform.to_lowercase().replace([' ', '_'], "-");
    if let Some(known) = BY_NAME.get(folded.as_str()).or_else(|| by_tail(&folded)) {
        return Some(on_chain(known, address));
    }
    if let Some(number) = evm_number(&folded) {
        if number == 101 && !address.is_empty() && !is_evm(address) {
            return Some((SOLANA.into(), Family::Exact));
        }
        let name = format_compact!("eip155:{number}");
        return Some(BY_NAME.get(name.as_str()).map_or_else(
            || {
                if is_evm(address) {
                    (name.clone(), Family::Evm)
                } else {
                    (name.clone(), Family::Exact)
                }
            },
            |(name, family, _)| ((*name).into(), *family),
        ));
    }
    let family = if is_evm(address) { Family::Evm } else { Family::Exact };
    Some((folded.into(), family))
}

/// A known chain, or the one beside it where the address has another form.
fn on_chain((name, family, others): &chains::Chain, address: &str) -> (CompactString, Family) {
    if *family == Family::Evm && !address.is_empty() && !is_evm(address) {
        return (second_chain(name, others), Family::Exact);
    }
    ((*name).into(), *family)
}

/// Where addresses of another form live that a source lists under the name of an EVM chain: Sei and Kava
/// have a Cosmos side, BNB had a chain of its own. They must not look like rivals of the EVM address.
fn second_chain(name: &str, others: &str) -> CompactString {
    if name == SMART_CHAIN {
        return BEACON_CHAIN.into();
    }
    let first = others.split(' ').next().unwrap_or(name);
    format_compact!("{first}-other")
}

/// `sol-solana` for `solana`: a ticker, then a name that is known. Long heads are words of a name, not
/// tickers (`bridged-ethereum` is not Ethereum).
fn by_tail(folded: &str) -> Option<&'static &'static chains::Chain> {
    let (head, tail) = folded.split_once('-')?;
    let is_ticker = (2..=5).contains(&head.len()) && !BY_NAME.contains_key(head);
    if is_ticker && tail.len() > 2 { BY_NAME.get(tail) } else { None }
}

/// The number of a chain in EIP-155: `1`, `0x1` or `eip155:1`.
fn evm_number(text: &str) -> Option<u64> {
    let text = text.strip_prefix("eip155:").unwrap_or(text);
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?,
    }
}

/// The twenty bytes of an address in hex, lower case, where it is one.
fn evm_hex(address: &str) -> Option<String> {
    hex_digits(address).map(str::to_ascii_lowercase)
}

/// The forty hex digits of an address, where it has them.
fn hex_digits(address: &str) -> Option<&str> {
    let hex = ["0x", "0X", "xdc", "XDC"].iter().find_map(|prefix| address.strip_prefix(*prefix))?;
    (hex.len() == 40 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hex)
}

fn is_evm(address: &str) -> bool {
    hex_digits(address).is_some()
}

/// The one spelling of an address.
fn normal(address: &str, family: Family) -> Option<CompactString> {
    if address.is_empty() {
        return None;
    }
    Some(match family {
        Family::Evm => match evm_hex(address) {
            Some(hex) => format_compact!("0x{hex}"),
            None => address.into(),
        },
        Family::Hedera => match evm_hex(address) {
            // The first 24 digits are shard and realm, which are zero.
            Some(hex) if hex.starts_with("000000000000000000000000") => {
                format_compact!("0.0.{}", u64::from_str_radix(&hex[24..], 16).ok()?)
            }
            Some(hex) => format_compact!("0x{hex}"),
            None => address.into(),
        },
        Family::Exact => address.into(),
        Family::Lower => address.to_lowercase().into(),
        Family::NeoHex => {
            let lower = address.to_lowercase();
            lower.strip_prefix("0x").unwrap_or(&lower).to_compact_string()
        }
        Family::HexFelt => short_hex(address),
        Family::Move => match address.split_once("::") {
            Some((package, rest)) => format_compact!("{}::{rest}", short_hex(package)),
            None => short_hex(address),
        },
    })
}

/// A hex number without leading zeros; other texts stay as they are.
fn short_hex(text: &str) -> CompactString {
    let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
        return text.into();
    };
    if hex.is_empty() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return text.into();
    }
    let short = hex.trim_start_matches('0').to_ascii_lowercase();
    format_compact!("0x{}", if short.is_empty() { "0" } else { &short })
}

/// True for what stands in a contract's place and is none.
fn is_placeholder(address: &str) -> bool {
    let bare = address.strip_prefix("0x").unwrap_or(address);
    bare.bytes().all(|byte| byte == b'0')
        || (bare.len() == 40 && bare.bytes().all(|byte| byte == b'e'))
        || matches!(bare, "native" | "null" | "none" | "n/a" | "-" | "_" | "0.0.0")
}

#[cfg(test)]
mod tests;
