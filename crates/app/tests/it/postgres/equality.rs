//! Whatever the store, the answers are the same.

use kasparro_domain::Timestamp;
use kasparro_testkit::{Server, get, wait_for};
use serde_json::Value;

use super::Shared;
use crate::world::{ADMIN, World, all_rows, get_as, simulator, wait_until_loaded};

const SOURCES: [&str; 3] = ["coinpaprika", "coingecko", "csv"];

/// Fills a store, one source after the other, so that ids are given in one order.
fn fill(world: &World) {
    for source in SOURCES {
        let run = world.call(&["run", source]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

/// Everything but what names this very run, answer or moment.
fn lasting(value: &mut Value) {
    const OF_THE_MOMENT: [&str; 12] = [
        "request_id",
        "lease",
        "api_latency_ms",
        "duration_ms",
        "uptime_seconds",
        "lag_seconds",
        "age_seconds",
        "behind_seconds",
        "last_processed_id",
        "next_cursor",
        "next",
        "avg_duration_ms",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_THE_MOMENT.contains(&name.as_str()));
            fields.values_mut().for_each(lasting);
        }
        Value::Array(values) => values.iter_mut().for_each(lasting),
        Value::String(text) => {
            let id = text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
            if id || Timestamp::parse(text).is_ok() {
                *value = Value::Null;
            }
        }
        _ => {}
    }
}

fn answer(server: &Server, path: &str) -> (u16, Value) {
    let answer = get_as(ADMIN, &format!("{}{path}", server.url)).unwrap();
    let mut body = answer.json();
    lasting(&mut body);
    (answer.status, body)
}

#[test]
fn i14_every_answer_is_the_same_on_both_stores() {
    let upstream = simulator(120);
    let of_file = World::new().upstream(&upstream.url);
    let of_database = Shared::new().map(|world| world.upstream(&upstream.url));
    fill(&of_file);
    fill(&of_database.world);
    let digest = |world: &World| world.call(&["verify", "--json"]).json()["digest"].clone();
    assert_eq!(digest(&of_file), digest(&of_database.world));

    let of_file = of_file.nothing_by_itself();
    let of_database = of_database.map(World::nothing_by_itself);
    let servers = [of_file.serve(), of_database.world.serve()];
    servers.iter().for_each(wait_until_loaded);
    assert!(all_rows(&servers[0], "").len() > 200);
    // On PostgreSQL sources are taken one after the other, and tell how they are set once they are held.
    wait_for("the sources in the hands of the server", || {
        let [file, database] = servers.each_ref().map(|server| answer(server, "/sources").1);
        let enabled = |sources: &Value| -> Option<Vec<Value>> {
            let sources = sources["data"].as_array()?;
            Some(sources.iter().map(|source| source["enabled"].clone()).collect())
        };
        (enabled(&database)? == enabled(&file)?).then_some(())
    });
    for path in [
        "/data?limit=500",
        "/data?limit=500&include=unpriced&page=2",
        "/data?sort=market_cap&order=desc&limit=50&fields=id,symbol,price_usd,circulating_supply",
        "/data?search=bit&source=coingecko",
        "/data?limit=0",
        "/listings?limit=100",
        "/listings/1",
        "/assets?limit=100",
        "/assets/1",
        "/assets/1/identity",
        "/assets?symbol=btc",
        "/assets/1/history",
        "/assets/1/history?interval=1h",
        "/quarantine",
        "/quarantine/pages",
        "/drift",
        "/anomalies",
        "/news",
        "/runs",
        "/sources",
        "/stats",
        "/health",
        "/readyz",
        "/openapi.json",
        "/nothing",
    ] {
        let [left, right] = servers.each_ref().map(|server| answer(server, path));
        assert_eq!(left, right, "{path}");
    }
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn serving_from_postgresql_starts_with_nothing_and_fetches_by_itself() {
    let upstream = simulator(60);
    let shared = Shared::new().map(|world| world.upstream(&upstream.url));
    let server = shared.world.serve();
    let url = server.url.clone();
    wait_for("the end of the first runs", || {
        let runs = shared.call(&["runs", "--json"]).json();
        // The schema comes with the server.
        let runs = runs["runs"].as_array()?;
        (runs.len() >= 3 && runs.iter().all(|run| run["status"] == "success")).then_some(())
    });
    // The read model follows; walked only once nothing changes in between.
    assert_eq!(shared.call(&["assets", "resolve"]).code, Some(0));
    let generation = shared.call(&["status", "--json"]).json()["generation"].to_string();
    wait_for("the read model", || {
        let answer = get(&format!("{}/data?limit=1", server.url)).ok()?;
        (answer.header("x-generation")? == generation).then_some(())
    });
    let rows = all_rows(&server, "");
    for source in SOURCES {
        assert!(rows.iter().any(|row| row["source"] == source), "{source}");
    }
    let priced = rows.len();
    let healthy = shared.call(&["healthcheck", "--url", &server.url]);
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(stopped.stdout, format!("listening on {url}\n"));
    for source in SOURCES {
        assert_eq!(shared.holder(source), None, "its lease is given up");
    }
    let shared = shared.map(World::nothing_by_itself);
    let again = shared.world.serve();
    assert_eq!(all_rows(&again, "").len(), priced);
    assert_eq!(again.stop().code, Some(0));
}
