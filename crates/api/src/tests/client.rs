//! A client that sends exactly what a test says, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The key in no store of the worlds of these tests.
pub(super) const ADMIN_KEY: &str = "admin-key-of-these-tests";

/// The header line with which these tests ask for what needs a key; nothing for what does not.
fn key_line(target: &str, headers: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let first = path.split('/').nth(1).unwrap_or_default();
    let keyed = [
        "runs",
        "compare-runs",
        "sources",
        "drift",
        "anomalies",
        "quarantine",
        "keys",
        "commands",
        "trigger-etl",
    ];
    let headers = headers.to_ascii_lowercase();
    let given = headers.contains("x-api-key:") || headers.contains("authorization:");
    if keyed.contains(&first) && !given {
        format!("x-api-key: {ADMIN_KEY}\r\n")
    } else {
        String::new()
    }
}

/// Longer than any answer takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Checks that this is a complete problem of this status and code.
    pub(super) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/docs/problems#{code}"));
        for member in ["title", "detail", "hint"] {
            assert!(!problem[member].as_str().unwrap().is_empty(), "{problem}");
        }
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(problem["api_latency_ms"].is_number() && problem["errors"].is_array());
    }
}

/// Sends bytes on a connection of its own and reads until the server closes it.
pub(super) async fn send(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    tokio::time::timeout(PATIENCE, async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut reading, mut writing) = stream.into_split();
        let bytes = bytes.to_vec();
        // A server may answer before it has read everything, so both go on at once.
        let sending = tokio::spawn(async move {
            let _ = writing.write_all(&bytes).await;
            writing
        });
        let mut answer = Vec::new();
        // An answer that goes on is read until something is told.
        while !(contains(&answer, b"text/event-stream") && contains(&answer, b"event: ")) {
            let read = reading.read_buf(&mut answer).await;
            assert!(read.is_ok(), "the connection was reset: {read:?}");
            if read.is_ok_and(|bytes| bytes == 0) {
                break;
            }
        }
        drop(sending.await);
        answer
    })
    .await
    .expect("an answer in time")
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Reads the first answer in these bytes.
pub(super) fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, rest) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Reply { status, headers, body: rest.to_owned() }
}

/// Sends a request with a method, target and further header lines.
pub(super) async fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
) -> Reply {
    let text = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{}{headers}\r\n",
        key_line(target, headers)
    );
    parse(&send(address, text.as_bytes()).await)
}

/// Posts a body to a target.
pub(super) async fn post(address: SocketAddr, target: &str, body: &str) -> Reply {
    let length = body.len();
    let text = format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{}\r\n{body}",
        key_line(target, "")
    );
    parse(&send(address, text.as_bytes()).await)
}

/// Gets a target.
pub(super) async fn get(address: SocketAddr, target: &str) -> Reply {
    request(address, "GET", target, "").await
}

/// Gets a target that must answer 200 with JSON.
pub(super) async fn get_json(address: SocketAddr, target: &str) -> Value {
    let reply = get(address, target).await;
    assert_eq!(reply.status, 200, "{target}: {}", reply.body);
    assert_eq!(reply.header("content-type"), Some("application/json"), "{target}");
    reply.json()
}
