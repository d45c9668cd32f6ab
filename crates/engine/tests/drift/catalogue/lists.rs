//! Mutations of the lists.

use kasparro_domain::DriftKind::{
    FieldRemoved, FieldRenamed, Nested, NewValue, NullRate, TypeChanged,
};
use kasparro_domain::DriftSeverity::Warning;
use serde_json::{Value, json};

use super::Shape::{Coins, Contracts, List};
use super::{Found, Mutation, breaking, drift, error_object, error_page, few, rows, web_page};
use crate::mutate::{remove, rename, set, set_some};

/// An object as an array of its members.
fn pairs(object: &Value) -> Value {
    let members = object.as_object().unwrap().iter();
    members.map(|(chain, address)| json!({"chain": chain, "address": address})).collect()
}

pub(super) fn all() -> Vec<Mutation> {
    vec![
        rows(
            List,
            "map to array",
            |r| set(r, "/platforms", |_, v| pairs(v)),
            breaking(Nested, "/platforms", "array"),
        ),
        rows(
            List,
            "no platforms",
            |r| set(r, "/platforms", |_, _| json!({})),
            breaking(NullRate, "/platforms", "empty"),
        ),
        rows(
            List,
            "id renamed",
            |r| rename(r, "/id", "api_id"),
            breaking(FieldRenamed, "/id", "/api_id"),
        ),
        rows(List, "fewer rows", few, Found::Refused("too_few_rows")),
        error_page(List, "error as an object", error_object, "upstream_error", "error object"),
        error_page(Coins, "web page", web_page, "not_json", "HTML"),
        rows(
            Coins,
            "flag to number",
            |r| set(r, "/is_active", |_, v| json!(u8::from(v == true))),
            breaking(TypeChanged, "/is_active", "number"),
        ),
        rows(Coins, "names removed", |r| remove(r, "/name"), breaking(FieldRemoved, "/name", "")),
        rows(
            Coins,
            "new value of the kind",
            |r| set_some(r, "/type", 1, &json!("nft")),
            drift(NewValue, "/type", Warning, "nft"),
        ),
        rows(
            Contracts,
            "address renamed",
            |r| rename(r, "/address", "contract_address"),
            breaking(FieldRenamed, "/address", "/contract_address"),
        ),
        rows(
            Contracts,
            "address to object",
            |r| set(r, "/address", |_, v| json!({"hex": v})),
            breaking(Nested, "/address", "object"),
        ),
        rows(
            Contracts,
            "no ids",
            |r| set(r, "/id", |_, _| Value::Null),
            breaking(NullRate, "/id", "null"),
        ),
    ]
}
