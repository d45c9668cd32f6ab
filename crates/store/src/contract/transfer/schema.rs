//! The list of tables beside the real schema.

use std::collections::{BTreeMap, BTreeSet};

use crate::{CellKind, NOT_COPIED, TABLES};

/// Columns that are not computed, with the names of their types, by table.
pub type Schema = BTreeMap<String, BTreeMap<String, String>>;

/// Where [`TABLES`] and a real schema differ, in words. `fits` says whether a kind of value is kept in a
/// column of the type of that name.
#[must_use]
pub fn differences(schema: &Schema, fits: impl Fn(CellKind, &str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let copied = TABLES.iter().map(|table| table.name);
    let listed: BTreeSet<_> = copied.chain(NOT_COPIED.iter().copied()).collect();
    for table in schema.keys().filter(|name| !listed.contains(name.as_str())) {
        found.push(format!("table {table} is not copied"));
    }
    for name in NOT_COPIED.iter().filter(|name| !schema.contains_key(**name)) {
        found.push(format!("there is no table {name}"));
    }
    for table in TABLES {
        let Some(columns) = schema.get(table.name) else {
            found.push(format!("there is no table {}", table.name));
            continue;
        };
        let listed: BTreeMap<_, _> =
            table.columns.iter().map(|column| (column.name, column.kind)).collect();
        for column in columns.keys().filter(|name| !listed.contains_key(name.as_str())) {
            found.push(format!("{}.{column} is not copied", table.name));
        }
        for (name, kind) in listed {
            match columns.get(name) {
                None => found.push(format!("there is no {}.{name}", table.name)),
                Some(ty) if !fits(kind, ty) => {
                    found.push(format!("{}.{name} is {ty}, which is not {kind:?}", table.name));
                }
                Some(_) => {}
            }
        }
    }
    found
}
