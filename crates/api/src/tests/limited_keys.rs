//! The limits of keys, and of those who try keys.

use kasparro_domain::{ApiKey, Clock as _, Scope};
use kasparro_store::{KeyStore as _, NewKey};
use secrecy::ExposeSecret as _;

use super::client::{ADMIN_KEY, get, request};
use super::limits::{left, limited};
use super::world::{World, serve};
use crate::{ApiSettings, KEY_RANDOM_BYTES, NewApiKey};

async fn add_key(world: &World, requests: Option<u64>) -> String {
    add(world, NewApiKey::random(), requests).await
}

async fn add(world: &World, key: NewApiKey, requests: Option<u64>) -> String {
    let text = key.text.expose_secret().to_owned();
    let kept = ApiKey {
        key_id: key.key_id,
        name: "of a test".to_owned(),
        scope: Scope::Read,
        hmac: ApiSettings::default().pepper.hmac(&text),
        requests,
        created_at: world.clock.now(),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    world.kept.add_key(NewKey { key: kept, replaces: None }).await.unwrap();
    text
}

#[tokio::test]
async fn a_key_has_a_limit_of_its_own_wherever_it_is_used() {
    let world = World::with_many(3).await;
    let (small, plain) = (add_key(&world, Some(2)).await, add_key(&world, None).await);
    let served = serve(world.api(limited(1))).await;
    let with = async |key: &str| {
        request(served.address, "GET", "/data", &format!("x-api-key: {key}\r\n")).await
    };
    for expected in [1, 0] {
        let reply = with(&small).await;
        assert_eq!((reply.status, left(&reply).0), (200, expected));
        assert_eq!(reply.header("ratelimit-policy"), Some("\"key\";q=2;w=900"));
    }
    with(&small).await.assert_problem(429, "rate_limited");
    for key in [plain.as_str(), ADMIN_KEY] {
        let reply = with(key).await;
        assert_eq!(reply.header("ratelimit-policy"), Some("\"key\";q=10000;w=900"));
        assert_eq!((reply.status, left(&reply).0), (200, 9_999));
    }
    // A key used up leaves the address its own, and the other way round.
    assert_eq!(get(served.address, "/data").await.status, 200);
    assert_eq!(get(served.address, "/data").await.status, 429);
    assert_eq!(with(&plain).await.status, 200);
}

#[tokio::test]
async fn k5_after_twenty_keys_that_are_not_good_none_is_looked_at_for_a_while() {
    let world = World::with_many(3).await;
    let good = add_key(&world, None).await;
    let own = add(&world, NewApiKey::of([7; KEY_RANDOM_BYTES]), None).await;
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let served = serve(world.api(ApiSettings { trusted_proxies, ..limited(1_000) })).await;
    let with = async |client: &str, key: &str| {
        let headers = format!("x-forwarded-for: {client}\r\nx-api-key: {key}\r\n");
        request(served.address, "GET", "/data", &headers).await
    };
    let wrong = || NewApiKey::random().text.expose_secret().to_owned();
    for _ in 0..20 {
        with("203.0.113.1", &wrong()).await.assert_problem(401, "key_invalid");
    }
    for key in [wrong(), good.clone(), "short".to_owned()] {
        let reply = with("203.0.113.1", &key).await;
        reply.assert_problem(429, "too_many_failures");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=64).contains(&wait), "{wait}");
        assert!(!reply.body.contains(&key));
    }
    assert_eq!(with("203.0.113.2", &good).await.status, 200, "others are not concerned");
    // The same public id from many addresses.
    let guessed = wrong();
    for number in 0..20 {
        with(&format!("198.51.100.{number}"), &guessed).await.assert_problem(401, "key_invalid");
    }
    for number in 0..20 {
        let reply = with(&format!("198.51.100.{number}"), &guessed).await;
        reply.assert_problem(429, "too_many_failures");
    }
    // Whoever knows the public id of a key cannot lock its owner out.
    let mut random = [7; KEY_RANDOM_BYTES];
    random[KEY_RANDOM_BYTES - 1] ^= 1;
    let guess = NewApiKey::of(random);
    assert!(own.contains(&guess.key_id) && own != *guess.text.expose_secret());
    for number in 100..130 {
        let guess = guess.text.expose_secret();
        with(&format!("198.51.100.{number}"), guess).await.assert_problem(401, "key_invalid");
    }
    assert_eq!(with("192.0.2.1", &own).await.status, 200);
    assert_eq!(with("192.0.2.1", &good).await.status, 200);
    // Health checks with a key are no way to try keys.
    let headers = format!("x-forwarded-for: 203.0.113.1\r\nx-api-key: {good}\r\n");
    let reply = request(served.address, "GET", "/livez", &headers).await;
    reply.assert_problem(429, "too_many_failures");
}
