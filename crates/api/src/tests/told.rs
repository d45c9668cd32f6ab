//! What is logged of those who ask.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use kasparro_domain::Scope;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::client::{ADMIN_KEY, get, request};
use super::keyed::{ask, unlimited, with_key};
use super::limits::limited;
use super::world::{World, serve};
use crate::{ApiSettings, NewApiKey, key_id_of};

/// Everything that is logged in this thread, a JSON object a line.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl Logged {
    fn begin(
        level: tracing::Level,
    ) -> (Self, (tracing::subscriber::DefaultGuard, tracing::Dispatch)) {
        let logged = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(level)
            .with_writer(logged.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        // Beside a single one, `tracing` asks the thread that comes first to a line whether anybody wants it, and
        // remembers its answer for all: that of another test, which wants none.
        (logged, (guard, tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new())))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines with this message of the request with this id.
    fn of(&self, message: &str, request_id: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|it| it["message"] == message && it["request_id"] == request_id).collect()
    }

    /// The same, of which there is one.
    fn one(&self, message: &str, request_id: &str) -> Value {
        let lines = self.of(message, request_id);
        assert_eq!(lines.len(), 1, "{message} {request_id}: {}", self.text());
        lines.into_iter().next().unwrap()
    }
}

impl Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logged {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn named(id: &str, key: &str) -> String {
    format!("x-request-id: {id}\r\n{}", with_key(key))
}

#[tokio::test]
async fn o1_a_line_about_a_request_names_it_its_sender_its_path_and_its_key() {
    let (logged, _guard) = Logged::begin(tracing::Level::INFO);
    let world = World::with_many(1).await;
    let [read, other] = [world.key(Scope::Read).await, world.key(Scope::Read).await];
    let wrong = NewApiKey::random();
    let wrong_text = secrecy::ExposeSecret::expose_secret(&wrong.text).to_owned();
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let served = serve(world.api(ApiSettings { trusted_proxies, ..unlimited() })).await;
    let address = served.address;

    let target = format!("/api/v1/keys/{}/revoke", key_id_of(&other).unwrap());
    let from = "x-forwarded-for: 203.0.113.7\r\n";
    let headers = format!("{from}{}", named("admin-1", ADMIN_KEY));
    let revoked = ask(address, "POST", &target, &headers, "").await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let line = logged.one("a request changed something", "admin-1");
    assert_eq!(line["path"], target.as_str(), "which key it was");
    assert_eq!((&line["key"], &line["key_id"]), (&json!("admin"), &json!("admin")));
    assert_eq!((&line["method"], &line["client"]), (&json!("POST"), &json!("203.0.113.7")));

    for number in 0..30 {
        let (id, body) = (format!("made-{number}"), r#"{"name":"one","scope":"read"}"#);
        let made = ask(address, "POST", "/keys", &named(&id, ADMIN_KEY), body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        logged.one("a request changed something", &id);
    }

    let refused = "a request was refused";
    request(address, "GET", "/runs?limit=1", &named("wrong-1", &wrong_text)).await;
    let line = logged.one(refused, "wrong-1");
    assert_eq!((&line["path"], &line["key_id"]), (&json!("/runs"), &json!(wrong.key_id)));
    assert_eq!((&line["why"], &line["key"]), (&json!("the key is not good"), &Value::Null));
    assert_eq!(line["client"], "127.0.0.1");

    request(address, "GET", "/keys", &named("small-1", &read)).await;
    let line = logged.one(refused, "small-1");
    assert_eq!((&line["path"], &line["why"]), (&json!("/keys"), &json!("its scope is too small")));
    assert_eq!(line["key_id"], key_id_of(&read).unwrap());
    assert_eq!(line["key"], "a key that may read");

    ask(address, "GET", "/keys", "x-request-id: none-1\r\n", "").await;
    assert_eq!(logged.one(refused, "none-1")["why"], "it brought no key");
    let two = format!("{}authorization: Bearer {wrong_text}\r\n", named("two-1", &read));
    request(address, "GET", "/data", &two).await.assert_problem(400, "ambiguous_key");
    assert_eq!(logged.one(refused, "two-1")["why"], "it brought two keys");

    // Who makes up its own id, and puts its key where it does not belong.
    let target = format!("/keys/{read}/{}?key={read}", "x".repeat(3_000));
    ask(address, "POST", &target, &named(&wrong_text, "unknown"), "").await;
    let line = logged.one(refused, "kasparro_live_…");
    assert_eq!(line["path"], "/keys/kasparro_live_…");
    for key in [&read, &other, &wrong_text, ADMIN_KEY] {
        assert!(!logged.text().contains(key), "{key}");
    }
    assert!(!logged.text().contains("xxxx"), "neither long nor with its query");
    for quiet in ["a key was good", "a request was answered"] {
        assert!(!logged.text().contains(quiet), "{quiet} is for whoever looks closely");
    }
}

#[tokio::test]
async fn o1_a_limit_that_is_used_up_is_told_with_whose_it_is() {
    let (logged, _guard) = Logged::begin(tracing::Level::INFO);
    let world = World::with_many(1).await;
    let served = serve(world.api(limited(1))).await;
    for number in 0..2 {
        let id = format!("x-request-id: limited-{number}\r\n");
        request(served.address, "GET", "/data?limit=7", &id).await;
    }
    let limited = "a request was one too many";
    assert_eq!(logged.of(limited, "limited-0"), Vec::<Value>::new());
    let line = logged.one(limited, "limited-1");
    assert_eq!((&line["path"], &line["client"]), (&json!("/data"), &json!("127.0.0.1")));
    assert_eq!((&line["why"], &line["key_id"]), (&json!("its limit is used up"), &Value::Null));
    for number in 0..21 {
        request(served.address, "GET", "/openapi.json", &named(&format!("bad-{number}"), "k"))
            .await;
    }
    let line = logged.one(limited, "bad-20");
    assert_eq!(line["why"], "too many keys were sent that are not good");
}

#[tokio::test]
async fn o1_what_could_not_be_answered_is_told_and_at_debug_every_request_once() {
    let world = World::with_many(1).await;
    let key = world.key(Scope::Read).await;
    let served = serve(world.api(unlimited())).await;
    let address = served.address;
    get(address, "/livez").await;
    let failed = "a request could not be answered";
    let answered = "a request was answered";
    world.switches.away.store(true, Ordering::SeqCst);
    {
        let (logged, _guard) = Logged::begin(tracing::Level::INFO);
        assert_eq!(request(address, "GET", "/news", "x-request-id: a\r\n").await.status, 503);
        assert_eq!(request(address, "GET", "/data", "x-request-id: b\r\n").await.status, 200);
        let line = logged.one(failed, "a");
        assert_eq!((&line["route"], &line["status"]), (&json!("/news"), &json!(503)));
        assert_eq!(line["client"], "127.0.0.1");
        assert!(!logged.text().contains("\"b\""), "{}", logged.text());
        for number in 0..60 {
            let id = format!("x-request-id: flood-{number}\r\n");
            assert_eq!(request(address, "GET", "/news", &id).await.status, 503);
        }
        assert!(logged.text().matches(failed).count() <= 20, "no more than somebody reads");
    }
    world.switches.away.store(false, Ordering::SeqCst);
    let (logged, _guard) = Logged::begin(tracing::Level::DEBUG);
    let gzip = "accept-encoding: br\r\n";
    for (id, method, target, headers, route, status) in [
        ("hot", "GET", "/data?limit=5", "", "/data", 200),
        ("routed", "GET", "/data", gzip, "/data", 200),
        ("bad", "GET", "/data?limit=0", "", "/data", 400),
        ("one", "GET", "/listings/1", "", "/listings/{id}", 200),
        ("none", "GET", "/nothing", "", "other", 404),
        ("head", "HEAD", "/livez", "", "/livez", 200),
    ] {
        request(address, method, target, &format!("x-request-id: {id}\r\n{headers}")).await;
        let line = logged.one(answered, id);
        assert_eq!(
            (&line["method"], &line["route"], &line["status"]),
            (&json!(method), &json!(route), &json!(status)),
            "{id}"
        );
        assert_eq!((&line["level"], &line["client"]), (&json!("DEBUG"), &json!("127.0.0.1")));
        assert!(line["duration_ms"].as_f64().unwrap() >= 0.0, "{line}");
    }
    get(address, "/data").await;
    request(address, "GET", "/runs", &named("keyed", &key)).await;
    let line = logged.one("a key was good", "keyed");
    assert_eq!(line["key_id"], key_id_of(&key).unwrap());
    assert_eq!((&line["key"], &line["path"]), (&json!("a key that may read"), &json!("/runs")));
    assert!(!logged.text().contains(&key));
}
