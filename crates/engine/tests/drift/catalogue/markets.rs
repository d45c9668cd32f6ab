//! Mutations of CoinGecko's markets.

use kasparro_domain::DriftKind::{
    BadInstants, Distribution, FieldAdded, FieldRemoved, FieldRenamed, Frozen, Inverted, Nested,
    NullRate, Precision, TypeChanged, UnitFlip,
};
use kasparro_domain::DriftSeverity::{Info, Warning};
use kasparro_testkit::Reply;
use serde_json::{Value, json};

use super::Shape::Markets as M;
use super::{
    Change, Found, Mutation, answer, breaking, drift, error_object, error_page, few, half, rows,
    web_page,
};
use crate::mutate::{
    add, exchange, instant, instants, number, remove, rename, scale, set, set_some, shuffle,
};

const PRICE: &str = "/current_price";
const CAP: &str = "/market_cap";
const CHANGE: &str = "/price_change_percentage_24h";
const AT: &str = "/last_updated";

fn too_many(_: &str) -> Reply {
    Reply::json(
        r#"{"status":{"error_code":429,"error_message":"You've exceeded the Rate Limit."}}"#,
    )
}

fn message(_: &str) -> Reply {
    Reply::json(r#"{"message":"scheduled maintenance"}"#)
}

fn unknown_object(_: &str) -> Reply {
    Reply::json(r#"{"coins":{},"next":null}"#)
}

/// Rounded to three digits.
fn coarse(value: &Value) -> Value {
    json!(format!("{:.2e}", number(value)).parse::<f64>().unwrap())
}

pub(super) fn all() -> Vec<Mutation> {
    [structure(), values(), times(), answers()].into_iter().flatten().collect()
}

fn structure() -> Vec<Mutation> {
    let renamed = |pointer, to| breaking(FieldRenamed, pointer, to);
    vec![
        rows(
            M,
            "snake to camel",
            |r| rename(r, PRICE, "currentPrice"),
            renamed(PRICE, "/currentPrice"),
        ),
        rows(M, "another word", |r| rename(r, PRICE, "last"), renamed(PRICE, "/last")),
        rows(M, "prefix", |r| rename(r, CAP, "usd_market_cap"), renamed(CAP, "/usd_market_cap")),
        rows(M, "id renamed", |r| rename(r, "/id", "coin_id"), renamed("/id", "/coin_id")),
        rows(M, "text renamed", |r| rename(r, "/symbol", "ticker"), renamed("/symbol", "/ticker")),
        rows(M, "instant renamed", |r| rename(r, AT, "updated_at"), renamed(AT, "/updated_at")),
        Mutation {
            also: &[CAP],
            ..rows(
                M,
                "two renamed at once",
                |r| {
                    rename(r, PRICE, "price");
                    rename(r, CAP, "mcap");
                },
                renamed(PRICE, "/price"),
            )
        },
        rows(
            M,
            "cap removed, its sibling stays",
            |r| remove(r, CAP),
            breaking(FieldRemoved, CAP, ""),
        ),
        rows(
            M,
            "a sibling of the name appears",
            |r| {
                remove(r, CAP);
                add(r, "/market_cap_dominance", &json!(0.4));
            },
            breaking(FieldRemoved, CAP, ""),
        ),
        rows(M, "instant removed", |r| remove(r, AT), breaking(FieldRemoved, AT, "")),
        rows(
            M,
            "unread member removed",
            |r| remove(r, "/image"),
            drift(FieldRemoved, "/image", Info, ""),
        ),
        rows(
            M,
            "member added",
            |r| add(r, "/has_breakdown", &json!(false)),
            drift(FieldAdded, "/has_breakdown", Info, "flag"),
        ),
        rows(
            M,
            "number to text",
            |r| set(r, PRICE, |_, v| json!(v.to_string())),
            drift(TypeChanged, PRICE, Warning, "number as text"),
        ),
        rows(
            M,
            "number to unreadable text",
            |r| set(r, PRICE, |_, v| json!(format!("${v}"))),
            breaking(TypeChanged, PRICE, "string"),
        ),
        rows(
            M,
            "id to number",
            |r| set(r, "/id", |n, _| json!(n)),
            breaking(TypeChanged, "/id", "number"),
        ),
        rows(
            M,
            "nested deeper",
            |r| set(r, PRICE, |_, v| json!({"eur": number(v) * 0.3, "usd": v})),
            breaking(Nested, PRICE, "object"),
        ),
        rows(
            M,
            "value to array",
            |r| set(r, "/symbol", |_, v| json!([v])),
            breaking(Nested, "/symbol", "array"),
        ),
    ]
}

fn values() -> Vec<Mutation> {
    let unit = |pointer, factor| breaking(UnitFlip, pointer, factor);
    vec![
        rows(
            M,
            "no prices",
            |r| set(r, PRICE, |_, _| Value::Null),
            breaking(NullRate, PRICE, "null"),
        ),
        rows(
            M,
            "six prices of ten are null",
            |r| set_some(r, PRICE, 6, &Value::Null),
            breaking(NullRate, PRICE, "null"),
        ),
        Mutation {
            unknown: true,
            ..rows(
                M,
                "three caps of ten are null",
                |r| set_some(r, CAP, 3, &Value::Null),
                drift(NullRate, CAP, Warning, "null"),
            )
        },
        rows(
            M,
            "prices of zero",
            |r| set(r, PRICE, |_, _| json!(0)),
            breaking(NullRate, PRICE, "zero"),
        ),
        rows(M, "cents", |r| scale(r, PRICE, 100.0), unit(PRICE, "x100")),
        rows(M, "hundreds", |r| scale(r, PRICE, 0.01), unit(PRICE, "x1e-2")),
        rows(M, "millionths", |r| scale(r, PRICE, 1e6), unit(PRICE, "x1e6")),
        rows(M, "caps in millions", |r| scale(r, CAP, 1e-6), unit(CAP, "x1e-6")),
        rows(
            M,
            "supply in wei",
            |r| scale(r, "/total_supply", 1e18),
            unit("/total_supply", "x1e18"),
        ),
        rows(M, "percent to fraction", |r| scale(r, CHANGE, 0.01), unit(CHANGE, "x1e-2")),
        rows(M, "another currency", |r| scale(r, PRICE, 147.3), breaking(Distribution, PRICE, "")),
        rows(
            M,
            "inverted",
            |r| set(r, PRICE, |_, v| json!(1.0 / number(v))),
            breaking(Inverted, PRICE, ""),
        ),
        Mutation {
            also: &[CAP],
            ..rows(
                M,
                "price and cap exchanged",
                |r| exchange(r, PRICE, CAP),
                breaking(Distribution, PRICE, CAP),
            )
        },
        rows(M, "prices of other coins", |r| shuffle(r, PRICE), breaking(Distribution, PRICE, "")),
        rows(
            M,
            "rounded prices",
            |r| set(r, PRICE, |_, v| coarse(v)),
            breaking(Precision, PRICE, ""),
        ),
        rows(M, "fewer rows", few, Found::Refused("too_few_rows")),
        rows(
            M,
            "three rows of ten are bad",
            |r| set_some(r, CAP, 3, &json!(-1)),
            Found::Refused("too_many_bad_rows"),
        ),
        rows(
            M,
            "one row of ten is bad",
            |r| set_some(r, CAP, 1, &json!(-1)),
            Found::Rows(10, "negative_value"),
        ),
    ]
}

fn times() -> Vec<Mutation> {
    let kind = |after| breaking(TypeChanged, AT, after);
    vec![
        rows(
            M,
            "text to seconds",
            |r| instants(r, AT, |ms| json!(ms / 1000)),
            drift(TypeChanged, AT, Warning, "Unix seconds"),
        ),
        rows(
            M,
            "text to microseconds",
            |r| instants(r, AT, |ms| json!(ms * 1000)),
            kind("Unix microseconds"),
        ),
        rows(
            M,
            "local time",
            |r| {
                let local =
                    |ms: i64| instant(ms + 7_200_000).trim_end_matches('Z').replace('T', " ");
                instants(r, AT, |ms| json!(local(ms)));
            },
            kind("instant without zone"),
        ),
        rows(
            M,
            "day first",
            |r| instants(r, AT, |ms| json!(format!("29/01/2026 {:02}:00", ms % 24))),
            kind("string"),
        ),
        rows(
            M,
            "two hours ahead",
            |r| instants(r, AT, |ms| json!(instant(ms + 7_200_000))),
            breaking(BadInstants, AT, "future"),
        ),
        rows(
            M,
            "milliseconds taken for seconds",
            |r| instants(r, AT, |ms| json!(instant(ms / 1000))),
            breaking(BadInstants, AT, "epoch"),
        ),
        Mutation {
            name: "standstill",
            shape: M,
            change: Change::Standstill(8),
            found: drift(Frozen, AT, Warning, ""),
            also: &[],
            unknown: false,
        },
    ]
}

fn answers() -> Vec<Mutation> {
    vec![
        error_page(M, "web page", web_page, "not_json", "HTML"),
        error_page(M, "refusal as an object", too_many, "rate_limited", "error object"),
        error_page(M, "error as an object", error_object, "upstream_error", "error object"),
        error_page(M, "message as an object", message, "wrong_shape", "error object"),
        answer(M, "unknown object", unknown_object, "wrong_shape"),
        answer(M, "cut off", half, "truncated"),
    ]
}
