//! Which listings are one asset: looking, asking why, and deciding.

use std::collections::BTreeSet;

use kasparro_testkit::{Finished, SimulatedUpstream};
use serde_json::{Value, json};

use crate::world::{World, simulator};

/// Two listings that no other source has, by their symbols or names.
const MINE: &str = "\
id,symbol,name,price_usd
mine-a,QQA,Quarry Alpha,1.10
mine-b,QQB,Quarry Beta,2.20
";

pub(crate) const SOURCES: [&str; 3] = ["coinpaprika", "coingecko", "csv"];

/// A way to call the program on one store.
pub(crate) type Call<'a> = &'a dyn Fn(&[&str]) -> Finished;

/// A world with two listings of its own besides those of simulated vendors.
pub(crate) fn with_listings(world: World, upstream: &SimulatedUpstream) -> World {
    std::fs::write(world.folder.path().join("mine.csv"), MINE).unwrap();
    let file = world.folder.path().join("mine.csv").display().to_string();
    world.upstream(&upstream.url).with("KASPARRO_SOURCES__CSV__PATHS", &file)
}

/// Loads every source, one after the other, so that numbers are given in one order, and waits until it is
/// decided which listings are one asset.
pub(crate) fn fill(call: Call<'_>) {
    for source in SOURCES {
        done(call, &["run", source]);
    }
    done(call, &["assets", "resolve"]);
}

pub(crate) fn done(call: Call<'_>, arguments: &[&str]) -> Value {
    let finished = call(&[arguments, &["--json"]].concat());
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished.json()
}

/// A refusal's exit code and code.
pub(crate) fn refused(call: Call<'_>, arguments: &[&str]) -> (Option<i32>, String, String) {
    let finished = call(&[arguments, &["--json"]].concat());
    let error = finished.json()["error"].clone();
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    (finished.code, text("code"), format!("{} {}", text("message"), text("hint")))
}

/// Every asset as the set of its listings.
pub(crate) fn partition(call: Call<'_>) -> BTreeSet<BTreeSet<String>> {
    let assets = done(call, &["assets", "list"]);
    let listings = |asset: &Value| {
        let listings = asset["listings"].as_array().unwrap().iter();
        listings.map(|listing| listing.as_str().unwrap().to_owned()).collect()
    };
    assets.as_array().unwrap().iter().map(listings).collect()
}

/// The digest of the partition, whose invariants hold.
pub(crate) fn digest(call: Call<'_>) -> Value {
    done(call, &["verify"])["tables"]["partition"]["digest"].clone()
}

pub(crate) fn together(call: Call<'_>, a: &str, b: &str) -> bool {
    partition(call).iter().any(|asset| asset.contains(a) && asset.contains(b))
}

/// Two listings of the vendors that are one asset, and one that nothing is known to be the same as.
pub(crate) fn examples(call: Call<'_>) -> (String, String, String) {
    let partition = partition(call);
    let linked = partition.iter().find(|asset| asset.len() == 2).unwrap();
    let mut linked = linked.iter().cloned();
    let single = partition.iter().find(|asset| {
        asset.len() == 1 && asset.iter().all(|listing| listing.starts_with("coinpaprika:"))
    });
    let single = single.unwrap().iter().next().unwrap().clone();
    (linked.next().unwrap(), linked.next().unwrap(), single)
}

/// Decides in every way and takes everything back: what was told, to be compared between stores.
pub(crate) fn decided_and_taken_back(call: Call<'_>) -> Vec<Value> {
    let (before, digest_before) = (partition(call), digest(call));
    let (a, b, single) = examples(call);
    let why = ["--why", "so", "--who", "ada"];
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

    decide(&["unlink", &a, &b]);
    assert!(!together(call, &a, &b));
    assert_eq!(partition(call).len(), before.len() + 1, "nothing else has changed");
    decide(&["withdraw", &b, &a]);
    as_before("evidence decides again");

    decide(&["link", "csv:mine-a", &single]);
    assert!(together(call, "csv:mine-a", &single));
    decide(&["unlink", "csv:mine-a", &single]);
    as_before("the newest word counts");

    // One of them has two listings: history and ids follow, and come back.
    let id = |listing: &str| done(call, &["assets", "show", listing])["id"].to_string();
    let (one, other) = (id(&a), id("csv:mine-b"));
    decide(&["merge", &one, &other]);
    assert!(together(call, &a, "csv:mine-b") && together(call, &b, "csv:mine-b"));
    assert_eq!(id("csv:mine-b"), one, "the older asset keeps its id");
    let shown = done(call, &["assets", "show", &other]);
    assert_eq!(shown["id"].to_string(), one, "and the other id leads to it: {shown}");
    assert_eq!(shown["decisions"].as_array().unwrap().last().unwrap()["kind"], "merge");
    decide(&["split", &one, "--listing", "csv:mine-b"]);
    as_before("a split after a merge is what was before");
    assert_eq!((id(&a), id("csv:mine-b")), (one.clone(), other), "with the ids of before");

    decide(&["merge", "csv:mine-b", &b]);
    decide(&["split", &one, "--listing", &a, &b]);
    as_before("also where the older listings leave");
    told
}

#[test]
fn decisions_are_followed_and_taken_back_and_a_split_after_a_merge_is_the_identity() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let alone = decided_and_taken_back(&call);

    // The same beside a server, which does it.
    let beside = with_listings(World::new(), &upstream).nothing_by_itself();
    let server = beside.serve();
    let call = |arguments: &[&str]| beside.call(arguments);
    fill(&call);
    assert_eq!(decided_and_taken_back(&call), alone);
    assert_eq!(server.stop().code, Some(0));
    let connection = rusqlite::Connection::open(beside.database()).unwrap();
    let decided = "SELECT count(*) FROM command WHERE result LIKE '%decision_id%'";
    let decided: i64 = connection.query_row(decided, [], |row| row.get(0)).unwrap();
    assert_eq!(decided, i64::try_from(alone.len()).unwrap(), "the server did every one");
}

#[test]
fn a_linked_pair_and_an_unrelated_one_are_explained_alone_and_beside_a_server() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream).nothing_by_itself();
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let (a, b, single) = examples(&call);
    let look = || {
        let linked = done(&call, &["assets", "explain", &a, &b]);
        assert_eq!(linked["pair"]["verdict"], "linked", "{linked}");
        assert_eq!(linked["a"]["asset_id"], linked["b"]["asset_id"]);
        assert_eq!(linked["a"]["identity"], "linked");
        let sure = linked["a"]["confidence"].as_f64().unwrap();
        assert!((0.5..=1.0).contains(&sure), "{linked}");
        let features = linked["pair"]["features"].as_array().unwrap();
        let bits = |feature: &Value| feature["bits"].as_f64().unwrap();
        let sum: f64 = features.iter().map(bits).sum();
        assert!(sum > 5.0 && (sum - bits(&linked["pair"])).abs() < 0.01, "{linked}");

        let unrelated = done(&call, &["assets", "explain", &a, &single]);
        assert_eq!(unrelated["pair"]["verdict"], "rejected", "{unrelated}");
        assert_ne!(unrelated["a"]["asset_id"], unrelated["b"]["asset_id"]);
        assert!(bits(&unrelated["pair"]) < 0.0, "{unrelated}");

        let alone = done(&call, &["assets", "explain", &a]);
        assert_eq!((&alone["pair"], &alone["b"]), (&Value::Null, &Value::Null));
        let others = alone["alternatives"].as_array().unwrap();
        assert!(others.iter().any(|other| other["verdict"] == "linked"), "{alone}");
        assert!(!alone["rule_version"].as_str().unwrap().is_empty());
        (linked, unrelated, alone)
    };
    let before = look();
    let server = world.serve();
    assert_eq!(look(), before);
    assert_eq!(server.stop().code, Some(0));

    let text = world.call(&["assets", "explain", &a, &b]);
    for part in [&*a, &*b, "bits", "together", "rules", "% sure"] {
        assert!(text.stdout.contains(part), "{part}: {text:?}");
    }
    done(&call, &["assets", "unlink", &a, &b, "--why", "they said so", "--who", "ada"]);
    let decided = done(&call, &["assets", "explain", &a, &b]);
    assert_eq!(decided["decisions"][0]["who"], "ada", "{decided}");
    let text = world.call(&["assets", "explain", &a, &b]);
    assert!(text.stdout.contains("they said so"), "{text:?}");
}

#[test]
fn assets_are_listed_and_shown() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    let all = done(&call, &["assets", "list"]);
    let all = all.as_array().unwrap();
    let bitcoin = done(&call, &["assets", "list", "--symbol", "btc"]);
    assert_eq!(bitcoin.as_array().unwrap().len(), 1, "{bitcoin}");
    assert_eq!(bitcoin[0]["identity"], "linked");
    assert!(bitcoin[0]["listings"].as_array().unwrap().len() >= 2, "{bitcoin}");
    let some = done(&call, &["assets", "list", "--limit", "3", "--offset", "2"]);
    assert_eq!(some.as_array().unwrap(), &all[2..5]);
    let ambiguous = all.iter().filter(|asset| asset["identity"] == "ambiguous").count();
    let listed = done(&call, &["assets", "list", "--ambiguous"]);
    assert_eq!(listed.as_array().unwrap().len(), ambiguous);
    let text = world.call(&["assets", "list"]);
    assert!(text.stdout.contains("coingecko:") && text.stderr.contains("20 of"), "{text:?}");

    let id = bitcoin[0]["id"].to_string();
    let shown = done(&call, &["assets", "show", &id]);
    let listing = shown["listings"][1].as_str().unwrap();
    assert_eq!(done(&call, &["assets", "show", listing]), shown, "one of its listings names it");
    assert_eq!(
        shown["members"].as_array().unwrap().len(),
        shown["former_ids"].as_array().unwrap().len() + 1
    );
    let text = world.call(&["assets", "show", &id]);
    assert!(text.stdout.contains(listing) && text.stdout.contains("former ids"), "{text:?}");

    let status = done(&call, &["status"]);
    let identity = &status["identity"];
    assert_eq!((&identity["up_to_date"], &identity["pending"]), (&json!(true), &json!(false)));
    assert_eq!(identity["evidence_version"], identity["resolved_version"]);
    assert_eq!(identity["assets"].as_u64(), Some(all.len() as u64), "{identity}");
    assert!(world.call(&["status"]).stdout.contains("listings are"));
}

#[test]
fn what_people_decided_goes_into_a_file_and_back() {
    let upstream = simulator(40);
    let (world, other) =
        (with_listings(World::new(), &upstream), with_listings(World::new(), &upstream));
    let here = |arguments: &[&str]| world.call(arguments);
    let there = |arguments: &[&str]| other.call(arguments);
    fill(&here);
    fill(&there);
    let (a, b, single) = examples(&here);
    done(&here, &["assets", "unlink", &a, &b, "--why", "a \"fork\"", "--who", "ada"]);
    done(&here, &["assets", "link", "csv:mine-a", &single, "--why", "so", "--who", "ada"]);
    done(&here, &["assets", "unlink", "csv:mine-b", &single, "--why", "so", "--who", "bob"]);
    done(&here, &["assets", "withdraw", "csv:mine-b", &single, "--why", "no"]);
    let file = world.folder.path().join("overrides.toml").display().to_string();
    let exported = done(&here, &["assets", "overrides", "export", &file]);
    assert_eq!(exported["exported"], 2, "what was withdrawn is left out");

    let import =
        |more: &[&str]| done(&there, &[&["assets", "overrides", "import", &file], more].concat());
    assert_eq!(
        import(&[]),
        json!({"added": 2, "withdrawn": 0, "unchanged": 0, "not_followed": []})
    );
    assert_eq!(partition(&there), partition(&here));
    assert_eq!(
        import(&[]),
        json!({"added": 0, "withdrawn": 0, "unchanged": 2, "not_followed": []})
    );
    let said = |call: Call<'_>| {
        let said = done(call, &["assets", "overrides", "export"])["overrides"].clone();
        let mut said = said.as_array().unwrap().clone();
        for entry in &mut said {
            entry.as_object_mut().unwrap().remove("at").unwrap();
        }
        said
    };
    assert_eq!(said(&there), said(&here), "who and why are those of the file");

    done(&there, &["assets", "unlink", "csv:mine-b", &single, "--why", "not in the file"]);
    assert_eq!(import(&[])["withdrawn"], 0, "what the file does not say stays");
    assert_eq!(import(&["--replace"])["withdrawn"], 1);
    assert_eq!(said(&there), said(&here));

    // Beside a server as well: it is asked to decide.
    std::fs::write(&file, "# nothing is decided\n").unwrap();
    let other = other.nothing_by_itself();
    let there = |arguments: &[&str]| other.call(arguments);
    let server = other.serve();
    let emptied = done(&there, &["assets", "overrides", "import", &file, "--replace"]);
    assert_eq!((&emptied["added"], &emptied["withdrawn"]), (&json!(0), &json!(2)), "{emptied}");
    assert!(said(&there).is_empty());
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_decided() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    let missing = world.call(&["assets", "list"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    fill(&call);
    let before = (partition(&call), digest(&call));
    let (a, b, single) = examples(&call);
    let why = ["--why", "so"];
    let with_why = |arguments: &[&str]| refused(&call, &[&["assets"], arguments, &why].concat());

    for (arguments, code, part) in [
        (&["link", "coingecko:bitcon", &single][..], "unknown_listing", "coingecko:bitcoin"),
        (&["link", "gecko:bitcoin", &single], "unknown_listing", "there are listings of"),
        (&["merge", "4711", &a], "unknown_asset", "assets list"),
        (&["merge", &a, &b], "one_asset", "already"),
        (&["split", &a, "--listing", &single], "not_a_member", &b),
        (&["split", &a, "--listing", &a, &b], "nothing_stays", "name fewer"),
        (&["withdraw", &a, &b], "not_decided", "in force"),
    ] {
        let (exit, found, said) = with_why(arguments);
        assert_eq!((exit, &*found), (Some(1), code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{part}: {said}");
    }
    for (arguments, code, part) in [
        (&["link", "coingecko:a", "coingecko:b"][..], "one_source", "two listings of coingecko"),
        (&["unlink", &a, &a], "one_listing", "two different ones"),
        (&["link", "bitcoin", &a], "usage", "source:id"),
        (&["merge", "first", &a], "usage", "by its id"),
        (&["split", &a], "usage", "--listing"),
    ] {
        let (exit, found, said) = with_why(arguments);
        assert_eq!((exit, &*found), (Some(2), code), "{arguments:?}: {said}");
        assert!(said.contains(part), "{part}: {said}");
    }
    let (exit, code, said) = refused(&call, &["assets", "link", &a, &b]);
    assert_eq!((exit, &*code), (Some(2), "usage"), "nothing is decided without a reason: {said}");
    let (exit, code, _) = refused(&call, &["assets", "explain", &a, &a]);
    assert_eq!((exit, &*code), (Some(2), "one_listing"));

    // Two assets with a listing of one source each are refused whole.
    let ids = |listing: &str| done(&call, &["assets", "show", listing])["id"].to_string();
    let (exit, code, said) = with_why(&["merge", &ids("csv:mine-a"), &ids("csv:mine-b")]);
    assert_eq!((exit, &*code), (Some(1), "one_source"), "{said}");
    assert!(said.contains("csv:mine-a") && said.contains("csv:mine-b"), "{said}");

    let file = world.folder.path().join("team.toml");
    let path = file.display().to_string();
    let import = ["assets", "overrides", "import", &*path];
    assert_eq!(refused(&call, &import).0, Some(2), "there is no such file");
    let entry = |b: &str| format!("[[override]]\na='{a}'\nb='{b}'\nverdict='separate'\nwhy='so'\n");
    std::fs::write(&file, format!("{}{}", entry(&b), entry("csv:gone"))).unwrap();
    let (exit, code, said) = refused(&call, &import);
    assert_eq!((exit, &*code), (Some(1), "unknown_listing"), "{said}");
    assert!(said.contains("team.toml: entry 2") && said.contains("csv:gone"), "{said}");
    std::fs::write(&file, entry(&b).replace("separate", "apart")).unwrap();
    let (exit, code, said) = refused(&call, &import);
    assert_eq!((exit, &*code), (Some(2), "bad_overrides"), "{said}");
    assert!(said.contains("team.toml: entry 1") && said.contains("apart"), "{said}");
    assert_eq!((partition(&call), digest(&call)), before, "nothing was decided");
}

#[test]
fn a_store_whose_identity_is_behind_is_told_by_replay_and_brought_up_to_date() {
    let upstream = simulator(40);
    let world = with_listings(World::new(), &upstream);
    let call = |arguments: &[&str]| world.call(arguments);
    fill(&call);
    // As a process leaves it that is killed between its last page and the end of its run.
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    let version = "UPDATE generation SET evidence_version = evidence_version + 1";
    connection.execute(version, []).unwrap();
    connection.execute("DELETE FROM identity", []).unwrap();
    drop(connection);
    let status = done(&call, &["status"]);
    assert_eq!(status["identity"]["up_to_date"], false, "{status}");
    let replayed = world.call(&["replay", "--from", "data/kasparro.db", "--into", "one.db"]);
    assert_eq!(replayed.code, Some(1), "{replayed:?}");
    assert!(replayed.stderr.contains("kasparro assets resolve"), "{replayed:?}");
    let resolved = done(&call, &["assets", "resolve"]);
    assert_eq!(resolved["up_to_date"], true, "{resolved}");
    let replayed = world.call(&["replay", "--from", "data/kasparro.db", "--into", "two.db"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
}
