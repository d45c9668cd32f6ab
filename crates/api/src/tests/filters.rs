//! Filters, orders and cursors over orders.

use std::time::Duration;

use kasparro_domain::Decimal;
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::world::{Brought, World, batch_row};

fn ids(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Five listings: caps 100 to 500 but for the last one, changes of -2 to 1, volumes of 10 to 40.
async fn world() -> World {
    let mut world = World::new();
    world
        .bring("coinpaprika", |_, now| {
            let coins = [
                ("a", "BTC", "Bitcoin", Some("100")),
                ("b", "ETH", "Ether", Some("200")),
                ("c", "100%_\\", "Per cent", Some("300")),
                ("d", "btc", "Batcat", Some("400")),
                ("e", "XRP", "Ripple", None),
            ];
            let rows = coins.iter().enumerate().map(|(ordinal, coin)| {
                let mut row = batch_row(ordinal, coin, None, now);
                let number = |value: i64| Decimal::parse(&value.to_string()).ok();
                let place = i64::try_from(ordinal).unwrap();
                if place < 4 {
                    row.quote.market_cap = number(100 * (place + 1));
                    row.quote.volume_24h = number(10 * (4 - place));
                    row.quote.price_change_24h = number(place - 2);
                    row.quote.circulating_supply = number(7 * ((place + 2) % 4));
                }
                row
            });
            Brought { rows: rows.collect(), ..Brought::default() }
        })
        .await;
    world.refresh().await;
    world
}

#[tokio::test]
async fn several_symbols_and_sources_are_asked_for_at_once() {
    let mut world = world().await;
    world.commit("coingecko", &[("bitcoin", "BTC", "Bitcoin", Some("101"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    for (query, expected) in [
        ("symbol=BTC,ETH", vec![1, 2, 4, 6]),
        ("symbol=eth,%20btc,ETH", vec![1, 2, 4, 6]),
        ("symbol=btc&source=coingecko", vec![6]),
        ("symbol=btc&source=coingecko,coinpaprika_free", vec![1, 4, 6]),
        ("symbol=100%25_%5C", vec![3]),
        ("symbol=%25", vec![]),
        ("search=%25_", vec![3]),
    ] {
        let page = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!(page["total"], expected.len(), "{query}");
    }
    let assets = get_json(served.address, "/assets?symbol=eth,xrp").await;
    assert_eq!((assets["total"].as_u64(), assets["ambiguous"].as_bool()), (Some(2), Some(false)));
    for row in assets["data"].as_array().unwrap() {
        let reason = row["reason"].as_str().unwrap();
        assert!(reason.ends_with("no other asset uses this symbol"), "{reason}");
    }
    let assets = get_json(served.address, "/assets?symbol=eth,btc").await;
    assert_eq!((assets["total"].as_u64(), assets["ambiguous"].as_bool()), (Some(4), Some(true)));
    for query in ["symbol=BTC,,ETH", "symbol=,", "source=coinpaprika,nobody"] {
        let reply = get(served.address, &format!("/data?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
    }
    let many: Vec<String> = (0..201).map(|number| number.to_string()).collect();
    let reply = get(served.address, &format!("/data?symbol={}", many.join(","))).await;
    reply.assert_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn several_assets_are_asked_for_at_once() {
    let world = world().await;
    let served = world.serve().await;
    for (query, expected) in [
        ("asset_id=1,2", vec![1, 2]),
        ("asset_id=4,%203,4", vec![3, 4]),
        ("asset_id=1,4,99&symbol=btc", vec![1, 4]),
        ("asset_id=99,100", vec![]),
    ] {
        for path in ["/data", "/listings"] {
            let page = get_json(served.address, &format!("{path}?{query}")).await;
            assert_eq!(ids(&page), expected, "{path}?{query}");
        }
        for name in ["asset_id", "id"] {
            let query = query.replacen("asset_id", name, 1);
            let page = get_json(served.address, &format!("/assets?{query}")).await;
            assert_eq!(ids(&page), expected, "/assets?{query}");
        }
    }
    assert_eq!(ids(&get_json(served.address, "/assets?id=2,1&asset_id=1,2").await), [1, 2]);
    for query in ["asset_id=1,", "asset_id=1,x", "asset_id=1;2"] {
        for path in ["/data", "/listings", "/assets"] {
            let reply = get(served.address, &format!("{path}?{query}")).await;
            reply.assert_problem(400, "invalid_parameter");
        }
    }
    get(served.address, "/assets?id=1&asset_id=1,2").await.assert_problem(400, "invalid_parameter");
    // A cursor goes on with the assets that it was made for, in whatever order they are named.
    for path in ["/data", "/assets"] {
        let page = get_json(served.address, &format!("{path}?asset_id=1,2,3&limit=1")).await;
        let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
        let same = format!("{path}?asset_id=3,2,1&limit=1&cursor={cursor}");
        assert_eq!(ids(&get_json(served.address, &same).await), [2]);
        let other = get(served.address, &format!("{path}?asset_id=1,2&cursor={cursor}")).await;
        other.assert_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn ranges_are_exact_and_unknown_values_never_fit() {
    let world = world().await;
    let served = world.serve().await;
    for (query, expected) in [
        ("min_price=200&max_price=300", vec![2, 3]),
        ("min_market_cap=200.0", vec![2, 3, 4]),
        ("max_market_cap=1e2", vec![1]),
        ("min_volume_24h=20&max_volume_24h=30", vec![2, 3]),
        ("max_price_change_24h=-1", vec![1, 2]),
        ("min_price_change_24h=0", vec![3, 4]),
        ("min_price_change_24h=-1.5&max_market_cap=300&min_volume_24h=1", vec![2, 3]),
        ("min_market_cap=0&symbol=xrp", vec![]),
    ] {
        let page = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(
            (ids(&page), page["total"].as_u64()),
            (expected.clone(), Some(expected.len() as u64)),
            "{query}"
        );
    }
    for query in
        ["min_market_cap=2&max_market_cap=1", "min_volume_24h=lots", "max_price_change_24h="]
    {
        let reply = get(served.address, &format!("/data?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn what_changed_since_an_instant_is_asked_for_alone() {
    let mut world = world().await;
    world.clock.advance(Duration::from_secs(3600));
    world.commit("coinpaprika", &[("b", "ETH", "Ether", Some("201"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let row = get_json(served.address, "/listings/2").await;
    let updated_at = row["updated_at"].as_str().unwrap();
    let page = get_json(served.address, &format!("/data?updated_since={updated_at}")).await;
    assert_eq!(ids(&page), [2]);
    let page = get_json(served.address, "/data?updated_since=2024-01-01").await;
    assert_eq!(ids(&page), [1, 2, 3, 4, 5]);
    let page = get_json(served.address, "/data?updated_since=2030-01-01").await;
    assert_eq!(page["total"], 0);
    for (since, expected) in
        [("20240101", 5), ("20300101", 0), ("0001-01-01", 5), ("9999-12-31", 0)]
    {
        let page = get_json(served.address, &format!("/data?updated_since={since}")).await;
        assert_eq!(page["total"], expected, "{since}");
    }
    for (since, hint) in
        [("yesterday", "2024-01-31"), ("2027", "2024-01-01"), ("20270231", "no date")]
    {
        let reply = get(served.address, &format!("/data?updated_since={since}")).await;
        reply.assert_problem(400, "invalid_parameter");
        let problem = reply.json();
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(hint), "{since}: {message}");
    }
}

#[tokio::test]
async fn every_numeric_field_is_an_order_and_unknown_values_stand_last() {
    let world = world().await;
    let served = world.serve().await;
    for (sort, ascending, descending) in [
        ("market_cap", [1, 2, 3, 4, 5], [4, 3, 2, 1, 5]),
        ("volume_24h", [4, 3, 2, 1, 5], [1, 2, 3, 4, 5]),
        ("price_change_24h", [1, 2, 3, 4, 5], [4, 3, 2, 1, 5]),
        ("circulating_supply", [3, 4, 1, 2, 5], [2, 1, 4, 3, 5]),
        ("max_supply", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("total_supply", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("ingested_at", [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]),
        ("rank", [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]),
    ] {
        for (order, expected) in [("asc", ascending), ("desc", descending)] {
            let target = format!("/data?sort={sort}&order={order}");
            assert_eq!(ids(&get_json(served.address, &target).await), expected, "{target}");
        }
    }
    let page =
        get_json(served.address, "/data?sort=fully_diluted_valuation&order=desc&limit=1").await;
    assert_eq!(page["total"], 5);
}

#[tokio::test]
async fn a11_a_walk_over_an_order_shows_one_generation_to_its_end() {
    let mut world = World::with_many(45).await;
    let served = world.serve().await;
    let start = "/data?sort=price&order=desc&limit=20";
    let (mut target, mut seen, mut pages) = (start.to_owned(), Vec::new(), 0);
    loop {
        let reply = get(served.address, &target).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(
            reply.header("x-generation"),
            Some("1"),
            "the generation that the walk began in"
        );
        let page = reply.json();
        assert_eq!(page["total"], 45);
        assert_eq!(page["pagination"]["page"].is_null(), pages > 0);
        seen.extend(ids(&page));
        pages += 1;
        let Some(cursor) = page["pagination"]["next_cursor"].as_str() else { break };
        target = format!("{start}&cursor={cursor}");
        if pages == 1 {
            // The order turns round while the walk goes on.
            let coins: Vec<(String, String)> = (1..=45)
                .map(|number| (format!("coin-{number}"), (1000 - number).to_string()))
                .collect();
            let coins: Vec<_> = coins
                .iter()
                .map(|(id, price)| (id.as_str(), "SYM", id.as_str(), Some(price.as_str())))
                .collect();
            world.commit("coinpaprika", &coins).await;
            world.refresh().await;
            let now = get_json(served.address, start).await;
            assert_eq!(ids(&now)[0], 1, "whoever begins now sees the new order");
        }
    }
    assert_eq!((pages, seen), (3, (1..=45).rev().collect::<Vec<i64>>()));
}

#[tokio::test]
async fn a11_a_cursor_whose_generation_is_gone_says_where_to_start_again() {
    let mut world = World::with_many(45).await;
    let served = world.serve().await;
    let page = get_json(served.address, "/data?sort=price&limit=20").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    let target = format!("/api/v1/data?sort=price&limit=20&cursor={cursor}");
    for round in 0..4 {
        world.clock.advance(Duration::from_secs(40));
        let price = format!("{round}.5");
        world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some(price.as_str()))]).await;
        world.refresh().await;
    }
    let reply = get(served.address, &target).await;
    reply.assert_problem(410, "cursor_expired");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.ends_with("start again at /api/v1/data?sort=price&limit=20"), "{detail}");
    for other in ["/data?limit=20", "/data?sort=price&order=desc&limit=20", "/data?sort=rank"] {
        let mark = if other.contains('?') { '&' } else { '?' };
        let reply = get(served.address, &format!("{other}{mark}cursor={cursor}")).await;
        reply.assert_problem(400, "invalid_cursor");
    }
    assert_eq!(get_json(served.address, "/data?sort=price").await["page"], json!(1));
}
