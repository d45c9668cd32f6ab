//! How one asset relates to another that it is not, as people state it.

use kasparro_testkit::Finished;
use serde_json::{Value, json};

use crate::assets::{
    Call, digest, done, examples, fill, partition, refused, together, with_listings,
};
use crate::world::{World, simulator};

/// More digits than a binary fraction has.
const RATIO: &str = "1000.0000000000000000000001";

const DAY: &str = "2024-10-01";

/// What `assets show` says of how an asset relates to others.
fn edges(call: Call<'_>, asset: &str) -> Vec<Value> {
    done(call, &["assets", "show", asset])["edges"].as_array().unwrap().clone()
}

/// The same without the names, of which numbers are given in every store.
fn facts(call: Call<'_>, asset: &str) -> Vec<Value> {
    let fact = |edge: Value| {
        json!([edge["kind"], edge["direction"], edge["listing"], edge["effective_on"]])
    };
    edges(call, asset).into_iter().map(fact).collect()
}

/// What `assets show` prints for programs and for people.
fn shown(call: Call<'_>, asset: &str) -> [Finished; 2] {
    [call(&["assets", "show", asset, "--json"]), call(&["assets", "show", asset])]
}

/// States relations in every way and takes everything back: what was told, to be compared between stores.
pub(crate) fn stated_and_taken_back(call: Call<'_>) -> Vec<Value> {
    let (before, digest_before) = (partition(call), digest(call));
    let (a, b, single) = examples(call);
    let mine = ["csv:mine-a", "csv:mine-b"];
    let why = ["--why", "they say so", "--who", "ada"];
    let mut told = Vec::new();
    let mut decide = |arguments: &[&str]| {
        let decided = done(call, &[&["assets"], arguments, &why].concat());
        assert_eq!(decided["followed"], true, "{arguments:?}: {decided}");
        told.push(decided);
    };
    let as_before = |what: &str| {
        assert_eq!(partition(call), before, "{what}");
        assert_eq!(digest(call), digest_before, "{what}");
    };

    let terms = ["--as", "migrated_to", "--ratio", RATIO, "--date", DAY];
    decide(&[&["relate", mine[0], &single], &terms[..]].concat());
    assert_ne!(digest(call), digest_before, "a relation is part of the partition");
    let [document, text] = shown(call, mine[0]);
    let every_digit = format!(r#""ratio":{RATIO},"effective_on":"{DAY}""#);
    assert_eq!(document.stdout.matches(&every_digit).count(), 2, "edge and decision: {document:?}");
    let document = document.json();
    let (edge, decision) =
        (&document["edges"][0], document["decisions"].as_array().unwrap().last());
    assert_eq!((&edge["kind"], &edge["direction"]), (&json!("migrated_to"), &json!("out")));
    assert_eq!(edge["listing"], *single, "{document}");
    let relation = &decision.unwrap()["relation"];
    assert_eq!((&relation["from"], &relation["to"]), (&json!(mine[0]), &json!(single)));
    let number = &decision.unwrap()["id"];
    let words = format!(", 1 unit gives {RATIO}, from {DAY} on");
    assert!(text.stdout.contains(&format!("{words}: Decision {number} says so.")), "{text:?}");
    assert_eq!(facts(call, &single), [json!(["migrated_to", "in", mine[0], DAY])]);
    let text = call(&["assets", "explain", &single, mine[0]]);
    let words = format!("{} migrated_to {single}{words}", mine[0]);
    assert!(text.stdout.contains(&words), "{text:?}");

    // Two listings of one source, and then something else of the same two: the newest word counts.
    decide(&["relate", mine[1], mine[0], "--as", "wrapped_of"]);
    let [document, text] = shown(call, mine[1]);
    let edge = &document.json()["edges"][0];
    assert_eq!((&edge["kind"], &edge["ratio"]), (&json!("wrapped_of"), &Value::Null));
    assert_eq!(edge["effective_on"], Value::Null);
    assert!(!text.stdout.contains("unit"), "what is not known is not told: {text:?}");
    decide(&["relate", mine[0], mine[1], "--as", "forked_from", "--date", DAY]);
    assert_eq!(facts(call, mine[1]), [json!(["forked_from", "in", mine[0], DAY])]);
    decide(&["unrelate", mine[1], mine[0]]);
    assert_eq!(facts(call, mine[1]), [] as [Value; 0]);
    assert_eq!(edges(call, mine[0]).len(), 1, "the other relation stands");

    // What evidence links is taken apart.
    decide(&["relate", &b, &a, "--as", "forked_from"]);
    assert!(!together(call, &a, &b));
    decide(&["withdraw", &a, &b]);
    decide(&["withdraw", &single, mine[0]]);
    decide(&["withdraw", mine[0], mine[1]]);
    assert_eq!(edges(call, mine[0]), [] as [Value; 0]);
    as_before("evidence decides again");
    told
}

#[test]
fn relations_keep_ratio_and_day_until_they_are_taken_back_alone_and_beside_a_server() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let alone = stated_and_taken_back(&call);

    let beside = with_listings(World::new(), &upstream).nothing_by_itself();
    let server = beside.serve();
    let call = |arguments: &[&str]| beside.call(arguments);
    fill(&call);
    assert_eq!(stated_and_taken_back(&call), alone);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_replay_and_a_file_give_the_same_relations() {
    let upstream = simulator(40);
    let (world, other) =
        (with_listings(World::new(), &upstream), with_listings(World::new(), &upstream));
    let here = |arguments: &[&str]| world.call(arguments);
    let there = |arguments: &[&str]| other.call(arguments);
    fill(&here);
    fill(&there);
    let (a, _, single) = examples(&here);
    let why = ["--why", "a \"new\" coin", "--who", "ada"];
    let state = |arguments: &[&str]| done(&here, &[&["assets"], arguments, &why].concat());
    // The one that relates is the later one by its name.
    let terms = ["--as", "migrated_to", "--ratio", RATIO, "--date", DAY];
    state(&[&["relate", "csv:mine-a", &single], &terms[..]].concat());
    state(&["relate", "csv:mine-a", "csv:mine-b", "--as", "wrapped_of", "--ratio", "0.5"]);
    state(&["unrelate", "csv:mine-b", &a]);
    let ratios = |call: Call<'_>, asset: &str| {
        let shown = call(&["assets", "show", asset, "--json"]).stdout;
        let edges = shown.split(r#""decisions":"#).next().unwrap();
        let ratios = edges.split(r#""ratio":"#).skip(1);
        ratios.map(|rest| rest.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = |call: Call<'_>| {
        let of = |asset| (facts(call, asset), ratios(call, asset));
        [of("csv:mine-a"), of("csv:mine-b"), of(&*single), of(&*a)]
    };
    let stated = all(&here);
    assert_eq!(stated[0].1.len(), 2, "{stated:?}");
    assert!(stated[0].1.contains(&RATIO.to_owned()), "{stated:?}");

    let replayed = done(&here, &["replay", "--from", "data/kasparro.db", "--into", "anew.db"]);
    assert_eq!(replayed["into"]["digest"], done(&here, &["verify"])["digest"], "{replayed}");
    let anew =
        |arguments: &[&str]| world.call(&[arguments, &["--database", "sqlite:anew.db"]].concat());
    assert_eq!(all(&anew), stated);

    let file = world.folder.path().join("overrides.toml").display().to_string();
    assert_eq!(done(&here, &["assets", "overrides", "export", &file])["exported"], 3);
    let import = |expected: [u32; 3]| {
        let imported = done(&there, &["assets", "overrides", "import", &file, "--replace"]);
        let [added, withdrawn, unchanged] = expected;
        assert_eq!(
            imported,
            json!({
                "added": added, "withdrawn": withdrawn, "unchanged": unchanged, "not_followed": []
            })
        );
    };
    import([3, 0, 0]);
    assert_eq!(all(&there), stated);
    assert_eq!(digest(&there), digest(&here));
    import([0, 0, 3]);

    // What changes the ratio alone, or which one relates, is news.
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(&format!("ratio = \"{RATIO}\"")).count(), 1, "{text}");
    std::fs::write(&file, text.replace(RATIO, "1000")).unwrap();
    import([1, 0, 2]);
    assert!(ratios(&there, "csv:mine-a").contains(&"1000".to_owned()));
    let (from, to) = (r#"a = "csv:mine-a""#, format!("b = \"{single}\""));
    let straight = format!("{from}\n{to}");
    assert!(text.contains(&straight), "{text}");
    let turned = format!("a = \"{single}\"\nb = \"csv:mine-a\"");
    std::fs::write(&file, text.replace(&straight, &turned)).unwrap();
    import([1, 0, 2]);
    assert_eq!(facts(&there, &single), [json!(["migrated_to", "out", "csv:mine-a", DAY])]);
    std::fs::write(&file, "").unwrap();
    import([0, 3, 0]);
    assert_eq!(facts(&there, "csv:mine-a"), [] as [Value; 0]);

    for (from, to, parts) in [
        ("kind = \"wrapped_of\"\n", "", ["kind: write one of", "forked_from"]),
        (RATIO, "-1", ["ratio: write a number above zero", "not -1"]),
        (DAY, "yesterday", ["date: write a day as YYYY-MM-DD", "not yesterday"]),
        (
            "verdict = \"unrelated\"",
            "verdict = \"unrelated\"\nratio = \"2\"",
            ["ratio: only", "related"],
        ),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
        let (exit, code, said) = refused(&there, &["assets", "overrides", "import", &file]);
        assert_eq!((exit, &*code), (Some(2), "bad_overrides"), "{said}");
        assert!(said.contains("overrides.toml: entry"), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
    }
}

#[test]
fn a_relation_that_makes_no_sense_is_refused_with_what_to_write() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let before = digest(&call);
    let mine = ["csv:mine-a", "csv:mine-b"];
    let relate = |listings: [&str; 2], more: &[&str]| {
        let arguments = [&["assets", "relate"], &listings[..], more, &["--why", "so"]].concat();
        refused(&call, &arguments)
    };
    let kind = ["--as", "migrated_to"];
    for (more, parts) in [
        (&[][..], ["--as", "KIND"]),
        (&["--as", "fork_of"], ["--as <KIND>", "write one of wrapped_of, bridged_of"]),
        (&[kind[0], kind[1], "--ratio", "0"], ["--ratio <NUMBER>", "a number above zero"]),
        (&[kind[0], kind[1], "--ratio", "-2"], ["--ratio <NUMBER>", "for example 1000 or 0.001"]),
        (&[kind[0], kind[1], "--ratio", "1:1000"], ["--ratio <NUMBER>", "a number above zero"]),
        (&[kind[0], kind[1], "--date", "1.10.2024"], ["--date <DAY>", "YYYY-MM-DD"]),
        (&[kind[0], kind[1], "--date", "2024-02-30"], ["--date <DAY>", "for example 2024-10-01"]),
    ] {
        let (exit, code, said) = relate(mine, more);
        assert_eq!((exit, &*code), (Some(2), "usage"), "{more:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
    }
    let (exit, code, said) = relate([mine[0], mine[0]], &kind);
    assert_eq!((exit, &*code), (Some(2), "one_listing"), "{said}");
    assert!(said.contains("two different ones"), "{said}");
    for listings in [["coingecko:bitcon", mine[0]], [mine[0], "coingecko:bitcon"]] {
        let (exit, code, said) = relate(listings, &kind);
        assert_eq!((exit, &*code), (Some(1), "unknown_listing"), "{said}");
        assert!(said.contains("near are coingecko:bitcoin"), "{said}");
    }
    let unexplained = ["assets", "relate", mine[0], mine[1], kind[0], kind[1]];
    let (exit, code, said) = refused(&call, &unexplained);
    assert_eq!((exit, &*code), (Some(2), "usage"), "nothing is decided without a reason: {said}");
    let unrelated = ["assets", "unrelate", mine[0], mine[0], "--why", "so"];
    assert_eq!(refused(&call, &unrelated).1, "one_listing");
    assert_eq!(digest(&call), before, "nothing was decided");
}
