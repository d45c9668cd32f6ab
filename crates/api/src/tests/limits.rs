//! How much clients may ask for, and that nobody gets around it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::client::{ADMIN_KEY, Reply, get, request};
use super::world::{Served, World, serve};
use crate::{ApiSettings, LimitSettings};

/// Settings with this limit for clients without a key.
pub(super) fn limited(anonymous: u64) -> ApiSettings {
    let limits = LimitSettings { anonymous: Some(anonymous), ..LimitSettings::default() };
    ApiSettings { limits, cursor_key: [5; 32], ..ApiSettings::default() }
}

/// What an answer says is left, and in how many seconds there is more.
pub(super) fn left(reply: &Reply) -> (u64, u64) {
    let text = reply.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit: {reply:?}"));
    let (_, numbers) = text.split_once(";r=").unwrap();
    let (left, seconds) = numbers.split_once(";t=").unwrap();
    (left.parse().unwrap(), seconds.parse().unwrap())
}

async fn limited_world(anonymous: u64) -> (World, Served) {
    let world = World::with_many(3).await;
    let served = serve(world.api(limited(anonymous))).await;
    (world, served)
}

#[tokio::test]
async fn l3_an_answer_says_what_is_left_and_one_too_many_is_429_until_a_time_that_it_names() {
    let (_world, served) = limited_world(3).await;
    for expected in [2, 1, 0] {
        let reply = get(served.address, "/data").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), Some("\"anonymous\";q=3;w=900"));
        let (left, seconds) = left(&reply);
        assert_eq!(left, expected);
        assert!((895..=960).contains(&seconds), "{seconds}");
        assert_eq!(
            reply.header("ratelimit").unwrap(),
            format!("\"anonymous\";r={left};t={seconds}")
        );
    }
    let reply = get(served.address, "/data").await;
    reply.assert_problem(429, "rate_limited");
    assert_eq!(reply.header("ratelimit-policy"), Some("\"anonymous\";q=3;w=900"));
    let (left, seconds) = left(&reply);
    assert_eq!((left, reply.header("retry-after")), (0, Some(seconds.to_string().as_str())));
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("3 requests in 900 seconds"), "{detail}");
    let metrics = get(served.address, "/metrics").await.body;
    for reason in ["rate", "failures", "overload"] {
        let line = format!("kasparro_http_limited_total{{reason=\"{reason}\"}} ");
        let counted = metrics.lines().find_map(|known| known.strip_prefix(&line)).unwrap();
        assert!(reason != "rate" || counted != "0", "{reason}: {counted}");
    }
    assert!(
        metrics.contains("\nkasparro_http_requests_in_flight 0\n"),
        "who asks this takes no place"
    );
}

#[tokio::test]
async fn a9_whatever_is_asked_counts_but_health_metrics_and_documentation() {
    let (_world, served) = limited_world(1_000).await;
    let address = served.address;
    let first = get(address, "/data").await;
    let tag = format!("if-none-match: {}\r\n", first.header("etag").unwrap());
    let long = format!("/data?search={}", "x".repeat(9_000));
    let mut expected = left(&first).0;
    for (method, target, headers, status) in [
        ("GET", "/data", tag.as_str(), 304),
        ("HEAD", "/data", "", 200),
        ("OPTIONS", "/data", "", 204),
        ("OPTIONS", "/livez", "", 204),
        ("GET", "/DATA", "", 404),
        ("GET", "//data", "", 404),
        ("GET", "/data//", "", 404),
        ("GET", "/nothing", "", 404),
        ("POST", "/data", "", 405),
        ("POST", "/livez", "", 405),
        ("GET", "/data?limit=0", "", 400),
        ("GET", long.as_str(), "", 414),
        ("GET", "/data", "content-length: 99999999\r\n", 413),
        ("GET", "/runs", "authorization: Bearer wrong\r\n", 401),
        ("GET", "/keys", "x-api-key: other\r\n", 401),
        ("GET", "/data", "x-api-key: \r\n", 401),
        ("GET", "/data", "accept-encoding: gzip\r\n", 200),
        ("GET", "/", "", 200),
        ("GET", "/api", "", 200),
        ("GET", "/stats", "", 200),
        ("GET", "/assets", "", 200),
    ] {
        let reply = request(address, method, target, headers).await;
        let shown: String = target.chars().take(30).collect();
        assert_eq!(reply.status, status, "{method} {shown}: {}", reply.body);
        expected -= 1;
        assert_eq!(left(&reply).0, expected, "{method} {shown}");
    }
    for target in [
        "/livez",
        "/api/v1/livez/",
        "/readyz",
        "/health",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/docs/problems",
    ] {
        for method in ["GET", "HEAD"] {
            let reply = request(address, method, target, "").await;
            assert_eq!(reply.header("ratelimit"), None, "{method} {target}");
            assert_ne!(reply.status, 429);
        }
    }
    assert_eq!(left(&get(address, "/data").await).0, expected - 1);
}

/// Forms in which somebody may ask for the same again, and be somebody else.
fn tricks() -> Vec<(&'static str, &'static str, String)> {
    let mut tricks: Vec<(&str, &str, String)> = [
        ("HEAD", "/data"),
        ("OPTIONS", "/data"),
        ("GET", "/data/"),
        ("GET", "/api/v1/data"),
        ("GET", "/DATA"),
        ("GET", "//data"),
        ("GET", "/%64ata"),
        ("GET", "/data?x=1"),
        ("GET", "http://elsewhere.example/data"),
    ]
    .map(|(method, target)| (method, target, String::new()))
    .to_vec();
    for header in [
        "x-forwarded-for: 198.51.100.1",
        "x-forwarded-for: 198.51.100.1, 198.51.100.2",
        "x-forwarded-for: 198.51.100.1\r\nx-forwarded-for: 198.51.100.2",
        "x-forwarded-for: 127.0.0.2",
        "x-forwarded-for: ::1",
        "x-forwarded-for: [2001:db8::1]:80",
        "x-forwarded-for: 198.51.100.1:80",
        "x-forwarded-for: unknown",
        "x-forwarded-for:",
        "x-forwarded-for: ,",
        "X-FORWARDED-FOR: 198.51.100.3",
        "forwarded: for=198.51.100.1",
        "forwarded: For=\"[2001:db8::1]:80\";proto=https",
        "forwarded: for=_hidden",
        "forwarded: for=198.51.100.1, for=198.51.100.2",
        "x-real-ip: 198.51.100.1",
        "true-client-ip: 198.51.100.1",
        "cf-connecting-ip: 198.51.100.1",
        "x-client-ip: 198.51.100.1",
        "x-cluster-client-ip: 198.51.100.1",
        "client-ip: 198.51.100.1",
        "x-http-method-override: HEAD",
        "x-original-url: /livez",
        "x-request-id: another-1",
        "cookie: session=another",
        "host: another.example",
    ] {
        tricks.push(("GET", "/data", format!("{header}\r\n")));
    }
    tricks
}

#[tokio::test]
async fn a9_no_header_spelling_method_or_protocol_gets_around_a_limit() {
    let (_world, served) = limited_world(2).await;
    for _ in 0..2 {
        assert_eq!(get(served.address, "/data").await.status, 200);
    }
    for (method, target, headers) in tricks() {
        let reply = request(served.address, method, target, &headers).await;
        // A second header `Host` is no request at all.
        assert!(
            [429, 400].contains(&reply.status),
            "{method} {target} {headers}: {}",
            reply.status
        );
    }
    assert_eq!(over_http2(served.address, "/data", 3).await, [429, 429, 429]);
    assert_eq!(get(served.address, "/livez").await.status, 200);
}

/// The statuses of so many requests that are sent at once on one connection, sorted.
async fn over_http2(address: SocketAddr, target: &str, count: usize) -> Vec<u16> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let asked = (0..count).map(|_| {
        let (mut sender, uri) = (sender.clone(), format!("http://localhost{target}"));
        async move {
            let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            let status = response.status().as_u16();
            response.into_body().collect().await.unwrap();
            status
        }
    });
    let mut statuses = futures_util::future::join_all(asked).await;
    statuses.sort_unstable();
    drop(sender);
    connection.await.unwrap().unwrap();
    statuses
}

#[tokio::test]
async fn a9_requests_side_by_side_on_one_connection_count_one_by_one() {
    let (_world, served) = limited_world(10).await;
    let statuses = over_http2(served.address, "/data", 60).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 10, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 50, "{statuses:?}");
}

#[tokio::test]
async fn a9_behind_a_trusted_proxy_each_client_has_its_own_limit_and_cannot_change_it() {
    let world = World::with_many(3).await;
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let served = serve(world.api(ApiSettings { trusted_proxies, ..limited(2) })).await;
    let from = async |line: &str| {
        let headers = format!("x-forwarded-for: {line}\r\n");
        request(served.address, "GET", "/data", &headers).await.status
    };
    for client in ["203.0.113.1", "203.0.113.2", "2001:db8::1"] {
        assert_eq!([from(client).await, from(client).await, from(client).await], [200, 200, 429]);
    }
    // What a client invents stands before what the proxy adds; other addresses of its network are it too.
    for line in [
        "198.51.100.1, 203.0.113.1",
        "127.0.0.9, 203.0.113.1",
        "nonsense, 203.0.113.1",
        "203.0.113.1, 127.0.0.9",
        "::ffff:203.0.113.1",
        "203.0.113.1:4711",
        "2001:db8::2",
        "2001:db8:0:0:ffff:ffff:ffff:ffff",
        "[2001:db8::99]:80",
    ] {
        assert_eq!(from(line).await, 429, "{line}");
    }
    assert_eq!(from("2001:db8:0:1::1").await, 200, "another network");
    // What cannot be read is the proxy's own, all together.
    let strange = [from("unknown").await, from("").await, from("203.0.113.1, x").await];
    assert_eq!(strange, [200, 200, 429]);
}

#[tokio::test]
async fn a_limit_that_is_off_is_told_nowhere_and_ends_nothing() {
    let world = World::with_many(3).await;
    let limits = LimitSettings { anonymous: None, keyed: None, ..LimitSettings::default() };
    let served = serve(world.api(ApiSettings { limits, ..ApiSettings::default() })).await;
    for _ in 0..3 {
        assert_eq!(over_http2(served.address, "/data", 50).await, [200; 50]);
    }
    let key = format!("x-api-key: {ADMIN_KEY}\r\n");
    let keyed = request(served.address, "GET", "/data", &key).await;
    for reply in [get(served.address, "/data").await, keyed] {
        assert_eq!((reply.header("ratelimit"), reply.header("ratelimit-policy")), (None, None));
    }
}

#[tokio::test]
async fn the_way_past_the_router_and_that_through_it_tell_the_same_of_limits() {
    let worlds = [World::with_many(3).await, World::with_many(3).await];
    let hot = serve(worlds[0].api(limited(3))).await;
    let mut api = worlds[1].api(limited(3));
    api.hot = false;
    let routed = serve(api).await;
    let statuses = [200, 400, 200, 429, 429];
    for (target, status) in ["/data", "/data?x=1", "/data", "/data", "/data"].iter().zip(statuses) {
        let mut essences = Vec::new();
        for served in [&hot, &routed] {
            let mut reply = request(served.address, "GET", target, "x-request-id: same\r\n").await;
            assert_eq!(reply.status, status);
            let told = left(&reply);
            let varying = ["date", "content-length", "ratelimit", "retry-after", "server-timing"];
            reply.headers.retain(|(name, _)| !varying.contains(&name.as_str()));
            reply.headers.sort();
            essences.push((reply.headers, told.0));
        }
        assert_eq!(essences[0], essences[1], "{target}");
    }
}
