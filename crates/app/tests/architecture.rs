//! The edge table of `docs/ARCHITECTURE.md` is the truth, and the manifests agree with it.

#![expect(clippy::expect_used, reason = "a helper that panics fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

struct Rule {
    may: BTreeSet<String>,
    must_not: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn cell(text: &str) -> BTreeSet<String> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty() && *word != "-")
        .map(str::to_owned)
        .collect()
}

fn rules(document: &str) -> BTreeMap<String, Rule> {
    let begin = document.find("<!-- edges:begin -->").expect("the table begins");
    let end = document.find("<!-- edges:end -->").expect("the table ends");
    document[begin..end]
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            let rule = Rule { may: cell(cells[1]), must_not: cell(cells[2]) };
            (cells[0].to_owned(), rule)
        })
        .collect()
}

fn names(manifest: &toml::Table, section: &str) -> BTreeSet<String> {
    let table = manifest.get(section).and_then(toml::Value::as_table);
    table.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Every way in which a manifest breaks the rule of its crate.
fn violations(folder: &str, manifest: &toml::Table, rules: &BTreeMap<String, Rule>) -> Vec<String> {
    let Some(rule) = rules.get(folder) else {
        return vec![format!("{folder} is not in the table")];
    };
    let dependencies = names(manifest, "dependencies");
    let mut found = Vec::new();
    for name in &dependencies {
        if let Some(ours) = name.strip_prefix("kasparro-") {
            if !rule.may.contains(ours) {
                found.push(format!("{folder} depends on {ours}"));
            }
        } else if rule.must_not.contains(name) {
            found.push(format!("{folder} has {name}"));
        }
    }
    for ours in &rule.may {
        if !dependencies.contains(&format!("kasparro-{ours}")) {
            found.push(format!("{folder} may depend on {ours} and does not"));
        }
    }
    let tests = names(manifest, "dev-dependencies");
    if ["domain", "extract", "store"].contains(&folder) && tests.contains("kasparro-testkit") {
        found.push(format!("{folder} uses testkit"));
    }
    found
}

#[test]
fn every_manifest_keeps_the_edge_table() {
    let document = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let rules = rules(&document);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let folder = path.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        found.extend(violations(&folder, &manifest.parse().unwrap(), &rules));
        seen.insert(folder);
    }
    assert_eq!(seen, rules.keys().cloned().collect(), "the table names every crate");
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_manifest_with_a_forbidden_edge_is_found() {
    let table = "<!-- edges:begin -->\n|crate|may|must not|\n|-|-|-|\n| view | domain | axum |\n<!-- edges:end -->";
    let rules = rules(table);
    let broken = "[dependencies]\nkasparro-domain = \"1\"\nkasparro-engine = \"1\"\naxum = \"1\"";
    let found = violations("view", &broken.parse().unwrap(), &rules);
    assert_eq!(found, ["view has axum", "view depends on engine"]);
    let unused = violations("view", &"[dependencies]".parse().unwrap(), &rules);
    assert_eq!(unused, ["view may depend on domain and does not"]);
    assert_eq!(violations("new", &toml::Table::new(), &rules), ["new is not in the table"]);
}
