//! Several processes on one database.

use kasparro_testkit::{Reply, TinyUpstream, closed_port, get, wait_for};

use super::{Shared, status_of};
use crate::world::{World, all_rows, assert_balanced, run_of, simulator};

#[test]
fn an_api_shows_what_a_worker_fetched_for_a_run_that_was_asked_for() {
    let upstream = simulator(40);
    let shared = Shared::new().map(|world| world.upstream(&upstream.url).nothing_by_itself());
    // The API may come first: it waits for the schema.
    let api = shared.world.listen(&["api", "--listen", "127.0.0.1:0"]);
    assert_eq!(get(&format!("{}/livez", api.url)).unwrap().status, 200);
    let worker = shared.work(&["coinpaprika", "csv"]);
    let run = shared.call(&["run", "coinpaprika", "csv", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let document = run.json();
    let mut priced = 0;
    for source in ["coinpaprika", "csv"] {
        let run = run_of(&document, source);
        assert_balanced(&run);
        priced += run["inserted"].as_u64().unwrap();
    }
    wait_for("the rows of both", || {
        (all_rows(&api, "&include=unpriced").len() as u64 == priced).then_some(())
    });
    // The worker did it: a command of each source has its outcome, and none was taken back.
    let done = "SELECT count(*) FROM kasparro.command WHERE result::text LIKE '%run_id%'";
    assert_eq!(shared.cell(done).as_deref(), Some("2"));

    let status = shared.call(&["healthcheck", "--worker", "--json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let held = status.json()["held_here"].as_array().unwrap().len();
    assert!(held >= 2, "{status:?}");
    let pid = worker.id();
    let stopped = worker.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let said = stopped.stdout;
    assert!(said.starts_with("working as ") && said.contains(&format!("pid {pid} (")), "{said}");
    assert_eq!(said.lines().count(), 1);
    assert_eq!(shared.holder("csv"), None, "its lease is given up");
    let enabled = shared.map(|world| world.with("KASPARRO_SOURCES__CSV__ENABLED", "true"));
    let nobody = enabled.call(&["healthcheck", "--worker", "--json"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert_eq!(nobody.json()["held_by_nobody"], serde_json::json!(["csv"]));
    assert_eq!(api.stop().code, Some(0));
}

#[test]
fn a_run_beside_a_worker_ends_as_one_beside_a_server_does() {
    let shared = Shared::new().map(|world| world.upstream(&closed_port()).nothing_by_itself());
    let worker = shared.work(&["coinpaprika", "csv"]);
    let failed = shared.call(&["run", "coinpaprika", "--json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(run_of(&failed.json(), "coinpaprika")["error"]["code"], "connect_failed");
    let some = shared.call(&["run", "coinpaprika", "csv"]);
    assert_eq!(some.code, Some(4), "{some:?}");
    assert_eq!(shared.call(&["run", "binance"]).code, Some(2));
    let refused = shared.call(&["run", "csv", "--json", "--upstream", "http://127.0.0.1:9"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "upstream_of_holder");
    assert!(refused.stderr.contains(&worker.id().to_string()), "{refused:?}");
    assert_eq!(worker.stop().code, Some(0));
    // Alone it takes the flag, and the sources.
    let alone = shared.call(&["run", "csv", "--upstream", "http://127.0.0.1:9"]);
    assert_eq!(alone.code, Some(0), "{alone:?}");
    assert_eq!(shared.holder("csv"), None, "given up at its end");
}

#[test]
fn i4_a_worker_that_is_killed_leaves_its_source_and_its_request_to_a_run() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let (answer, answered) = std::sync::mpsc::channel::<()>();
    let answered = std::sync::Mutex::new(answered);
    let upstream = TinyUpstream::start(move |_| {
        let _ = asked.send(());
        let _ = answered.lock().unwrap().recv();
        Reply::json("[]")
    });
    let shared = Shared::new().map(|world| world.upstream(&upstream.url).nothing_by_itself());
    let worker = shared.work(&["coinpaprika", "csv"]);
    let run = shared.world.start(&["run", "coinpaprika", "csv", "--json"]);
    is_asked.recv_timeout(kasparro_testkit::PATIENCE).unwrap();
    let status = || status_of(&shared.call(&["status", "--json"]).json(), "coinpaprika");
    assert_eq!(status()["status"], "running");
    // A kill between the end of a run and the answer to its request leaves a request that the next holder answers.
    wait_for("the worker's answer about csv", || {
        let done = "SELECT count(*) FROM kasparro.command WHERE state = 'done'";
        (shared.cell(done)? == "1").then_some(())
    });
    worker.kill();
    // From here on the upstream answers at once.
    drop(answer);
    let run = run.finish();
    assert_eq!(run.code, Some(4), "{run:?}");
    let document = run.json();
    // What the worker had begun has ended with it; this process did it once more.
    assert_eq!(run_of(&document, "coinpaprika")["error"]["code"], "empty_answer", "{document}");
    assert_eq!(run_of(&document, "csv")["status"], "success", "{document}");
    let listed = ["runs", "--source", "coinpaprika", "--status", "abandoned", "--json"];
    let abandoned = shared.call(&listed).json();
    assert_eq!(abandoned["runs"].as_array().unwrap().len(), 1, "{abandoned}");
    let left = "SELECT count(*) FROM kasparro.command WHERE state <> 'done'";
    assert_eq!(shared.cell(left).as_deref(), Some("0"), "nothing is done once more");
    drop(worker);
}

#[test]
fn a_run_that_is_asked_to_stop_gives_its_source_up() {
    let (asked, is_asked) = std::sync::mpsc::channel();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(()));
    let closed = gate.lock().unwrap();
    let passing = std::sync::Arc::clone(&gate);
    let upstream = TinyUpstream::start(move |_| {
        let _ = asked.send(());
        drop(passing.lock());
        Reply::json("[]")
    });
    let shared = Shared::new().map(|world| world.upstream(&upstream.url));
    let running = shared.world.start(&["run", "coinpaprika", "--json"]);
    is_asked.recv_timeout(kasparro_testkit::PATIENCE).unwrap();
    let stopped = running.stop();
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let run = run_of(&stopped.json(), "coinpaprika");
    assert_eq!(run["error"]["code"], "stopped", "{run}");
    assert_eq!(shared.holder("coinpaprika"), None, "others need not wait for the lease to end");
    drop(closed);
}

#[test]
fn cursors_are_understood_by_every_process_with_the_same_secret() {
    let shared = Shared::new().map(World::nothing_by_itself);
    assert_eq!(shared.call(&["run", "csv"]).code, Some(0));
    let listen = ["api", "--listen", "127.0.0.1:0"];
    let one = shared.world.listen(&listen);
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().display().to_string();
    let shared = shared.map(|world| world.with("KASPARRO_STORE__DATA_DIR", &folder));
    let other = shared.world.listen(&listen);
    let rows = all_rows(&one, "").len();
    assert_eq!(all_rows(&other, "").len(), rows);
    let page = get(&format!("{}/data?limit=2", one.url)).unwrap().json();
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    let next = get(&format!("{}/data?limit=2&cursor={cursor}", other.url)).unwrap();
    assert_eq!(next.status, 200, "{}", next.text());
    for server in [one, other] {
        assert_eq!(server.stop().code, Some(0));
    }
    let config = shared.call(&["config", "print"]);
    assert!(!config.stdout.contains("canary"), "{config:?}");
    let without = shared.map(|world| world.with("KASPARRO_SECRET", ""));
    for command in [&listen[..], &["serve", "--listen", "127.0.0.1:0"]] {
        let refused = without.call(command);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let line = refused.stderr.trim_end();
        assert!(line.contains("KASPARRO_SECRET") && line.contains("make-env.sh"), "{line}");
        assert!(!line.contains('\n') && refused.stdout.is_empty(), "{refused:?}");
    }
    assert_eq!(without.call(&["status"]).code, Some(0), "what does not answer needs none");
}
