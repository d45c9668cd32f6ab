//! `demo`: everything in one process, offline.

use kasparro_testkit::{get, request, wait_for};

use crate::world::{World, wait_until_loaded};

#[test]
fn the_demo_fills_itself_from_simulated_upstreams_in_a_folder_of_its_own() {
    // A configured database and key belong to real data: the demo takes neither.
    let world = World::new()
        .with("KASPARRO_STORE__DATABASE", "sqlite:./real/kasparro.db")
        .with("COINGECKO_API_KEY", "CG-canary-0123456789")
        .with("KASPARRO_SOURCES__COINGECKO__KEY_KIND", "pro");
    let demo = world.listen(&["demo", "--listen", "127.0.0.1:0"]);
    wait_until_loaded(&demo);
    for source in ["coinpaprika", "coingecko", "csv"] {
        wait_for(source, || {
            let body = get(&format!("{}/data?limit=1&source={source}", demo.url)).unwrap().json();
            body["total"].as_u64().filter(|total| *total > 0)
        });
    }
    for path in ["rss.xml", "atom.xml", "feed.json"] {
        wait_for(path, || {
            let body = get(&format!("{}/news?limit=500", demo.url)).unwrap().json();
            let news = body["data"].as_array().unwrap().clone();
            let of_feed = |item: &&serde_json::Value| {
                item["feed"].as_str().is_some_and(|feed| feed.ends_with(path))
            };
            news.iter().find(of_feed).map(|_| ())
        });
    }
    let runs = get(&format!("{}/runs?limit=1", demo.url)).unwrap();
    assert_eq!(runs.status, 200, "whoever sits here needs no key to look: {}", runs.text());
    let started = request("POST", &format!("{}/trigger-etl?source=csv", demo.url)).unwrap();
    assert_eq!(started.status, 401, "but to change something: {}", started.text());
    assert!(world.folder.path().join("data/demo/kasparro.db").exists());
    assert!(!world.folder.path().join("real").exists());
    let stopped = demo.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
}

#[test]
fn the_demo_explains_itself() {
    let help = World::new().call(&["demo", "--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    for part in ["kasparro demo --listen", "./data/demo", "simulated"] {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("kasparro serve"), "{}", help.stdout);
}
