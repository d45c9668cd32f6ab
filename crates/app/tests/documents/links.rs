//! Dependencies, pictures and other files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::{documents, read, root};

#[test]
fn every_direct_dependency_is_explained_and_nothing_else_is() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let manifest: toml::Table =
            std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for section in ["dependencies", "dev-dependencies"] {
            let table = manifest.get(section).and_then(toml::Value::as_table);
            for dependency in table.into_iter().flatten().map(|(dependency, _)| dependency) {
                if !dependency.starts_with("kasparro") {
                    used.entry(dependency.clone()).or_default().insert(name.clone());
                }
            }
        }
    }
    let explained: BTreeSet<String> = read("docs/DEPENDENCIES.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    assert_eq!(explained, used.keys().cloned().collect());
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    let offered: BTreeSet<String> = workspace["workspace"]["dependencies"]
        .as_table()
        .unwrap()
        .keys()
        .filter(|name| !name.starts_with("kasparro"))
        .cloned()
        .collect();
    assert_eq!(offered, used.keys().cloned().collect(), "the workspace offers what is used");
}

#[test]
fn every_picture_and_file_that_a_document_links_to_exists() {
    for (path, text) in documents() {
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.contains("://") {
                continue;
            }
            let from = Path::new(&path).parent().unwrap();
            assert!(from.join(target).exists(), "{path}: {target}");
        }
    }
}

#[test]
fn no_page_of_the_project_loads_anything_from_elsewhere() {
    for (path, text) in documents() {
        assert!(!text.contains("](http"), "{path} links to another host");
    }
}
