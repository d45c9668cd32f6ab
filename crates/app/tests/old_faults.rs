//! The tests that `docs/OLD-FAULTS.md` names exist.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The tests that a table names, with the file that each is in: the last two columns.
fn named_tests(table: &str) -> Vec<(&str, &str)> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let mut cells =
            row.trim_end_matches('|').rsplit('|').map(|cell| cell.trim().trim_matches('`'));
        let (file, test) = (cells.next().unwrap(), cells.next().unwrap());
        (test, file)
    })
    .collect()
}

/// True where a source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let declared = format!("fn {name}(");
    source.split("\n#[").any(|item| {
        let attribute = item.split(']').next().unwrap_or_default();
        let kind = attribute.split('(').next().unwrap_or_default();
        ["test", "tokio::test"].contains(&kind) && item.contains(&declared)
    })
}

#[test]
fn every_test_that_the_list_of_old_faults_names_exists() {
    let document = std::fs::read_to_string(root().join("docs/OLD-FAULTS.md")).unwrap();
    let named = named_tests(&document);
    assert!(named.len() >= 15, "{} faults were found", named.len());
    for (test, file) in named {
        let source = std::fs::read_to_string(root().join(file));
        let source = source.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(has_test(&source, test), "{file} has no test {test}");
    }
}

#[test]
fn a_test_that_was_renamed_is_found() {
    let table = "| fault | test | where |\n|---|---|---|\n| A \"b\" | `it_is_not_b` | `x.rs` |\n";
    assert_eq!(named_tests(table), [("it_is_not_b", "x.rs")]);
    for source in [
        "use a;\n\n#[test]\nfn it_is_not_b() {}\n",
        "\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn it_is_not_b() {}\n",
    ] {
        assert!(has_test(source, "it_is_not_b"), "{source}");
        assert!(!has_test(source, "it_is_not"), "{source}");
    }
    let renamed = "\n#[test]\nfn it_is_b() {}\n\n#[derive(Debug)]\nfn it_is_not_b() {}\n";
    assert!(!has_test(renamed, "it_is_not_b"));
}
