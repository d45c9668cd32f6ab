//! Mutations of CoinPaprika's tickers.

use kasparro_domain::DriftKind::{
    Distribution, FieldAdded, FieldRemoved, FieldRenamed, Nested, NullRate, TypeChanged, UnitFlip,
};
use kasparro_domain::DriftSeverity::{Info, Warning};
use kasparro_testkit::Reply;
use serde_json::{Value, json};

use super::Shape::Tickers as T;
use super::{
    Found, Mutation, answer, breaking, drift, error_object, error_page, few, half, rows, web_page,
};
use crate::mutate::{add, exchange, instants, remove, rename, scale, set, set_some};

const PRICE: &str = "/quotes/USD/price";
const CAP: &str = "/quotes/USD/market_cap";
const VOLUME: &str = "/quotes/USD/volume_24h";
const CHANGE: &str = "/quotes/USD/percent_change_24h";
const AT: &str = "/last_updated";

fn no_rows(_: &str) -> Reply {
    Reply::json("[]")
}

pub(super) fn all() -> Vec<Mutation> {
    [structure(), values(), answers()].into_iter().flatten().collect()
}

fn structure() -> Vec<Mutation> {
    let renamed = |pointer, to| breaking(FieldRenamed, pointer, to);
    vec![
        rows(
            T,
            "object renamed",
            |r| rename(r, "/quotes/USD", "usd"),
            renamed("/quotes/USD", "/quotes/usd"),
        ),
        rows(T, "inner member renamed", |r| rename(r, CAP, "cap"), renamed(CAP, "/quotes/USD/cap")),
        rows(
            T,
            "moved up",
            |r| {
                for row in r.iter_mut() {
                    row["price_usd"] = row["quotes"]["USD"]["price"].clone();
                }
                remove(r, PRICE);
            },
            renamed(PRICE, "/price_usd"),
        ),
        rows(T, "object removed", |r| remove(r, "/quotes"), breaking(FieldRemoved, "/quotes", "")),
        rows(
            T,
            "object to array",
            |r| set(r, "/quotes", |_, v| json!([v["USD"]])),
            breaking(Nested, "/quotes", "array"),
        ),
        rows(
            T,
            "object to value",
            |r| set(r, "/quotes", |_, v| v["USD"]["price"].clone()),
            breaking(Nested, "/quotes", "number"),
        ),
        rows(
            T,
            "inner member added",
            |r| add(r, "/quotes/USD/percent_change_2y", &json!(3.5)),
            drift(FieldAdded, "/quotes/USD/percent_change_2y", Info, "number"),
        ),
        rows(
            T,
            "text to milliseconds",
            |r| instants(r, AT, |ms| json!(ms)),
            drift(TypeChanged, AT, Warning, "Unix milliseconds"),
        ),
    ]
}

fn values() -> Vec<Mutation> {
    let unit = |pointer, factor| breaking(UnitFlip, pointer, factor);
    vec![
        rows(T, "satoshi", |r| scale(r, PRICE, 1e8), unit(PRICE, "x1e8")),
        rows(T, "volumes in thousands", |r| scale(r, VOLUME, 1e-3), unit(VOLUME, "x1e-3")),
        rows(T, "percent to basis points", |r| scale(r, CHANGE, 100.0), unit(CHANGE, "x100")),
        Mutation {
            also: &[VOLUME],
            ..rows(
                T,
                "cap and volume exchanged",
                |r| exchange(r, CAP, VOLUME),
                breaking(Distribution, CAP, VOLUME),
            )
        },
        rows(T, "caps of zero", |r| set(r, CAP, |_, _| json!(0)), breaking(NullRate, CAP, "zero")),
        rows(
            T,
            "no supplies",
            |r| set(r, "/circulating_supply", |_, _| Value::Null),
            breaking(NullRate, "/circulating_supply", "null"),
        ),
        rows(T, "fewer rows", few, Found::Refused("too_few_rows")),
        rows(
            T,
            "three rows of ten are bad",
            |r| set_some(r, "/id", 3, &json!(7)),
            breaking(TypeChanged, "/id", "number"),
        ),
        rows(
            T,
            "one row of ten is bad",
            |r| set_some(r, PRICE, 1, &json!("n/a")),
            Found::Rows(10, "bad_number"),
        ),
    ]
}

fn answers() -> Vec<Mutation> {
    vec![
        error_page(T, "web page", web_page, "not_json", "HTML"),
        error_page(T, "error as an object", error_object, "upstream_error", "error object"),
        answer(T, "no rows", no_rows, "empty_answer"),
        answer(T, "cut off", half, "truncated"),
    ]
}
