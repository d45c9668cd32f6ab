//! One suite for every source: the rules of the contract, each with a broken twin that it rejects.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod captures;
mod fixtures;
mod rules;
mod twins;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use fixtures::Fixture;
use rules::{RULES, Rule};
use twins::{Flaw, Twin};

fn failures(fixture: &Fixture) -> Vec<String> {
    let check = |(name, rule): &(&str, Rule)| {
        rule(fixture).err().map(|fault| format!("{}: {name}: {fault}", fixture.name))
    };
    RULES.iter().filter_map(check).collect()
}

#[test]
fn every_registered_source_keeps_every_rule() {
    let broken: Vec<String> = kasparro_sources::registry()
        .iter()
        .flat_map(|entry| failures(&Fixture::of(entry)))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_rule_rejects_its_broken_twin() {
    let mut untested: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    for (flaw, rule) in Flaw::ALL {
        let mut caught_by = Vec::new();
        for entry in kasparro_sources::registry().iter().filter(|entry| entry.name() != "csv") {
            let mut fixture = Fixture::of(entry);
            fixture.source = Arc::new(Twin::new(fixture.source.clone(), flaw));
            caught_by.push(failures(&fixture));
        }
        for failures in &caught_by {
            let caught = failures.iter().any(|failure| failure.contains(rule));
            assert!(caught, "{rule} lets {flaw:?} pass; failures: {failures:?}");
        }
        untested.remove(rule);
    }
    assert!(untested.is_empty(), "rules without a twin: {untested:?}");
}

/// The registry is a table of contents: sorted, without repetition, and complete.
fn check_registry(names: &[&str]) -> Result<(), String> {
    if !names.is_sorted_by(|a, b| a < b) {
        return Err(format!("not sorted or repeated: {names:?}"));
    }
    let odd = names.iter().find(|name| {
        name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    });
    odd.map_or(Ok(()), |name| Err(format!("odd name: {name}")))
}

#[test]
fn the_registry_is_sorted_and_complete() {
    let names = kasparro_sources::names();
    check_registry(&names).unwrap();
    for broken in [["b", "a"], ["a", "a"], ["a", "b-c"]] {
        assert!(check_registry(&broken).is_err());
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let folders: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, names.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn the_sample_is_read_whole() {
    let source =
        kasparro_sources::build("csv", serde_json::json!({"paths": ["sample.csv"]})).unwrap();
    let request = fixtures::first_request(source.as_ref());
    let rows =
        fixtures::read_page(source.as_ref(), &request, kasparro_sources::SAMPLE_CSV.as_bytes());
    let rows = rows.unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let observation = row.unwrap();
        assert!(observation.quote.price_usd.is_some() && observation.observed_at.is_some());
    }
}
