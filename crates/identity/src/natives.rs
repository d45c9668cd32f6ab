//! The native coins of chains, by symbol and name: the one reviewed list of the resolver.
//!
//! It holds no id of any source. A native coin has no contract of its own, so a contract that is stated
//! for it elsewhere belongs to something that represents it. Symbols that moved from one chain's coin to
//! another's (LUNA) are left out: there the name says nothing without a date.

/// The native coins: symbol, then the names it goes by, as one lower-case word each.
const NATIVES: &[(&str, &[&str])] = &[
    ("ada", &["cardano"]),
    ("algo", &["algorand"]),
    ("apt", &["aptos"]),
    ("ar", &["arweave"]),
    ("atom", &["cosmos", "cosmoshub"]),
    ("avax", &["avalanche"]),
    ("bch", &["bitcoincash"]),
    ("bera", &["berachain"]),
    ("bnb", &["bnb", "binancecoin"]),
    ("bsv", &["bitcoinsv"]),
    ("btc", &["bitcoin"]),
    ("celo", &["celo"]),
    ("cfx", &["conflux", "confluxnetwork"]),
    ("cro", &["cronos", "cryptocomcoin", "cryptocomchain"]),
    ("dash", &["dash"]),
    ("dcr", &["decred"]),
    ("doge", &["dogecoin"]),
    ("dot", &["polkadot"]),
    ("egld", &["elrond", "multiversx"]),
    ("eos", &["eos"]),
    ("etc", &["ethereumclassic"]),
    ("eth", &["ethereum", "ether"]),
    ("fil", &["filecoin"]),
    ("flow", &["flow"]),
    ("ftm", &["fantom"]),
    ("hbar", &["hedera", "hederahashgraph"]),
    ("hype", &["hyperliquid"]),
    ("icp", &["internetcomputer"]),
    ("icx", &["icon"]),
    ("inj", &["injective", "injectiveprotocol"]),
    ("iota", &["iota"]),
    ("ip", &["story"]),
    ("kas", &["kaspa"]),
    ("kava", &["kava"]),
    ("klay", &["klaytn"]),
    ("ksm", &["kusama"]),
    ("lsk", &["lisk"]),
    ("ltc", &["litecoin"]),
    ("matic", &["polygon", "maticnetwork"]),
    ("mina", &["mina", "minaprotocol"]),
    ("near", &["near", "nearprotocol"]),
    ("neo", &["neo"]),
    ("one", &["harmony"]),
    ("osmo", &["osmosis"]),
    ("pol", &["polygonecosystemtoken", "pol"]),
    ("qtum", &["qtum"]),
    ("rose", &["oasis", "oasisnetwork"]),
    ("rune", &["thorchain"]),
    ("s", &["sonic"]),
    ("sei", &["sei"]),
    ("sol", &["solana"]),
    ("stx", &["stacks", "blockstack"]),
    ("sui", &["sui"]),
    ("theta", &["theta", "thetanetwork", "thetatoken"]),
    ("tia", &["celestia"]),
    ("ton", &["toncoin"]),
    ("trx", &["tron"]),
    ("vet", &["vechain"]),
    ("waves", &["waves"]),
    ("xdc", &["xdcnetwork", "xinfinnetwork"]),
    ("xem", &["nem"]),
    ("xlm", &["stellar", "stellarlumens"]),
    ("xmr", &["monero"]),
    ("xrp", &["xrp", "ripple"]),
    ("xtz", &["tezos"]),
    ("zec", &["zcash"]),
    ("zil", &["zilliqa"]),
];

/// The place in the list of a symbol as `text::symbol` folds it, with a name as one word.
pub(crate) fn native(symbol: &str, name: &str) -> Option<u8> {
    let place = place(symbol)?;
    let (_, names) = NATIVES.get(usize::from(place))?;
    names.contains(&name).then_some(place)
}

/// True for the symbol of a native coin, whatever the name says.
pub(crate) fn is_symbol(symbol: &str) -> bool {
    place(symbol).is_some()
}

/// True for the symbol of a native coin's wrapper: `weth`.
pub(crate) fn is_wrapper_symbol(symbol: &str) -> bool {
    symbol.strip_prefix('w').is_some_and(|rest| rest.len() > 1 && place(rest).is_some())
}

fn place(symbol: &str) -> Option<u8> {
    let place = NATIVES.binary_search_by_key(&symbol, |(symbol, _)| symbol).ok()?;
    u8::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i6_the_native_coins_are_in_order_so_that_they_are_found() {
        assert!(NATIVES.is_sorted_by_key(|(symbol, _)| *symbol));
        assert!(native("btc", "bitcoin").is_some());
        assert_eq!(native("btc", "blackrocktradingcurrency"), None);
    }

    #[test]
    fn i6_only_wrappers_of_native_coins_are_told_by_their_symbol() {
        assert!(is_wrapper_symbol("weth") && is_wrapper_symbol("wbnb"));
        for symbol in ["waves", "win", "wax", "ws", "w", ""] {
            assert!(!is_wrapper_symbol(symbol), "{symbol}");
        }
    }
}
