//! A server that ends tells those who send requests, and leaves nobody without an answer.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as on_get;
use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::client::{Reply, parse};
use super::keyed::unlimited;
use super::world::{Served, World, serve};
use crate::{Api, ApiSettings};

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for everything that has to happen meanwhile.
const NOTICE: Duration = Duration::from_secs(2);

async fn api() -> Api {
    World::with_many(3).await.api(ApiSettings { shutdown_notice: NOTICE, ..unlimited() })
}

fn ask(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// A connection that is kept after an answer.
async fn kept(served: &Served) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(ask("/livez").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"}") {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
    }
    assert_eq!(parse(&read).header("connection"), None);
    stream
}

/// What comes until the connection ends.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read));
    reading.await.expect("an end in time").expect("no reset");
    read
}

/// The answer to a request, after which the connection has to end.
async fn last(mut stream: TcpStream, target: &str) -> Reply {
    stream.write_all(ask(target).as_bytes()).await.unwrap();
    let reply = parse(&rest(stream).await);
    assert_last(&reply);
    reply
}

fn assert_last(reply: &Reply) {
    let named = reply.headers.iter().filter(|(name, _)| name == "connection");
    let values: Vec<_> = named.map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["close"], "{reply:?}");
}

async fn ended(served: &mut Served) {
    let ended = tokio::time::timeout(PATIENCE, &mut served.task).await;
    ended.expect("an end in time").unwrap().unwrap();
}

#[tokio::test]
async fn until_its_notice_is_over_a_server_goes_on_and_says_that_it_ends() {
    let mut api = api().await;
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = move || async move {
        begins.notify_one();
        goes_on.notified().await;
        "done"
    };
    api.router = api.router.merge(Router::new().route("/slow", on_get(slow)));
    let shared = Arc::clone(&api.shared);
    let mut served = serve(api).await;
    let (asking, silent) = (kept(&served).await, kept(&served).await);
    let under_way = kept(&served).await;
    let under_way = tokio::spawn(last(under_way, "/slow"));
    begun.notified().await;
    let asked = Instant::now();
    served.shutdown.cancel();
    while !shared.draining.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    let connect = || async { TcpStream::connect(served.address).await.expect("it is taken") };
    last(connect().await, "/readyz").await.assert_problem(503, "draining");
    assert_eq!(last(connect().await, "/livez").await.status, 200);
    assert_eq!(last(asking, "/data").await.status, 200);
    go_on.notify_one();
    assert_eq!(under_way.await.unwrap().body, "done");
    assert!(asked.elapsed() < NOTICE, "{:?}", asked.elapsed());
    // What is idle stays until then, in case a request is on its way.
    assert_eq!(rest(silent).await, b"");
    assert!(asked.elapsed() >= NOTICE, "{:?}", asked.elapsed());
    ended(&mut served).await;
    assert!(TcpStream::connect(served.address).await.is_err());
}

#[tokio::test]
async fn an_http2_connection_ends_with_its_next_answer() {
    let mut served = serve(api().await).await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut ask = async || {
        let request = Request::get("http://a/data").body(Empty::<Bytes>::new()).unwrap();
        sender.send_request(request).await.unwrap()
    };
    assert_eq!(ask().await.status(), 200);
    let asked = Instant::now();
    served.shutdown.cancel();
    tokio::time::sleep(NOTICE / 10).await;
    assert!(!connection.is_finished(), "it has to be told with an answer");
    let answer = ask().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers().get("connection"), None);
    drop(answer);
    tokio::time::timeout(PATIENCE, connection).await.expect("an end").unwrap().unwrap();
    assert!(asked.elapsed() < NOTICE, "{:?}", asked.elapsed());
    ended(&mut served).await;
}

#[tokio::test]
async fn those_who_wait_to_be_let_in_when_a_server_ends_are_answered() {
    let world = World::with_many(3).await;
    let mut served = serve(world.api(unlimited())).await;
    // Nothing is let in while this test does not wait: there is one thread.
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(served.address).unwrap();
            stream.write_all(ask("/data").as_bytes()).unwrap();
            stream
        })
        .collect();
    served.shutdown.cancel();
    ended(&mut served).await;
    for mut stream in waiting {
        let mut read = Vec::new();
        stream.read_to_end(&mut read).expect("no reset");
        let reply = parse(&read);
        assert_eq!(reply.status, 200);
        assert_last(&reply);
    }
}

#[tokio::test]
async fn a_first_request_that_is_on_its_way_when_a_server_ends_is_answered() {
    let api = World::with_many(3).await.api(unlimited());
    let shared = Arc::clone(&api.shared);
    let mut served = serve(api).await;
    let client = TcpStream::connect(served.address).await.unwrap();
    // Whoever comes later is let in later.
    drop(kept(&served).await);
    served.shutdown.cancel();
    while !shared.draining.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(last(client, "/data").await.status, 200);
    ended(&mut served).await;
}

#[tokio::test]
async fn a_notice_takes_at_most_half_of_the_time_to_end_in() {
    let settings = ApiSettings {
        drain_timeout: Duration::from_millis(400),
        shutdown_notice: PATIENCE,
        ..unlimited()
    };
    let mut served = serve(World::with_many(3).await.api(settings)).await;
    let silent = kept(&served).await;
    let asked = Instant::now();
    served.shutdown.cancel();
    assert_eq!(rest(silent).await, b"");
    assert!(asked.elapsed() >= Duration::from_millis(200), "{:?}", asked.elapsed());
    ended(&mut served).await;
    assert!(asked.elapsed() < PATIENCE / 2, "{:?}", asked.elapsed());
}
