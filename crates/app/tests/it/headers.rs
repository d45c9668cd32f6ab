//! `docs/API.md` is true of headers: the server sends those of its table, and no others.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use kasparro_testkit::{HttpAnswer, Server, send};
use serde_json::json;

use crate::world::{ADMIN, World, simulator, wait_until_loaded};

/// The first column of the table with this heading, in lower case.
fn told(heading: &str) -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/API.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.split(&format!("\n| {heading} |")).nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_ascii_lowercase()).collect()
}

fn ask(
    server: &Server,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> HttpAnswer {
    send(method, &format!("{}{target}", server.url), headers, body).unwrap()
}

/// The names of the headers with which an answer begins that goes on.
fn begins(server: &Server, target: &str) -> Vec<String> {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map(Result::unwrap).skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    lines.map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect()
}

#[test]
fn every_header_that_is_sent_stands_in_the_document_and_the_other_way_round() {
    let upstream = simulator(40);
    let origin = "https://charts.example";
    let world = World::new()
        .upstream(&upstream.url)
        .with("KASPARRO_CORS__ORIGINS", origin)
        .with("KASPARRO_LIMITS__ANONYMOUS", "1000")
        .with("KASPARRO_LIMITS__FAILED_AUTH", "2")
        .nothing_by_itself();
    for source in ["csv", "coinpaprika"] {
        assert_eq!(world.call(&["run", source]).code, Some(0), "{source}");
    }
    let server = world.serve();
    wait_until_loaded(&server);
    let mut seen: BTreeSet<String> = begins(&server, "/stream?symbol=btc").into_iter().collect();
    let mut expect =
        |status: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
            let answer = ask(&server, method, target, headers, body);
            assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
            seen.extend(answer.headers.iter().map(|(name, _)| name.clone()));
            answer
        };
    let page = expect(200, "GET", "/data", &[], "");
    let tag = page.header("etag").unwrap().to_owned();
    expect(304, "GET", "/data", &[("If-None-Match", &tag)], "");
    expect(200, "GET", "/data", &[("Origin", origin), ("Accept-Encoding", "gzip")], "");
    expect(200, "GET", "/data?format=csv&limit=2", &[], "");
    expect(200, "GET", "/listings?format=ndjson&limit=2", &[], "");
    expect(200, "HEAD", "/data", &[], "");
    let first = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
    expect(204, "OPTIONS", "/data", &first, "");
    for target in [
        "/",
        "/api",
        "/assets/1",
        "/listings/1/history",
        "/news",
        "/stats",
        "/health",
        "/readyz",
        "/metrics",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/docs/problems",
    ] {
        let answer = ask(&server, "GET", target, &[], "");
        seen.extend(answer.headers.iter().map(|(name, _)| name.clone()));
        assert!(answer.status < 400, "{target}: {}", answer.text());
    }
    let mut expect =
        |status: u16, method: &str, target: &str, headers: &[(&str, &str)], body: &str| {
            let answer = ask(&server, method, target, headers, body);
            assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
            seen.extend(answer.headers.iter().map(|(name, _)| name.clone()));
        };
    expect(400, "GET", "/data?nothing=1", &[], "");
    expect(404, "GET", "/nothing-like-this", &[], "");
    expect(405, "POST", "/data", &[], "");
    let key = ("X-API-Key", ADMIN);
    expect(200, "GET", "/runs", &[key], "");
    expect(202, "POST", "/trigger-etl?source=csv", &[key, ("Idempotency-Key", "once")], "");
    let made = json!({ "name": "cron", "scope": "read" }).to_string();
    expect(201, "POST", "/keys", &[key, ("Content-Type", "application/json")], &made);
    expect(401, "GET", "/runs", &[], "");
    for status in [401, 401, 429] {
        expect(status, "GET", "/runs", &[("X-API-Key", "no-key-at-all-of-any-kind")], "");
    }
    // Some listing was found to be the asset of another one.
    let moved = (1..100).map(|id| ask(&server, "GET", &format!("/assets/{id}"), &[], ""));
    let moved = moved.into_iter().find(|answer| (300..400).contains(&answer.status)).unwrap();
    seen.extend(moved.headers.into_iter().map(|(name, _)| name));
    let told = told("response header");
    assert_eq!(seen.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "not told");
    assert_eq!(told.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new(), "not sent");
    assert_eq!(server.stop().code, Some(0));
}
