//! Clients that send or read slowly, and answers that go on.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get as on_get;
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{ADMIN_KEY, get_json, parse};
use super::world::{Served, World, serve};
use crate::ApiSettings;
use crate::answer::Streaming;

const PATIENCE: Duration = Duration::from_secs(20);
/// How long a request may take, and a connection may be idle: together how long an answer may be read.
const SHORT: Duration = Duration::from_millis(250);

fn short() -> ApiSettings {
    ApiSettings {
        request_timeout: SHORT,
        idle_timeout: SHORT,
        header_timeout: SHORT,
        ..ApiSettings::default()
    }
}

/// An answer that goes on for ever, in pieces with a pause before each.
fn endless(piece: Bytes, pause: Duration, marked: bool) -> Response {
    let pieces = stream::unfold(piece, move |piece| async move {
        tokio::time::sleep(pause).await;
        Some((Ok::<_, std::io::Error>(piece.clone()), piece))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    if marked {
        response.extensions_mut().insert(Streaming);
    }
    response
}

async fn served() -> Served {
    let world = World::with_many(3).await;
    let mut api = world.api(short());
    let large = || async { vec![b'x'; 64 << 20] };
    let beat = |marked| move || async move { endless("beat\n".into(), SHORT / 5, marked) };
    api.router = api.router.merge(
        Router::new()
            .route("/large", on_get(large))
            .route("/busy", axum::routing::post(std::future::pending::<()>))
            .route("/marked", on_get(beat(true)))
            .route("/unmarked", on_get(beat(false))),
    );
    serve(api).await
}

async fn ask(address: SocketAddr, target: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let text = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Reads until the connection ends, however it ends; returns how much came.
async fn rest(mut stream: TcpStream) -> usize {
    let (mut scrap, mut read) = (vec![0; 1 << 16], 0);
    let ended = tokio::time::timeout(PATIENCE, async {
        while let Ok(bytes @ 1..) = stream.read(&mut scrap).await {
            read += bytes;
        }
    });
    ended.await.expect("an end in time");
    read
}

#[tokio::test]
async fn a4_a_body_that_is_sent_too_slowly_is_not_waited_for() {
    let served = served().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = format!(
        "POST /compare-runs HTTP/1.1\r\nhost: a\r\nx-api-key: {ADMIN_KEY}\r\n\
         content-type: application/json\r\ncontent-length: 60000\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let begun = Instant::now();
    let trickle = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, reading.read_to_end(&mut answer));
    let _ = read.await.expect("an end in time");
    let told = parse(&answer);
    told.assert_problem(408, "body_timeout");
    assert_eq!((told.header("connection"), told.header("retry-after")), (Some("close"), None));
    assert!(begun.elapsed() >= SHORT);
    trickle.abort();
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn who_waits_for_the_server_is_not_blamed_though_the_body_has_not_come() {
    let served = served().await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let head = "POST /busy HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    let _ = read.await.expect("an end in time");
    let told = parse(&answer);
    told.assert_problem(503, "request_timeout");
    assert!(told.header("retry-after").is_some());
}

#[tokio::test]
async fn a4_a_client_that_does_not_read_its_answer_is_closed() {
    let served = served().await;
    let stream = ask(served.address, "/large").await;
    tokio::time::sleep(SHORT * 6).await;
    let read = rest(stream).await;
    assert!(read < 64 << 20, "{read} bytes came");
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn an_answer_that_goes_on_stays_open_while_it_moves() {
    let served = served().await;
    let mut stream = ask(served.address, "/marked").await;
    let begun = Instant::now();
    let mut scrap = [0; 1024];
    while begun.elapsed() < SHORT * 12 {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut scrap)).await;
        assert!(matches!(read, Ok(Ok(1..))), "it ended after {:?}", begun.elapsed());
    }
    // One that is not meant to go on ends in time.
    let begun = Instant::now();
    rest(ask(served.address, "/unmarked").await).await;
    assert!(begun.elapsed() < SHORT * 12, "{:?}", begun.elapsed());
}
