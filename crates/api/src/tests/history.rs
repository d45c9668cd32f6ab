//! `/listings/{id}/history` and `/assets/{id}/history`.

use kasparro_domain::{AssetId, ListingId};
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::world::World;
use crate::history::{BUDGET_POINTS, HistoryQuery, Interval, Subject, page};

/// One listing whose points of 2023-12-01 were, in part, corrected and late.
async fn corrected() -> World {
    let mut world = World::new();
    world
        .points(
            "csv",
            "own",
            &[
                ("2023-12-01T10:00:00Z", Some("8.9e-46")),
                ("2023-12-01T10:20:00Z", Some("3")),
                ("2023-12-01T10:20:00Z", Some("3.10")),
                ("2023-12-01T14:00:00Z", Some("0.10000000000000000551")),
                ("2023-12-01T10:40:00Z", None),
                ("2023-12-01T10:50:00Z", Some("0.1000000000000000055")),
            ],
        )
        .await;
    world.refresh().await;
    world
}

fn instants(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().unwrap();
    rows.iter().map(|row| row["observed_at"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn points_come_with_every_digit_and_as_they_are_stated_now() {
    let served = corrected().await.serve().await;
    for path in ["/listings/1/history", "/assets/1/history", "/api/v1/assets/1/history/"] {
        let reply = get(served.address, path).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(
            reply.body.contains(concat!(
                r#""data":[{"source":"csv","external_id":"own","observed_at":"2023-12-01T10:00:00Z","#,
                r#""price_usd":8.9e-46,"market_cap":null,"volume_24h":null},"#
            )),
            "{}",
            reply.body
        );
        let page = reply.json();
        assert_eq!(
            instants(&page),
            [
                "2023-12-01T10:00:00Z",
                "2023-12-01T10:20:00Z",
                "2023-12-01T10:40:00Z",
                "2023-12-01T10:50:00Z",
                "2023-12-01T14:00:00Z"
            ],
            "{path}"
        );
        assert_eq!(page["data"][1]["price_usd"], 3.1);
        assert_eq!((&page["interval"], &page["order"]), (&json!("raw"), &json!("asc")));
        assert_eq!(page["pagination"], json!({"per_page": 20, "next_cursor": null}));
        assert!(page.get("gaps").is_none());
    }
    let page = get_json(served.address, "/listings/1/history?revisions=all&order=desc").await;
    let seen: Vec<_> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["observed_at"].as_str().unwrap().get(11..16).unwrap(), row["revision"].clone())
        })
        .collect();
    let expected =
        [("14:00", 0), ("10:50", 0), ("10:40", 0), ("10:20", 1), ("10:20", 0), ("10:00", 0)];
    assert_eq!(seen, expected.map(|(at, revision)| (at, json!(revision))));
}

#[tokio::test]
async fn from_is_taken_in_and_to_left_out_in_every_spelling() {
    let served = corrected().await.serve().await;
    for query in [
        "from=2023-12-01T10:20:00Z&to=2023-12-01T10:50:00Z",
        "from=1701426000&to=1701427800",
        "from=1701426000000&to=1701427800000",
        "from=2023-12-01T12:20:00%2B02:00&to=2023-12-01T12:50:00%2B02:00",
    ] {
        let page = get_json(served.address, &format!("/assets/1/history?{query}")).await;
        assert_eq!(instants(&page), ["2023-12-01T10:20:00Z", "2023-12-01T10:40:00Z"], "{query}");
    }
    for (query, count) in [
        ("from=2023-12-01", 5),
        ("from=2023-12-02", 0),
        ("from=20231201", 5),
        ("from=20231202", 0),
        ("to=9999-12-31", 5),
        ("to=9999-12-31T23:59:59-10:00", 5),
        ("to=253402300799999", 5),
        ("from=0001-01-01", 5),
        ("from=0001-01-01&to=9999-12-31&interval=1h", 2),
        ("from=9999-12-31", 0),
        ("to=0001-01-01", 0),
        ("from=0001-01-01&to=1969-12-31", 0),
        ("from=9999-12-31T23:59:59.999Z&to=9999-12-31T23:59:59-01:00", 0),
        ("to=2023-12-01", 0),
        ("to=2023-12-02", 5),
        ("source=csv_source", 5),
        ("source=coingecko", 0),
        ("source=coingecko,csv_source", 5),
        ("source=coingecko_market,coinpaprika_free", 0),
    ] {
        let page = get_json(served.address, &format!("/assets/1/history?{query}")).await;
        assert_eq!(page["data"].as_array().unwrap().len(), count, "{query}");
    }
    // A cursor states the bounds as it was asked with them.
    let target = "/assets/1/history?to=9999-12-31T23:59:59Z&limit=1";
    let page = get_json(served.address, target).await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    let next = get_json(served.address, &format!("{target}&cursor={cursor}")).await;
    assert_eq!(instants(&next), ["2023-12-01T10:20:00Z"]);
}

#[tokio::test]
async fn hours_and_days_have_exact_prices_and_name_their_gaps() {
    let served = corrected().await.serve().await;
    let reply = get(served.address, "/assets/1/history?interval=1h").await;
    assert!(
        reply.body.contains(concat!(
            r#""data":[{"source":"csv","external_id":"own","from":"2023-12-01T10:00:00Z","#,
            r#""to":"2023-12-01T11:00:00Z","open":8.9e-46,"high":3.1,"low":8.9e-46,"#,
            r#""close":0.1000000000000000055,"points":4},{"source":"csv","external_id":"own","#,
            r#""from":"2023-12-01T14:00:00Z","to":"2023-12-01T15:00:00Z","#,
            r#""open":0.10000000000000000551,"high":0.10000000000000000551,"#,
            r#""low":0.10000000000000000551,"close":0.10000000000000000551,"points":1}],"#,
            r#""gaps":[{"source":"csv","external_id":"own","from":"2023-12-01T11:00:00Z","#,
            r#""to":"2023-12-01T14:00:00Z"}]"#
        )),
        "{}",
        reply.body
    );
    let hours = reply.json();
    let mut backwards = get_json(served.address, "/assets/1/history?interval=1h&order=desc").await;
    backwards["data"].as_array_mut().unwrap().reverse();
    assert_eq!((&hours["data"], &hours["gaps"]), (&backwards["data"], &backwards["gaps"]));
    let day = get_json(served.address, "/listings/1/history?interval=1d").await;
    let seen = (&day["data"][0]["from"], &day["data"][0]["points"], &day["gaps"]);
    assert_eq!(seen, (&json!("2023-12-01T00:00:00Z"), &json!(5), &json!([])));
    // A gap at the end of a page is told there, and once.
    let first = get_json(served.address, "/assets/1/history?interval=1h&limit=1").await;
    assert_eq!(first["gaps"], hours["gaps"]);
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    let next =
        get_json(served.address, &format!("/assets/1/history?interval=1h&cursor={cursor}")).await;
    assert_eq!((&next["data"][0], &next["gaps"]), (&hours["data"][1], &json!([])));
    let unknown = "/assets/1/history?interval=1h&from=2023-12-01T10:40:00Z&to=2023-12-01T10:41:00Z";
    let unknown = get_json(served.address, unknown).await;
    assert_eq!(unknown["data"][0]["open"], Value::Null);
    assert_eq!((&unknown["data"][0]["points"], &unknown["gaps"]), (&json!(1), &json!([])));
}

/// Points of every minute from the beginning of 2023-12-01, with these prices.
fn minutes(from: u32, prices: std::ops::Range<u32>) -> Vec<(String, String)> {
    let at = |minute: u32| format!("2023-12-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
    prices.enumerate().map(|(n, price)| (at(from + n as u32), price.to_string())).collect()
}

async fn add(world: &mut World, points: &[(String, String)]) {
    let points: Vec<_> =
        points.iter().map(|(at, price)| (at.as_str(), Some(price.as_str()))).collect();
    world.points("csv", "own", &points).await;
}

#[tokio::test]
async fn a_walk_by_cursor_neither_repeats_nor_skips_while_points_are_added() {
    for (query, member, due) in [
        ("order=asc", "observed_at", 300),
        ("order=desc", "observed_at", 300),
        ("order=asc&revisions=all", "observed_at", 300),
        ("order=asc&interval=1h", "from", 5),
        ("order=desc&interval=1h", "from", 5),
    ] {
        let mut world = World::new();
        add(&mut world, &minutes(0, 1..301)).await;
        world.refresh().await;
        let served = world.serve().await;
        let limit = if due == 5 { 2 } else { 7 };
        let mut walked: Vec<(String, Value)> = Vec::new();
        let mut target = format!("/listings/1/history?limit={limit}&{query}");
        for round in 0..60 {
            let page = get_json(served.address, &target).await;
            let rows = page["data"].as_array().unwrap();
            assert!(rows.len() <= limit);
            walked
                .extend(rows.iter().map(|row| {
                    (row[member].as_str().unwrap().to_owned(), row["revision"].clone())
                }));
            let Some(cursor) = page["pagination"]["next_cursor"].as_str() else {
                break;
            };
            target = format!("/listings/1/history?limit={limit}&{query}&cursor={cursor}");
            // Newer points, and corrections of points on either side of the cursor.
            add(&mut world, &minutes(300 + round, 500 + round..501 + round)).await;
            add(&mut world, &minutes(3, 600 + round..601 + round)).await;
            add(&mut world, &minutes(250, 700 + round..701 + round)).await;
        }
        let mut each = walked.clone();
        each.sort_by_key(|(at, revision)| (at.clone(), revision.as_u64()));
        each.dedup();
        assert_eq!(each.len(), walked.len(), "{query}: a row came twice");
        let first: Vec<String> = minutes(0, 1..301).into_iter().map(|(at, _)| at).collect();
        if member == "from" {
            let hours =
                ["00", "01", "02", "03", "04"].map(|hour| format!("2023-12-01T{hour}:00:00Z"));
            assert!(hours.iter().all(|hour| walked.iter().any(|(at, _)| at == hour)), "{query}");
        } else {
            assert!(first.iter().all(|at| walked.iter().any(|(seen, _)| seen == at)), "{query}");
        }
        assert!(walked.len() >= due);
    }
}

#[tokio::test]
async fn many_revisions_of_one_instant_fill_no_page_and_hide_no_point() {
    let mut world = World::new();
    let mut points = minutes(0, 1..3);
    for price in 10..60 {
        points.extend(minutes(1, price..price + 1));
    }
    points.extend(minutes(2, 90..95));
    add(&mut world, &points).await;
    world.refresh().await;
    let served = world.serve().await;
    for order in ["asc", "desc"] {
        let mut prices = Vec::new();
        let mut target = format!("/assets/1/history?limit=2&order={order}");
        loop {
            let page = get_json(served.address, &target).await;
            let rows = page["data"].as_array().unwrap();
            prices.extend(rows.iter().map(|row| row["price_usd"].as_i64().unwrap()));
            match page["pagination"]["next_cursor"].as_str() {
                Some(cursor) => {
                    target = format!("/assets/1/history?limit=2&order={order}&cursor={cursor}");
                }
                None => break,
            }
        }
        if order == "desc" {
            prices.reverse();
        }
        assert_eq!(prices, [1, 59, 90, 91, 92, 93, 94], "{order}");
    }
    let all = get_json(served.address, "/assets/1/history?revisions=all&limit=500").await;
    assert_eq!(all["data"].as_array().unwrap().len(), 57);
}

#[tokio::test]
async fn the_past_of_the_unknown_is_not_found_and_that_of_the_unpriced_is_empty() {
    let mut world = corrected().await;
    world.list("coinpaprika", &[("bare", "B", "Bare")]).await;
    world.refresh().await;
    let served = world.serve().await;
    get(served.address, "/listings/9/history").await.assert_problem(404, "listing_not_found");
    get(served.address, "/assets/9/history").await.assert_problem(404, "asset_not_found");
    for query in ["", "?interval=1d"] {
        let page = get_json(served.address, &format!("/listings/2/history{query}")).await;
        assert_eq!(page["data"], json!([]));
        assert_eq!(page["pagination"]["next_cursor"], Value::Null);
    }
}

#[tokio::test]
async fn i8_every_bad_parameter_of_history_is_named() {
    let served = corrected().await.serve().await;
    for (query, code, field) in [
        ("from=soon", "invalid_parameter", "from"),
        ("from=2023-12-01T12:20:00+02:00", "invalid_parameter", "from"),
        ("from=-1", "invalid_parameter", "from"),
        ("from=99999999999999999999", "invalid_parameter", "from"),
        ("from=2023", "invalid_parameter", "from"),
        ("to=20230230", "invalid_parameter", "to"),
        ("from=9999-12-31&to=0001-01-01", "invalid_parameter", "from"),
        ("to=2023-02-30", "invalid_parameter", "to"),
        ("from=2023-12-02&to=2023-12-01", "invalid_parameter", "from"),
        ("interval=5m", "invalid_parameter", "interval"),
        ("revisions=some", "invalid_parameter", "revisions"),
        ("revisions=all&interval=1h", "invalid_parameter", "revisions"),
        ("order=up", "invalid_parameter", "order"),
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=501", "invalid_parameter", "limit"),
        ("per_page=-1", "invalid_parameter", "per_page"),
        ("page_size=x", "invalid_parameter", "page_size"),
        ("cursor=abc", "invalid_cursor", "cursor"),
        ("page=2", "unknown_parameter", "page"),
        ("order=asc&order=asc", "repeated_parameter", "order"),
    ] {
        for path in ["/listings/1/history", "/assets/1/history"] {
            let reply = get(served.address, &format!("{path}?{query}")).await;
            reply.assert_problem(400, code);
            assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
        }
    }
    get(served.address, "/listings/1/history?source=csv")
        .await
        .assert_problem(400, "unknown_parameter");
    get(served.address, "/assets/1/history?source=kraken")
        .await
        .assert_problem(400, "invalid_parameter");
    get(served.address, "/assets/x/history").await.assert_problem(400, "invalid_id");
    let page = get_json(served.address, "/assets/1/history?limit=1").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    get_json(served.address, &format!("/assets/1/history?limit=3&cursor={cursor}")).await;
    for other in ["order=desc", "interval=1h", "revisions=all", "from=2020-01-01", "source=csv"] {
        let reply =
            get(served.address, &format!("/assets/1/history?{other}&cursor={cursor}")).await;
        reply.assert_problem(400, "invalid_cursor");
    }
    let listing = format!("/listings/1/history?cursor={cursor}");
    get(served.address, &listing).await.assert_problem(400, "invalid_cursor");
}

/// Every row and gap of a walk, from page to page.
async fn walked(world: &World, mut query: HistoryQuery, budget: usize) -> (Vec<Value>, Vec<Value>) {
    let (mut rows, mut gaps) = (Vec::new(), Vec::new());
    let listings = [ListingId(1), ListingId(2)];
    for _ in 0..500 {
        let found = page(world.store.as_ref(), &listings, &query, budget).await.unwrap();
        assert!(found.rows.len() <= query.limit);
        rows.extend(found.rows.iter().map(|row| serde_json::to_value(row).unwrap()));
        let more = found.gaps.into_iter().flatten();
        gaps.extend(more.map(|gap| serde_json::to_value(gap).unwrap()));
        query.after = found.next;
        if query.after.is_none() {
            return (rows, gaps);
        }
        assert!(!rows.is_empty(), "every page brings something");
    }
    panic!("a walk without an end: {query:?}");
}

#[tokio::test]
async fn listings_of_one_asset_are_merged_the_same_in_small_and_in_large_pages() {
    let mut world = World::new();
    let hours = |source: &'static str, minutes: &'static [u32]| {
        minutes.iter().map(move |minute| {
            let at = format!("2023-12-01T{:02}:{:02}:00Z", minute / 60, minute % 60);
            (at, format!("{minute}.{}", source.len()))
        })
    };
    for (source, minutes) in [
        ("csv", &[0, 5, 10, 59, 60, 61, 200, 300, 300, 300, 301, 610][..]),
        ("coingecko", &[0, 10, 60, 130, 300, 300, 302, 303, 304, 305, 900][..]),
    ] {
        let points: Vec<_> = hours(source, minutes).collect();
        let points: Vec<_> =
            points.iter().map(|(at, price)| (at.as_str(), Some(price.as_str()))).collect();
        world.points(source, "own", &points).await;
    }
    for (interval, due, missing) in [(Interval::Raw, 20, 0), (Interval::Hour, 10, 5)] {
        for newest_first in [false, true] {
            let query = |limit| HistoryQuery {
                format: crate::represent::Format::Json,
                subject: Subject::Asset(AssetId(1)),
                sources: Vec::new(),
                from: None,
                to: None,
                interval,
                newest_first,
                every_revision: false,
                limit,
                after: None,
            };
            let all = walked(&world, query(1_000), BUDGET_POINTS).await;
            assert_eq!((all.0.len(), all.1.len()), (due, missing), "{interval:?}");
            for limit in [1, 2, 3, 7] {
                for budget in [0, 3, 8, BUDGET_POINTS] {
                    let parts = walked(&world, query(limit), budget).await;
                    assert_eq!(parts, all, "{interval:?} {newest_first} {limit} {budget}");
                }
            }
        }
    }
}
