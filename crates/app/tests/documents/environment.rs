//! Environment variables.

use std::collections::BTreeSet;

use crate::{code, documents, product_sources, read};

/// Names of variables in a text: words of capitals with an underscore, or before a `=`.
fn variables(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in code(text) {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '='));
        for word in words {
            let (name, assigned) =
                word.split_once('=').map_or((word, false), |(name, _)| (name, true));
            let capitals = !name.is_empty()
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if capitals && !name.ends_with('_') && (name.contains('_') || assigned) {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// The keys of the default file as variables.
fn settings() -> BTreeSet<String> {
    fn walk(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
        for (name, value) in table {
            let name = format!("{prefix}__{}", name.to_ascii_uppercase());
            match value {
                toml::Value::Table(table) => walk(&name, table, found),
                _ => drop(found.insert(name.replacen("__", "_", 1))),
            }
        }
    }
    let mut found = BTreeSet::new();
    walk("KASPARRO", &read("crates/app/config.default.toml").parse().unwrap(), &mut found);
    found
}

/// True for a setting of any source where the document says `NAME`, and for a file with a secret.
fn is_setting(name: &str, settings: &BTreeSet<String>) -> bool {
    let of_a_source = name.replace("__NAME__", "__COINGECKO__");
    let bare = of_a_source.strip_suffix("_FILE").unwrap_or(&of_a_source);
    settings.contains(&of_a_source) || settings.contains(bare)
}

/// Everything beside the product that reads variables: tests, scripts, the stack.
fn others() -> String {
    let mut text = String::new();
    for path in [
        "Makefile",
        "docker-compose.yml",
        "scripts/smoke.sh",
        "scripts/make-env.sh",
        ".ci/run",
        ".ci/postgres",
    ] {
        text.push_str(&read(path));
    }
    for path in
        ["crates/app/tests", "crates/app/examples", "crates/api/src/tests", "crates/engine/tests"]
    {
        walk(&crate::root().join(path), &mut text);
    }
    text
}

fn walk(folder: &std::path::Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_variable_in_a_document_is_read_by_something() {
    let settings = settings();
    let sources = product_sources().join("\n");
    let others = others();
    let mut seen = 0;
    for (path, text) in documents() {
        for name in variables(&text) {
            seen += 1;
            let bare = name.strip_suffix("_FILE").unwrap_or(&name);
            let read = is_setting(&name, &settings)
                || sources.contains(&format!("\"{name}\""))
                || sources.contains(&format!("\"{bare}\""))
                || sources.contains(&format!("const {name}"))
                || others.contains(&name);
            assert!(read, "{path}: {name} is read by nothing");
        }
    }
    assert!(seen >= 40, "{seen} variables were found");
}

#[test]
fn every_variable_that_is_read_stands_in_a_document_or_in_the_default_file() {
    let mut named: BTreeSet<String> =
        documents().values().flat_map(|text| variables(text)).collect();
    let default = read("crates/app/config.default.toml");
    named.extend(
        default.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).map(str::to_owned),
    );
    let read = read("crates/app/src/config/environment.rs");
    let code = read.split("#[cfg(test)]").next().unwrap();
    let literals = code.split('"').skip(1).step_by(2);
    let names = literals.filter(|text| {
        text.len() > 3
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    });
    // A prefix is no variable.
    let names: BTreeSet<&str> = names.filter(|name| !name.ends_with('_')).collect();
    assert!(names.len() >= 20, "{names:?}");
    let missing: Vec<_> = names.iter().filter(|name| !named.contains(**name)).collect();
    assert!(missing.is_empty(), "no document names {missing:?}");
}

#[test]
fn variables_are_found_where_they_stand_as_code() {
    let text = "Set `KASPARRO_A__B=1`, `PORT=80`, `NO_COLOR`; not `JSON`, `GET /`.\n```sh\nX_Y=1 kasparro Z=\"a b\"\n```\n";
    let expected = ["KASPARRO_A__B", "NO_COLOR", "PORT", "X_Y", "Z"].map(str::to_owned);
    assert_eq!(variables(text), BTreeSet::from(expected));
    let settings = settings();
    assert!(is_setting("KASPARRO_SERVER__LISTEN", &settings), "{settings:?}");
    assert!(is_setting("KASPARRO_SOURCES__NAME__API_KEY_FILE", &settings));
    assert!(!is_setting("KASPARRO_SERVER__LISTEM", &settings));
}
