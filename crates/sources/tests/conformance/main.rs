//! One suite for every source: the rules of the contract, each with a broken twin that it rejects.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod captures;
mod fixtures;
mod rules;
mod twins;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use fixtures::{Files, Fixture};
use kasparro_domain::Statement;
use kasparro_sources::Entry;
use rules::{RULES, Rule};
use twins::{Flaw, Twin};

fn failure(fixture: &Fixture, name: &str, rule: Rule) -> Option<String> {
    // A panic in one rule must not keep the others from being checked.
    let kept = catch_unwind(AssertUnwindSafe(|| rule(fixture)));
    let kept = kept.unwrap_or_else(|_| Err("panics".to_owned()));
    kept.err().map(|fault| format!("{}: {name}: {fault}", fixture.name))
}

#[test]
fn every_registered_source_keeps_every_rule() {
    let mut broken = Vec::new();
    for entry in kasparro_sources::registry() {
        let fixture = Fixture::of(entry);
        broken.extend(RULES.iter().filter_map(|(name, rule)| failure(&fixture, name, *rule)));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_rule_rejects_its_broken_twin() {
    let mut untested: BTreeSet<&str> = RULES.iter().map(|(name, _)| *name).collect();
    for (flaw, rule) in Flaw::ALL {
        let (_, check) = RULES.iter().find(|(name, _)| *name == rule).unwrap();
        let fixtures = kasparro_sources::registry().iter().map(Fixture::of);
        let mut concerns = 0;
        for mut fixture in fixtures.filter(|fixture| flaw.concerns(fixture)) {
            fixture.source = Arc::new(Twin::new(fixture.source.clone(), flaw));
            let caught = failure(&fixture, rule, *check).is_some();
            assert!(caught, "{}: {rule} lets {flaw:?} pass", fixture.name);
            concerns += 1;
        }
        assert!(concerns > 0, "{flaw:?} concerns no source");
        untested.remove(rule);
    }
    assert!(untested.is_empty(), "rules without a twin: {untested:?}");
}

/// What is said about the fixtures of `entry` once `change` has been made to their files.
fn refused(entry: &Entry, change: impl FnOnce(&mut Files)) -> String {
    let mut files = fixtures::files(entry.name());
    change(&mut files);
    Fixture::read(entry, &files).err().unwrap_or_default()
}

#[test]
fn a_page_that_nothing_checks_is_no_fixture() {
    for entry in kasparro_sources::registry() {
        let name = entry.name();
        assert_eq!(refused(entry, |_| ()), "");
        let said = refused(entry, |files| {
            files.insert("stray.json".to_owned(), b"[]".to_vec());
        });
        let expected =
            format!("{name}: page stray.json cannot be checked: stray.expected.json is missing");
        assert_eq!(said, expected);
        let said = refused(entry, |files| {
            files.insert("stray.expected.json".to_owned(), b"[]".to_vec());
        });
        assert_eq!(said, format!("{name}: stray.expected.json has no page"));
    }
}

#[test]
fn a_page_that_no_run_reaches_is_no_fixture() {
    let mut named = 0;
    for entry in kasparro_sources::registry() {
        let name = entry.name();
        let fixture = Fixture::of(entry);
        // Pages of a source with a single endpoint may have names of their own.
        let Some(page) = fixture.pages.iter().find(|page| page.name == page.request.endpoint)
        else {
            continue;
        };
        named += 1;
        let said = refused(entry, |files| {
            files.insert("stray.json".to_owned(), b"[]".to_vec());
            files.insert("stray.expected.json".to_owned(), b"[]".to_vec());
        });
        assert_eq!(said, format!("{name}: page `stray` is no endpoint that a run reaches"));
        let said = refused(entry, |files| {
            files.retain(|file, _| file.split('.').next() != Some(page.name.as_str()));
        });
        let endpoint = format!("{name}: endpoint `{}` has no page", page.name);
        let expected =
            if fixture.pages.len() > 1 { endpoint } else { format!("{name}: there is no page") };
        assert_eq!(said, expected);
    }
    assert!(named > 0, "no source names its pages after its endpoints");
}

#[test]
fn what_is_null_may_be_a_flag_but_a_flag_is_no_text() {
    let wanted = |(name, _): &&(&str, Rule)| *name == "every fault names its field";
    let (_, rule) = RULES.iter().find(wanted).unwrap();
    let entries = kasparro_sources::registry().iter();
    let mut fixture = entries
        .map(Fixture::of)
        .find(|fixture| fixture.name == "coinpaprika")
        .unwrap_or_else(|| panic!("the source whose flags are tried"));
    fixture.pages.retain(|page| page.name == "coins");
    fixture.pages[0].body = b"[\n {\"id\":\"a\",\"is_active\":null,\"name\":null}\n]".to_vec();
    assert_eq!(rule(&fixture), Ok(()));
    fixture.source = Arc::new(Twin::new(fixture.source.clone(), Flaw::FlagForText));
    let expected = "coins: true at /name is taken for a value".to_owned();
    assert_eq!(rule(&fixture), Err(expected));
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
        let Statement::Observation(observation) = row.unwrap() else {
            panic!("a row of a table is an observation");
        };
        assert!(observation.quote.price_usd.is_some() && observation.observed_at.is_some());
    }
}
