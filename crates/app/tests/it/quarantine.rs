//! `quarantine`: look, read again after a fix, give up.

use kasparro_domain::Timestamp;
use kasparro_store::{CommandStore, QuarantineStore};
use kasparro_testkit::{Finished, closed_port, wait_for};
use serde_json::Value;

use crate::world::{World, all_rows, assert_balanced, run_of};

/// The time column is not one; the instant stands in `seen`, of which a setting can tell.
const ROWS: &str = "\
id,symbol,name,price_usd,time,seen
mine-a,AAA,Mine A,1.10,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z
mine-b,BBB,Mine B,2.20,soon,2026-01-02T03:04:05Z
mine-c,CCC,Mine C,abc,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z
";

const FIX: &str = "[{ path = \"mine.csv\", time = \"seen\" }]";

/// A store with one believed row and two in quarantine: `mine-b` by its time, `mine-c` by its price.
fn world() -> World {
    let world =
        World::new().upstream(&closed_port()).with("KASPARRO_SOURCES__CSV__PATHS", "mine.csv");
    std::fs::write(world.folder.path().join("mine.csv"), ROWS).unwrap();
    let run = run_of(&world.call(&["run", "csv", "--json"]).json(), "csv");
    let counts = (&run["received"], &run["inserted"], &run["quarantined"]);
    assert_eq!(counts, (&3.into(), &1.into(), &2.into()), "{run}");
    world
}

fn listed(world: &World, arguments: &[&str]) -> Vec<Value> {
    let call = world.call(&[&["quarantine", "list", "--json"], arguments].concat());
    assert_eq!(call.code, Some(0), "{call:?}");
    call.json().as_array().unwrap().clone()
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

fn decisions(world: &World) -> u64 {
    world.call(&["verify", "--json"]).json()["tables"]["decision"]["rows"].as_u64().unwrap()
}

#[test]
fn rows_are_listed_and_shown_with_the_bytes_around_them() {
    let world = world();
    let rows = listed(&world, &[]);
    let mut fields: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let mut expected = [
        "id",
        "source",
        "run_id",
        "raw_page_id",
        "ordinal",
        "external_id",
        "reason",
        "field",
        "value",
        "rule",
        "status",
        "first_seen_at",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
    let about = |row: &Value| {
        let text = |field: &str| row[field].as_str().unwrap().to_owned();
        (row["ordinal"].as_u64().unwrap(), text("reason"), text("value"), text("status"))
    };
    assert_eq!(about(&rows[0]), (1, "bad_timestamp".into(), "soon".into(), "open".into()));
    assert_eq!(about(&rows[1]), (2, "bad_number".into(), "abc".into(), "open".into()));

    let run_id = rows[0]["run_id"].as_str().unwrap();
    for (arguments, found) in [
        (&["--source", "csv"][..], 2),
        (&["--source", "coingecko"], 0),
        (&["--reason", "bad_number"], 1),
        (&["--status", "all"], 2),
        (&["--status", "loaded"], 0),
        (&["--run", run_id], 2),
        (&["--limit", "1"], 1),
        (&["--offset", "1"], 1),
    ] {
        assert_eq!(listed(&world, arguments).len(), found, "{arguments:?}");
    }
    let text = world.call(&["quarantine", "list", "--limit", "1"]);
    assert!(text.stdout.contains("bad_timestamp") && text.stderr.contains("1 of 2"), "{text:?}");

    let id = rows[0]["id"].to_string();
    let shown = world.call(&["quarantine", "show", &id]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in ["id,symbol,name", "mine-a,AAA", "mine-b,BBB", "mine-c,CCC", "bad_timestamp"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let alone = world.call(&["quarantine", "show", &id, "--context", "0", "--json"]).json();
    assert_eq!(alone["header"], "id,symbol,name,price_usd,time,seen", "{alone}");
    assert_eq!(alone["rows"].as_array().unwrap().len(), 1);
    assert_eq!(alone["rows"][0]["ordinal"], 1);
    assert!(alone["rows"][0]["raw"].as_str().unwrap().starts_with("mine-b,BBB"), "{alone}");
}

#[test]
fn every_row_is_listed_for_scripts_and_the_first_for_people() {
    let world =
        World::new().upstream(&closed_port()).with("KASPARRO_SOURCES__CSV__PATHS", "mine.csv");
    // Few enough among good ones that the text is not refused as a whole.
    let rows = (0..30).map(|row| format!("mine-{row},abc\n"));
    let rows: String = rows.chain((30..180).map(|row| format!("mine-{row},1.5\n"))).collect();
    std::fs::write(world.folder.path().join("mine.csv"), format!("id,price_usd\n{rows}")).unwrap();
    let run = world.call(&["run", "csv"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(listed(&world, &[]).len(), 30);
    assert_eq!(listed(&world, &["--offset", "25"]).len(), 5);
    let text = world.call(&["quarantine", "list"]);
    assert_eq!(text.stdout.matches("bad_number").count(), 20, "{text:?}");
    assert!(text.stderr.contains("20 of 30 rows"), "{text:?}");
}

#[test]
fn a_row_is_stored_once_the_cause_is_mended() {
    let world = world();
    let unmended = world.call(&["quarantine", "retry", "--all", "--json"]);
    assert_eq!(unmended.code, Some(0), "{unmended:?}");
    let run = run_of(&unmended.json(), "csv");
    assert_balanced(&run);
    assert_eq!((&run["reason"], &run["quarantined"]), (&"retry".into(), &2.into()), "{run}");
    assert_eq!((listed(&world, &[]).len(), decisions(&world)), (2, 1));

    let world = world.with("KASPARRO_SOURCES__CSV__FILES", FIX);
    let mended =
        world.call(&["quarantine", "retry", "--source", "csv", "--why", "the column is named now"]);
    assert_eq!(mended.code, Some(0), "{mended:?}");
    assert!(mended.stdout.contains("believed: 1, refused again: 1"), "{mended:?}");
    let open = listed(&world, &[]);
    assert_eq!((open.len(), &open[0]["reason"]), (1, &"bad_number".into()));
    let loaded = listed(&world, &["--status", "loaded"]);
    assert_eq!((loaded.len(), decisions(&world)), (1, 2));
    let again = world.call(&["quarantine", "retry", &loaded[0]["id"].to_string(), "--json"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert_eq!(again.json()["error"]["code"], "not_open");

    let world = world.nothing_by_itself();
    let server = world.serve();
    let stored: Vec<_> = all_rows(&server, "&source=csv")
        .iter()
        .map(|row| (row["external_id"].clone(), row["price_usd"].to_string()))
        .collect();
    assert_eq!(stored, [("mine-a".into(), "1.1".to_owned()), ("mine-b".into(), "2.2".to_owned())]);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn beside_a_server_a_retry_and_a_discard_have_the_same_outcome() {
    let (alone, beside) = (world(), world());
    let alone = alone.with("KASPARRO_SOURCES__CSV__FILES", FIX).with("USER", "ada");
    let beside = beside.with("KASPARRO_SOURCES__CSV__FILES", FIX).with("USER", "ada");
    let beside = beside.nothing_by_itself();
    let server = beside.serve();
    let act = |world: &World| {
        let retried = world.call(&["quarantine", "retry", "--all", "--json"]);
        assert_eq!(retried.code, Some(0), "{retried:?}");
        let mut run = run_of(&retried.json(), "csv");
        assert_balanced(&run);
        for varying in ["run_id", "duration_ms", "started_at", "completed_at"] {
            assert!(run.as_object_mut().unwrap().remove(varying).is_some(), "{varying}: {run}");
        }
        let open = ids(&listed(world, &[]));
        assert_eq!(open.len(), 1);
        let id = open[0].to_string();
        let discarded = world.call(&["quarantine", "discard", &id, "--why", "no price", "--json"]);
        assert_eq!(discarded.code, Some(0), "{discarded:?}");
        let status: Vec<_> =
            listed(world, &["--status", "all"]).iter().map(|row| row["status"].clone()).collect();
        let digest = world.call(&["verify", "--json"]).json()["digest"].clone();
        (run, discarded.json(), status, digest)
    };
    let (left, right) = (act(&alone), act(&beside));
    assert_eq!(left, right);
    assert_eq!(left.0["inserted"], 1);
    assert_eq!(
        (&left.1["discarded"], &left.2),
        (&1.into(), &vec!["loaded".into(), "discarded".into()])
    );
    wait_for("the new row", || (all_rows(&server, "&source=csv").len() == 2).then_some(()));
    assert_eq!(server.stop().code, Some(0));
}

/// Starts a retry beside a holder, which gives rows up before it goes.
fn retried_while(world: &World, discarded: Vec<i64>) -> Finished {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let holder = world.hold();
    let retrying = world.start(&["quarantine", "retry", "--all"]);
    wait_for("the request", || {
        let claimed = runtime.block_on(holder.claim(false)).unwrap();
        (!claimed.is_empty()).then_some(())
    });
    let now = Timestamp::parse("2030-01-01T00:00:00Z").unwrap();
    let given_up = holder.discard(discarded, "bob", "not wanted", now);
    assert!(runtime.block_on(given_up).unwrap() > 0);
    drop(holder);
    let retried = retrying.finish();
    assert_eq!(retried.code, Some(0), "{retried:?}");
    retried
}

#[test]
fn rows_that_somebody_gives_up_meanwhile_are_not_told_as_believed() {
    let world = world().with("KASPARRO_SOURCES__CSV__FILES", FIX);
    let open = ids(&listed(&world, &[]));
    let retried = retried_while(&world, vec![open[1]]);
    let told = format!("believed: 1\ndiscarded meanwhile: {}", open[1]);
    assert!(retried.stdout.trim_end().ends_with(&told), "{retried:?}");
    assert_eq!(decisions(&world), 2);
    // The request that was left beside the holder is not carried out once more.
    let world = world.nothing_by_itself();
    let server = world.serve();
    let runs = world.call(&["runs", "--json"]).json()["runs"].as_array().unwrap().len();
    let run = world.call(&["run", "csv"]);
    assert_eq!(run.code, Some(0), "the server carries requests out: {run:?}");
    let after = world.call(&["runs", "--json"]).json()["runs"].as_array().unwrap().len();
    assert_eq!((after, decisions(&world)), (runs + 1, 2));
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_retry_whose_rows_were_all_given_up_says_that_nothing_was_read() {
    let world = world();
    let open = ids(&listed(&world, &[]));
    let retried = retried_while(&world, open.clone());
    let told = "nothing was read again: no row was open any more\n";
    let told = format!("{told}discarded meanwhile: {}, {}", open[0], open[1]);
    assert_eq!(retried.stdout.trim_end(), told, "{retried:?}");
}

#[test]
fn a_discarded_row_stays_discarded_when_the_same_body_comes_again() {
    let world = world();
    let why = ["--why", "the vendor will not mend it"];
    let call =
        world.call(&[&["quarantine", "discard", "--reason", "bad_number"][..], &why].concat());
    assert_eq!((call.code, call.stdout.trim()), (Some(0), "1 row is discarded"), "{call:?}");
    assert_eq!(decisions(&world), 1);
    let run = run_of(&world.call(&["run", "csv", "--json"]).json(), "csv");
    assert_balanced(&run);
    assert_eq!(listed(&world, &["--status", "discarded"]).len(), 1);
    let all = world.call(&["quarantine", "discard", "--all", "--why", "over", "--json"]);
    assert_eq!(all.json()["discarded"], 1, "{all:?}");
    let none = world.call(&["quarantine", "discard", "--all", "--why", "over", "--json"]);
    assert_eq!((none.code, &none.json()["discarded"]), (Some(0), &0.into()), "{none:?}");
    let nothing = world.call(&["quarantine", "retry", "--all", "--json"]);
    assert_eq!((nothing.code, &nothing.json()["runs"]), (Some(0), &Value::Array(vec![])));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_done() {
    let world = world();
    for arguments in [
        &["list", "--reason", "ugly"][..],
        &["list", "--status", "closed"],
        &["list", "--limit", "0"],
        &["list", "--source", "binance"],
        &["list", "--run", "seven"],
        &["show"],
        &["show", "seven"],
        &["retry"],
        &["retry", "1", "--all"],
        &["retry", "--all", "--source", "csv"],
        &["retry", "--source", "binance"],
        &["retry", "--all", "--why", " "],
        &["discard", "1"],
        &["discard", "--why", "so"],
        &["discard", "1", "--why", "two\nlines"],
    ] {
        let call = world.call(&[&["quarantine"], arguments, &["--json"]].concat());
        assert_eq!(call.code, Some(2), "{arguments:?}: {call:?}");
        assert!(call.json()["error"]["hint"].is_string(), "{call:?}");
    }
    for arguments in
        [&["show", "4711"][..], &["retry", "4711"], &["discard", "4711", "--why", "so"]]
    {
        let call = world.call(&[&["quarantine"], arguments, &["--json"]].concat());
        assert_eq!(call.code, Some(1), "{arguments:?}: {call:?}");
        assert_eq!(call.json()["error"]["code"], "unknown_row");
    }
    assert_eq!((listed(&world, &[]).len(), decisions(&world)), (2, 0));
    let none = world.call(&["quarantine", "retry"]);
    for way in ["ID", "--all", "--reason", "--source"] {
        assert!(none.stderr.contains(way), "{way}: {none:?}");
    }
    let empty = World::new();
    let missing = empty.call(&["quarantine", "list"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
}
