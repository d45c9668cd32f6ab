//! Scoring the resolver on files, without a store.

use std::path::Path;

use crate::world::World;

const LISTS: [&str; 12] = [
    "--universe-a",
    "lists/universe_a.csv",
    "--universe-b",
    "lists/universe_b.csv",
    "--contracts-a",
    "lists/contracts_a.csv",
    "--contracts-b",
    "lists/contracts_b.csv",
    "--truth",
    "lists/truth.csv",
    "--negatives",
    "lists/negatives.csv",
];

fn evaluate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["identity", "evaluate"], &LISTS[..], more].concat()
}

fn generated() -> World {
    let world = World::new();
    let call = world.call(&["identity", "generate", "--pairs", "200", "--into", "lists", "--json"]);
    assert_eq!(call.code, Some(0), "{call:?}");
    assert_eq!(call.json()["files"].as_array().unwrap().len(), 6);
    world
}

#[test]
fn generated_lists_are_scored_with_the_documented_document_and_the_same_every_time() {
    let world = generated();
    let open = ["--drop-counterparts", "0.25", "--seed", "3", "--errors", "errors.csv", "--json"];
    let first = world.call(&evaluate(&open));
    assert_eq!(first.code, Some(0), "{first:?}");
    let report = first.json();
    let overall = &report["overall"];
    assert_eq!(overall["scored"], 200);
    assert_eq!(report["dropped"], 50);
    for field in ["tp", "fp", "fn", "abstained", "precision", "recall", "f1"] {
        assert!(overall[field].is_number(), "{field}: {report}");
        assert!(!report["classes"]["with_contract"][field].is_null(), "{field}: {report}");
    }
    assert!(report["negatives"]["n"].as_u64().unwrap() > 0, "{report}");
    let errors = std::fs::read_to_string(world.folder.path().join("errors.csv")).unwrap();
    assert_eq!(errors.lines().next(), Some("kind,id_a,id_b,expected,score,reason"));
    let of = |kind: &str| {
        let starts = format!("{kind},");
        errors.lines().filter(|line| line.starts_with(&starts)).count()
    };
    assert_eq!((of("fp"), of("fn")), (count(&overall["fp"]), count(&overall["fn"])));

    assert_eq!(world.call(&evaluate(&open)).json(), report);
    let table = world.call(&evaluate(&[]));
    assert_eq!(table.code, Some(0), "{table:?}");
    for word in ["overall", "with_contract", "precision %", "negatives:", "--errors FILE"] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    assert!(!Path::new(&world.database()).exists(), "no store is opened");
}

fn count(number: &serde_json::Value) -> usize {
    usize::try_from(number.as_u64().unwrap()).unwrap()
}

#[test]
fn a_file_that_cannot_be_used_ends_it_with_2_and_one_line() {
    let world = generated();
    let lists = world.folder.path().join("lists");
    std::fs::write(lists.join("truth.csv"), "a,b\n1,2\n").unwrap();
    let call = world.call(&evaluate(&[]));
    assert_eq!(call.code, Some(2), "{call:?}");
    assert_eq!(call.stderr.lines().count(), 1, "{call:?}");
    for word in ["lists/truth.csv", "line 1", "`id_a`", "header such as id_a,id_b"] {
        assert!(call.stderr.contains(word), "{word}: {}", call.stderr);
    }
    std::fs::remove_file(lists.join("universe_a.csv")).unwrap();
    let call = world.call(&evaluate(&[]));
    assert_eq!(call.code, Some(2), "{call:?}");
    assert!(call.stderr.contains("lists/universe_a.csv: the file cannot be read"), "{call:?}");
    let call = world.call(&evaluate(&["--drop-counterparts", "2"]));
    assert_eq!(call.code, Some(2), "{call:?}");
}

#[test]
fn files_that_are_there_are_not_written_over() {
    let world = generated();
    let call = world.call(&["identity", "generate", "--into", "lists"]);
    assert_eq!(call.code, Some(2), "{call:?}");
    assert!(call.stderr.contains("exists already"), "{call:?}");
}
