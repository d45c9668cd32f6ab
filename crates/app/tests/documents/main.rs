//! What the documents name exists: commands, targets, endpoints, metrics, settings, dependencies.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod api;
mod commands;
mod environment;
mod links;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Every document for people, by its path.
fn documents() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for folder in [".", "docs"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path.display().to_string(), text);
            }
        }
    }
    assert!(found.len() >= 5, "the documents are found");
    found
}

/// The words that follow `before` in a text, cut at the first character that cannot belong to a name.
fn words_after<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    text.match_indices(before)
        .map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-' || c == '_'));
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// The text of every source file of the crates, without their tests.
fn product_sources() -> Vec<String> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("src"))
        .collect();
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

/// What stands as code within the sentences of a document.
fn spans(text: &str) -> Vec<&str> {
    let prose = text.split("\n```").step_by(2);
    prose
        .flat_map(|part| part.lines())
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}

/// Everything that stands as code in a document: spans, and the lines of blocks.
fn code(text: &str) -> Vec<&str> {
    let blocks = text.split("\n```").skip(1).step_by(2);
    spans(text).into_iter().chain(blocks.flat_map(str::lines)).collect()
}
