//! A world in which it is decided which listings are one asset.

use kasparro_domain::{
    AssetClass, Clock as _, Contract, EdgeKind, EdgeTerms, Evidence, IdentityState, ListingId,
};
use kasparro_store::{
    EdgeRow, EvidenceChange, EvidenceRow, IdentityRow, IdentityStore as _, IdentityTotals,
    ListingRef, Resolution,
};
use serde_json::{Value, json};

use super::world::{Brought, World, attributes, known};

pub(super) const USDC: &str = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48";

impl World {
    /// A list of the source states contracts of a listing that is known: chain and address.
    pub(super) async fn state(&mut self, source: &str, id: &str, contracts: &[(&str, &str)]) {
        self.bring(source, |memory, _| {
            let listing = ListingRef::Stored(known(memory, id).unwrap());
            let contract = |(platform, address): &(&str, &str)| Contract {
                platform: (*platform).into(),
                address: (*address).into(),
            };
            let row = EvidenceRow {
                ordinal: 0,
                change: EvidenceChange::Stated { listing },
                endpoint: "coins_list".into(),
                evidence: Evidence {
                    external_id: id.into(),
                    part: "".into(),
                    attributes: attributes("USDC", "USD Coin"),
                    contracts: contracts.iter().map(contract).collect(),
                    active: None,
                    kind: None,
                    same_as: Vec::new(),
                },
                content_hash: 7,
            };
            Brought { evidence: vec![row], ..Brought::default() }
        })
        .await;
    }

    /// Decides about listings and shows it.
    pub(super) async fn resolve(&self, rows: Vec<IdentityRow>) {
        let position = self.kept.identity_position().await.unwrap();
        let resolution = Resolution {
            evidence_version: position.evidence_version,
            follows: position.resolved.map(|row| row.generation),
            rule_version: "identity/1".to_owned(),
            resolved_at: self.clock.now(),
            rows,
            totals: IdentityTotals { listings: 5, assets: 3, linked: 4, ambiguous: 1 },
            pending: false,
            alerts: Vec::new(),
            send_alerts: false,
        };
        self.kept.commit_resolution(resolution).await.unwrap();
        self.refresh().await;
    }
}

pub(super) fn decided(
    listing: i64,
    founder: i64,
    class: AssetClass,
    state: IdentityState,
) -> IdentityRow {
    IdentityRow {
        listing_id: ListingId(listing),
        founder: ListingId(founder),
        class,
        state,
        confidence: (state == IdentityState::Linked).then_some(9_987),
        candidates: json!([]),
        edges: Vec::new(),
    }
}

/// Bitcoin (1, 3), USD Coin (2, 4) and another one that calls itself BTC (5), not looked at yet.
pub(super) async fn apart() -> World {
    let mut world = World::new();
    let paprika = [
        ("btc-bitcoin", "BTC", "Bitcoin", Some("46000.5")),
        ("usdc-usd-coin", "USDC", "USD Coin", Some("1.01")),
    ];
    world.commit("coinpaprika", &paprika).await;
    let gecko = [
        ("bitcoin", "btc", "Bitcoin", Some("46100.5")),
        ("usd-coin", "usdc", "USDC", Some("1")),
        ("bitcoin-b", "btc", "Bitcoin B", Some("3")),
    ];
    world.commit("coingecko", &gecko).await;
    world.state("coinpaprika", "usdc-usd-coin", &[("eth-ethereum", &USDC.to_lowercase())]).await;
    let gecko = [("ethereum", USDC), ("solana", "EPjFWdd5AufqSSqeM2q"), ("near", "0x0")];
    world.state("coingecko", "usd-coin", &gecko).await;
    world.refresh().await;
    world
}

/// The same, decided: 3 is 1, 4 is 2, and of 5 it stays open.
pub(super) async fn resolved() -> World {
    let world = apart().await;
    let feature = |name: &str, centibits: i32| json!({"name": name, "detail": "btc and BTC", "centibits": centibits});
    let candidate = |id: &str, verdict: &str, centibits: i32| {
        json!({"key": {"source": "coinpaprika", "external_id": id}, "verdict": verdict, "why": "names differ",
               "centibits": centibits, "features": [feature("symbol_equal", 1234), feature("name_differs", -567)]})
    };
    let bitcoin_b = IdentityRow {
        candidates: json!([
            candidate("btc-bitcoin", "review", 667),
            candidate("gone", "rejected", -5)
        ]),
        edges: vec![EdgeRow {
            kind: EdgeKind::ForkedFrom,
            to: ListingId(3),
            why: "its name says so".into(),
            terms: EdgeTerms::default(),
        }],
        ..decided(5, 5, AssetClass::Coin, IdentityState::Ambiguous)
    };
    let rows = vec![
        decided(1, 1, AssetClass::Other, IdentityState::Linked),
        decided(2, 2, AssetClass::Stablecoin, IdentityState::Linked),
        decided(3, 1, AssetClass::Coin, IdentityState::Linked),
        decided(4, 2, AssetClass::Token, IdentityState::Linked),
        bitcoin_b,
    ];
    world.resolve(rows).await;
    world
}

/// The ids of the rows of a page.
pub(super) fn ids(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}
