//! The table of parameters in the documents.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/API.md");
const BEGINS: &str = "<!-- table of parameters: made by a test, see below -->\n";
const ENDS: &str = "<!-- end of the table -->\n";

/// Every query parameter by name and meaning, with the operations that take it in this meaning.
fn parameters() -> BTreeMap<(String, String), Vec<String>> {
    let described: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] != "query" {
                    continue;
                }
                let text = |name: &str| parameter[name].as_str().unwrap_or_default().to_owned();
                let meaning = text("description").replace('\n', " ").replace('|', "\\|");
                assert!(!meaning.is_empty(), "{path}: {} says nothing", text("name"));
                let place = match method.as_str() {
                    "get" => format!("`{path}`"),
                    other => format!("{} `{path}`", other.to_uppercase()),
                };
                found.entry((text("name"), meaning)).or_default().push(place);
            }
        }
    }
    found
}

fn table() -> String {
    let mut table = String::from("| parameter | what it does | of |\n|---|---|---|\n");
    for ((name, meaning), places) in parameters() {
        writeln!(table, "| `{name}` | {meaning} | {} |", places.join(" ")).unwrap();
    }
    table
}

#[test]
fn the_table_in_the_documents_has_every_parameter() {
    let text = std::fs::read_to_string(PATH).unwrap();
    let (before, rest) = text.split_once(BEGINS).unwrap();
    let (stands, after) = rest.split_once(ENDS).unwrap();
    let made = table();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may be asked to write its expectation anew"
    )]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, format!("{before}{BEGINS}{made}{ENDS}{after}")).unwrap();
        return;
    }
    assert!(stands == made, "docs/API.md is out of date: run this test with UPDATE_DOCS=1");
}
