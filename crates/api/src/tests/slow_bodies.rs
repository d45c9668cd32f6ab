//! Bodies of requests that come slowly, and those who have to wait for nobody.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use kasparro_domain::Scope;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

use super::client::{ADMIN_KEY, get, parse, request};
use super::keyed::unlimited;
use super::world::{World, serve};
use crate::ApiSettings;

const PATIENCE: Duration = Duration::from_secs(30);
/// Bodies that are waited for at most, but for those of operators.
const WAITED_FOR: usize = 256;
/// Of one client at most.
const SHARE: usize = WAITED_FOR / 4;
const SLOW: usize = 2_000;

fn settings() -> ApiSettings {
    ApiSettings { request_timeout: PATIENCE, max_connections_per_client: 0, ..unlimited() }
}

/// Begins a request with a body and sends one byte of that.
async fn begin(address: SocketAddr, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /compare-runs HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// True where an answer has begun to come.
fn told(stream: &TcpStream) -> bool {
    unconstrained(stream.readable()).now_or_never().is_some()
}

async fn first_answer(stream: &mut TcpStream) -> super::client::Reply {
    let mut read = Vec::new();
    let answer = tokio::time::timeout(PATIENCE, async {
        loop {
            let bytes = stream.read_buf(&mut read).await.unwrap();
            let text = String::from_utf8_lossy(&read);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                if body.len() >= length {
                    return parse(&read);
                }
            }
            assert_ne!(bytes, 0, "an answer");
        }
    });
    answer.await.expect("an answer in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a10_two_thousand_slow_bodies_keep_nobody_out() {
    let world = World::with_many(3).await;
    let mut keys = Vec::new();
    for _ in 0..10 {
        keys.push(world.key(Scope::Read).await);
    }
    let key = world.key(Scope::Read).await;
    let api = world.api(settings());
    let shared = Arc::clone(&api.shared);
    let served = serve(api).await;
    let address = served.address;
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let good = tokio::spawn(async move {
        let mut answered = 0;
        while !ended.load(Ordering::Relaxed) {
            assert_eq!(get(address, "/data").await.status, 200, "after {answered}");
            answered += 1;
        }
        answered
    });
    let mut slow = Vec::new();
    for number in 0..SLOW {
        slow.push(begin(address, &keys[number % keys.len()]).await);
    }
    // Those that are not waited for are told so.
    let deadline = Instant::now() + PATIENCE;
    while slow.iter().filter(|stream| told(stream)).count() < SLOW - WAITED_FOR {
        assert!(Instant::now() < deadline, "all that are too many are told so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (refused, mut waiting): (Vec<_>, Vec<_>) = slow.into_iter().partition(told);
    for mut stream in refused {
        let reply = first_answer(&mut stream).await;
        reply.assert_problem(503, "overloaded");
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    assert_eq!(waiting.len(), WAITED_FOR);
    let under_way = || shared.load.under_way();
    assert!(under_way() < 8, "{}", under_way());
    // Others are not waited for either, but those who operate are.
    let mut other = begin(address, &key).await;
    first_answer(&mut other).await.assert_problem(503, "overloaded");
    let mut operator = begin(address, ADMIN_KEY).await;
    let told = tokio::time::timeout(Duration::from_millis(50), operator.readable()).await;
    assert!(told.is_err(), "it is waited for");
    operator.write_all(b"}").await.unwrap();
    assert_eq!(first_answer(&mut operator).await.status, 400, "it was read");
    // What is complete is answered, and leaves its place to others.
    for stream in &mut waiting {
        stream.write_all(b"}").await.unwrap();
        assert_eq!(first_answer(stream).await.status, 400);
    }
    let mut next = begin(address, &key).await;
    next.write_all(b"}").await.unwrap();
    assert_eq!(first_answer(&mut next).await.status, 400);
    over.store(true, Ordering::Relaxed);
    assert!(good.await.unwrap() > 10);
}

#[tokio::test]
async fn a10_one_client_has_its_share_of_the_bodies_that_are_waited_for() {
    let world = World::with_many(3).await;
    let keys = [world.key(Scope::Read).await, world.key(Scope::Read).await];
    let served = serve(world.api(settings())).await;
    let address = served.address;
    // An operator has no more.
    for key in [keys[0].as_str(), ADMIN_KEY] {
        let mut begun = Vec::new();
        for _ in 0..SHARE + 10 {
            begun.push(begin(address, key).await);
        }
        let deadline = Instant::now() + PATIENCE;
        while begun.iter().filter(|stream| told(stream)).count() < 10 {
            assert!(Instant::now() < deadline, "all that are too many are told so");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (mut refused, mut waiting): (Vec<_>, Vec<_>) = begun.into_iter().partition(told);
        assert_eq!(waiting.len(), SHARE);
        let refused = first_answer(&mut refused[0]).await;
        refused.assert_problem(503, "overloaded");
        assert_eq!(refused.header("retry-after"), Some("5"));
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("of this client"), "{detail}");
        // Others go on, and so does it once there is room.
        let mut other = begin(address, &keys[1]).await;
        let mut whole = waiting.pop().unwrap();
        for stream in [&mut other, &mut whole] {
            stream.write_all(b"}").await.unwrap();
            assert_eq!(first_answer(stream).await.status, 400);
        }
        let mut again = begin(address, key).await;
        again.write_all(b"}").await.unwrap();
        assert_eq!(first_answer(&mut again).await.status, 400);
    }
}

#[tokio::test]
async fn a10_a_client_that_leaves_within_its_body_leaves_its_place() {
    let world = World::with_many(3).await;
    let served = serve(world.api(settings())).await;
    let key = ADMIN_KEY;
    // More than there are places of any kind.
    for _ in 0..WAITED_FOR + 100 {
        drop(begin(served.address, key).await);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut stream = begin(served.address, key).await;
        stream.write_all(b"}").await.unwrap();
        if first_answer(&mut stream).await.status == 400 {
            break;
        }
        assert!(Instant::now() < deadline, "the places are free again");
    }
}

#[tokio::test]
async fn who_may_not_ask_is_told_so_before_a_body_comes() {
    let world = World::with_many(3).await;
    let key = world.key(Scope::Read).await;
    let served = serve(world.api(settings())).await;
    for (target, key, status, code) in [
        ("/keys", key.as_str(), 403, "scope_missing"),
        ("/keys", "kp_unknown", 401, "key_invalid"),
        ("/nothing", key.as_str(), 404, "not_found"),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!(
            "POST {target} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-length: 9\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        first_answer(&mut stream).await.assert_problem(status, code);
    }
    let reply = request(served.address, "GET", "/data", "content-length: 9\r\n").await;
    assert_eq!(reply.status, 200, "where no body is read none is waited for");
}
