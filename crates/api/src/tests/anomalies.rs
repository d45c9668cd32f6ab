//! `/anomalies`, what `/runs/{id}` says of them, and prices of assets beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use kasparro_view::ViewSettings;
use serde_json::{Value, json};

use super::client::{get, get_json};
use super::world::World;

/// A coin whose price jumped, another that did not, and a run of few rows.
async fn unusual() -> World {
    let mut world = World::new();
    world.jump("coinpaprika", &[("odd", "ODD", "Odd", Some("9"))]).await;
    world.commit("csv", &[("own", "OWN", "Own", Some("1"))]).await;
    world.short_run("csv").await;
    world.refresh().await;
    world
}

#[tokio::test]
async fn anomalies_of_values_and_runs_are_listed_newest_first() {
    let mut world = unusual().await;
    let run_id = world.short_run("coingecko").await;
    let served = world.serve().await;
    let reply = get(served.address, "/anomalies").await;
    assert_eq!(reply.header("x-generation"), Some("2"));
    let page = reply.json();
    let ids: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!((ids, &page["total"]), (vec![3, 2, 1], &json!(3)));
    assert_eq!(
        page["data"][0],
        json!({
            "id": 3, "source": "coingecko", "about": "runs", "kind": "few_rows", "external_id": null,
            "listing_id": null, "asset_id": null, "observed_at": null, "run_id": run_id.to_string(),
            "value": "3 rows", "expected": "median 250 rows, spread 8",
            "found_at": "2024-01-01T00:00:04Z",
        })
    );
    assert_eq!(
        page["data"][2],
        json!({
            "id": 1, "source": "coinpaprika", "about": "values", "kind": "price_jump",
            "external_id": "odd", "listing_id": null, "asset_id": null,
            "observed_at": "2024-01-01T00:00:01Z", "run_id": null, "value": "9",
            "expected": "1 to 2", "found_at": "2024-01-01T00:00:01Z",
        })
    );
    for (query, total, shown) in [
        ("source=csv".to_owned(), 1, 1),
        ("about=values".to_owned(), 1, 1),
        ("about=runs".to_owned(), 2, 2),
        ("kind=price_jump".to_owned(), 1, 1),
        ("kind=few_rows&source=csv".to_owned(), 1, 1),
        ("kind=price_off".to_owned(), 0, 0),
        ("external_id=odd".to_owned(), 1, 1),
        ("external_id=own".to_owned(), 0, 0),
        (format!("run_id={run_id}"), 1, 1),
        ("limit=2&page=2".to_owned(), 3, 1),
        ("offset=9223372036854775807".to_owned(), 3, 0),
    ] {
        let page = get_json(served.address, &format!("/api/v1/anomalies/?{query}")).await;
        let rows = page["data"].as_array().unwrap().len();
        assert_eq!((&page["total"], rows), (&json!(total), shown), "{query}");
    }
    let run = get_json(served.address, &format!("/runs/{run_id}")).await;
    assert_eq!(
        run["anomalies"],
        json!([{
            "kind": "few_rows", "value": "3 rows", "expected": "median 250 rows, spread 8",
            "found_at": "2024-01-01T00:00:04Z",
        }])
    );
    let ordinary = world.commit("csv", &[]).await;
    let run = get_json(served.address, &format!("/runs/{ordinary}")).await;
    assert_eq!(run["anomalies"], json!([]));
}

#[tokio::test]
async fn i8_bad_input_to_anomalies_is_named() {
    let served = unusual().await.serve().await;
    for (query, field) in [
        ("source=kraken", "source"),
        ("about=weather", "about"),
        ("kind=odd", "kind"),
        ("external_id=", "external_id"),
        ("run_id=7", "run_id"),
        ("limit=501", "limit"),
        ("page=0", "page"),
        ("page=1&offset=1", "offset"),
    ] {
        let reply = get(served.address, &format!("/anomalies?{query}")).await;
        reply.assert_problem(400, "invalid_parameter");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{query}");
    }
    get(served.address, "/anomalies?severity=x").await.assert_problem(400, "unknown_parameter");
    let unloaded = World::new().serve().await;
    get(unloaded.address, "/anomalies").await.assert_problem(503, "loading");
}

/// One asset that three sources price: two agree, `csv` does not.
async fn at_odds() -> World {
    let mut world = World::new();
    world.merge(ViewSettings {
        stale_after: BTreeMap::new(),
        default_stale_after: Duration::from_secs(7 * 24 * 3600),
    });
    world.commit("coinpaprika", &[("a", "A", "A", Some("1.00"))]).await;
    world.commit("coingecko", &[("a", "A", "A", Some("1.02"))]).await;
    world.commit("csv", &[("a", "A", "A", Some("1000000"))]).await;
    world.refresh().await;
    world
}

fn reasons(asset: &Value) -> Vec<Value> {
    asset["price_sources"].as_array().unwrap().iter().map(|it| it["reason"].clone()).collect()
}

#[tokio::test]
async fn a_price_that_most_others_contradict_is_named_and_not_used() {
    let mut world = at_odds().await;
    let served = world.serve().await;
    let page = get_json(served.address, "/anomalies").await;
    assert_eq!(page["total"], 1);
    let found = &page["data"][0];
    assert_eq!(
        (&found["kind"], &found["source"], &found["value"], &found["id"]),
        (&json!("price_off"), &json!("csv"), &json!("1000000"), &Value::Null)
    );
    assert_eq!((&found["asset_id"], &found["listing_id"]), (&json!(1), &json!(3)));
    assert!(found["expected"].as_str().unwrap().contains("the median of the fresh prices"));
    for (query, total) in [
        ("kind=price_off", 1),
        ("kind=stale", 0),
        ("about=values&external_id=a", 1),
        ("about=runs", 0),
        ("source=coingecko", 0),
        ("run_id=00000000-0000-7000-8000-000000000000", 0),
    ] {
        let page = get_json(served.address, &format!("/anomalies?{query}")).await;
        assert_eq!(page["total"], total, "{query}");
    }
    let asset = get_json(served.address, "/assets/1").await;
    assert_eq!(reasons(&asset), [json!("older_of_two"), Value::Null, json!("price_off")]);
    assert_eq!(
        (&asset["price_usd"], &asset["price_sources"][2]["used"]),
        (&json!(1.02), &json!(false))
    );
    let metrics = get(served.address, "/metrics").await.body;
    let gauge = r#"kasparro_anomalies{source="csv",kind="price_off"} 1"#;
    assert!(metrics.contains(gauge), "{metrics}");

    world.short_run("csv").await;
    let first = get_json(served.address, "/anomalies?limit=1").await;
    assert_eq!((&first["total"], &first["data"][0]["kind"]), (&json!(2), &json!("price_off")));
    let second = get_json(served.address, "/anomalies?limit=1&page=2").await;
    assert_eq!(second["data"][0]["kind"], "few_rows");

    world.commit("csv", &[("a", "A", "A", Some("1.01"))]).await;
    world.refresh().await;
    let page = get_json(served.address, "/anomalies?about=values").await;
    assert_eq!(page["total"], 0, "they agree now");
    let asset = get_json(served.address, "/assets/1").await;
    assert_eq!((reasons(&asset), &asset["price_usd"]), (vec![Value::Null; 3], &json!(1.01)));
}

#[tokio::test]
async fn a_price_that_grew_old_beside_fresh_ones_is_stale() {
    let mut world = at_odds().await;
    let served = world.serve().await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    let page = get_json(served.address, "/anomalies?kind=stale").await;
    assert_eq!(page["total"], 0, "where all are old the sources are late, not at odds");
    world.commit("csv", &[("a", "A", "A", Some("1.01"))]).await;
    world.refresh().await;
    let page = get_json(served.address, "/anomalies?kind=stale").await;
    let sources: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|row| row["source"].clone()).collect();
    assert_eq!(sources, ["coinpaprika", "coingecko"]);
    assert!(page["data"][0]["expected"].as_str().unwrap().starts_with("25 hours old"), "{page}");
}

#[tokio::test]
async fn a_quote_with_unusual_values_is_shown_but_makes_no_price() {
    let mut world = at_odds().await;
    world.jump("csv", &[("a", "A", "A", Some("1.5"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let asset = get_json(served.address, "/assets/1").await;
    assert_eq!(reasons(&asset), [json!("older_of_two"), Value::Null, json!("unusual")]);
    assert_eq!(asset["price_usd"], 1.02);
    assert_eq!(get_json(served.address, "/assets").await["data"][0]["price_usd"], 1.02);
    assert_eq!(get_json(served.address, "/data").await["data"][2]["price_usd"], 1.5);
}
