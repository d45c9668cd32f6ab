//! One asset over several sources: its former ids, why it is what it is, and how far that is decided.

use std::sync::atomic::Ordering;

use kasparro_domain::{
    AssetClass, Clock as _, DecisionKind, IdentityState, ListingKey, SourceName,
};
use kasparro_store::{IdentityDecision, IdentityStore as _};
use serde_json::{Value, json};

use super::client::{get, get_json, request};
use super::resolved::{apart, decided, ids, resolved};
use super::world::World;

#[tokio::test]
async fn a_former_id_sends_on_to_the_asset_it_belongs_to_until_the_two_are_parted() {
    let world = resolved().await;
    let served = world.serve().await;
    for (target, location) in [
        ("/assets/3", "/assets/1"),
        ("/assets/3/", "/assets/1/"),
        ("/assets/003", "/assets/1"),
        ("/api/v1/assets/3", "/api/v1/assets/1"),
        ("/api/v1/assets/3/", "/api/v1/assets/1/"),
        ("/assets/4/identity", "/assets/2/identity"),
        ("/api/v1/assets/4/identity/", "/api/v1/assets/2/identity/"),
        ("/assets/3/history?limit=2&order=desc", "/assets/1/history?limit=2&order=desc"),
        ("/api/v1/assets/3/history/", "/api/v1/assets/1/history/"),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = request(served.address, method, target, "").await;
            assert_eq!((reply.status, reply.header("location")), (308, Some(location)), "{target}");
            assert_eq!(reply.header("x-generation"), Some("5"), "{target}");
            assert_eq!(reply.header("cache-control"), Some("no-cache"), "{target}");
        }
        let body = get(served.address, target).await.json();
        assert_eq!(body["location"], location);
        assert!(location.contains(&format!("/assets/{}", body["asset_id"])), "{body}");
        assert_eq!(get(served.address, location).await.status, 200, "{location}");
    }
    get(served.address, "/assets/3/history?limit=0").await.assert_problem(400, "invalid_parameter");
    let history = get_json(served.address, "/assets/1/history").await;
    assert_eq!(history["data"].as_array().unwrap().len(), 2, "that of both listings");
    world.resolve(vec![decided(3, 3, AssetClass::Coin, IdentityState::Single)]).await;
    let parted = get_json(served.address, "/assets/3").await;
    assert_eq!((&parted["id"], &parted["symbol"]), (&json!(3), &json!("btc")));
    assert_eq!(
        get_json(served.address, "/assets/1").await["listings"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn data_of_an_asset_are_those_of_all_its_listings_under_any_of_its_ids() {
    let before = apart().await;
    let served = before.serve().await;
    let unresolved = get(served.address, "/data?symbol=btc").await.body;
    assert!(unresolved.contains(r#""id":3,"asset_id":3,"#), "{unresolved}");
    assert_eq!(ids(&get_json(served.address, "/data?asset_id=3").await), [3]);
    let served = resolved().await.serve().await;
    for (query, expected) in [
        ("asset_id=1", vec![1, 3]),
        ("asset_id=3", vec![1, 3]),
        ("asset_id=3&source=coingecko", vec![3]),
        ("asset_id=5", vec![5]),
        ("asset_id=9223372036854775807", vec![]),
        ("symbol=btc", vec![1, 3, 5]),
    ] {
        let page = get_json(served.address, &format!("/data?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    let page = get_json(served.address, "/data?asset_id=3&limit=1").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    assert_eq!(
        ids(&get_json(served.address, &format!("/data?asset_id=3&cursor={cursor}")).await),
        [3]
    );
    assert_eq!(page["data"][0]["asset_id"], 1);
    let after = get(served.address, "/data?symbol=btc").await.body;
    let rows = |body: &str| body.split_once(r#","data":"#).unwrap().1.to_owned();
    assert_eq!(rows(&after), rows(&unresolved).replace(r#""asset_id":3"#, r#""asset_id":1"#));
}

#[tokio::test]
async fn an_asset_explains_why_it_is_what_it_is_and_what_else_it_might_be() {
    let world = resolved().await;
    let key = |source: &str, id: &str| ListingKey::new(source, id);
    let decision = |kind, a, b, why: &str| IdentityDecision {
        kind,
        source: SourceName::new("coingecko"),
        pairs: vec![(a, b)],
        relation: None,
        who: "operator".to_owned(),
        why: why.to_owned(),
        decided_at: world.clock.now(),
    };
    for (kind, why) in
        [(DecisionKind::Link, "the same chain"), (DecisionKind::Withdraw, "it is not")]
    {
        let pair = decision(kind, key("coingecko", "bitcoin"), key("coingecko", "bitcoin-b"), why);
        world.kept.decide_identity(pair).await.unwrap();
    }
    let served = world.serve().await;
    let reply = get(served.address, "/assets/5/identity").await;
    assert_eq!((reply.status, reply.header("x-generation")), (200, Some("5")), "{}", reply.body);
    assert!(
        reply.body.contains(r#""bits":12.34}"#) && reply.body.contains(r#""bits":-5.67}"#),
        "{}",
        reply.body
    );
    let found = reply.json();
    assert_eq!((&found["identity"], &found["class"]), (&json!("ambiguous"), &json!("coin")));
    let version = found["evidence_version"].as_u64().unwrap();
    assert_eq!(found["resolved_version"], version - 2, "two decisions came since");
    assert_eq!(found["rule_version"], "identity/1");
    assert!(found["resolved_at"].as_str().unwrap().starts_with("2024-01-01T"));
    let listing = &found["listings"][0];
    assert_eq!((&listing["listing_id"], &listing["confidence"]), (&json!(5), &Value::Null));
    let candidate = &listing["candidates"][0];
    assert_eq!(
        (
            &candidate["external_id"],
            &candidate["listing_id"],
            &candidate["asset_id"],
            &candidate["verdict"]
        ),
        (&json!("btc-bitcoin"), &json!(1), &json!(1), &json!("review"))
    );
    assert_eq!((&candidate["bits"], &candidate["why"]), (&json!(6.67), &json!("names differ")));
    assert_eq!(
        listing["candidates"][1]["listing_id"],
        Value::Null,
        "no listing of that name is shown"
    );
    let kinds: Vec<_> =
        found["decisions"].as_array().unwrap().iter().map(|it| (&it["kind"], &it["why"])).collect();
    assert_eq!(
        kinds,
        [(&json!("withdraw"), &json!("it is not")), (&json!("link"), &json!("the same chain"))]
    );
    assert_eq!(
        found["decisions"][1]["pairs"],
        json!([["coingecko:bitcoin", "coingecko:bitcoin-b"]])
    );
    assert_eq!(
        (&found["decisions"][1]["verdict"], &found["decisions"][1]["who"]),
        (&json!("link"), &Value::Null),
        "who decided is for those with a key"
    );
    let linked = get_json(served.address, "/assets/1/identity").await;
    assert_eq!(linked["listings"][1]["confidence"], 0.9987);
    assert_eq!(linked["listings"][1]["founded_asset_id"], 3);
    assert_eq!(linked["decisions"].as_array().unwrap().len(), 2);
    assert_eq!(get_json(served.address, "/assets/2/identity").await["decisions"], json!([]));
}

#[tokio::test]
async fn an_asset_that_nobody_looked_at_yet_says_so() {
    let served = apart().await.serve().await;
    let found = get_json(served.address, "/assets/3/identity").await;
    assert_eq!((&found["identity"], &found["rule_version"]), (&json!("unresolved"), &Value::Null));
    assert_eq!((&found["resolved_version"], &found["resolved_at"]), (&Value::Null, &Value::Null));
    assert_eq!(found["listings"][0]["candidates"], json!([]));
    let stats = get_json(served.address, "/stats").await;
    assert_eq!(
        (&stats["identity"]["resolved_version"], &stats["identity"]["assets"]),
        (&Value::Null, &json!(0))
    );
}

#[tokio::test]
async fn prices_outlive_the_database_and_what_only_it_knows_is_null_meanwhile() {
    let world = resolved().await;
    let served = world.serve().await;
    for switch in [&world.switches.away, &world.switches.hanging] {
        switch.store(true, Ordering::SeqCst);
        let asset = get_json(served.address, "/assets/1").await;
        assert_eq!((&asset["price_usd"], &asset["identity"]), (&json!(46_100.5), &json!("linked")));
        assert_eq!((&asset["edges"], &asset["former_names"]), (&Value::Null, &Value::Null));
        assert_eq!(asset["deployments"], json!([]));
        assert_eq!(get(served.address, "/assets/3").await.status, 308);
        assert_eq!(ids(&get_json(served.address, "/assets?symbol=btc").await), [1, 5]);
        get(served.address, "/assets/1/identity").await.assert_problem(503, "store_unavailable");
        switch.store(false, Ordering::SeqCst);
    }
    assert_eq!(get_json(served.address, "/assets/1").await["edges"].as_array().unwrap().len(), 1);
    let empty = World::new();
    let served = empty.serve().await;
    for path in ["/assets/1", "/assets/1/identity", "/assets/1/history", "/assets?contract=0xabc"] {
        get(served.address, path).await.assert_problem(503, "loading");
    }
}

#[tokio::test]
async fn how_far_identity_is_decided_is_told_in_stats_and_metrics() {
    let mut world = resolved().await;
    world.commit("csv", &[("own", "OWN", "Own Coin", Some("8"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let identity = get_json(served.address, "/stats").await["identity"].clone();
    let version = identity["evidence_version"].as_u64().unwrap();
    assert_eq!(identity["resolved_version"], version - 1, "a listing came since");
    assert_eq!(
        (&identity["listings"], &identity["assets"], &identity["linked"], &identity["ambiguous"]),
        (&json!(5), &json!(3), &json!(4), &json!(1))
    );
    assert_eq!(
        (&identity["pending"], &identity["rule_version"]),
        (&json!(false), &json!("identity/1"))
    );
    let metrics = get(served.address, "/metrics").await.body;
    for state in IdentityState::ALL {
        let line = format!("kasparro_identity_listings{{state=\"{state}\"}} ");
        assert_eq!(metrics.matches(&line).count(), 1, "{metrics}");
    }
    // Other worlds of this process set the same gauges meanwhile, so only their presence is sure.
    for name in ["kasparro_identity_assets ", "kasparro_identity_evidence_lag "] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}: {metrics}");
    }
}
