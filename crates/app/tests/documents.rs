//! What the documents name exists: commands, targets, endpoints, metrics, settings, dependencies.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

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

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kasparro")).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_make_target_in_a_document_exists() {
    let makefile = read("Makefile");
    for (path, text) in documents() {
        for target in words_after(&text, "make ") {
            let known = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            // Prose may say "make" too, so only what stands as code counts.
            if text.contains(&format!("`make {target}"))
                || text.contains(&format!("\nmake {target}"))
            {
                assert!(known, "{path}: make {target}");
            }
        }
    }
    for target in ["run", "demo", "test", "help"] {
        assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{target}");
    }
}

#[test]
fn every_command_in_a_document_exists_and_the_readme_names_each() {
    let commands: BTreeSet<String> = help(&["--help"])
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        // What stands further in is the rest of the line above.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    assert!(commands.contains("serve"), "{commands:?}");
    for (path, text) in documents() {
        let named = words_after(&text, "`kasparro ");
        for command in named.into_iter().filter(|word| !word.starts_with('-')) {
            assert!(commands.contains(command), "{path}: kasparro {command}");
        }
    }
    let readme = read("README.md");
    for command in &commands {
        assert!(readme.contains(&format!("`{command}`")), "the README does not name {command}");
    }
}

/// The words of every call of the program that stands as code in a document: in a code span, or as a
/// line of a code block.
fn calls(text: &str) -> Vec<Vec<String>> {
    let spans = text.match_indices("`kasparro ").map(|(at, _)| {
        let rest = &text[at + 1..];
        rest.split('`').next().unwrap()
    });
    let blocks = text.split("\n```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines).map(str::trim_start);
    let lines = lines.filter(|line| line.starts_with("kasparro ") || line.contains("/kasparro "));
    spans
        .chain(lines)
        .map(|call| {
            let words = call.split_whitespace().skip_while(|word| !word.ends_with("kasparro"));
            // What follows is another command of the shell, or a comment.
            let words = words.skip(1).take_while(|word| !["|", "&&", ";", ">", "#"].contains(word));
            words.map(str::to_owned).collect()
        })
        .collect()
}

/// What is wrong with a call; nothing for one that the program understands.
fn fault(call: &[String]) -> Option<String> {
    let mut path: Vec<&str> = Vec::new();
    let mut words = call.iter().map(String::as_str).peekable();
    loop {
        let path_help: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
        let text = help(&path_help);
        let commands: Vec<&str> = text
            .lines()
            .skip_while(|line| !line.starts_with("Commands:"))
            .skip(1)
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if commands.is_empty() {
            let flags = words.filter(|word| word.starts_with("--"));
            let mut flags = flags.map(|word| word.split('=').next().unwrap_or(word));
            return flags.find(|flag| !text.contains(*flag)).map(str::to_owned);
        }
        match words.next() {
            // Placeholders and names of whole groups of commands end here.
            None | Some("help") => return None,
            Some(flag) if flag.starts_with("--") => {
                return (!text.contains(flag)).then(|| flag.to_owned());
            }
            Some(word) if word.bytes().all(|b| b.is_ascii_uppercase()) => return None,
            Some(word) if commands.contains(&word) => path.push(word),
            Some(word) => return Some(word.to_owned()),
        }
    }
}

#[test]
fn every_call_in_a_document_is_one_that_the_program_understands() {
    let mut seen = 0;
    for (path, text) in documents() {
        for call in calls(&text) {
            seen += 1;
            assert_eq!(fault(&call), None, "{path}: kasparro {}", call.join(" "));
        }
    }
    assert!(seen >= 5, "{seen} calls were found");
}

#[test]
fn a_call_that_the_program_does_not_understand_is_found() {
    let text = "Say `kasparro quarantine forget`.\n```sh\ntarget/kasparro run --loud | cat\n```\n";
    let faults: Vec<_> = calls(text).iter().map(|call| fault(call)).collect();
    assert_eq!(faults, [Some("forget".to_owned()), Some("--loud".to_owned())]);
    for fine in ["quarantine", "quarantine list --reason x", "COMMAND --help", "config check"] {
        let call: Vec<_> = fine.split(' ').map(str::to_owned).collect();
        assert_eq!(fault(&call), None, "{fine}");
    }
}

#[test]
fn every_endpoint_in_the_readme_is_described() {
    let described: serde_json::Value =
        serde_json::from_str(&read("crates/api/openapi.json")).unwrap();
    let paths: BTreeSet<_> = described["paths"].as_object().unwrap().keys().cloned().collect();
    let readme = read("README.md");
    let named = words_after(&readme, "http://127.0.0.1:8000/");
    assert!(named.contains("data"));
    for endpoint in named {
        let known = paths.contains(&format!("/{endpoint}")) || endpoint == "docs";
        assert!(known, "/{endpoint} is not among {paths:?}");
    }
}

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
