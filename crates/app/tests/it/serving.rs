//! `serve`: starts anywhere, keeps serving, stops cleanly, and comes back the same.

use kasparro_testkit::{closed_port, get, wait_for};

use crate::world::{World, all_rows, simulator, wait_until_loaded};

#[test]
fn without_a_network_it_serves_and_shows_why_each_source_fails() {
    let world = World::new().upstream(&closed_port());
    let server = world.serve();
    let rows = wait_for("the sample's rows", || {
        Some(all_rows(&server, "&source=csv")).filter(|rows| !rows.is_empty())
    });
    assert!(rows.iter().all(|row| row["source"] == "csv"));
    let health = wait_for("both failures", || {
        let health = get(&format!("{}/health", server.url)).unwrap();
        assert_eq!(health.status, 200, "a failing source is degraded, not down: {}", health.text());
        let etl = &health.json()["etl_status"];
        let failing = |source: &str| !etl[source]["error"].is_null();
        (failing("coinpaprika") && failing("coingecko")).then(|| health.json())
    });
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(get(&format!("{}/livez", server.url)).unwrap().status, 200);

    let status = world.call(&["status", "--json"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let status = status.json();
    for (source, state) in [("coinpaprika", "failed"), ("coingecko", "failed"), ("csv", "success")]
    {
        let sources = status["sources"].as_array().unwrap();
        let found = sources.iter().find(|found| found["source"] == source).unwrap();
        assert_eq!(found["status"], state, "{status}");
        assert_eq!(found["error"].is_null(), state == "success", "{status}");
        assert!(!found["next_run_at"].is_null() || state != "success", "{status}");
    }
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn the_first_line_says_where_and_sigterm_exits_0() {
    let world = World::new().nothing_by_itself();
    let text = world.serve();
    wait_until_loaded(&text);
    let url = text.url.clone();
    let stopped = text.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(stopped.stdout, format!("listening on {url}\n"));
    let json = world.listen(&["--json", "serve", "--listen", "127.0.0.1:0"]);
    let url = json.url.clone();
    let stopped = json.stop();
    assert_eq!(stopped.code, Some(0));
    assert_eq!(stopped.stdout, format!("{{\"listening\":\"{url}\"}}\n"));
}

#[test]
fn those_who_send_requests_are_told_before_a_server_leaves() {
    // Blank, so that the default holds.
    let world = World::new().nothing_by_itself().with("KASPARRO_SERVER__SHUTDOWN_NOTICE", "");
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let server = world.serve();
    wait_until_loaded(&server);
    let ready = format!("{}/readyz", server.url);
    assert_eq!(get(&ready).unwrap().status, 200);
    server.terminate();
    let told = wait_for("the word that it ends", || {
        let answer = get(&ready).expect("connections are still taken");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((told.status, &told.json()["code"]), (503, &"draining".into()), "{}", told.text());
    assert_eq!(get(&format!("{}/data", server.url)).unwrap().status, 200);
    let url = server.url.clone();
    let stopped = server.finish();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(get(&format!("{url}/readyz")).is_err(), "nobody listens any more");
}

#[test]
fn a_signal_that_comes_twice_is_one_request() {
    let world = World::new().nothing_by_itself();
    let server = world.serve();
    // As `timeout` and a shell's process group send it.
    server.terminate();
    server.terminate();
    let stopped = server.finish();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}

#[test]
fn a_server_whose_logs_nobody_takes_works_and_stops_all_the_same() {
    let world = World::new().upstream(&closed_port());
    let server = world.serve_unheard();
    wait_for("the sample's rows", || {
        let body = get(&format!("{}/data?source=csv", server.url)).ok()?.json();
        body["total"].as_u64().filter(|total| *total > 0)
    });
    // Each of these failures is logged, and the tasks that log them live on.
    wait_for("both failures", || {
        let etl = get(&format!("{}/health", server.url)).ok()?.json()["etl_status"].clone();
        ["coinpaprika", "coingecko"]
            .iter()
            .all(|source| !etl[source]["error"].is_null())
            .then_some(())
    });
    let run = world.call(&["run", "csv", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn i16_a_restart_serves_the_same_rows_also_after_a_kill() {
    let upstream = simulator(200);
    let world = World::new().upstream(&upstream.url);
    assert_eq!(world.call(&["run", "coinpaprika", "csv"]).code, Some(0));
    let world = world.nothing_by_itself();
    let first = world.serve();
    let before = all_rows(&first, "");
    first.kill();
    drop(first);
    let second = world.serve();
    assert_eq!(all_rows(&second, ""), before);
    assert_eq!(second.stop().code, Some(0));
    let third = world.serve();
    assert_eq!(all_rows(&third, ""), before);
}

#[test]
fn a_cursor_outlives_a_restart() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    let world = world.nothing_by_itself();
    let first = world.serve();
    wait_until_loaded(&first);
    let page = get(&format!("{}/data?limit=2", first.url)).unwrap().json();
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(first.stop().code, Some(0));
    let second = world.serve();
    wait_until_loaded(&second);
    let next = get(&format!("{}/data?limit=2&cursor={cursor}", second.url)).unwrap();
    assert_eq!(next.status, 200, "{}", next.text());
    assert_ne!(next.json()["data"], page["data"]);
}

#[test]
fn healthcheck_tells_a_server_from_none() {
    let world = World::new();
    let none = world.call(&["healthcheck", "--url", &closed_port()]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.stderr.contains("kasparro serve"), "{none:?}");
    let nonsense = world.call(&["healthcheck", "--url", "https://example.org"]);
    assert_eq!(nonsense.code, Some(2), "{nonsense:?}");

    let world = world.upstream(&closed_port());
    let server = world.serve();
    let healthy = world.call(&["healthcheck", "--url", &server.url, "--json"]);
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    assert_eq!(healthy.json()["ok"], true);
    wait_for("the sample in the read model", || {
        let ready = world.call(&["healthcheck", "--ready", "--url", &server.url]);
        (ready.code == Some(0)).then_some(())
    });
}
