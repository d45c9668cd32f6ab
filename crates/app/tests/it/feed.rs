//! News: from a feed to `/news`, and not sent again while it has not changed.

use kasparro_testkit::{get, wait_for};
use serde_json::Value;

use crate::world::{World, assert_balanced, run_of, simulator};

const FEEDS: &str = "https://news.example/feed/rss.xml,https://news.example/feed/atom.xml,https://news.example/feed/feed.json";

#[test]
fn news_of_three_kinds_of_feed_are_served_and_an_unchanged_feed_is_not_sent_again() {
    let upstream = simulator(30);
    let world = World::new().upstream(&upstream.url).with("KASPARRO_SOURCES__FEED__URLS", FEEDS);
    let first = world.call(&["run", "feed", "--json"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let run = run_of(&first.json(), "feed");
    assert_balanced(&run);
    assert_eq!(run["received"], run["inserted"], "{run}");
    assert!(run["inserted"].as_u64().unwrap() >= 90, "{run}");

    let second = run_of(&world.call(&["run", "feed", "--json"]).json(), "feed");
    assert_eq!(
        (&second["status"], &second["received"]),
        (&"success".into(), &0.into()),
        "{second}"
    );
    let asked = get(&format!("{}/_sim/requests", upstream.url)).unwrap().json();
    let statuses: Vec<_> = asked["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["path"].as_str().unwrap().starts_with("/feed/"))
        .map(|line| line["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 200, 200, 304, 304, 304]);

    // A new item appears every ten steps.
    for _ in 0..10 {
        upstream.step();
    }
    let third = run_of(&world.call(&["run", "feed", "--json"]).json(), "feed");
    assert_balanced(&third);
    assert_eq!(third["inserted"], 3, "{third}");

    let world = world.nothing_by_itself().with("KASPARRO_SOURCES__FEED__ENABLED", "false");
    let server = world.serve();
    let total = run["inserted"].as_u64().unwrap() + 3;
    let body = wait_for("the news", || {
        let body = get(&format!("{}/news?limit=500", server.url)).ok()?.json();
        (body["total"].as_u64() == Some(total)).then_some(body)
    });
    for path in ["rss.xml", "atom.xml", "feed.json"] {
        let of_feed = |item: &&Value| item["feed"].as_str().unwrap().ends_with(path);
        assert!(body["data"].as_array().unwrap().iter().any(|item| of_feed(&item)), "{path}");
    }
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_feed_without_an_address_is_left_out_and_says_so_when_it_is_named() {
    let world = World::new().nothing_by_itself();
    let named = world.call(&["run", "feed", "--json"]);
    assert_eq!(named.code, Some(2), "{named:?}");
    assert_eq!(named.json()["error"]["code"], "nothing_to_ask");
    assert!(named.stderr.contains("KASPARRO_SOURCES__FEED__URLS"), "{named:?}");
    let sources = world.call(&["sources", "--json"]).json();
    let listed = sources["sources"].as_array().unwrap();
    let feed = listed.iter().find(|source| source["source"] == "feed").unwrap();
    assert_eq!((&feed["enabled"], &feed["lists"]), (&false.into(), &Value::Null), "{feed}");
    let server = world.serve();
    assert_eq!(server.stop().code, Some(0));
}
