//! The limits of keys, and of those who try keys.

use kasparro_domain::{ApiKey, Clock as _, Scope};
use kasparro_store::{KeyStore as _, NewKey};
use secrecy::ExposeSecret as _;

use super::client::{ADMIN_KEY, get, request};
use super::limits::{left, limited};
use super::world::{World, serve};
use crate::{ApiSettings, KEY_RANDOM_BYTES, LimitSettings, NewApiKey};

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
    for key in [wrong(), ADMIN_KEY.to_owned(), "short".to_owned()] {
        let reply = with("203.0.113.1", &key).await;
        reply.assert_problem(429, "too_many_failures");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=64).contains(&wait), "{wait}");
        assert!(!reply.body.contains(&key));
    }
    for key in [good.as_str(), ADMIN_KEY] {
        assert_eq!(with("203.0.113.2", key).await.status, 200, "others are not concerned");
    }
    // Nobody guesses a key that was generated, so the failures of others at its address keep none out.
    assert_eq!(with("203.0.113.1", &good).await.status, 200);
    assert_eq!(with("203.0.113.1", &own).await.status, 200);
    with("203.0.113.1", &wrong()).await.assert_problem(429, "too_many_failures");
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
    // A guess of which only the secret part is wrong learns nothing at an address that failed too often.
    let guess = guess.text.expose_secret();
    for _ in 0..30 {
        with("203.0.113.1", guess).await.assert_problem(429, "too_many_failures");
    }
    assert_eq!(with("203.0.113.1", &own).await.status, 200);
    // Health checks with a key are no way to try keys.
    let headers = format!("x-forwarded-for: 203.0.113.1\r\nx-api-key: {}\r\n", wrong());
    let reply = request(served.address, "GET", "/health", &headers).await;
    reply.assert_problem(429, "too_many_failures");
}

#[tokio::test]
async fn k5_of_a_thousand_wrong_keys_twenty_are_judged_whatever_their_form() {
    let world = World::with_many(1).await;
    add(&world, NewApiKey::of([7; KEY_RANDOM_BYTES]), None).await;
    let limits = LimitSettings { anonymous: None, ..LimitSettings::default() };
    let served = serve(world.api(ApiSettings { limits, ..ApiSettings::default() })).await;
    let mut judged = 0;
    for number in 0_u16..1_000 {
        let mut random = [7; KEY_RANDOM_BYTES];
        let [high, low] = number.to_be_bytes();
        (random[KEY_RANDOM_BYTES - 2], random[KEY_RANDOM_BYTES - 1]) = (high, low);
        let guess = NewApiKey::of(random).text.expose_secret().to_owned();
        let reply =
            request(served.address, "GET", "/data", &format!("x-api-key: {guess}\r\n")).await;
        judged += u16::from(reply.status == 401);
        assert!([401, 429].contains(&reply.status), "{}", reply.body);
    }
    assert_eq!(judged, 20);
}

#[tokio::test]
async fn a_key_that_cannot_be_judged_is_told_so_and_takes_nothing_from_its_neighbours() {
    let world = World::with_many(3).await;
    let good = add_key(&world, None).await;
    let key_line = |key: &str| format!("x-api-key: {key}\r\n");
    let wrong = || NewApiKey::random().text.expose_secret().to_owned();

    // Too many failures: of 25 requests 20 are counted, those whose keys were judged.
    let served = serve(world.api(limited(22))).await;
    for _ in 0..20 {
        let reply = request(served.address, "GET", "/data", &key_line(&wrong())).await;
        reply.assert_problem(401, "key_invalid");
    }
    for _ in 0..5 {
        let reply = request(served.address, "GET", "/data", &key_line(&wrong())).await;
        reply.assert_problem(429, "too_many_failures");
        assert_eq!(reply.header("ratelimit"), None, "it is of nobody's limit");
    }
    assert_eq!(left(&get(served.address, "/data").await).0, 1);
    assert_eq!(get(served.address, "/data").await.status, 200);
    get(served.address, "/data").await.assert_problem(429, "rate_limited");
    // Also where the limit is used up it is told what is wrong with its key.
    let reply = request(served.address, "GET", "/data", &key_line(&wrong())).await;
    reply.assert_problem(429, "too_many_failures");
    drop(served);

    // The keys were never read.
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let served = serve(world.api(limited(2))).await;
    for _ in 0..5 {
        let reply = request(served.address, "GET", "/data", &key_line(&good)).await;
        reply.assert_problem(503, "store_unavailable");
        assert_eq!(reply.header("ratelimit"), None);
    }
    assert_eq!(left(&get(served.address, "/data").await).0, 1);
    assert_eq!(get(served.address, "/data").await.status, 200);
    get(served.address, "/data").await.assert_problem(429, "rate_limited");
    let reply = request(served.address, "GET", "/data", &key_line(&good)).await;
    reply.assert_problem(503, "store_unavailable");
}

#[tokio::test]
async fn k5_the_key_of_the_operator_cannot_be_guessed_at_while_the_database_is_away() {
    let world = World::with_many(1).await;
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let limits = LimitSettings { anonymous: None, failed_auth: 3, ..LimitSettings::default() };
    let served = serve(world.api(ApiSettings { limits, ..ApiSettings::default() })).await;
    let with = async |key: &str| {
        request(served.address, "GET", "/data", &format!("x-api-key: {key}\r\n")).await
    };
    for guess in ["admin-key-1", "admin-key-2", "admin-key-3"] {
        with(guess).await.assert_problem(401, "key_invalid");
    }
    for guess in ["admin-key-4", ADMIN_KEY] {
        with(guess).await.assert_problem(429, "too_many_failures");
    }
}
