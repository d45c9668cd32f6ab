//! `/keys`: making, listing, replacing and taking back.

use std::time::Duration;

use kasparro_domain::{Clock as _, Scope};
use kasparro_store::KeyStore as _;
use serde_json::{Value, json};

use super::client::{ADMIN_KEY, Reply};
use super::keyed::{ask, pepper, unlimited, with_key};
use super::world::{Served, World, serve};
use crate::key_id_of;

async fn admin(served: &Served, method: &str, target: &str, body: &str) -> Reply {
    ask(served.address, method, target, &with_key(ADMIN_KEY), body).await
}

async fn made(served: &Served, body: Value) -> Value {
    let reply = admin(served, "POST", "/keys", &body.to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.json()
}

async fn status_with(served: &Served, key: &Value, target: &str) -> u16 {
    ask(served.address, "GET", target, &with_key(key.as_str().unwrap()), "").await.status
}

#[tokio::test]
async fn k1_a_key_is_shown_once_works_at_once_and_is_kept_as_hmac_only() {
    let world = World::with_many(1).await;
    let served = serve(world.api(unlimited())).await;
    let asked =
        json!({"name": " a dashboard ", "scope": "read", "expires": "90d", "requests": 500});
    let key = made(&served, asked).await;
    let text = key["key"].as_str().unwrap();
    assert_eq!(key_id_of(text), key["key_id"].as_str());
    assert_eq!((&key["name"], &key["scope"]), (&json!("a dashboard"), &json!("read")));
    assert_eq!((&key["requests"], &key["replaces"]), (&json!(500), &Value::Null));
    assert_eq!(status_with(&served, &key["key"], "/runs").await, 200);
    assert_eq!(status_with(&served, &key["key"], "/keys").await, 403);
    let kept = world.kept.keys().await.unwrap();
    assert_eq!(kept[0].hmac, pepper().hmac(text));
    assert_eq!(kept[0].expires_at, Some(world.clock.now().plus(Duration::from_secs(90 * 86_400))));
    let list = admin(&served, "GET", "/keys", "").await;
    assert!(!list.body.contains(text), "{}", list.body);
    let list = list.json();
    assert_eq!((&list["total"], &list["data"][0]["status"]), (&json!(1), &json!("good")));
    world.clock.advance(Duration::from_secs(90 * 86_400));
    assert_eq!(status_with(&served, &key["key"], "/data").await, 401, "it has expired");
    let list = admin(&served, "GET", "/keys", "").await.json();
    assert_eq!(list["data"][0]["status"], "expired");
}

#[tokio::test]
async fn a_key_that_is_taken_back_stays_so() {
    let world = World::with_many(1).await;
    let served = serve(world.api(unlimited())).await;
    let key = made(&served, json!({"name": "a", "scope": "operate"})).await;
    let target = format!("/keys/{}/revoke", key["key_id"].as_str().unwrap());
    let first = admin(&served, "POST", &target, "").await.json();
    assert_eq!(first["key_id"], key["key_id"]);
    assert_eq!(status_with(&served, &key["key"], "/data").await, 401);
    world.clock.advance(Duration::from_secs(5));
    let again = admin(&served, "POST", &target, "{}").await.json();
    assert_eq!(again["revoked_at"], first["revoked_at"]);
    let rotate = target.replace("revoke", "rotate");
    admin(&served, "POST", &rotate, "").await.assert_problem(409, "key_ended");
    for (id, status, code) in
        [("AAAAAAAA", 404, "key_not_found"), ("admin", 400, "invalid_id"), ("1", 400, "invalid_id")]
    {
        for what in ["revoke", "rotate"] {
            let reply = admin(&served, "POST", &format!("/keys/{id}/{what}"), "").await;
            reply.assert_problem(status, code);
        }
    }
}

#[tokio::test]
async fn k4_a_key_is_replaced_with_an_overlap() {
    let world = World::with_many(1).await;
    let served = serve(world.api(unlimited())).await;
    let old = made(&served, json!({"name": "a", "scope": "operate", "expires": "10d"})).await;
    world.clock.advance(Duration::from_secs(86_400));
    let target = format!("/keys/{}/rotate", old["key_id"].as_str().unwrap());
    let reply = admin(&served, "POST", &target, r#"{"overlap":"2h"}"#).await;
    assert_eq!((reply.status, reply.header("cache-control")), (201, Some("no-store")));
    let new = reply.json();
    assert_eq!((&new["name"], &new["scope"]), (&json!("a"), &json!("operate")));
    assert_eq!(new["replaces"], old["key_id"]);
    assert_ne!(new["key_id"], old["key_id"]);
    let in_ten_days = world.clock.now().plus(Duration::from_secs(10 * 86_400));
    assert_eq!(new["expires_at"], in_ten_days.to_string(), "as long as the old one was made for");
    for key in [&old, &new] {
        assert_eq!(status_with(&served, &key["key"], "/runs").await, 200);
    }
    world.clock.advance(Duration::from_secs(2 * 3_600));
    assert_eq!(status_with(&served, &old["key"], "/runs").await, 401);
    assert_eq!(status_with(&served, &new["key"], "/runs").await, 200);
    let at_once = format!("/keys/{}/rotate", new["key_id"].as_str().unwrap());
    let newest = admin(&served, "POST", &at_once, r#"{"overlap":"0s"}"#).await.json();
    assert_eq!(status_with(&served, &new["key"], "/runs").await, 401);
    assert_eq!(status_with(&served, &newest["key"], "/runs").await, 200);
}

#[tokio::test]
async fn bad_requests_for_keys_are_named() {
    let world = World::with_many(1).await;
    let key = world.key(Scope::Read).await;
    let served = serve(world.api(unlimited())).await;
    let long = format!(r#"{{"name":"{}","scope":"read"}}"#, "x".repeat(256));
    for (body, field) in [
        ("", "body"),
        (r#"{"scope":"read"}"#, "name"),
        (r#"{"name":"a"}"#, "scope"),
        (r#"{"name":"","scope":"read"}"#, "name"),
        (r#"{"name":"a\nb","scope":"read"}"#, "name"),
        (long.as_str(), "name"),
        (r#"{"name":"a","scope":"Admin"}"#, "scope"),
        (r#"{"name":"a","scope":"read","expires":"soon"}"#, "expires"),
        (r#"{"name":"a","scope":"read","expires":"0d"}"#, "expires"),
        (r#"{"name":"a","scope":"read","expires":7}"#, "expires"),
        (r#"{"name":"a","scope":"read","requests":0}"#, "requests"),
        (r#"{"name":"a","scope":"read","requests":-1}"#, "requests"),
        (r#"{"name":"a","scope":"read","key":"mine"}"#, "key"),
    ] {
        let reply = admin(&served, "POST", "/keys", body).await;
        reply.assert_problem(400, "invalid_body");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{body}: {}", reply.body);
    }
    let target = format!("/keys/{}/rotate", key_id_of(&key).unwrap());
    for (body, field) in [(r#"{"overlap":"1w"}"#, "overlap"), (r#"{"until":"1h"}"#, "until")] {
        let reply = admin(&served, "POST", &target, body).await;
        reply.assert_problem(400, "invalid_body");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{body}: {}", reply.body);
    }
    assert_eq!(world.kept.keys().await.unwrap().len(), 1, "none was made");
}
