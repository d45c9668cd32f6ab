//! Who may ask for what.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kasparro_domain::{Clock as _, Scope};
use kasparro_store::{KeyEnd, KeyStore as _};

use super::client::{ADMIN_KEY, get, request};
use super::keyed::{ask, essence, unlimited, with_key};
use super::world::{World, serve};
use crate::access::{Access, Area, access_table, operations};
use crate::{ApiSettings, MAX_KEY_BYTES, key_id_of};

/// The path of an operation with something in place of its parameters, and one that none knows: whoever is
/// let in is told so, also by operations whose answers would go on.
fn target(path: &str) -> String {
    format!("{}?nonsense=1", path.replace("{id}", "1").replace("{file}", "nothing.css"))
}

/// How callers come, with what each key allows: `None` for those who bring no key, and no scope for a key
/// that is no good.
async fn callers(world: &World) -> Vec<(&'static str, String, Option<Option<Scope>>)> {
    let now = world.clock.now();
    let expired = world.key_with(Scope::Admin, |key| key.expires_at = Some(now)).await;
    let revoked = world.key_with(Scope::Admin, |key| key.revoked_at = Some(now)).await;
    let unknown = crate::NewApiKey::random();
    let unknown = secrecy::ExposeSecret::expose_secret(&unknown.text).to_owned();
    let mut malformed = world.key(Scope::Admin).await;
    malformed.pop();
    let mut callers = vec![("none", String::new(), None)];
    for (name, key) in
        [("malformed", malformed), ("unknown", unknown), ("revoked", revoked), ("expired", expired)]
    {
        callers.push((name, with_key(&key), Some(None)));
    }
    for scope in Scope::ALL {
        let key = world.key(scope).await;
        callers.push((scope.name(), with_key(&key), Some(Some(scope))));
        callers.push((scope.name(), format!("authorization: Bearer {key}\r\n"), Some(Some(scope))));
    }
    callers
}

#[tokio::test]
async fn i18_every_operation_lets_in_whom_its_table_says_and_nobody_else() {
    let world = World::with_many(3).await;
    let callers = callers(&world).await;
    for closed in [Vec::new(), Area::ALL.to_vec()] {
        let served = serve(world.api(ApiSettings { closed: closed.clone(), ..unlimited() })).await;
        let mut bad_key = None;
        for operation in operations() {
            let path = target(&operation.path);
            let needed = operation.access.needed(&closed);
            for (name, headers, brings) in &callers {
                let reply = ask(served.address, operation.method, &path, headers, "").await;
                let what = format!("{} {path} by {name}: {}", operation.method, reply.body);
                let probe = ["/livez", "/readyz"].contains(&operation.path.as_str());
                match (brings, needed) {
                    // Nobody is kept from what anybody may ask, and a process not stopped for a key.
                    (Some(None), None) if probe => {
                        assert!(![401, 403].contains(&reply.status), "{what}");
                    }
                    (Some(None), _) => {
                        reply.assert_problem(401, "key_invalid");
                        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{what}");
                        let told = bad_key.get_or_insert_with(|| essence(&reply));
                        assert_eq!(*told, essence(&reply), "one body for all: {what}");
                    }
                    (None, Some(_)) => {
                        reply.assert_problem(401, "key_missing");
                        assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{what}");
                    }
                    (Some(Some(given)), Some(needed)) if *given < needed => {
                        reply.assert_problem(403, "scope_missing");
                        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
                        assert!(detail.contains(needed.name()), "{what}");
                    }
                    _ => assert!(![401, 403].contains(&reply.status), "{what}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn i18_a_path_that_is_not_there_tells_nothing_and_neither_does_a_method() {
    let world = World::with_many(1).await;
    let key = with_key(&world.key(Scope::Read).await);
    let served = serve(world.api(unlimited())).await;
    for path in ["/nothing", "/keys/1", "/keysx", "/admin", "/api/v2/keys", "/KEYS", "//keys"] {
        for headers in ["", &key] {
            ask(served.address, "GET", path, headers, "").await.assert_problem(404, "not_found");
        }
    }
    for path in ["/keys", "/assets/link", "/trigger-etl"] {
        for headers in ["", &key] {
            let reply = ask(served.address, "DELETE", path, headers, "").await;
            reply.assert_problem(405, "method_not_allowed");
            assert!(reply.header("allow").is_some(), "{path}");
        }
    }
    // Neither the prefix nor a slash leads around the door.
    for path in ["/keys/", "/api/v1/keys", "/api/v1/keys/"] {
        let none = |method| ask(served.address, method, path, "", "");
        none("GET").await.assert_problem(401, "key_missing");
        assert_eq!(none("HEAD").await.header("www-authenticate"), Some("Bearer"));
        request(served.address, "GET", path, &key).await.assert_problem(403, "scope_missing");
    }
}

#[test]
fn z1_what_changes_something_or_shows_how_ingestion_goes_is_never_open() {
    for operation in operations() {
        let Access::Open(_) = operation.access else { continue };
        assert_eq!(operation.method, "GET", "{}", operation.path);
        let first = operation.path.split('/').nth(1).unwrap_or_default();
        for closed in ["keys", "commands", "trigger-etl", "runs", "quarantine", "drift", "sources"]
        {
            assert_ne!(first, closed);
        }
    }
}

#[tokio::test]
async fn k3_a_key_that_is_sent_twice_or_is_none_is_refused_and_never_read_from_the_query() {
    let world = World::with_many(1).await;
    let [read, admin] = [world.key(Scope::Read).await, world.key(Scope::Admin).await];
    let served = serve(world.api(unlimited())).await;
    for target in ["/data", "/runs", "/stats"] {
        for headers in [
            format!("x-api-key: {read}\r\nx-api-key: {read}\r\n"),
            format!("x-api-key: {read}\r\nauthorization: Bearer {admin}\r\n"),
        ] {
            let reply = request(served.address, "GET", target, &headers).await;
            reply.assert_problem(400, "ambiguous_key");
        }
        let unknown = request(served.address, "GET", target, "x-api-key: unknown\r\n").await;
        unknown.assert_problem(401, "key_invalid");
        for headers in
            ["x-api-key: ", "x-api-key: a b", "x-api-key: \u{e9}", "authorization: Basic eA=="]
        {
            let headers = format!("{headers}\r\n");
            let reply = request(served.address, "GET", target, &headers).await;
            assert_eq!(essence(&reply), essence(&unknown), "{headers}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"), "{headers}");
        }
        let both = format!("x-api-key: {read}\r\nauthorization: bearer {read}\r\n");
        assert_eq!(request(served.address, "GET", target, &both).await.status, 200, "{target}");
    }
    for name in ["api_key", "key", "x-api-key", "access_token"] {
        let target = format!("/data?{name}={admin}");
        let reply = get(served.address, &target).await;
        reply.assert_problem(400, "unknown_parameter");
        assert!(!reply.body.contains(&admin), "{}", reply.body);
        let cookie = format!("cookie: {name}={admin}\r\n");
        let reply = ask(served.address, "GET", "/keys", &cookie, "").await;
        reply.assert_problem(401, "key_missing");
    }
    let long = format!("x-api-key: {}\r\n", "k".repeat(20_000));
    request(served.address, "GET", "/data", &long).await.assert_problem(401, "key_invalid");
    let own = with_key(ADMIN_KEY);
    assert_eq!(ask(served.address, "GET", "/keys", &own, "").await.status, 200);
}

#[tokio::test]
async fn the_key_of_the_operator_may_be_any_text_that_a_header_carries() {
    let world = World::with_many(1).await;
    for key in ["ein Schlüssel mit Lücken".to_owned(), "k".repeat(MAX_KEY_BYTES)] {
        let admin_key = Some(key.as_str().into());
        let served = serve(world.api(ApiSettings { admin_key, ..unlimited() })).await;
        for headers in [with_key(&key), format!("authorization: Bearer {key}\r\n")] {
            let reply = request(served.address, "GET", "/keys", &headers).await;
            assert_eq!(reply.status, 200, "{headers}: {}", reply.body);
        }
        let other = request(served.address, "GET", "/keys", &with_key(&format!("{key}s"))).await;
        other.assert_problem(401, "key_invalid");
    }
}

#[tokio::test]
async fn k4_a_revoked_key_is_refused_by_every_process_within_two_seconds() {
    let world = World::with_many(1).await;
    let key = world.key(Scope::Read).await;
    let [one, other] = [serve(world.api(unlimited())).await, serve(world.api(unlimited())).await];
    let headers = with_key(&key);
    for served in [&one, &other] {
        assert_eq!(request(served.address, "GET", "/runs", &headers).await.status, 200);
    }
    let target = format!("/keys/{}/revoke", key_id_of(&key).unwrap());
    let revoked = ask(one.address, "POST", &target, &with_key(ADMIN_KEY), "").await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let since = Instant::now();
    request(one.address, "GET", "/runs", &headers).await.assert_problem(401, "key_invalid");
    while request(other.address, "GET", "/runs", &headers).await.status == 200 {
        assert!(since.elapsed() < Duration::from_secs(2), "the other process still lets it in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_new_key_is_known_to_a_running_process_and_its_last_use_is_kept() {
    let world = World::with_many(1).await;
    let mut served = serve(world.api(unlimited())).await;
    let key = world.key(Scope::Read).await;
    let since = Instant::now();
    while request(served.address, "GET", "/runs", &with_key(&key)).await.status != 200 {
        assert!(since.elapsed() < Duration::from_secs(5), "the key is not known yet");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(world.kept.keys().await.unwrap()[0].last_used_at, None, "written once a minute");
    served.shutdown.cancel();
    (&mut served.task).await.unwrap().unwrap();
    assert_eq!(world.kept.keys().await.unwrap()[0].last_used_at, Some(world.clock.now()));
}

#[tokio::test]
async fn keys_stay_good_while_the_database_is_away_for_a_moment() {
    let world = World::with_many(1).await;
    let key = with_key(&world.key(Scope::Read).await);
    let served = serve(world.api(unlimited())).await;
    assert_eq!(request(served.address, "GET", "/data", &key).await.status, 200);
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(request(served.address, "GET", "/data", &key).await.status, 200);
    drop(served);
    // A process that never read the keys cannot tell, and says so; the key in memory needs no database.
    let served = serve(world.api(unlimited())).await;
    let reply = request(served.address, "GET", "/data", &key).await;
    reply.assert_problem(503, "store_unavailable");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(request(served.address, "GET", "/data", &with_key(ADMIN_KEY)).await.status, 200);
    assert_eq!(request(served.address, "GET", "/data", "").await.status, 200);
}

#[tokio::test]
async fn whoever_sits_at_the_machine_may_read_where_the_settings_say_so() {
    let world = World::with_many(1).await;
    let served = serve(world.api(ApiSettings { loopback_reads: true, ..unlimited() })).await;
    let none = |method, path| ask(served.address, method, path, "", "");
    assert_eq!(none("GET", "/runs").await.status, 200);
    assert_eq!(none("GET", "/sources").await.status, 200);
    none("POST", "/trigger-etl?source=csv").await.assert_problem(401, "key_missing");
    none("GET", "/keys").await.assert_problem(401, "key_missing");
    for proxy in ["x-forwarded-for: 127.0.0.1\r\n", "forwarded: for=127.0.0.1\r\n"] {
        let reply = ask(served.address, "GET", "/runs", proxy, "").await;
        reply.assert_problem(401, "key_missing");
    }
}

#[tokio::test]
async fn the_list_of_paths_tells_what_each_needs() {
    let world = World::with_many(1).await;
    let closed = ApiSettings { closed: vec![Area::News], ..unlimited() };
    let served = serve(world.api(closed)).await;
    let list = get(served.address, "/api").await.json();
    let scope = |path: &str, method: &str| {
        let paths = list["endpoints"].as_array().unwrap().iter();
        let mut found = paths.filter(|one| one["path"] == path && one["method"] == method);
        found.next().unwrap()["scope"].clone()
    };
    assert_eq!(scope("/data", "GET"), serde_json::Value::Null);
    assert_eq!(scope("/news", "GET"), "read", "it is closed here");
    assert_eq!(scope("/runs", "GET"), "read");
    assert_eq!(scope("/runs", "POST"), "operate");
    assert_eq!(scope("/keys", "POST"), "admin");
    assert_eq!(list["endpoints"].as_array().unwrap().len(), operations().len());
}

const TABLE_BEGINS: &str = "<!-- table of operations: made by a test, see below -->\n";
const TABLE_ENDS: &str = "<!-- end of the table -->\n";

#[test]
fn the_table_in_the_documents_is_that_of_the_routes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ACCESS.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(TABLE_BEGINS).unwrap();
    let (table, after) = rest.split_once(TABLE_ENDS).unwrap();
    let made = access_table();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may be asked to write its expectation anew"
    )]
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{TABLE_BEGINS}{made}{TABLE_ENDS}{after}")).unwrap();
        return;
    }
    assert!(table == made, "docs/ACCESS.md is out of date: run this test with UPDATE_DOCS=1");
}

#[tokio::test]
async fn a_key_that_ends_in_another_process_ends_here() {
    let world = World::with_many(1).await;
    let key = world.key(Scope::Read).await;
    let id = key_id_of(&key).unwrap().to_owned();
    let served = serve(world.api(unlimited())).await;
    assert_eq!(request(served.address, "GET", "/runs", &with_key(&key)).await.status, 200);
    // As `kasparro keys revoke` does beside a running server.
    let store = Arc::clone(&world.kept);
    store.end_key(&id, KeyEnd::Revoked(world.clock.now())).await.unwrap();
    let since = Instant::now();
    while request(served.address, "GET", "/runs", &with_key(&key)).await.status == 200 {
        assert!(since.elapsed() < Duration::from_secs(2), "it is still let in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
