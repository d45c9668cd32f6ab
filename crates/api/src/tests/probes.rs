//! What stops and starts processes is not turned by keys, nor by a database that is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kasparro_domain::{Clock as _, Scope};

use super::client::{ADMIN_KEY, get, request};
use super::keyed::{unlimited, with_key};
use super::world::{World, serve};
use crate::access::Area;
use crate::{ApiSettings, LimitSettings, NewApiKey};

const PROBES: [&str; 3] = ["/livez", "/readyz", "/api/v1/livez/"];

fn unknown() -> String {
    with_key(secrecy::ExposeSecret::expose_secret(&NewApiKey::random().text))
}

/// Lets the database be away for more than the minute for which keys may be judged without it.
async fn away_for_two_minutes(world: &World) {
    world.switches.away.store(true, Ordering::SeqCst);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(120)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn open_probes_look_at_no_key_whatever_it_is() {
    let world = World::with_many(1).await;
    let good = with_key(&world.key(Scope::Read).await);
    let limits = LimitSettings { failed_auth: 3, ..unlimited().limits };
    let served = serve(world.api(ApiSettings { limits, ..unlimited() })).await;
    let basic = "authorization: Basic dXNlcjpwYXNz\r\n".to_owned();
    let two = format!("x-api-key: a\r\n{basic}");
    for _ in 0..5 {
        for target in PROBES {
            for headers in ["", &good, &unknown(), &basic, &two] {
                for method in ["GET", "HEAD"] {
                    let reply = request(served.address, method, target, headers).await;
                    assert_eq!(reply.status, 200, "{method} {target} {headers}: {}", reply.body);
                }
            }
        }
    }
    // None of that counts as a key that was tried.
    let reply = request(served.address, "GET", "/health", &unknown()).await;
    reply.assert_problem(401, "key_invalid");
    away_for_two_minutes(&world).await;
    for target in PROBES {
        for headers in ["", &good, &unknown(), &with_key(ADMIN_KEY)] {
            let reply = request(served.address, "GET", target, headers).await;
            assert_eq!(reply.status, 200, "{target} {headers}: {}", reply.body);
        }
    }
    request(served.address, "GET", "/data", &good).await.assert_problem(503, "store_unavailable");
}

#[tokio::test]
async fn closed_probes_let_the_last_known_keys_in_however_long_the_database_is_away() {
    let world = World::with_many(1).await;
    let now = world.clock.now();
    let good = with_key(&world.key(Scope::Read).await);
    let revoked = with_key(&world.key_with(Scope::Read, |key| key.revoked_at = Some(now)).await);
    let closed = ApiSettings { closed: vec![Area::Health], ..unlimited() };
    let served = serve(world.api(closed.clone())).await;
    let check = async |when: &str| {
        for target in PROBES {
            for headers in [&good, &with_key(ADMIN_KEY)] {
                let reply = request(served.address, "GET", target, headers).await;
                assert_eq!(reply.status, 200, "{when}: {target}: {}", reply.body);
            }
            for headers in [&revoked, &unknown()] {
                let reply = request(served.address, "GET", target, headers).await;
                reply.assert_problem(401, "key_invalid");
            }
            get(served.address, target).await.assert_problem(401, "key_missing");
        }
    };
    check("while it is there").await;
    away_for_two_minutes(&world).await;
    check("away").await;
    for target in ["/data", "/health", "/metrics"] {
        let reply = request(served.address, "GET", target, &good).await;
        reply.assert_problem(503, "store_unavailable");
    }
    // Where no key was ever read nobody knows any.
    drop(served);
    let served = serve(world.api(closed)).await;
    let reply = request(served.address, "GET", "/livez", &good).await;
    reply.assert_problem(503, "store_unavailable");
    let admin = request(served.address, "GET", "/livez", &with_key(ADMIN_KEY)).await;
    assert_eq!(admin.status, 200);
}
