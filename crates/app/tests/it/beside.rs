//! Commands with and without a server on the same store.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_testkit::{Reply, TinyUpstream, closed_port, get, wait_for};

use crate::world::{World, all_rows, assert_balanced, run_of, simulator};

#[test]
fn a_run_beside_a_server_is_carried_out_by_it_with_the_same_outcome() {
    let upstream = simulator(60);
    let alone = World::new().upstream(&upstream.url);
    let beside = World::new().upstream(&upstream.url).nothing_by_itself();
    let server = beside.serve();

    let of_one = |world: &World| {
        let call = world.call(&["run", "coinpaprika", "csv", "--json"]);
        assert_eq!(call.code, Some(0), "{call:?}");
        call.json()
    };
    let (left, right) = (of_one(&alone), of_one(&beside));
    for source in ["coinpaprika", "csv"] {
        let (mut left, mut right) = (run_of(&left, source), run_of(&right, source));
        assert_balanced(&right);
        for run in [&mut left, &mut right] {
            let run = run.as_object_mut().unwrap();
            for varying in ["run_id", "duration_ms", "started_at", "completed_at"] {
                assert!(run.remove(varying).is_some_and(|value| !value.is_null()), "{varying}");
            }
        }
        assert_eq!(left, right);
    }
    // The server shows what it committed.
    let expected: u64 =
        right["runs"].as_array().unwrap().iter().filter_map(|run| run["inserted"].as_u64()).sum();
    // One request at a time: the read model moves on while it is looked at.
    wait_for("the new rows", || {
        let answer = get(&format!("{}/data?limit=1&include=unpriced", server.url)).ok()?;
        (answer.json()["total"] == expected).then_some(())
    });
    assert_eq!(all_rows(&server, "&include=unpriced").len() as u64, expected);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_run_beside_a_server_fails_with_the_same_exit_codes() {
    let world = World::new().upstream(&closed_port()).nothing_by_itself();
    let server = world.serve();
    let failed = world.call(&["run", "coinpaprika", "--json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(run_of(&failed.json(), "coinpaprika")["error"]["code"], "connect_failed");
    let some = world.call(&["run", "coinpaprika", "csv"]);
    assert_eq!(some.code, Some(4), "{some:?}");
    let unknown = world.call(&["run", "binance"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    drop(server);
}

#[test]
fn a_run_takes_the_store_over_when_its_holder_goes() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let holder = world.hold();
    let waiting = world.start(&["run", "csv", "--json"]);
    wait_for("the request beside the holder", || {
        let runs = world.call(&["runs", "--status", "queued", "--json"]).json();
        (!runs["runs"].as_array().unwrap().is_empty()).then_some(())
    });
    drop(holder);
    let run = waiting.finish();
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run_of(&run.json(), "csv")["status"], "success");
}

#[test]
fn who_waits_for_a_holder_that_does_nothing_is_told_whom_it_waits_for() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let holder = world.hold();
    holder.set_address("http://127.0.0.1:4711").unwrap();
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_kasparro"))
        .args(["run", "csv"])
        .current_dir(world.folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(waiting.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.into_iter().find(|line| line.contains("waiting for it")).unwrap();
    let pid = format!("pid {}", std::process::id());
    for part in [pid.as_str(), "http://127.0.0.1:4711", "the request stays in the store"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    drop(holder);
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    // Nothing is left that the next server would carry out once more.
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    let read = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let result: String = connection.query_row("SELECT result FROM command", [], read).unwrap();
    assert_eq!(result, r#"{"withdrawn":true}"#);
}

#[test]
fn commands_that_read_answer_the_same_with_and_without_a_server() {
    let upstream = simulator(30);
    let world = World::new().upstream(&upstream.url);
    let missing = world.call(&["status"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.stderr.contains("kasparro run"), "{missing:?}");
    assert_eq!(world.call(&["sources"]).code, Some(0), "sources need no store");

    let run = run_of(&world.call(&["run", "coinpaprika", "--json"]).json(), "coinpaprika");
    let run_id = run["run_id"].as_str().unwrap();
    let generation = world.stored("coinpaprika").0;
    assert!(generation > 0);
    let world = world.nothing_by_itself();
    let look = || {
        let runs = world.call(&["runs", "--json"]);
        let one = world.call(&["runs", run_id, "--json"]);
        let sources = world.call(&["sources", "--json"]);
        let status = world.call(&["status", "--json"]);
        for call in [&runs, &one, &sources, &status] {
            assert_eq!(call.code, Some(0), "{call:?}");
        }
        assert_eq!(runs.json()["runs"][0], run);
        assert_eq!(one.json(), run);
        let listed = sources.json()["sources"].as_array().unwrap().clone();
        let paprika = listed.iter().find(|source| source["source"] == "coinpaprika").unwrap();
        assert_eq!(paprika["listings"], run["inserted"]);
        let status = status.json();
        assert_eq!(status["generation"].as_u64().unwrap(), generation, "{status}");
        let found = status["sources"].as_array().unwrap().clone();
        let paprika = found.iter().find(|source| source["source"] == "coinpaprika").unwrap();
        assert_eq!(paprika["last_run_id"].as_str(), Some(run_id));
        let fields: Vec<_> = paprika.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = [
            "source",
            "status",
            "last_run_id",
            "last_success_at",
            "lag_seconds",
            "next_run_at",
            "budget",
            "breaker",
            "forecast",
            "error",
        ];
        expected.sort_unstable();
        let mut fields = fields;
        fields.sort_unstable();
        assert_eq!(fields, expected);
    };
    look();
    let server = world.serve();
    look();
    assert_eq!(server.stop().code, Some(0));
    look();
    for text in [vec!["runs"], vec!["runs", run_id], vec!["status"], vec!["sources"]] {
        let call = world.call(&text);
        assert!(call.stdout.contains("coinpaprika"), "{text:?}: {call:?}");
    }
}

#[test]
fn a_run_that_does_not_exist_is_said_so() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let unknown = world.call(&["runs", "00000000-0000-7000-8000-000000000000", "--json"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert_eq!(unknown.json()["error"]["code"], "unknown_run");
    assert_eq!(world.call(&["runs", "seven"]).code, Some(2));
    assert_eq!(world.call(&["runs", "--status", "fine"]).code, Some(2));
}

#[test]
fn an_upstream_for_a_run_beside_a_server_is_refused() {
    let world = World::new().nothing_by_itself();
    let server = world.serve();
    let call = world.call(&["run", "csv", "--json", "--upstream", "http://127.0.0.1:9"]);
    assert_eq!(call.code, Some(2), "{call:?}");
    assert_eq!(call.json()["error"]["code"], "upstream_of_holder");
    for part in [server.id().to_string(), server.url.clone(), "--database".to_owned()] {
        assert!(call.stderr.contains(&part), "{part}: {call:?}");
    }
    let runs = world.call(&["runs", "--json"]).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 0, "nothing was asked of the server");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_run_whose_process_was_killed_shows_as_abandoned_at_once() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let passing = Arc::clone(&gate);
    let upstream = TinyUpstream::start(move |_| {
        let _ = asked.send(());
        drop(passing.lock());
        Reply::json("[]")
    });
    let world = World::new().upstream(&upstream.url);
    let running = world.start(&["run", "coinpaprika"]);
    is_asked.recv_timeout(Duration::from_secs(60)).unwrap();
    let status = || {
        let status = world.call(&["status", "--json"]).json();
        let sources = status["sources"].as_array().unwrap().clone();
        sources.into_iter().find(|source| source["source"] == "coinpaprika").unwrap()["status"]
            .clone()
    };
    assert_eq!(status(), "running");
    running.kill();
    assert_eq!(running.finish().code, None);
    assert_eq!(status(), "abandoned");
    drop(closed);
    // The next process that takes the store closes it for good.
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let runs = world.call(&["runs", "--source", "coinpaprika", "--json"]).json();
    assert_eq!(runs["runs"][0]["status"], "abandoned", "{runs}");
}

#[test]
fn a_run_that_is_asked_to_stop_ends_and_says_what_it_did() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let passing = Arc::clone(&gate);
    let upstream = TinyUpstream::start(move |_| {
        let _ = asked.send(());
        drop(passing.lock());
        Reply::json("[]")
    });
    let world = World::new().upstream(&upstream.url);
    let running = world.start(&["run", "coinpaprika", "--json"]);
    is_asked.recv_timeout(Duration::from_secs(60)).unwrap();
    let stopped = running.stop();
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let run = run_of(&stopped.json(), "coinpaprika");
    assert_eq!(
        (&run["status"], &run["error"]["code"]),
        (&"abandoned".into(), &"stopped".into()),
        "{run}"
    );
    drop(closed);
    let listed = world.call(&["runs", "--json"]).json();
    assert_eq!(listed["runs"][0], run);
}
