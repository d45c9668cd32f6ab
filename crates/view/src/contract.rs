//! Looking for contracts: however a source and a reader spell chain and address.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use kasparro_domain::{Contract, Deployment};

use crate::Row;

/// A contract that a reader looks for: an address on any chain, or on the one that is named.
///
/// Chains and addresses may hold colons themselves (`eip155:1`, `0x2::sui::SUI`), so a text may have
/// several readings; it finds what one of them is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WantedContract {
    /// The address with its chain, in their one spelling.
    deployments: Vec<Deployment>,
    /// The address, where no chain is named.
    address: String,
}

impl WantedContract {
    /// Reads `ADDRESS` or `CHAIN:ADDRESS`, the chain in a source's words or as CAIP-2. `None` where the text
    /// stands for no contract: it names a chain and no address, or is a placeholder such as zeros.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let contract = |platform: &str, address: &str| Contract {
            platform: platform.into(),
            address: address.into(),
        };
        if text.starts_with(':') || text.ends_with(':') {
            return None;
        }
        // A name of CAIP-2 holds one colon, so the address begins behind the first or the second.
        let readings: Vec<Contract> = text
            .match_indices(':')
            .take(2)
            .map(|(at, _)| text.split_at(at))
            .map(|(chain, rest)| (chain, rest.strip_prefix(':').unwrap_or(rest)))
            .filter(|(chain, rest)| !chain.ends_with(':') && !rest.starts_with(':'))
            .map(|(chain, rest)| contract(chain, rest))
            .collect();
        let deployments: Vec<Deployment> = readings.iter().filter_map(Deployment::of).collect();
        let nothing = if readings.is_empty() {
            Deployment::of(&contract("any", text)).is_none()
        } else {
            deployments.len() < readings.len()
        };
        (!nothing).then(|| Self { deployments, address: text.to_owned() })
    }

    /// Keys under which the index of contracts may have it.
    pub(crate) fn keys(&self) -> Vec<u64> {
        let addresses = self.deployments.iter().map(|own| own.address.as_str());
        let mut keys: Vec<u64> =
            addresses.chain([self.address.as_str()]).filter_map(address_key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// True where a list states it for this listing.
    #[must_use]
    pub fn stated_for(&self, row: &Row) -> bool {
        row.contracts().iter().any(|stated| {
            let Some(own) = Deployment::of(stated) else {
                return false;
            };
            // How an address is written depends on its chain, so it is read as one of the chain it meets.
            let meant = || {
                let (platform, address) = (stated.platform.clone(), self.address.as_str().into());
                Deployment::of(&Contract { platform, address })
            };
            self.deployments.contains(&own) || meant().is_some_and(|meant| meant == own)
        })
    }
}

/// The keys of the contracts of a row, ascending, each once.
pub(crate) fn keys(row: &Row) -> Vec<u64> {
    let contracts = row.contracts();
    let mut keys: Vec<u64> =
        contracts.iter().filter_map(|contract| address_key(&contract.address)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The key of an address: the same for every spelling of it on whatever chain, and for some other
/// addresses. `None` for zeros, which stand for no contract.
fn address_key(address: &str) -> Option<u64> {
    let lower = address.trim().to_lowercase();
    let hedera = lower.strip_prefix("0.0.").and_then(|number| number.parse::<u64>().ok());
    let digits = match hedera {
        Some(number) => format!("{number:x}"),
        None => {
            let bare = lower.strip_prefix("0x").or_else(|| lower.strip_prefix("xdc"));
            bare.unwrap_or(&lower).trim_start_matches('0').to_owned()
        }
    };
    if digits.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    digits.hash(&mut hasher);
    // No key may be the one that stands for unknown.
    Some(hasher.finish() >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_stands_for_no_contract_is_none() {
        for text in [
            "",
            " ",
            ":",
            "ethereum:",
            ":0xabc",
            "0x0",
            "0x0000000000000000000000000000000000000000",
            "ethereum:0x0000000000000000000000000000000000000000",
            "eip155:1:0x0",
            "native",
        ] {
            assert_eq!(WantedContract::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_has_one_key() {
        for (one, other) in [
            (
                "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
                "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
            ),
            ("0x0002::sui::SUI", "0x2::sui::SUI"),
            ("0.0.1234", "0x00000000000000000000000000000000000004d2"),
            ("0xABCDEF", "abcdef"),
            (
                "xdc17b4e92a0f0b1c1f3c9c5a1dc0e6f5a3d6c1b2a3",
                "0x17b4e92a0f0b1c1f3c9c5a1dc0e6f5a3d6c1b2a3",
            ),
        ] {
            assert_eq!(address_key(one), address_key(other), "{one}");
            assert!(address_key(one).is_some_and(|key| key < u64::MAX));
        }
        assert_ne!(address_key("0xab"), address_key("0xac"));
        assert_eq!(address_key("0x000"), None);
    }
}
