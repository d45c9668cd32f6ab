//! Listings known only from a list, sweeps, and the paths beside `/data`.

use serde_json::{Value, json};

use super::client::{get, get_json};
use super::world::World;

fn ids(page: &Value, member: &str) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row[member].as_i64().unwrap()).collect()
}

/// A quoted listing (1) and two known from a list (2 and 3), and one of a file (4).
async fn listed() -> World {
    let mut world = World::with("coinpaprika", &[("btc", "BTC", "Bitcoin", Some("46000.5"))]).await;
    world.list("coinpaprika", &[("old", "OLD", "Old Coin"), ("new", "NEW", "New Coin")]).await;
    world.commit("csv", &[("own", "OWN", "Own Coin", Some("8.9e-46"))]).await;
    world.refresh().await;
    world
}

#[tokio::test]
async fn listings_without_a_quote_are_shown_where_they_are_asked_for() {
    let served = listed().await.serve().await;
    for (path, expected) in [
        ("/data", vec![1, 4]),
        ("/data?include=unpriced", vec![1, 2, 3, 4]),
        ("/data?search=coin", vec![1, 4]),
        ("/data?search=coin&include=unpriced", vec![1, 2, 3, 4]),
        ("/data?symbol=new", vec![]),
        ("/data?symbol=new&include=unpriced", vec![3]),
        ("/data?source=coinpaprika", vec![1]),
        ("/data?include=unpriced&sort=price&order=desc", vec![1, 4, 2, 3]),
        ("/listings", vec![1, 2, 3, 4]),
        ("/listings?source=coinpaprika&sort=name&order=desc", vec![2, 3, 1]),
        ("/listings?limit=2&page=2", vec![3, 4]),
        ("/csv-data", vec![4]),
        ("/csv-data?symbol=btc", vec![]),
        ("/csv-data?source=csv", vec![4]),
        ("/csv-data?source=CSV_source", vec![4]),
        ("/listings?include=unpriced", vec![1, 2, 3, 4]),
        ("/listings?include=unpriced&source=coinpaprika", vec![1, 2, 3]),
        ("/csv-data?max_price=8.9e-46", vec![4]),
    ] {
        let reply = get(served.address, path).await;
        assert_eq!(reply.header("x-generation"), Some("3"), "{path}");
        let page = reply.json();
        assert_eq!(ids(&page, "id"), expected, "{path}");
        if !path.contains("limit") {
            assert_eq!(page["total"], expected.len(), "{path}");
        }
    }
    let rows = get_json(served.address, "/listings").await;
    let (first, second) = (&rows["data"][0], &rows["data"][1]);
    assert_eq!((&first["contracts"], &first["last_seen_at"]), (&json!([]), &Value::Null));
    assert_eq!(second["contracts"], json!([{"platform": "ethereum", "address": "0xabc"}]));
    assert_eq!(second.get("price_usd"), Some(&Value::Null));
    let plain = get_json(served.address, "/data?include=unpriced").await;
    assert!(plain["data"][1].get("contracts").is_none());
    let body = get(served.address, "/csv-data").await.body;
    assert!(body.contains(r#""price_usd":8.9e-46,"#), "{body}");
}

#[tokio::test]
async fn a_walk_over_listings_by_cursor_visits_each_once() {
    let mut world = listed().await;
    let served = world.serve().await;
    for (path, member) in
        [("/listings", "id"), ("/data?include=unpriced", "id"), ("/assets", "asset_id")]
    {
        let mut walked = Vec::new();
        let join = if path.contains('?') { '&' } else { '?' };
        let mut target = format!("{path}{join}limit=1");
        loop {
            let page = get_json(served.address, &target).await;
            walked.extend(ids(&page, member));
            assert_eq!(page["pagination"]["per_page"], 1);
            world.commit("csv", &[("own", "OWN", "Own Coin", Some("2"))]).await;
            world.refresh().await;
            let Some(cursor) = page["pagination"]["next_cursor"].as_str() else {
                break;
            };
            target = format!("{path}{join}limit=1&cursor={cursor}");
        }
        assert_eq!(walked, [1, 2, 3, 4], "{path}");
    }
}

#[tokio::test]
async fn the_first_quote_moves_a_listing_into_data_at_once() {
    let mut world = listed().await;
    let served = world.serve().await;
    assert_eq!(ids(&get_json(served.address, "/data").await, "id"), [1, 4]);
    world.commit("coinpaprika", &[("new", "NW", "Newer Coin", Some("0.1"))]).await;
    world.refresh().await;
    let reply = get(served.address, "/data").await;
    assert_eq!(reply.header("x-generation"), Some("4"));
    let page = reply.json();
    assert_eq!(ids(&page, "id"), [1, 3, 4]);
    assert_eq!((&page["total"], &page["data"][1]["symbol"]), (&json!(3), &json!("NW")));
    let listing = get_json(served.address, "/listings/3").await;
    assert_eq!(listing["contracts"], json!([{"platform": "ethereum", "address": "0xabc"}]));
}

#[tokio::test]
async fn a_listing_that_sweeps_miss_is_served_as_inactive_with_when_it_was_seen_last() {
    let mut world = listed().await;
    for _ in 0..3 {
        world.sweep("coinpaprika", &[1]).await;
    }
    world.refresh().await;
    let served = world.serve().await;
    let page = get_json(served.address, "/data").await;
    assert_eq!((ids(&page, "id"), &page["data"][0]["active"]), (vec![1, 4], &json!(false)));
    assert!(page["data"][0].get("last_seen_at").is_none());
    let asked = get_json(served.address, "/data?fields=id,last_seen_at").await;
    assert_eq!(
        asked["data"],
        json!([{"id": 1, "last_seen_at": "2024-01-01T00:00:01Z"}, {"id": 4, "last_seen_at": null}])
    );
    for path in ["/listings/1", "/assets/1"] {
        let body = get_json(served.address, path).await;
        let row = if path == "/assets/1" { &body["listings"][0] } else { &body };
        assert_eq!(row["last_seen_at"], "2024-01-01T00:00:01Z", "{path}");
        assert_eq!(row["active"], false, "{path}");
    }
}

#[tokio::test]
async fn assets_are_listed_with_price_and_number_of_listings() {
    let served = listed().await.serve().await;
    let reply = get(served.address, "/assets").await;
    assert_eq!(reply.header("x-generation"), Some("3"));
    assert!(reply.body.contains(r#""price_usd":8.9e-46,"#), "{}", reply.body);
    let page = reply.json();
    assert_eq!(
        page["data"][0],
        json!({
            "id": 1, "asset_id": 1, "symbol": "BTC", "name": "Bitcoin", "class": "other", "identity": "unresolved",
            "sources": ["coinpaprika"], "price_usd": 46000.5, "listings": 1, "reason": null,
        })
    );
    assert_eq!(page["data"][1]["price_usd"], Value::Null);
    assert_eq!(
        (&page["total"], &page["page"], &page["page_size"]),
        (&json!(4), &json!(1), &json!(20))
    );
    for (query, expected) in [
        ("symbol=btc", vec![1]),
        ("name=coin", vec![1, 2, 3, 4]),
        ("search=OLD", vec![2]),
        ("source=csv_source", vec![4]),
        ("source=coinpaprika&name=new", vec![3]),
        ("source=rss", vec![]),
        ("limit=3&page=2", vec![4]),
        ("offset=9", vec![]),
    ] {
        let page = get_json(served.address, &format!("/assets?{query}")).await;
        assert_eq!(ids(&page, "asset_id"), expected, "{query}");
        assert_eq!(ids(&page, "id"), expected, "{query}");
    }
}

#[tokio::test]
async fn an_asset_without_a_quote_has_no_price_and_its_listings() {
    let served = listed().await.serve().await;
    let asset = get_json(served.address, "/assets/2").await;
    assert_eq!((&asset["price_usd"], &asset["symbol"]), (&Value::Null, &json!("OLD")));
    assert_eq!(asset["price_sources"][0]["reason"], "no_price");
    assert_eq!(asset["listings"][0]["external_id"], "old");
    assert_eq!(
        asset["listings"][0]["contracts"],
        json!([{"platform": "ethereum", "address": "0xabc"}])
    );
}

#[tokio::test]
async fn i8_bad_parameters_of_the_lists_are_named() {
    let served = listed().await.serve().await;
    for (target, code, field) in [
        ("/listings?include=everything", "invalid_parameter", "include"),
        ("/csv-data?include=unpriced", "unknown_parameter", "include"),
        ("/listings?limit=501", "invalid_parameter", "limit"),
        ("/listings?source=kraken", "invalid_parameter", "source"),
        ("/listings?cursor=abc", "invalid_cursor", "cursor"),
        ("/csv-data?source=coinpaprika", "invalid_parameter", "source"),
        ("/csv-data?source=kraken", "invalid_parameter", "source"),
        ("/csv-data?source=csv&source=csv", "repeated_parameter", "source"),
        ("/csv-data?min_price=x", "invalid_parameter", "min_price"),
        ("/assets?limit=0", "invalid_parameter", "limit"),
        ("/assets?page=0", "invalid_parameter", "page"),
        ("/assets?offset=-1", "invalid_parameter", "offset"),
        ("/assets?source=kraken", "invalid_parameter", "source"),
        ("/assets?symbol=", "invalid_parameter", "symbol"),
        ("/assets?name=%00", "invalid_parameter", "name"),
        ("/assets?search=%ff", "invalid_parameter", "search"),
        ("/assets?sort=name", "unknown_parameter", "sort"),
        ("/assets?cursor=abc", "invalid_cursor", "cursor"),
        ("/assets?cursor=abc&page=1", "invalid_parameter", "cursor"),
        ("/assets?limit=1&limit=1", "repeated_parameter", "limit"),
    ] {
        let reply = get(served.address, target).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{target}");
    }
    let problem = get(served.address, "/csv-data?source=coinpaprika").await.json();
    assert_eq!(
        problem["errors"][0]["message"],
        "is always csv here; GET /data lists other sources"
    );
    let page = get_json(served.address, "/listings?limit=1").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    get(served.address, &format!("/assets?cursor={cursor}"))
        .await
        .assert_problem(400, "invalid_cursor");
}
