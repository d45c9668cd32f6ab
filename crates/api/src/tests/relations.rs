//! How assets relate, as people state it.

use kasparro_domain::{AssetClass, Decision, DecisionKind, IdentityState, ListingId, ListingKey};
use kasparro_store::{CommandStore as _, EdgeRow, IdentityRow, QuarantineStore as _};
use serde_json::{Value, json};

use super::client::{ADMIN_KEY, Reply, get};
use super::keyed::{ask, essence, unlimited, with_key};
use super::resolved::{decided, resolved};
use super::world::{Served, World, serve};

/// More digits than a binary fraction has.
const RATIO: &str = "1000.000000000000000000000000000001";
/// Listings 5 and 2 of the resolved world, of assets with the same ids.
const NAMESAKE: &str = "coingecko:bitcoin-b";
const USDC: &str = "coinpaprika:usdc-usd-coin";

async fn post(served: &Served, target: &str, body: &str) -> Reply {
    ask(served.address, "POST", target, &with_key(ADMIN_KEY), body).await
}

async fn newest(world: &World) -> Decision {
    world.kept.decisions().await.unwrap().pop().unwrap()
}

/// A body that relates the namesake to USD Coin, with more members.
fn relating(more: &str) -> String {
    format!(r#"{{"from":"{NAMESAKE}","kind":"migrated_to","to":"{USDC}","why":"so"{more}}}"#)
}

fn pair() -> String {
    json!({"listings": [USDC, NAMESAKE], "why": "so"}).to_string()
}

/// Resolves anew what the newest decision is about, as the rules do: an edge where it states a relation.
async fn follow(world: &World) {
    let decision = newest(world).await;
    let edge = decision.relation.map(|relation| EdgeRow {
        kind: relation.kind,
        to: ListingId(2),
        why: format!("Decision {} says so.", decision.decision_id.0).into(),
        terms: relation.terms,
    });
    let namesake = decided(5, 5, AssetClass::Coin, IdentityState::Single);
    world.resolve(vec![IdentityRow { edges: edge.into_iter().collect(), ..namesake }]).await;
}

/// The newest decision about the namesake, as readers see it.
async fn told(served: &Served) -> Value {
    get(served.address, "/assets/5/identity").await.json()["decisions"][0].clone()
}

#[tokio::test]
async fn both_assets_of_a_relation_show_it_with_every_digit_until_it_is_taken_back() {
    let world = resolved().await;
    let (served, _worker) = (serve(world.api(unlimited())).await, world.work());
    let body = relating(&format!(r#","ratio":{RATIO},"effective_on":"2024-02-29""#));
    let reply = post(&served, "/assets/relate", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let decision = newest(&world).await;
    assert_eq!(reply.json()["decision_id"], decision.decision_id.0);
    assert_eq!((decision.kind, decision.pairs.len()), (DecisionKind::Relate, 1));
    assert!(decision.who.starts_with("key "), "{}", decision.who);
    let shown = format!(r#""ratio":{RATIO},"effective_on":"2024-02-29""#);
    for id in [2, 5] {
        let reasons = get(served.address, &format!("/assets/{id}/identity")).await.body;
        let relation = format!(
            r#""relation":{{"from":"{NAMESAKE}","kind":"migrated_to","to":"{USDC}",{shown}}}"#
        );
        assert!(reasons.contains(&relation), "{reasons}");
    }
    assert_eq!(told(&served).await["verdict"], "related");
    follow(&world).await;
    for (id, other, listing, direction) in [(5, 2, USDC, "out"), (2, 5, NAMESAKE, "in")] {
        let asset = get(served.address, &format!("/assets/{id}")).await.body;
        let edge = format!(
            r#""edges":[{{"kind":"migrated_to","asset_id":{other},"listing":"{listing}","why":"Decision {} says so.","direction":"{direction}",{shown}}}]"#,
            decision.decision_id.0
        );
        assert!(asset.contains(&edge), "{asset}");
    }
    for (target, kind, verdict) in [
        ("/assets/unrelate", DecisionKind::Unrelate, "unrelated"),
        ("/assets/withdraw", DecisionKind::Withdraw, "withdraw"),
    ] {
        let reply = post(&served, target, &pair()).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.body);
        let decision = newest(&world).await;
        assert_eq!((decision.kind, decision.relation), (kind, None), "{target}");
        let told = told(&served).await;
        assert_eq!((&told["verdict"], &told["relation"]), (&json!(verdict), &Value::Null));
    }
    post(&served, "/assets/withdraw", &pair()).await.assert_problem(409, "not_decided");
    follow(&world).await;
    for id in [2, 5] {
        let asset = get(served.address, &format!("/assets/{id}")).await.json();
        assert_eq!(asset["edges"], json!([]), "{id}");
    }
}

#[tokio::test]
async fn ratio_and_day_may_be_unknown_and_a_ratio_may_be_a_text() {
    let world = resolved().await;
    let (served, _worker) = (serve(world.api(unlimited())).await, world.work());
    for (more, ratio, day) in [
        ("", None, None),
        (r#","ratio":null,"effective_on":null"#, None, None),
        (&*format!(r#","ratio":"{RATIO}""#), Some(RATIO), None),
        (&*format!(r#","ratio": {RATIO} "#), Some(RATIO), None),
        (r#","ratio":1e-3,"effective_on":"0001-01-01""#, Some("0.001"), Some("0001-01-01")),
        (r#","effective_on":"9999-12-31""#, None, Some("9999-12-31")),
    ] {
        let reply = post(&served, "/assets/relate", &relating(more)).await;
        assert_eq!(reply.status, 200, "{more}: {}", reply.body);
        let terms = newest(&world).await.relation.unwrap().terms;
        let kept =
            (terms.ratio.map(|it| it.to_string()), terms.effective_on.map(|it| it.to_string()));
        assert_eq!(kept, (ratio.map(str::to_owned), day.map(str::to_owned)), "{more}");
    }
    // A source may list an asset and what became of it.
    let body = r#"{"from":"coingecko:bitcoin-b","kind":"forked_from","to":"coingecko:bitcoin","why":"so"}"#;
    assert_eq!(post(&served, "/assets/relate", body).await.status, 200);
}

#[tokio::test]
async fn relations_that_cannot_be_meant_are_refused_with_what_to_write() {
    let world = resolved().await;
    let served = serve(world.api(unlimited())).await;
    let body = |member: &str, value: &str| {
        let mut members: Vec<(&str, String)> =
            [("from", NAMESAKE), ("kind", "pegged_to"), ("to", USDC)]
                .map(|(name, text)| (name, json!(text).to_string()))
                .into();
        members.push(("why", json!("so").to_string()));
        members.retain(|(name, _)| *name != member);
        if !value.is_empty() {
            members.push((member, value.to_owned()));
        }
        let members: Vec<_> = members.iter().map(|(name, it)| format!("{name:?}:{it}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let above_zero = "write a number above zero, for example 1000 or 0.001";
    let day = "write a day as YYYY-MM-DD, for example 2024-10-01";
    let kinds = "wrapped_of, bridged_of, pegged_to, migrated_to, forked_from";
    let listing = "write it as source:external_id";
    for (member, value, told) in [
        ("kind", r#""owned_by""#, kinds),
        ("kind", r#""Pegged_To""#, kinds),
        ("kind", r#""""#, kinds),
        ("kind", "7", "expected a string"),
        ("kind", "", "missing"),
        ("ratio", "0", above_zero),
        ("ratio", "-1000", above_zero),
        ("ratio", r#""1:1000""#, above_zero),
        ("ratio", r#""NaN""#, above_zero),
        ("ratio", r#""""#, above_zero),
        ("ratio", "true", above_zero),
        ("ratio", "[1000]", above_zero),
        ("ratio", r#"{"ratio":1000}"#, above_zero),
        ("ratio", "1e400", "outside the range"),
        ("ratio", "0.1234567890123456789012345678901234567891", "38 significant digits"),
        ("effective_on", r#""2024-02-30""#, day),
        ("effective_on", r#""2024-10-1""#, day),
        ("effective_on", r#""2024-10-01T00:00:00Z""#, day),
        ("effective_on", r#""yesterday""#, day),
        ("effective_on", r#""""#, day),
        ("effective_on", "20241001", "expected a string"),
        ("from", r#""bitcoin""#, listing),
        ("to", r#"":bitcoin""#, listing),
        ("to", "", "missing"),
        ("to", r#""coingecko:bitcoin-b""#, "is the same listing as from"),
        ("why", r#""  ""#, "write one line"),
        ("who", r#""operator""#, "unknown field"),
        ("listings", "[]", "unknown field"),
    ] {
        let sent = body(member, value);
        let reply = post(&served, "/assets/relate", &sent).await;
        reply.assert_problem(400, "invalid_body");
        let error = reply.json()["errors"][0].clone();
        assert_eq!(error["field"], member, "{sent}: {}", reply.body);
        assert!(error["message"].as_str().unwrap().contains(told), "{sent}: {}", reply.body);
    }
    let many = r#"{"from":"x","kind":"x","to":"x","ratio":0,"effective_on":"x","why":""}"#;
    let errors = post(&served, "/assets/relate", many).await.json()["errors"].clone();
    let fields: Vec<_> = errors.as_array().unwrap().iter().map(|it| it["field"].clone()).collect();
    assert_eq!(fields, ["from", "to", "kind", "ratio", "effective_on", "why"]);
    for member in ["from", "to"] {
        let reply = post(&served, "/assets/relate", &body(member, r#""kraken:none""#)).await;
        reply.assert_problem(404, "unknown_listing");
        assert!(reply.body.contains("there is no listing kraken:none"), "{}", reply.body);
    }
    for (listings, status, code) in [
        (json!([NAMESAKE]), 400, "invalid_body"),
        (json!([NAMESAKE, NAMESAKE]), 400, "invalid_body"),
        (json!([NAMESAKE, "kraken:none"]), 404, "unknown_listing"),
    ] {
        let body = json!({"listings": listings, "why": "so"}).to_string();
        post(&served, "/assets/unrelate", &body).await.assert_problem(status, code);
    }
    let body = json!({"listings": [NAMESAKE, USDC], "why": "so", "kind": "pegged_to"}).to_string();
    post(&served, "/assets/unrelate", &body).await.assert_problem(400, "invalid_body");
    assert!(world.kept.claim(false).await.unwrap().is_empty(), "nothing of it was handed in");
}

#[tokio::test]
async fn i17_a_relation_that_is_stated_twice_under_one_name_is_one_decision() {
    let world = resolved().await;
    let (served, _worker) = (serve(world.api(unlimited())).await, world.work());
    let headers = format!("{}idempotency-key: relation-1\r\n", with_key(ADMIN_KEY));
    let stated = |ratio: &str| relating(&format!(r#","ratio":{ratio}"#));
    let send = async |ratio: &str| {
        ask(served.address, "POST", "/assets/relate", &headers, &stated(ratio)).await
    };
    let first = send("1000").await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(essence(&send("1000").await), essence(&first));
    send("1000.000000000000000000000000000001").await.assert_problem(422, "idempotency_conflict");
    assert_eq!(world.kept.decisions().await.unwrap().len(), 1);
}

/// A relation says that two listings are different assets, and would keep one of them out.
#[tokio::test]
async fn two_assets_are_merged_although_their_listings_were_related() {
    let mut world = resolved().await;
    world.commit("csv", &[("own", "BTC", "Bitcoin", Some("46090"))]).await;
    world.refresh().await;
    let (served, _worker) = (serve(world.api(unlimited())).await, world.work());
    // Bitcoin was founded by its listing at CoinPaprika; this is its other one.
    let relate = r#"{"from":"csv:own","kind":"pegged_to","to":"coingecko:bitcoin","why":"so"}"#;
    assert_eq!(post(&served, "/assets/relate", relate).await.status, 200);
    let merge = r#"{"listings":["csv:own","coinpaprika:btc-bitcoin"],"why":"it is Bitcoin"}"#;
    let reply = post(&served, "/assets/merge", merge).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let names = |(a, b): &(ListingKey, ListingKey)| format!("{a} {b}");
    let pairs: Vec<String> = newest(&world).await.pairs.iter().map(names).collect();
    assert_eq!(pairs, ["coingecko:bitcoin csv:own", "coinpaprika:btc-bitcoin csv:own"]);
}
