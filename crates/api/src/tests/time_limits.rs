//! Connections that take too long, and shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{get, get_json, parse, send};
use super::world::{World, serve};
use crate::ApiSettings;

const PATIENCE: Duration = Duration::from_secs(20);

fn short() -> ApiSettings {
    ApiSettings {
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        ..ApiSettings::default()
    }
}

fn without_notice() -> ApiSettings {
    ApiSettings { shutdown_notice: Duration::ZERO, ..ApiSettings::default() }
}

/// Sends bytes, keeps the connection, and reads until the server closes it.
async fn hold(address: std::net::SocketAddr, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("a close in time");
    (answer, started.elapsed())
}

#[tokio::test]
async fn a4_a_client_that_is_silent_or_slow_with_its_head_is_closed() {
    let world = World::with_many(3).await;
    let served = serve(world.api(short())).await;
    for bytes in [&b""[..], b"GET", b"GET /data HTTP/1.1\r\nhost: a\r\n", b"PRI * HT"] {
        let (answer, elapsed) = hold(served.address, bytes).await;
        assert!(answer.is_empty(), "{bytes:?}");
        assert!(elapsed >= Duration::from_millis(150), "{bytes:?} after {elapsed:?}");
    }
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let trickled = tokio::time::timeout(PATIENCE, async {
        // Each byte comes in time, the head does not.
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    trickled.await.expect("a close in time");
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn a5_a_connection_without_requests_is_closed_after_its_idle_time() {
    let world = World::with_many(3).await;
    let served = serve(world.api(short())).await;
    let (answer, elapsed) = hold(served.address, b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(parse(&answer).status, 200);
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let (_, elapsed) = hold(served.address, preface).await;
    assert!(elapsed >= Duration::from_millis(300), "{elapsed:?}");
}

#[tokio::test]
async fn connections_beyond_the_cap_are_told_so() {
    let world = World::with_many(3).await;
    let served =
        serve(world.api(ApiSettings { max_connections: 1, ..ApiSettings::default() })).await;
    let mut first = TcpStream::connect(served.address).await.unwrap();
    first.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.unwrap();
    let reply = parse(&send(served.address, b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await);
    reply.assert_problem(503, "overloaded");
    assert_eq!(reply.header("connection"), Some("close"));
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while get(served.address, "/livez").await.status != 200 {
        assert!(Instant::now() < deadline, "the place is free again");
    }
}

#[tokio::test]
async fn shutdown_without_notice_closes_idle_connections_at_once_and_frees_the_port() {
    let world = World::with_many(3).await;
    let mut served = serve(world.api(without_notice())).await;
    let mut idle = TcpStream::connect(served.address).await.unwrap();
    idle.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    served.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.task).await;
    assert!(ended.expect("an end before the drain limit").unwrap().is_ok());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn a_first_head_that_is_not_whole_when_the_server_ends_is_still_answered() {
    let api = World::with_many(3).await.api(without_notice());
    let shared = Arc::clone(&api.shared);
    let mut served = serve(api).await;
    let (begin, rest) = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n".split_at(20);
    let mut client = TcpStream::connect(served.address).await.unwrap();
    client.write_all(begin).await.unwrap();
    // Long enough to have come.
    get(served.address, "/livez").await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    served.shutdown.cancel();
    while !shared.draining.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    client.write_all(rest).await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(parse(&answer).status, 200);
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.task).await;
    assert!(ended.expect("an end before the drain limit").unwrap().is_ok());
}
