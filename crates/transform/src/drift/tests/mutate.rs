//! The hands that change rows.

use serde_json::{Map, Value, json};

/// Changes the object at `outer` in each row.
fn each(rows: &mut [Value], outer: &str, change: impl Fn(&mut Map<String, Value>)) {
    for row in rows {
        if let Some(object) = row.pointer_mut(outer).and_then(Value::as_object_mut) {
            change(object);
        }
    }
}

fn split(pointer: &str) -> (&str, &str) {
    let at = pointer.rfind('/').unwrap();
    (&pointer[..at], &pointer[at + 1..])
}

pub(super) fn rename(rows: &mut [Value], pointer: &str, name: &str) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| {
        if let Some(value) = object.remove(key) {
            object.insert(name.to_owned(), value);
        }
    });
}

pub(super) fn remove(rows: &mut [Value], pointer: &str) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| {
        object.remove(key);
    });
}

pub(super) fn add(rows: &mut [Value], pointer: &str, value: &Value) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| {
        object.insert(key.to_owned(), value.clone());
    });
}

/// Changes the values at `pointer` that are not null; the number is the row's.
pub(super) fn set(rows: &mut [Value], pointer: &str, change: impl Fn(usize, &Value) -> Value) {
    for (number, row) in rows.iter_mut().enumerate() {
        if let Some(value) = row.pointer_mut(pointer).filter(|value| !value.is_null()) {
            *value = change(number, value);
        }
    }
}

/// A number, sent as such or as a text.
pub(super) fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
}

pub(super) fn scale(rows: &mut [Value], pointer: &str, factor: f64) {
    set(rows, pointer, |_, value| {
        let scaled = number(value) * factor;
        if value.is_string() { json!(scaled.to_string()) } else { json!(scaled) }
    });
}

pub(super) fn swap(rows: &mut [Value], one: &str, other: &str) {
    for row in rows {
        let (a, b) = (row.pointer(one).cloned(), row.pointer(other).cloned());
        if let (Some(a), Some(b)) = (a, b) {
            *row.pointer_mut(one).unwrap() = b;
            *row.pointer_mut(other).unwrap() = a;
        }
    }
}

pub(super) fn text(rows: &mut [Value], pointer: &str) {
    set(rows, pointer, |_, value| json!(value.to_string()));
}

/// The same instants, written by `write` from Unix milliseconds.
pub(super) fn instants(rows: &mut [Value], pointer: &str, write: impl Fn(i64) -> Value) {
    set(rows, pointer, |_, value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        write(kasparro_domain::Timestamp::parse(&text).unwrap().as_millis())
    });
}
