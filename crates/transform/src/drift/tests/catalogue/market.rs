//! Units, pairs and digits, and a market that stands still.

use kasparro_domain::DriftKind::*;
use kasparro_domain::DriftSeverity::*;
use serde_json::{Value, json};

use super::super::mutate::{scale, set, swap};
use super::super::shapes::Shape;
use super::{AT, CAP, CHANGE, G, Mutation, P, PRICE, USD, m};

pub(super) fn all() -> Vec<Mutation> {
    vec![
        m("cents", G, |r| scale(r, PRICE, 100.0), UnitFlip, PRICE, Breaking, "x100"),
        m("millionths", G, |r| scale(r, PRICE, 1e6), UnitFlip, PRICE, Breaking, "x1e6"),
        m("millions", G, |r| scale(r, CAP, 1e-6), UnitFlip, CAP, Breaking, "x1e-6"),
        m(
            "wei",
            G,
            |r| scale(r, "/total_supply", 1e18),
            UnitFlip,
            "/total_supply",
            Breaking,
            "x1e18",
        ),
        m("satoshi", P, |r| scale(r, USD, 1e8), UnitFlip, USD, Breaking, "x1e8"),
        m(
            "thousands in a table",
            Shape::Table,
            |r| scale(r, "/volume", 1e-3),
            UnitFlip,
            "/volume",
            Breaking,
            "x1e-3",
        ),
        m(
            "percent to fraction",
            G,
            |r| scale(r, CHANGE, 0.01),
            UnitFlip,
            CHANGE,
            Breaking,
            "x1e-2",
        ),
        m(
            "percent to basis points",
            P,
            |r| scale(r, "/quotes/USD/percent_change_24h", 100.0),
            UnitFlip,
            "/quotes/USD/percent_change_24h",
            Breaking,
            "x100",
        ),
        m("another currency", P, |r| scale(r, USD, 147.3), Distribution, USD, Breaking, ""),
        m(
            "inverted",
            G,
            |r| set(r, PRICE, |_, v| json!(1.0 / v.as_f64().unwrap())),
            Inverted,
            PRICE,
            Breaking,
            "",
        ),
        Mutation {
            also: &[CAP],
            ..m(
                "price and cap swapped",
                G,
                |r| swap(r, PRICE, CAP),
                Distribution,
                PRICE,
                Breaking,
                CAP,
            )
        },
        Mutation {
            also: &["/quotes/USD/volume_24h"],
            ..m(
                "cap and volume swapped",
                P,
                |r| swap(r, "/quotes/USD/market_cap", "/quotes/USD/volume_24h"),
                Distribution,
                "/quotes/USD/market_cap",
                Breaking,
                "/quotes/USD/volume_24h",
            )
        },
        m(
            "prices of other coins",
            G,
            |r| {
                let prices: Vec<Value> = r.iter().map(|row| row["current_price"].clone()).collect();
                set(r, PRICE, |n, _| prices[(n * 83 + 41) % prices.len()].clone());
            },
            Distribution,
            PRICE,
            Breaking,
            "values far from those before",
        ),
        m(
            "rounded prices",
            P,
            |r| {
                set(r, USD, |_, v| {
                    json!(format!("{:.2e}", v.as_f64().unwrap()).parse::<f64>().unwrap())
                })
            },
            Precision,
            USD,
            Breaking,
            "",
        ),
        Mutation { hours: 8, ..m("standstill", G, |_| {}, Frozen, AT, Warning, "") },
    ]
}
