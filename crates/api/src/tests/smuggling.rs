//! Requests that others may read otherwise, and floods of frames.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{get_json, parse, send};
use super::world::{World, serve};
use crate::ApiSettings;

const PATIENCE: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// How many answers there are in these bytes.
fn answers(bytes: &[u8]) -> usize {
    bytes.windows(9).filter(|part| part == b"HTTP/1.1 ").count()
}

#[tokio::test]
async fn a6_a_request_that_can_be_read_in_two_ways_is_refused_with_all_that_follows() {
    let served = World::with_many(3).await.serve().await;
    let hidden = "GET /livez HTTP/1.1\r\nhost: a\r\n\r\n";
    let head = "POST /compare-runs HTTP/1.1\r\nhost: a\r\n";
    for (name, rest) in [
        ("CL.TE", "content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nX"),
        ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n"),
        ("TE.TE", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n"),
        ("TE.TE 2", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("TE list", "transfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
        ("TE other", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("TE space", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n"),
        ("TE tab", "transfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n"),
        ("CL.CL", "content-length: 0\r\ncontent-length: 33\r\n\r\n"),
        ("CL.CL same", "content-length: 0\r\ncontent-length: 0\r\n\r\n"),
        ("CL list", "content-length: 0, 0\r\n\r\n"),
        ("CL sign", "content-length: +0\r\n\r\n"),
        ("CL hex", "content-length: 0x0\r\n\r\n"),
        ("CL empty", "content-length:\r\n\r\n"),
        ("folded", "x-a: b\r\n content-length: 33\r\n\r\n"),
        ("bare LF", "x-a: b\ncontent-length: 33\r\n\r\n"),
        ("bare LF end", "x-a: b\n\n"),
        ("bare CR", "x-a: b\rcontent-length: 33\r\n\r\n"),
        ("no name", ": b\r\n\r\n"),
        ("NUL", "x-a: b\0c\r\n\r\n"),
    ] {
        let answer = send(served.address, format!("{head}{rest}{hidden}").as_bytes()).await;
        assert_eq!(answers(&answer), 1, "{name}: {}", String::from_utf8_lossy(&answer));
        let reply = parse(&answer);
        assert_eq!(reply.status, 400, "{name}: {}", reply.body);
        reply.assert_problem(400, "bad_request");
        assert_eq!(reply.header("connection"), Some("close"), "{name}");
    }
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn a6_nothing_is_read_behind_a_body_in_pieces() {
    let served = World::with_many(3).await.serve().await;
    let head = "POST /nothing HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in [
        "0\r\n\r\n",
        "3\r\nabc\r\n0\r\n\r\n",
        "3;name=value\r\nabc\r\n0\r\n\r\n",
        "3\nabc\n0\n\n",
        "0\r\nx-trailer: y\r\n\r\n",
        "zz\r\n",
        "ffffffffffffffffff\r\n",
        "-1\r\n",
    ] {
        let text = format!("{head}{body}GET /livez HTTP/1.1\r\nhost: a\r\n\r\n");
        let answer = send(served.address, text.as_bytes()).await;
        assert_eq!(answers(&answer), 1, "{body:?}: {}", String::from_utf8_lossy(&answer));
        let reply = parse(&answer);
        assert_eq!((reply.status, reply.header("connection")), (404, Some("close")), "{body:?}");
    }
    // With a length, what follows is the next request.
    let two = "POST /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na\nb\
               GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert_eq!(answers(&send(served.address, two.as_bytes()).await), 2);
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET` or `POST` of `http` `/data` from `a`, as a block of headers without a table.
fn headers(method: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in
        [(":method", method), (":scheme", "http"), (":path", "/data"), (":authority", "a")]
    {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// Sends pieces until the server ends the connection, or until so many; returns how many were sent, and
/// whether the server ended it.
async fn flood(
    address: SocketAddr,
    begin: &[u8],
    mut piece: impl FnMut(u32) -> Vec<u8>,
    most: u32,
) -> (u32, bool) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut scrap = [0; 4096];
        while matches!(reading.read(&mut scrap).await, Ok(1..)) {}
    });
    writing.write_all(PREFACE).await.unwrap();
    writing.write_all(begin).await.unwrap();
    for number in 0..most {
        if reading.is_finished() || writing.write_all(&piece(number)).await.is_err() {
            return (number, true);
        }
    }
    (most, tokio::time::timeout(PATIENCE, reading).await.is_ok())
}

#[tokio::test]
async fn a6_a_head_that_never_ends_ends_the_connection() {
    let world = World::with_many(3).await;
    let served = world.serve().await;
    let begin = frame(1, 0, 1, &headers("GET"));
    let mut line = vec![0, 11];
    line.extend(b"x-continued\x01z");
    let more = |_| frame(9, 0, 1, &line);
    let begun = Instant::now();
    let (sent, ended) = flood(served.address, &begin, more, 1_000_000).await;
    assert!(ended && sent < 100_000, "{sent} frames were taken");
    assert!(begun.elapsed() < PATIENCE);
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn a6_requests_that_are_taken_back_at_once_are_bounded() {
    let world = World::with_many(3).await;
    let served = serve(world.api(super::limits::limited(50))).await;
    let rapid = |number: u32| {
        let mut bytes = frame(1, 5, 2 * number + 1, &headers("GET"));
        bytes.extend(frame(3, 0, 2 * number + 1, &8_u32.to_be_bytes()));
        bytes
    };
    let (sent, ended) = flood(served.address, b"", rapid, 200_000).await;
    assert!(ended, "{sent} requests were taken");
    assert_eq!(super::client::get(served.address, "/livez").await.status, 200);
}

#[tokio::test]
async fn a6_empty_pieces_of_a_body_keep_no_connection_open() {
    let world = World::with_many(3).await;
    let settings = ApiSettings {
        request_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(300),
        ..ApiSettings::default()
    };
    let served = serve(world.api(settings)).await;
    let begin = frame(1, 4, 1, &headers("POST"));
    let begun = Instant::now();
    let empty = |_| frame(0, 0, 1, b"").repeat(100);
    let (_, ended) = flood(served.address, &begin, empty, u32::MAX).await;
    assert!(ended && begun.elapsed() < PATIENCE);
    let pings = |_| frame(6, 0, 0, &[0; 8]).repeat(10);
    let (_, ended) = flood(served.address, b"", pings, u32::MAX).await;
    assert!(ended, "frames that ask for nothing keep no connection open");
    get_json(served.address, "/data").await;
}
