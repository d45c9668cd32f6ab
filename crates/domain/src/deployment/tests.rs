use std::collections::HashSet;

use super::*;

fn of(platform: &str, address: &str) -> Option<String> {
    let contract = Contract { platform: platform.into(), address: address.into() };
    Deployment::of(&contract).map(|deployment| deployment.to_string())
}

const USDC: &str = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

#[test]
fn i6_sources_that_spell_chain_and_address_differently_state_one_deployment() {
    let ethereum = Some(format!("eip155:1/{}", USDC.to_lowercase()));
    for platform in ["ethereum", "eth-ethereum", "1", "0x1", "eip155:1", "Ethereum", " ethereum "] {
        assert_eq!(of(platform, USDC), ethereum, "{platform}");
    }
    assert_eq!(of("sol-solana", "So11"), of("solana", "So11"));
    assert_eq!(of("0x65", "So11"), of("solana", "So11"));
    assert_eq!(of("avax-avalanche", USDC), of("0xa86a", USDC));
    assert_eq!(of("Binance Smart Chain", USDC), of("bnb-binance-coin", USDC));
    assert_ne!(of("ethereum", USDC), of("base", USDC));
}

#[test]
fn i6_an_address_has_one_spelling_per_family() {
    for (platform, spellings) in [
        (
            "xdc-network",
            [
                "xdc28DFdFFd45B24E2E4D2A4d9dC4c1F0e8f5B1234A",
                "0x28dfdffd45b24e2e4d2a4d9dc4c1f0e8f5b1234a",
            ],
        ),
        ("sui", ["0x0002::sui::SUI", "0x2::sui::SUI"]),
        ("aptos", ["0x01::aptos_coin::AptosCoin", "0x1::aptos_coin::AptosCoin"]),
        ("hedera-hashgraph", ["0x00000000000000000000000000000000007872cb", "0.0.7893707"]),
        (
            "neo",
            [
                "0xED07CFFAD18F1308DB51920D99A2AF60AC66A7B3",
                "ed07cffad18f1308db51920d99a2af60ac66a7b3",
            ],
        ),
    ] {
        assert_eq!(of(platform, spellings[0]), of(platform, spellings[1]), "{platform}");
        assert!(of(platform, spellings[0]).is_some(), "{platform}");
    }
}

#[test]
fn i6_case_counts_where_the_chain_says_so() {
    for platform in ["solana", "tron", "the-open-network", "stellar"] {
        assert_ne!(of(platform, "AbC"), of(platform, "abc"), "{platform}");
    }
    assert_ne!(of("sui", "0x2::sui::SUI"), of("sui", "0x2::sui::Sui"));
}

#[test]
fn i6_what_stands_for_no_contract_is_no_deployment() {
    let zero = format!("0x{}", "0".repeat(40));
    let native = format!("0x{}", "Ee".repeat(20));
    for address in ["", " ", "0x", "0x0", "0", &zero, &native, "native"] {
        assert_eq!(of("ethereum", address), None, "{address:?}");
        assert_eq!(of("never-heard-of", address), None, "{address:?}");
    }
    assert_eq!(of("", USDC), None);
}

#[test]
fn i6_bnb_lists_both_of_its_chains_under_one_name() {
    assert_eq!(
        of("bnb-binance-coin", "RUNE-B1A").as_deref(),
        Some("binance-beacon-chain/RUNE-B1A")
    );
}

#[test]
fn i6_an_address_of_another_form_is_on_another_chain() {
    assert_eq!(
        of("sei-network", "factory/sei1/usei").as_deref(),
        Some("sei-v2-other/factory/sei1/usei")
    );
    assert_eq!(of("sei-network", USDC), of("sei-v2", USDC));
}

#[test]
fn i6_an_unknown_chain_stands_for_itself() {
    assert_eq!(of("New Chain_X", "AbC").as_deref(), Some("new-chain-x/AbC"));
    assert_eq!(of("bridged-ethereum", "AbC").as_deref(), Some("bridged-ethereum/AbC"));
    assert_eq!(of("424242", USDC).map(|text| text.starts_with("eip155:424242/")), Some(true));
}

#[test]
fn i6_no_name_stands_for_two_chains() {
    let mut seen = HashSet::new();
    for (chain, _, names) in chains::CHAINS {
        for name in std::iter::once(*chain).chain(names.split(' ')) {
            assert!(seen.insert(name), "{name} is there twice");
            assert!(Deployment::chain_name(name).as_deref() == Some(*chain), "{name}");
        }
    }
}
