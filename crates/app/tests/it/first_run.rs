//! From every upstream to answers.

use kasparro_testkit::{get, wait_for};

use crate::world::{World, all_rows, assert_balanced, run_of, simulator};

#[test]
fn rows_of_every_source_come_out_of_data_with_every_digit() {
    let upstream = simulator(300);
    let world =
        World::new().upstream(&upstream.url).with("KASPARRO_SOURCES__COINGECKO__PAGES", "2");
    let known = world.call(&["sources", "--json"]).json();
    let known = known["sources"].as_array().unwrap().iter();
    let enabled = known.filter(|source| source["enabled"] == true);
    let names: Vec<&str> = enabled.map(|source| source["source"].as_str().unwrap()).collect();
    assert!(!names.is_empty());
    let served = || upstream.simulator.ledger().iter().map(|entry| entry.rows.len()).sum::<usize>();
    let mut expected = 0;
    for source in &names {
        let before = served();
        let first = world.call(&["run", source, "--json"]);
        assert_eq!(first.code, Some(0), "{first:?}");
        let run = run_of(&first.json(), source);
        assert_balanced(&run);
        assert_eq!(run["status"], "success", "{run}");
        assert_eq!(run["reason"], "manual");
        assert!(run["error"].is_null());
        expected += run["inserted"].as_u64().unwrap();
        if !kasparro_sources::option_keys(source).contains(&"paths") {
            assert!(served() > before, "{source} has no simulated answer");
            assert_eq!(run["received"].as_u64().unwrap(), (served() - before) as u64, "i1: {run}");
        }
    }

    let again = world.call(&["run", "--all", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let again = again.json();
    assert_eq!(again["runs"].as_array().unwrap().len(), names.len(), "{again}");
    for run in again["runs"].as_array().unwrap() {
        assert_balanced(run);
        assert_eq!((&run["inserted"], &run["updated"]), (&0.into(), &0.into()), "{run}");
    }

    let world = world.nothing_by_itself();
    let server = world.serve();
    let rows = all_rows(&server, "&include=unpriced");
    assert_eq!(rows.len() as u64, expected);
    // The simulator's 25th coin has this price, its 26th this supply; a reader of numbers would lose both.
    let text = get(&format!(
        "{}/data?limit=500&source=coinpaprika&fields=price_usd,total_supply",
        server.url
    ));
    let text = text.unwrap().text();
    for digits in ["3.84e-18", "9223372036854775807"] {
        assert!(text.contains(digits), "{digits}");
    }
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_run_shows_a_table_on_stdout_and_progress_on_stderr() {
    let upstream = simulator(30);
    let world = World::new().upstream(&upstream.url);
    let run = world.call(&["run", "coinpaprika", "csv"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    for word in ["source", "quarantined", "coinpaprika", "csv", "success"] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    assert!(run.stderr.contains("coinpaprika: success, pages "), "{}", run.stderr);
    assert!(!run.stdout.contains('\u{1b}'), "no colours into a pipe");
}

#[test]
fn a_moved_upstream_updates_what_is_stored() {
    let upstream = simulator(50);
    let world = World::new().upstream(&upstream.url);
    assert_eq!(world.call(&["run", "coinpaprika"]).code, Some(0));
    upstream.step();
    let run = world.call(&["run", "coinpaprika", "--json"]).json();
    let run = run_of(&run, "coinpaprika");
    assert_balanced(&run);
    assert_eq!(run["inserted"], 0, "{run}");
    assert!(run["updated"].as_u64().unwrap() > 0, "{run}");
}

#[test]
fn the_simulator_runs_as_a_command_and_steps_when_told() {
    let world = World::new();
    let simulator =
        world.listen(&["sim", "--listen", "127.0.0.1:0", "--coins", "40", "--seed", "7", "--json"]);
    let tickers = || get(&format!("{}/v1/tickers", simulator.url)).unwrap();
    let before = tickers();
    assert_eq!(before.json().as_array().unwrap().len(), 40);
    assert_eq!(before.body, tickers().body, "values stand still");
    let step = kasparro_testkit::request("POST", &format!("{}/_sim/step", simulator.url)).unwrap();
    assert_eq!(step.status, 200, "{}", step.text());
    assert_ne!(before.body, tickers().body);
    let run = world.call(&["run", "coinpaprika", "--upstream", &simulator.url, "--json"]);
    let ledger = get(&format!("{}/_sim/ledger", simulator.url)).unwrap().text();
    let asked = ledger.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    // Both looks at the tickers above are in the ledger too.
    let served: usize = asked.skip(3).map(|entry| entry["rows"].as_array().unwrap().len()).sum();
    assert!(served > 40, "{ledger}");
    assert_eq!(run_of(&run.json(), "coinpaprika")["received"], served);
    assert_eq!(simulator.stop().code, Some(0));
}

#[test]
fn the_simulator_serves_captured_bodies_by_their_dates() {
    let world = World::new();
    let folder = world.folder.path().join("captures");
    std::fs::create_dir_all(&folder).unwrap();
    // Two bodies made by hand after CoinPaprika's documentation, a day apart.
    let manifest = ["2026-01-01", "2026-01-02"].map(|date| {
        let file = format!("tickers_{date}.json");
        let body = format!("[{{\"id\":\"btc-bitcoin\",\"last_updated\":\"{date}T00:00:00Z\"}}]");
        std::fs::write(folder.join(&file), body).unwrap();
        serde_json::json!({
            "file": file, "endpoint": "GET /v1/tickers", "captured": format!("{date}T00:00:10Z"),
            "shape": "array", "complete": "complete",
        })
    });
    let manifest = serde_json::to_string(&manifest).unwrap();
    std::fs::write(folder.join("manifest.json"), manifest).unwrap();
    let simulator =
        world.listen(&["sim", "--listen", "127.0.0.1:0", "--replay", "captures", "--json"]);
    let served = || {
        let tickers = get(&format!("{}/v1/tickers?quotes=USD", simulator.url)).unwrap().json();
        tickers[0]["last_updated"].as_str().unwrap().to_owned()
    };
    assert_eq!(served(), "2026-01-01T00:00:00Z");
    let step = kasparro_testkit::request("POST", &format!("{}/_sim/step", simulator.url)).unwrap();
    assert_eq!(step.status, 200, "{}", step.text());
    assert_eq!(served(), "2026-01-02T00:00:00Z");
    assert_eq!(simulator.stop().code, Some(0));

    for (name, text) in [("empty", None), ("broken", Some("{")), ("nothing", Some("[]"))] {
        let folder = world.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        if let Some(text) = text {
            std::fs::write(folder.join("manifest.json"), text).unwrap();
        }
        let call = world.call(&["sim", "--listen", "127.0.0.1:0", "--replay", name, "--json"]);
        assert_eq!(call.code, Some(2), "{call:?}");
        assert_eq!(call.json()["error"]["code"], "bad_captures");
        assert!(call.stderr.contains("manifest.json") && call.stderr.contains(name), "{call:?}");
    }
    let both = world.call(&["sim", "--replay", "captures", "--coins", "7"]);
    assert_eq!(both.code, Some(2), "{both:?}");
}

#[test]
fn the_files_of_csv_are_read_where_they_are_configured() {
    let world = World::new().with("KASPARRO_SOURCES__CSV__PATHS", "mine.csv");
    std::fs::write(
        world.folder.path().join("mine.csv"),
        "id,symbol,name,price_usd\nmine-a,AAA,Mine A,1.10\nmine-b,BBB,Mine B,abc\n",
    )
    .unwrap();
    let run = world.call(&["run", "csv", "--json"]);
    let run = run_of(&run.json(), "csv");
    assert_balanced(&run);
    assert_eq!(
        (&run["received"], &run["inserted"], &run["quarantined"]),
        (&2.into(), &1.into(), &1.into()),
        "{run}"
    );
    let world = world.nothing_by_itself();
    let server = world.serve();
    let rows = wait_for("the row", || {
        Some(all_rows(&server, "&source=csv")).filter(|rows| !rows.is_empty())
    });
    assert_eq!(rows[0]["external_id"], "mine-a");
    let text = get(&format!("{}/data", server.url)).unwrap().text();
    assert!(text.contains("\"price_usd\":1.1,"), "one canonical text: {text}");
}
