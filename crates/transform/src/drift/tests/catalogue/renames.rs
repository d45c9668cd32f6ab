//! Members under another name.

use kasparro_domain::DriftKind::*;
use kasparro_domain::DriftSeverity::*;
use serde_json::json;

use super::super::mutate::{number, remove, rename};
use super::super::shapes::Shape;
use super::{AT, CAP, G, Mutation, P, PRICE, USD, m};

pub(super) fn all() -> Vec<Mutation> {
    vec![
        m(
            "snake to camel",
            G,
            |r| rename(r, PRICE, "currentPrice"),
            FieldRenamed,
            PRICE,
            Breaking,
            "/currentPrice",
        ),
        m(
            "prefix",
            G,
            |r| rename(r, CAP, "usd_market_cap"),
            FieldRenamed,
            CAP,
            Breaking,
            "/usd_market_cap",
        ),
        m(
            "abbreviated",
            G,
            |r| rename(r, "/total_volume", "vol"),
            FieldRenamed,
            "/total_volume",
            Breaking,
            "/vol",
        ),
        m("another word", G, |r| rename(r, PRICE, "last"), FieldRenamed, PRICE, Breaking, "/last"),
        m(
            "text renamed",
            G,
            |r| rename(r, "/symbol", "ticker"),
            FieldRenamed,
            "/symbol",
            Breaking,
            "/ticker",
        ),
        m(
            "instant renamed",
            G,
            |r| rename(r, AT, "updated_at"),
            FieldRenamed,
            AT,
            Breaking,
            "/updated_at",
        ),
        m(
            "id renamed",
            G,
            |r| rename(r, "/id", "coin_id"),
            FieldRenamed,
            "/id",
            Breaking,
            "/coin_id",
        ),
        m(
            "unread member renamed",
            G,
            |r| rename(r, "/ath_date", "athDate"),
            FieldRenamed,
            "/ath_date",
            Info,
            "/athDate",
        ),
        m(
            "object renamed",
            P,
            |r| rename(r, "/quotes/USD", "usd"),
            FieldRenamed,
            "/quotes/USD",
            Breaking,
            "/quotes/usd",
        ),
        m(
            "inner member renamed",
            P,
            |r| rename(r, "/quotes/USD/market_cap", "cap"),
            FieldRenamed,
            "/quotes/USD/market_cap",
            Breaking,
            "/quotes/USD/cap",
        ),
        m(
            "moved up",
            P,
            |r| {
                for row in r.iter_mut() {
                    row["price_usd"] = row["quotes"]["USD"]["price"].clone();
                }
                remove(r, USD);
            },
            FieldRenamed,
            USD,
            Breaking,
            "/price_usd",
        ),
        m(
            "column renamed",
            Shape::Table,
            |r| rename(r, "/market cap", "Market Capitalization"),
            FieldRenamed,
            "/market cap",
            Breaking,
            "/Market Capitalization",
        ),
        m(
            "address renamed",
            Shape::Contracts,
            |r| rename(r, "/address", "contract_address"),
            FieldRenamed,
            "/address",
            Breaking,
            "/contract_address",
        ),
        Mutation {
            also: &["/market_cap"],
            ..m(
                "two at once",
                G,
                |r| {
                    rename(r, PRICE, "price");
                    rename(r, CAP, "mcap");
                },
                FieldRenamed,
                PRICE,
                Breaking,
                "/price",
            )
        },
        Mutation {
            also: &["/circulating_supply"],
            ..m(
                "two alike at once",
                G,
                |r| {
                    rename(r, "/total_supply", "supply_total");
                    rename(r, "/circulating_supply", "supply_circulating");
                },
                FieldRenamed,
                "/total_supply",
                Breaking,
                "/supply_total",
            )
        },
        m(
            "renamed beside new members",
            G,
            |r| {
                for row in r.iter_mut() {
                    row["price_open"] = json!(number(&row["current_price"]) * 1.2);
                    row["price_index"] = json!(7);
                }
                rename(r, PRICE, "price_close");
            },
            FieldRenamed,
            PRICE,
            Breaking,
            "/price_close",
        ),
    ]
}
