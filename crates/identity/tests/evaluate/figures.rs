//! The figures of `docs/IDENTITY.md` are those of `docs/evidence/identity.json`, and those are what this code
//! makes.

use std::path::{Path, PathBuf};

use kasparro_identity::RULE_VERSION;
use serde_json::{Value, json};

use crate::{measure, real, tables};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn evidence() -> Value {
    let text = std::fs::read_to_string(docs().join("evidence/identity.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_tables_of_the_document_are_made_from_the_evidence() {
    let document = std::fs::read_to_string(docs().join("IDENTITY.md")).unwrap();
    assert_eq!(tables::with_tables(&document, &evidence()), document, "run make identity-evidence");
}

#[test]
fn the_evidence_on_generated_lists_is_what_this_code_makes() {
    let evidence = evidence();
    assert_eq!(evidence["rule_version"], RULE_VERSION, "run make identity-evidence");
    let again = measure::generated(measure::SEEDS[0], true);
    let stated = &evidence["generated"]["first_seed_alone"];
    assert_eq!(*stated, json!(again.overall), "run make identity-evidence");
}

#[test]
fn the_evidence_on_real_lists_is_what_this_code_makes() {
    let Some(folder) = real::folder() else { return };
    let (evidence, again) = (evidence(), measure::of_real(&folder));
    assert_eq!(evidence["real"], json!(again.runs), "run make identity-evidence");
    assert_eq!(evidence["false_links"], json!(again.false_links), "run make identity-evidence");
}

#[test]
fn every_false_link_in_real_lists_was_looked_up() {
    for link in evidence()["false_links"].as_array().unwrap() {
        assert_ne!(link["looked_up"], "not looked up yet", "explain it in explained.rs: {link}");
    }
}

/// In the world as it is, with every contract that is known.
#[test]
fn real_pairs_that_people_or_contracts_vouch_for_have_at_most_two_false_links() {
    let Some(folder) = real::folder() else { return };
    for case in real::cases(&folder) {
        if !(case.name.starts_with("curated") || case.name.starts_with("ethereum")) {
            continue;
        }
        for (shown, drop) in [(real::Shown::All, 0.0), (real::Shown::All, 0.25)] {
            let report = case.evaluate(shown, drop, 1).unwrap();
            assert!(report.overall.scored > 200, "{} has {}", case.name, report.overall.scored);
            assert!(report.overall.fp <= 2, "{}: {:#?}", case.name, report.confusions);
        }
    }
}
