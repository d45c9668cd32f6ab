//! How large the head of a request may be, and what it has to say.

use std::net::SocketAddr;

use super::client::{Reply, parse, request, send};
use super::world::World;

const CLOSE: &str = "connection: close\r\n";

async fn ask(address: SocketAddr, line: &str, headers: &str) -> Reply {
    parse(&send(address, format!("{line}\r\n{headers}\r\n").as_bytes()).await)
}

#[tokio::test]
async fn l1_a_head_has_64_headers_at_most() {
    let served = World::with_many(3).await.serve().await;
    // With the two that every request brings.
    for (further, status) in [(62, 200), (63, 431), (98, 431), (99, 431)] {
        for repeated in [true, false] {
            let name = |number| if repeated { 0 } else { number };
            let lines: String = (0..further).map(|it| format!("x-{}: y\r\n", name(it))).collect();
            let reply = request(served.address, "GET", "/data", &lines).await;
            assert_eq!(reply.status, status, "{further}: {}", reply.body);
            if status == 431 {
                reply.assert_problem(431, "headers_too_large");
            }
        }
    }
}

#[tokio::test]
async fn l1_a_head_has_16_kib_at_most() {
    let served = World::with_many(3).await.serve().await;
    for target in ["/data", &format!("/data?search={}", "x".repeat(1_500))] {
        let line = format!("GET {target} HTTP/1.1");
        let headers = format!("host: a\r\n{CLOSE}x: ");
        let rest = 16 * 1024 - line.len() - headers.len() - "\r\n\r\n\r\n".len();
        // In one header or in several, as large as can be, a byte larger, and as large as can be read.
        for (further, status) in [(0, 200), (1, 431), (12_000, 431), (20_000, 431)] {
            let value = "y".repeat(rest + further);
            let reply = ask(served.address, &line, &format!("{headers}{value}\r\n")).await;
            assert_eq!(reply.status, status, "{further}: {}", reply.body);
        }
    }
    let several = format!("x: {}\r\n", "y".repeat(1_000)).repeat(17);
    let reply = request(served.address, "GET", "/data", &several).await;
    reply.assert_problem(431, "headers_too_large");
}

#[tokio::test]
async fn what_was_refused_for_its_head_ends_no_connection() {
    let served = World::with_many(3).await.serve().await;
    let large = format!("GET /data HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(17_000));
    let next = format!("GET /livez HTTP/1.1\r\nhost: a\r\n{CLOSE}\r\n");
    let answers = send(served.address, format!("{large}{next}").as_bytes()).await;
    let text = String::from_utf8_lossy(&answers);
    assert_eq!(text.matches("HTTP/1.1 ").count(), 2, "{text}");
    assert!(text.starts_with("HTTP/1.1 431 ") && text.contains("HTTP/1.1 200 "), "{text}");
}

#[tokio::test]
async fn a6_a_request_says_for_which_host_it_is() {
    let served = World::with_many(3).await.serve().await;
    for (hosts, fine) in [
        ("", false),
        ("host: a\r\nhost: a\r\n", false),
        ("host: a\r\nHost: b\r\n", false),
        ("host:\r\n", false),
        ("host: a b\r\n", false),
        ("host: a/b\r\n", false),
        ("host: user@a\r\n", false),
        ("host: a:b\r\n", false),
        ("host: \u{fc}\r\n", false),
        ("host: a\r\n", true),
        ("HOST:   kasparro_api_1.:8000  \r\n", true),
        ("host: [::1]:8000\r\n", true),
    ] {
        for target in ["/data", "/livez", "/assets", "/nothing", "http://a/data"] {
            let line = format!("GET {target} HTTP/1.1");
            let reply = ask(served.address, &line, &format!("{hosts}{CLOSE}")).await;
            match (fine, target) {
                (false, _) => reply.assert_problem(400, "bad_request"),
                (true, "/nothing") => reply.assert_problem(404, "not_found"),
                (true, _) => assert_eq!(reply.status, 200, "{hosts:?} {target}: {}", reply.body),
            }
        }
    }
    let with_close = format!("host: a\r\n{CLOSE}");
    let reply = ask(served.address, "GET http://user@a/data HTTP/1.1", &with_close).await;
    reply.assert_problem(400, "bad_request");
    // HTTP/1.0 need not say it, but may not say it wrongly.
    for (hosts, status) in [("", 200), ("host: a\r\n", 200), ("host: a@b\r\n", 400)] {
        let reply = ask(served.address, "GET /data HTTP/1.0", hosts).await;
        assert_eq!(reply.status, status, "{hosts:?}: {}", reply.body);
    }
}
