//! Values that are missing, and instants that cannot be.

use kasparro_domain::DriftKind::*;
use kasparro_domain::DriftSeverity::*;
use serde_json::{Value, json};

use super::super::mutate::{instants, set};
use super::super::shapes::{Shape, instant};
use super::{AT, CAP, G, Mutation, P, PRICE, m};

pub(super) fn all() -> Vec<Mutation> {
    vec![
        m("no prices", G, |r| set(r, PRICE, |_, _| Value::Null), NullRate, PRICE, Breaking, "null"),
        m(
            "few prices",
            G,
            |r| set(r, PRICE, |n, v| if n % 4 > 0 { Value::Null } else { v.clone() }),
            NullRate,
            PRICE,
            Breaking,
            "null",
        ),
        m(
            "some prices fewer",
            G,
            |r| set(r, PRICE, |n, v| if n % 3 == 0 { Value::Null } else { v.clone() }),
            NullRate,
            PRICE,
            Warning,
            "null",
        ),
        m(
            "empty symbols",
            P,
            |r| set(r, "/symbol", |_, _| json!("")),
            NullRate,
            "/symbol",
            Breaking,
            "empty",
        ),
        m("zero caps", G, |r| set(r, CAP, |_, _| json!(0)), NullRate, CAP, Breaking, "zero"),
        m(
            "zero volumes in a table",
            Shape::Table,
            |r| set(r, "/volume", |_, _| json!("0")),
            NullRate,
            "/volume",
            Breaking,
            "zero",
        ),
        m(
            "no platforms",
            Shape::List,
            |r| set(r, "/platforms", |_, _| json!({})),
            NullRate,
            "/platforms",
            Breaking,
            "empty",
        ),
        m(
            "no ids",
            Shape::Contracts,
            |r| set(r, "/id", |_, _| Value::Null),
            NullRate,
            "/id",
            Breaking,
            "null",
        ),
        m(
            "text to seconds",
            G,
            |r| instants(r, AT, |ms| json!(ms / 1000)),
            TypeChanged,
            AT,
            Warning,
            "Unix seconds",
        ),
        m(
            "text to milliseconds",
            P,
            |r| instants(r, AT, |ms| json!(ms)),
            TypeChanged,
            AT,
            Warning,
            "Unix milliseconds",
        ),
        m(
            "seconds to milliseconds",
            Shape::Table,
            |r| instants(r, "/updated", |ms| json!(ms.to_string())),
            BadInstants,
            "/updated",
            Warning,
            "Unix milliseconds",
        ),
        m(
            "seconds to microseconds",
            Shape::Table,
            |r| instants(r, "/updated", |ms| json!((ms * 1000).to_string())),
            BadInstants,
            "/updated",
            Breaking,
            "Unix microseconds",
        ),
        m(
            "local time",
            G,
            |r| {
                instants(r, AT, |ms| {
                    json!(instant(ms / 1000 + 7200).trim_end_matches('Z').replace('T', " "))
                })
            },
            TypeChanged,
            AT,
            Breaking,
            "instant without zone",
        ),
        m(
            "day first",
            G,
            |r| instants(r, AT, |ms| json!(format!("29/01/2026 {:02}:00", ms % 24))),
            TypeChanged,
            AT,
            Breaking,
            "string",
        ),
        m(
            "future",
            G,
            |r| instants(r, AT, |ms| json!(instant(ms / 1000 + 7200))),
            BadInstants,
            AT,
            Breaking,
            "future",
        ),
        m(
            "epoch",
            Shape::Table,
            |r| set(r, "/updated", |_, _| json!("0")),
            BadInstants,
            "/updated",
            Breaking,
            "epoch",
        ),
    ]
}
