//! `/data`, `/listings` and `/assets`.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{get, get_json};
use super::keyed::unlimited;
use super::world::{World, serve};

fn ids(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_page_has_the_promised_members_in_their_order() {
    let world =
        World::with("coinpaprika", &[("btc-bitcoin", "BTC", "Bitcoin", Some("46018.8215"))]).await;
    let served = world.serve().await;
    let reply = get(served.address, "/data").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header("x-generation"), Some("1"));
    let body = reply.body.as_str();
    let middle = body.split_once(r#","data":"#).unwrap().1;
    assert!(body.starts_with(r#"{"request_id":""#), "{body}");
    assert_eq!(
        middle,
        concat!(
            r#"[{"id":1,"asset_id":1,"source":"coinpaprika","external_id":"btc-bitcoin","symbol":"BTC","#,
            r#""name":"Bitcoin","price_usd":46018.8215,"market_cap":null,"volume_24h":null,"#,
            r#""price_change_24h":null,"rank":1,"active":true,"stale":false,"#,
            r#""updated_at":"2024-01-01T00:00:01Z","ingested_at":"2024-01-01T00:00:01Z"}],"#,
            r#""pagination":{"page":1,"per_page":20,"total_items":1,"total_pages":1,"next_cursor":null},"#,
            r#""total":1,"page":1,"page_size":20}"#
        )
    );
}

#[tokio::test]
async fn every_digit_comes_out_as_it_went_in() {
    let coins = [
        ("a", "A", "tiny", Some("3.84e-18")),
        ("b", "B", "huge", Some("9223372036854775807")),
        ("c", "C", "unknown", None),
    ];
    let served = World::with("csv", &coins).await.serve().await;
    let body = get(served.address, "/data").await.body;
    for token in
        [r#""price_usd":3.84e-18,"#, r#""price_usd":9223372036854775807,"#, r#""price_usd":null,"#]
    {
        assert!(body.contains(token), "{token} in {body}");
    }
    let body =
        get(served.address, "/data?numbers=string&fields=price_usd,id,max_supply").await.body;
    let rows = [
        r#"{"id":1,"price_usd":"3.84e-18","max_supply":"9223372036854775807"}"#,
        r#"{"id":2,"price_usd":"9223372036854775807","max_supply":"9223372036854775807"}"#,
        r#"{"id":3,"price_usd":null,"max_supply":"9223372036854775807"}"#,
    ];
    assert!(body.contains(&rows.join(",")), "{body}");
}

#[tokio::test]
async fn a11_pages_and_cursors_neither_repeat_nor_skip_while_a_writer_is_busy() {
    let mut world = World::with_many(137).await;
    let served = world.serve().await;
    let (mut seen, mut paged) = (Vec::new(), Vec::new());
    let mut target = "/data?limit=10".to_owned();
    for page in 1.. {
        let answer = get_json(served.address, &target).await;
        assert_eq!(answer["pagination"]["page"].is_null(), page > 1);
        seen.extend(ids(&answer));
        paged.extend(ids(&get_json(served.address, &format!("/data?limit=10&page={page}")).await));
        world
            .commit(
                "coinpaprika",
                &[("coin-3", "NEW", "renamed", Some("7")), ("coin-90", "X", "y", None)],
            )
            .await;
        world.refresh().await;
        match answer["pagination"]["next_cursor"].as_str() {
            Some(cursor) => target = format!("/data?page_size=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=137).collect::<Vec<_>>());
    assert_eq!(paged, seen);
}

#[tokio::test]
async fn synonyms_offsets_and_pages_past_the_end_are_answered() {
    let served = World::with_many(45).await.serve().await;
    for (query, first, count, page) in [
        ("", 1, 20, 1),
        ("limit=500", 1, 45, 1),
        ("per_page=7&page=2", 8, 7, 2),
        ("page_size=7&limit=7&page=7", 43, 3, 7),
        ("limit=10&offset=15", 16, 10, 2),
        ("&&limit=5&", 1, 5, 1),
    ] {
        let answer = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(ids(&answer), (first..first + count).collect::<Vec<_>>(), "{query}");
        assert_eq!(answer["pagination"]["page"], page, "{query}");
        assert_eq!((&answer["total"], &answer["page"]), (&json!(45), &json!(page)), "{query}");
    }
    for query in ["page=4", "page=9223372036854775807", "offset=1000000000000"] {
        let answer = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(answer["data"], json!([]), "{query}");
        assert_eq!(answer["total"], 45, "{query}");
        assert_eq!(answer["pagination"]["next_cursor"], Value::Null, "{query}");
    }
}

#[tokio::test]
async fn filters_are_combined_and_older_source_names_are_taken() {
    let mut world = World::with(
        "coinpaprika",
        &[
            ("btc", "BTC", "Bitcoin", Some("46000")),
            ("bat", "bat", "Basic 100% Token", Some("0.7")),
        ],
    )
    .await;
    world.commit("csv", &[("own", "BTC", "Own_Coin", Some("0.70"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    for (query, expected) in [
        ("symbol=btc", vec![1, 3]),
        ("symbol=BTC&source=csv", vec![3]),
        ("source=csv_source", vec![3]),
        ("source=coinpaprika_free", vec![1, 2]),
        ("source=CoinPaprika", vec![1, 2]),
        ("source=coingecko_market", vec![]),
        ("source=rss", vec![]),
        ("source=Feed", vec![]),
        ("name=bitc", vec![1]),
        ("name=0%25", vec![2]),
        ("name=%25", vec![2]),
        ("name=_", vec![3]),
        ("search=BAT", vec![2]),
        ("search=own", vec![3]),
        ("asset_id=2", vec![2]),
        ("min_price=0.7&max_price=7e-1", vec![2, 3]),
        ("max_price=0.69", vec![]),
        ("sort=price&order=desc&limit=1", vec![1]),
        ("sort=price_usd&order=asc", vec![2, 3, 1]),
        ("sort=id&order=desc", vec![3, 2, 1]),
    ] {
        let answer = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(ids(&answer), expected, "{query}");
        let more = answer["total"].as_u64() > Some(expected.len() as u64);
        assert_eq!(answer["pagination"]["next_cursor"].is_string(), more, "{query}");
    }
}

#[tokio::test]
async fn a_cursor_serves_the_same_filter_in_other_case() {
    let served = World::with_many(3).await.serve().await;
    for (asked, again) in
        [("symbol=SYM", "symbol=sym"), ("name=Coin-", "name=cOIN-"), ("search=coin", "search=COIN")]
    {
        let first = get_json(served.address, &format!("/data?limit=2&{asked}")).await;
        let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
        let next = get_json(served.address, &format!("/data?{again}&cursor={cursor}")).await;
        assert_eq!((ids(&first), ids(&next)), (vec![1, 2], vec![3]), "{again}");
    }
}

#[tokio::test]
async fn what_the_read_model_does_not_hold_is_said_of_a_generation() {
    let served = World::with_many(1).await.serve().await;
    for (path, code) in [("/listings/9", "listing_not_found"), ("/assets/9", "asset_not_found")] {
        let reply = get(served.address, path).await;
        reply.assert_problem(404, code);
        assert_eq!(reply.header("x-generation"), Some("1"), "{path}");
    }
    let reply = get(served.address, "/quarantine/9").await;
    assert_eq!((reply.status, reply.header("x-generation")), (404, Some("1")));
    for path in ["/nothing", "/listings/x", "/assets/x"] {
        assert_eq!(get(served.address, path).await.header("x-generation"), None, "{path}");
    }
}

#[tokio::test]
async fn i5_what_is_read_from_the_store_is_said_of_a_generation_too() {
    let mut world = World::with("csv", &[("a", "A", "a", Some("1"))]).await;
    world.news("news.example/rss", &[("a", "Title", None)]).await;
    let served = world.serve().await;
    // The store is one generation ahead of the read model, in which a history's listings are found.
    for (path, generation) in [
        ("/listings/1/history", "1"),
        ("/listings/1/history?interval=1h", "1"),
        ("/assets/1/history", "1"),
        ("/news", "2"),
        ("/rss-feed", "2"),
        ("/rss-feed?format=rss", "2"),
        ("/quarantine", "2"),
        ("/quarantine/1", "2"),
    ] {
        let reply = get(served.address, path).await;
        assert_eq!((reply.status, reply.header("x-generation")), (200, Some(generation)), "{path}");
    }
    world.refresh().await;
    let reply = get(served.address, "/assets/1/history").await;
    assert_eq!(reply.header("x-generation"), Some("2"));
}

#[tokio::test]
async fn a_listing_is_shown_with_everything_known_of_it() {
    let mut world = World::with("csv", &[("a", "A", "say \"hi\"", Some("1.5"))]).await;
    world.list("csv", &[("a", "A", "A")]).await;
    world.refresh().await;
    let served = world.serve().await;
    for path in ["/listings/1", "/api/v1/listings/1/"] {
        let reply = get(served.address, path).await;
        assert_eq!(reply.header("x-generation"), Some("2"), "{path}");
        let listing = reply.json();
        assert_eq!(listing["name"], "say \"hi\"");
        assert!(reply.body.contains(r#""max_supply":9223372036854775807,"#), "{}", reply.body);
        assert_eq!(listing["contracts"], json!([{"platform": "ethereum", "address": "0xabc"}]));
        assert_eq!(listing.get("last_seen_at"), Some(&Value::Null));
        assert!(listing["request_id"].is_string());
    }
    get(served.address, "/listings/2").await.assert_problem(404, "listing_not_found");
}

#[tokio::test]
async fn an_asset_shows_its_price_and_how_it_came_about() {
    let world = World::with("csv", &[("a", "A", "Alpha", Some("1.50"))]).await;
    let served = world.serve().await;
    let reply = get(served.address, "/assets/1").await;
    let asset = reply.json();
    assert_eq!(
        (&asset["id"], &asset["asset_id"], &asset["symbol"], &asset["name"]),
        (&json!(1), &json!(1), &json!("A"), &json!("Alpha"))
    );
    assert!(reply.body.contains(r#""price_usd":1.5,"#));
    let source = json!({"source": "csv", "listing_id": 1, "price_usd": 1.5, "age_seconds": 0, "used": true, "reason": null});
    assert_eq!(asset["price_sources"], json!([source]));
    assert_eq!(asset["spread_percent"], Value::Null);
    assert_eq!(asset["listings"][0]["external_id"], "a");

    world.clock.advance(Duration::from_secs(4 * 3600));
    world.refresh().await;
    let asset = get_json(served.address, "/assets/1").await;
    assert_eq!(asset["price_usd"], Value::Null);
    assert_eq!(asset["price_sources"][0]["reason"], "stale");
    assert_eq!(asset["price_sources"][0]["age_seconds"], 4 * 3600);
    get(served.address, "/assets/9").await.assert_problem(404, "asset_not_found");
}

#[tokio::test]
async fn before_the_first_load_nothing_is_claimed() {
    let served = World::new().serve().await;
    for path in [
        "/data",
        "/csv-data",
        "/listings",
        "/listings/1",
        "/listings/1/history",
        "/assets",
        "/assets/1",
        "/assets/1/history",
    ] {
        let reply = get(served.address, path).await;
        reply.assert_problem(503, "loading");
        assert!(reply.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn the_hot_path_and_the_router_give_the_same_answer_header_by_header() {
    let world = World::with_many(30).await;
    let hot = world.serve().await;
    let mut api = world.api(unlimited());
    api.hot = false;
    let routed = serve(api).await;
    for target in [
        "/data",
        "/api/v1/data/?limit=3&sort=name",
        "/data?limit=0",
        "/data?nonsense=1&page=2&offset=3",
        "/data?page=1000",
        "/data?fields=id",
        "/data/?cursor=AAAA",
        "/data?sort=price&limit=7",
        "/data?format=csv&limit=7",
        "/data?format=ndjson&symbol=sym,x",
        "/data?min_market_cap=x",
    ] {
        let mut replies = Vec::new();
        for address in [hot.address, routed.address] {
            let mut reply =
                super::client::request(address, "GET", target, "x-request-id: same-1\r\n").await;
            assert_eq!(reply.header("x-request-id"), Some("same-1"));
            // The latency may have one digit more, and the second may turn between the two.
            let timed = ["date", "server-timing"];
            assert!(reply.header("server-timing").is_some(), "{target}");
            reply.headers.retain(|(name, _)| !timed.contains(&name.as_str()));
            let mut body = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
            if let Some(latency) = body.get_mut("api_latency_ms") {
                *latency = json!(0);
            }
            let length =
                reply.headers.iter().position(|(name, _)| name == "content-length").unwrap();
            assert_eq!(reply.headers[length].1, reply.body.len().to_string(), "{target}");
            reply.headers.remove(length);
            reply.headers.sort();
            replies.push((reply.status, reply.headers, body));
        }
        assert_eq!(replies[0], replies[1], "{target}");
        assert!(replies[0].1.len() >= 5, "{:?}", replies[0].1);
    }
}
