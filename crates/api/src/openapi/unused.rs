//! What the document describes and nothing in it uses: types whose members stand in others that hold them.

use std::collections::BTreeSet;

use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::SCHEMAS;

/// Leaves out schemas that nothing leads to.
pub(super) fn remove(document: &mut OpenApi) {
    let Ok(mut whole) = serde_json::to_value(&*document) else { return };
    let schemas = whole.pointer_mut("/components/schemas").map(Value::take).unwrap_or_default();
    let mut used = BTreeSet::new();
    let mut next = references(&whole);
    while let Some(name) = next.pop() {
        if let Some(schema) = schemas.get(&name) {
            next.extend(references(schema).into_iter().filter(|name| !used.contains(name)));
        }
        used.insert(name);
    }
    if let Some(components) = &mut document.components {
        components.schemas.retain(|name, _| used.contains(name));
    }
}

/// The schemas that a part of the document leads to.
fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => {
            let named = members.get("$ref").and_then(|name| name.as_str()?.strip_prefix(SCHEMAS));
            let inner = members.values().flat_map(references);
            named.map(str::to_owned).into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}
