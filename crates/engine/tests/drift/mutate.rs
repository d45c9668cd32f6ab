//! The hands that change rows.

use kasparro_domain::Timestamp;
use serde_json::{Map, Value, json};

fn split(pointer: &str) -> (&str, &str) {
    pointer.rsplit_once('/').unwrap()
}

/// Changes the object at `outer` in each row.
fn each(rows: &mut [Value], outer: &str, change: impl Fn(&mut Map<String, Value>)) {
    for row in rows {
        if let Some(object) = row.pointer_mut(outer).and_then(Value::as_object_mut) {
            change(object);
        }
    }
}

pub(crate) fn rename(rows: &mut [Value], pointer: &str, name: &str) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| {
        if let Some(value) = object.remove(key) {
            object.insert(name.to_owned(), value);
        }
    });
}

pub(crate) fn remove(rows: &mut [Value], pointer: &str) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| drop(object.remove(key)));
}

pub(crate) fn add(rows: &mut [Value], pointer: &str, value: &Value) {
    let (outer, key) = split(pointer);
    each(rows, outer, |object| drop(object.insert(key.to_owned(), value.clone())));
}

/// Changes a value in the rows that have one; given is also the place of the row.
pub(crate) fn set(rows: &mut [Value], pointer: &str, change: impl Fn(usize, &Value) -> Value) {
    for (place, row) in rows.iter_mut().enumerate() {
        if let Some(value) = row.pointer_mut(pointer).filter(|value| !value.is_null()) {
            *value = change(place, value);
        }
    }
}

/// The same in some of ten rows.
pub(crate) fn set_some(rows: &mut [Value], pointer: &str, of_ten: usize, to: &Value) {
    set(rows, pointer, |place, value| {
        // 7 and 10 have no common divisor: each ten rows in a row are all ten digits.
        if place * 7 % 10 < of_ten { to.clone() } else { value.clone() }
    });
}

pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

pub(crate) fn scale(rows: &mut [Value], pointer: &str, factor: f64) {
    set(rows, pointer, |_, value| json!(number(value) * factor));
}

/// Exchanges two members.
pub(crate) fn exchange(rows: &mut [Value], one: &str, other: &str) {
    for row in rows {
        let (a, b) = (row.pointer(one).cloned(), row.pointer(other).cloned());
        if let (Some(a), Some(b)) = (a, b) {
            *row.pointer_mut(one).unwrap() = b;
            *row.pointer_mut(other).unwrap() = a;
        }
    }
}

/// Gives each row a value of another one.
pub(crate) fn shuffle(rows: &mut [Value], pointer: &str) {
    let values: Vec<Value> = rows.iter().filter_map(|row| row.pointer(pointer).cloned()).collect();
    set(rows, pointer, |place, _| values[(place + values.len() / 2) % values.len()].clone());
}

/// The same instants, written by `write` from Unix milliseconds.
pub(crate) fn instants(rows: &mut [Value], pointer: &str, write: impl Fn(i64) -> Value) {
    set(rows, pointer, |_, value| {
        write(Timestamp::parse(value.as_str().unwrap()).unwrap().as_millis())
    });
}

/// An instant as upstreams write it, from Unix milliseconds.
pub(crate) fn instant(millis: i64) -> String {
    Timestamp::from_millis(millis).unwrap().to_string()
}
