//! Targets of `make` and calls of the program.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{documents, read, words_after};

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

/// Every command that does something itself, as the words after the name of the program.
fn leaves(path: &[String], found: &mut Vec<String>) {
    let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
    let text = help(&arguments);
    let commands: Vec<String> = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    if commands.is_empty() {
        found.push(path.join(" "));
    }
    for command in commands {
        leaves(&[path, &[command]].concat(), found);
    }
}

#[test]
fn every_command_stands_in_a_document() {
    let mut commands = Vec::new();
    leaves(&[], &mut commands);
    assert!(commands.len() >= 40, "{commands:?}");
    let documents = documents().into_values().collect::<Vec<_>>().join("\n");
    let missing: Vec<_> = commands
        .iter()
        .filter(|command| {
            // Alone, as a command of the first level, it stands in the list of the README.
            let alone = !command.contains(' ') && documents.contains(&format!("`{command}`"));
            !alone && !documents.contains(&format!("kasparro {command}"))
        })
        .collect();
    assert!(missing.is_empty(), "no document says kasparro {missing:?}");
}
