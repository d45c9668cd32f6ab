//! Members gone, new, of another kind or elsewhere.

use kasparro_domain::DriftKind::*;
use kasparro_domain::DriftSeverity::*;
use serde_json::json;

use super::super::mutate::{add, remove, set, text};
use super::super::shapes::Shape;
use super::{AT, CAP, G, Mutation, P, PRICE, m};

pub(super) fn all() -> Vec<Mutation> {
    vec![
        m("sibling trap", G, |r| remove(r, CAP), FieldRemoved, CAP, Breaking, ""),
        m(
            "sibling of the name appears",
            G,
            |r| {
                remove(r, CAP);
                add(r, "/market_cap_dominance", &json!(0.4));
            },
            FieldRemoved,
            CAP,
            Breaking,
            "",
        ),
        m("instant removed", G, |r| remove(r, AT), FieldRemoved, AT, Breaking, ""),
        m("unread member removed", G, |r| remove(r, "/image"), FieldRemoved, "/image", Info, ""),
        m("object removed", P, |r| remove(r, "/quotes"), FieldRemoved, "/quotes", Breaking, ""),
        m(
            "column removed",
            Shape::Table,
            |r| remove(r, "/volume"),
            FieldRemoved,
            "/volume",
            Breaking,
            "",
        ),
        m(
            "member added",
            G,
            |r| add(r, "/sparkline", &json!({"price": [1.0, 2.0]})),
            FieldAdded,
            "/sparkline",
            Info,
            "object",
        ),
        m(
            "inner member added",
            P,
            |r| add(r, "/quotes/USD/percent_change_2y", &json!(3.5)),
            FieldAdded,
            "/quotes/USD/percent_change_2y",
            Info,
            "number",
        ),
        m("number to text", G, |r| text(r, PRICE), TypeChanged, PRICE, Warning, "number as text"),
        m(
            "number to unreadable text",
            G,
            |r| set(r, PRICE, |_, v| json!(format!("${v}"))),
            TypeChanged,
            PRICE,
            Breaking,
            "string",
        ),
        m(
            "number with thousands",
            Shape::Table,
            |r| set(r, "/market cap", |_, v| json!(format!("1,{}", v.as_str().unwrap()))),
            TypeChanged,
            "/market cap",
            Breaking,
            "string",
        ),
        m(
            "id to number",
            G,
            |r| set(r, "/id", |n, _| json!(n)),
            TypeChanged,
            "/id",
            Breaking,
            "number",
        ),
        m(
            "flag to number",
            Shape::Coins,
            |r| set(r, "/is_active", |_, v| json!(u8::from(v.as_bool().unwrap()))),
            TypeChanged,
            "/is_active",
            Breaking,
            "number",
        ),
        m(
            "nested deeper",
            G,
            |r| set(r, PRICE, |_, v| json!({"eur": v.as_f64().map(|v| v * 0.3), "usd": v})),
            Nested,
            PRICE,
            Breaking,
            "object",
        ),
        m(
            "value to array",
            G,
            |r| set(r, "/symbol", |_, v| json!([v])),
            Nested,
            "/symbol",
            Breaking,
            "array",
        ),
        m(
            "object to array",
            P,
            |r| set(r, "/quotes", |_, v| json!([v["USD"]])),
            Nested,
            "/quotes",
            Breaking,
            "array",
        ),
        m(
            "map to array",
            Shape::List,
            |r| {
                set(r, "/platforms", |_, v| {
                    json!(
                        v.as_object()
                            .unwrap()
                            .iter()
                            .map(|(k, v)| json!({"chain": k, "address": v}))
                            .collect::<Vec<_>>()
                    )
                })
            },
            Nested,
            "/platforms",
            Breaking,
            "array",
        ),
        m(
            "object to value",
            P,
            |r| set(r, "/quotes", |_, v| v["USD"]["price"].clone()),
            Nested,
            "/quotes",
            Breaking,
            "number",
        ),
        m(
            "new value",
            Shape::Coins,
            |r| set(r, "/type", |n, v| if n % 20 == 0 { json!("nft") } else { v.clone() }),
            NewValue,
            "/type",
            Warning,
            "nft",
        ),
        m(
            "values in capitals",
            Shape::Contracts,
            |r| set(r, "/type", |_, v| json!(v.as_str().unwrap().to_lowercase())),
            NewValue,
            "/type",
            Info,
            "erc20",
        ),
    ]
}
