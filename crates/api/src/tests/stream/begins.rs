//! How a stream begins, and who gets none.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::listener::Listener;
use super::{telling, unlimited};
use crate::ApiSettings;
use crate::tests::client::{ADMIN_KEY, get, request};
use crate::tests::world::World;

#[tokio::test]
async fn a_new_client_is_told_where_it_stands() {
    let mut world = World::with_many(3).await;
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("9"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let mut client =
        Listener::ask(served.address, "/stream", "accept-encoding: gzip, br, zstd\r\n").await;
    for (name, expected) in [
        ("content-type", Some("text/event-stream")),
        ("cache-control", Some("no-store")),
        ("x-accel-buffering", Some("no")),
        ("x-generation", Some("2")),
        ("content-encoding", None),
        ("content-length", None),
    ] {
        assert_eq!(client.head.header(name), expected, "{name}");
    }
    let hello = client.next().await;
    assert_eq!((hello.event.as_str(), hello.id.as_str()), ("hello", "2-0"));
    assert_eq!(hello.json(), serde_json::json!({"generation": 2}));
    assert!(client.text.starts_with("retry: 2000\n\n"), "{}", client.text);
    let head = request(served.address, "HEAD", "/stream", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for target in ["/stream/", "/api/v1/stream"] {
        Listener::new(served.address, target).await;
    }
}

#[tokio::test]
async fn i8_what_cannot_be_meant_is_refused_by_name() {
    let served = World::with_many(1).await.serve().await;
    for (target, code, field) in [
        ("/stream?symbols=btc", "unknown_parameter", "symbols"),
        ("/stream?limit=1", "unknown_parameter", "limit"),
        ("/stream?symbol=", "invalid_parameter", "symbol"),
        ("/stream?symbol=btc,,eth", "invalid_parameter", "symbol"),
        ("/stream?symbol=a&symbol=b", "repeated_parameter", "symbol"),
        ("/stream?source=kraken", "invalid_parameter", "source"),
        ("/stream?asset_id=x", "invalid_parameter", "asset_id"),
        ("/stream?asset_id=9223372036854775808", "invalid_parameter", "asset_id"),
        ("/stream?last_event_id=17", "invalid_parameter", "last_event_id"),
        ("/stream?last_event_id=-1-0", "invalid_parameter", "last_event_id"),
    ] {
        let reply = get(served.address, target).await;
        reply.assert_problem(400, code);
        assert_eq!(reply.json()["errors"][0]["field"], field, "{target}");
    }
    for headers in [
        "last-event-id: x\r\n",
        "last-event-id: \r\n",
        "last-event-id: 1\r\n",
        "last-event-id: 1-0\r\nlast-event-id: 1-0\r\n",
    ] {
        let reply = request(served.address, "GET", "/stream", headers).await;
        reply.assert_problem(400, "invalid_header");
        assert_eq!(reply.json()["errors"][0]["field"], "Last-Event-ID");
    }
}

#[tokio::test]
async fn before_the_first_load_nothing_is_told() {
    let served = World::new().serve().await;
    get(served.address, "/stream").await.assert_problem(503, "loading");
}

#[tokio::test]
async fn a10_more_streams_than_may_be_are_refused_until_one_ends() {
    let world = World::with_many(1).await;
    let telling = telling(&world, ApiSettings { max_streams: 2, ..unlimited() }).await;
    let address = telling.served.address;
    let (first, _second) =
        (Listener::new(address, "/stream").await, Listener::new(address, "/stream").await);
    let reply = get(address, "/stream").await;
    reply.assert_problem(503, "overloaded");
    assert!(reply.header("retry-after").is_some());
    drop(first);
    let freed = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while telling.hub.clients() > 1 {
            tokio::task::yield_now().await;
        }
    });
    freed.await.expect("a place in time");
    Listener::new(address, "/stream").await;
}

#[tokio::test]
async fn a10_one_key_has_a_quarter_of_the_places() {
    let world = World::with_many(1).await;
    let telling = telling(&world, ApiSettings { max_streams: 5, ..unlimited() }).await;
    let address = telling.served.address;
    let key = format!("x-api-key: {ADMIN_KEY}\r\n");
    let _first = Listener::ask(address, "/stream", &key).await;
    let _second = Listener::ask(address, "/stream", &key).await;
    let reply = request(address, "GET", "/stream", &key).await;
    reply.assert_problem(503, "overloaded");
    Listener::new(address, "/stream").await;
}

#[tokio::test]
async fn streams_take_no_place_among_the_requests_under_way() {
    let world = World::with_many(1).await;
    let telling = telling(&world, ApiSettings { max_requests: 1, ..unlimited() }).await;
    let address = telling.served.address;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Listener::new(address, "/stream").await);
    }
    assert_eq!(get(address, "/data").await.status, 200);
}

#[tokio::test]
async fn clients_and_what_they_were_told_are_measured() {
    let served = World::with_many(1).await.serve().await;
    let _client = Listener::new(served.address, "/stream").await;
    let text = get(served.address, "/metrics").await.body;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} in {text}")).trim().parse::<f64>().unwrap()
    };
    // Other tests of this process listen too.
    assert!(value("kasparro_stream_clients") >= 1.0);
    assert!(value(r#"kasparro_stream_events_total{event="hello"}"#) >= 1.0);
    assert!(value(r#"kasparro_stream_events_total{event="quote"}"#) >= 0.0);
    for kind in ["# TYPE kasparro_stream_clients gauge", "# HELP kasparro_stream_events_total"] {
        assert!(text.contains(kind), "{kind}");
    }
}

#[tokio::test]
async fn several_streams_share_one_http2_connection() {
    let mut world = World::with_many(2).await;
    let served = world.serve().await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut bodies = Vec::new();
    for target in ["http://a/stream", "http://a/stream?symbol=none"] {
        let request = Request::get(target).body(Empty::<Bytes>::new()).unwrap();
        bodies.push(sender.send_request(request).await.unwrap().into_body());
    }
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("9"))]).await;
    world.refresh().await;
    for (mut body, quotes) in bodies.into_iter().zip([1, 0]) {
        let mut text = String::new();
        while !text.ends_with("id: 2-0\n\n") {
            let frame = body.frame().await.unwrap().unwrap();
            text += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
        assert_eq!(text.matches("event: quote").count(), quotes, "{text}");
    }
}
