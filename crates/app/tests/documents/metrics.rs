//! What `/metrics` shows.

use std::collections::BTreeSet;

use crate::{documents, product_sources, read};

#[test]
fn every_metric_in_a_document_exists() {
    let sources = product_sources();
    let mut seen = 0;
    for (path, text) in documents() {
        let tables = text.split("\n| metric |").skip(1);
        let tables = tables.map(|rest| rest.split("\n\n").next().unwrap());
        let rows = tables.flat_map(str::lines);
        let rows = rows.filter_map(|line| line.strip_prefix("| `kasparro_"));
        for metric in rows.filter_map(|row| row.split('`').next()) {
            seen += 1;
            let literal = format!("\"kasparro_{metric}\"");
            let known = sources.iter().any(|source| source.contains(&literal));
            assert!(known, "{path}: kasparro_{metric} is reported by nothing");
        }
    }
    assert!(seen >= 10, "{seen} metrics were found");
}

#[test]
fn every_metric_that_is_reported_stands_in_a_document() {
    let documents = documents().into_values().collect::<Vec<_>>().join("\n");
    let source = read("crates/api/src/metrics.rs");
    let literals = source.split('"').skip(1).step_by(2);
    let names = literals.filter(|text| {
        text.starts_with("kasparro_")
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    });
    let names: BTreeSet<&str> = names.collect();
    assert!(names.len() >= 15, "{names:?}");
    let missing: Vec<_> =
        names.iter().filter(|name| !documents.contains(&format!("\n| `{name}` |"))).collect();
    assert!(missing.is_empty(), "no table has {missing:?}");
}
