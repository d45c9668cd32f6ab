//! Connections whose buffers are given back while they wait, and what comes around that moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::client::{ADMIN_KEY, parse};
use super::keyed::unlimited;
use super::world::{Served, World};
use crate::{Api, ApiSettings, listen};

const PATIENCE: Duration = Duration::from_secs(20);
/// After which connections are parked here, so that it happens between any two bytes.
const SHORT: Duration = Duration::from_millis(2);
/// Long enough to be parked.
const PAUSE: Duration = Duration::from_millis(12);

fn roomy() -> ApiSettings {
    ApiSettings { max_connections_per_client: 0, max_connections: 16_384, ..unlimited() }
}

async fn serve(api: Api, park_after: Duration) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = listen::serve_parking(Arc::new(api), listener, shutdown.clone(), park_after);
    Served { address, shutdown, task: tokio::spawn(serving) }
}

async fn served() -> Served {
    serve(World::with_many(3).await.api(roomy()), SHORT).await
}

/// A client that reads answers one by one, and holds back what it read of the next.
struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    async fn new(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The status and the request's id of the next answer; `None` at the end.
    async fn answer(&mut self) -> Option<(u16, String)> {
        loop {
            if let Some(answer) = self.take() {
                return Some(answer);
            }
            let reading = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.read));
            if reading.await.expect("an answer in time").unwrap() == 0 {
                assert!(self.read.is_empty(), "{}", String::from_utf8_lossy(&self.read));
                return None;
            }
        }
    }

    fn take(&mut self) -> Option<(u16, String)> {
        let head = self.read.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
        let reply = parse(&self.read[..head]);
        let length: usize = reply.header("content-length").unwrap().parse().unwrap();
        if self.read.len() < head + length {
            return None;
        }
        self.read.drain(..head + length);
        Some((reply.status, reply.header("x-request-id").unwrap().to_owned()))
    }
}

fn livez(id: usize) -> String {
    format!("GET /livez HTTP/1.1\r\nhost: a\r\nx-request-id: r{id}\r\n\r\n")
}

/// A request with a body that is read.
fn compare(id: usize, body: &str) -> String {
    format!(
        "POST /compare-runs HTTP/1.1\r\nhost: a\r\nx-api-key: {ADMIN_KEY}\r\nx-request-id: r{id}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn requests_follow_each_other_on_a_connection_that_was_parked_between() {
    let served = served().await;
    let mut client = Client::new(served.address).await;
    for id in 0..20 {
        client.send(livez(id).as_bytes()).await;
        assert_eq!(client.answer().await, Some((200, format!("r{id}"))));
        tokio::time::sleep(PAUSE).await;
    }
}

#[tokio::test]
async fn what_came_of_the_next_head_before_parking_is_not_lost() {
    let served = served().await;
    let (first, second) = (livez(1), livez(2));
    // Everywhere within the next head, also where it is preceded by an empty line.
    for lead in ["", "\r\n"] {
        let second = format!("{lead}{second}");
        for cut in 0..second.len() {
            let mut client = Client::new(served.address).await;
            client.send(format!("{first}{}", &second[..cut]).as_bytes()).await;
            assert_eq!(client.answer().await, Some((200, "r1".to_owned())));
            tokio::time::sleep(PAUSE).await;
            client.send(&second.as_bytes()[cut..]).await;
            assert_eq!(client.answer().await, Some((200, "r2".to_owned())), "{cut}");
        }
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_around_parking_is_read_whole() {
    let served = served().await;
    let mut clients = Vec::new();
    for offset in 0..16 {
        let address = served.address;
        clients.push(tokio::spawn(async move {
            let mut client = Client::new(address).await;
            client.send(livez(0).as_bytes()).await;
            assert_eq!(client.answer().await, Some((200, "r0".to_owned())));
            tokio::time::sleep(SHORT * offset / 4).await;
            for byte in compare(7, "{\"run1_id\": 5}").as_bytes() {
                client.send(&[*byte]).await;
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
            assert_eq!(client.answer().await, Some((400, "r7".to_owned())));
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

/// Sends requests in pieces cut anywhere, with pauses anywhere, several ahead of their answers; every one has
/// to be answered once, in its place.
async fn interleave(address: SocketAddr, seed: u64) {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let count = random.random_range(1..6);
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for id in 0..count {
        let (text, status) = match random.random_range(0..5) {
            0 => (compare(id, &" ".repeat(random.random_range(1..400))), 400),
            1 => (compare(id, "x"), 400),
            2 => (livez(id).replace("/livez", "/nothing"), 404),
            3 => (format!("\r\n{}", livez(id)), 200),
            _ => (livez(id), 200),
        };
        bytes.extend(text.into_bytes());
        expected.push((status, format!("r{id}")));
    }
    let mut client = Client::new(address).await;
    let (mut sent, mut got) = (0, Vec::new());
    while sent < bytes.len() {
        let longest = if random.random_bool(0.5) { 40 } else { 600 };
        let until = bytes.len().min(sent + random.random_range(1..longest));
        client.send(&bytes[sent..until]).await;
        sent = until;
        if random.random_bool(0.4) {
            tokio::time::sleep(Duration::from_micros(random.random_range(0..6_000))).await;
        }
        let _ = client.stream.try_read_buf(&mut client.read);
        got.extend(client.take());
    }
    while got.len() < expected.len() {
        got.push(client.answer().await.unwrap_or_else(|| panic!("seed {seed}: {got:?}")));
    }
    assert_eq!(got, expected, "seed {seed}");
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.answer().await, None, "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_requests_are_cut_and_delayed_each_is_answered_once_in_its_place() {
    let served = served().await;
    let address = served.address;
    for round in 0..50_u64 {
        let clients: Vec<_> =
            (0..80).map(|one| tokio::spawn(interleave(address, round * 80 + one))).collect();
        for client in clients {
            client.await.unwrap();
        }
    }
}

#[tokio::test]
async fn parked_connections_end_at_their_idle_limit_with_the_client_and_with_the_server() {
    let world = World::with_many(3).await;
    let settings = ApiSettings { idle_timeout: Duration::from_millis(400), ..roomy() };
    let mut served = serve(world.api(settings), SHORT).await;
    let mut idle = Client::new(served.address).await;
    let begun = Instant::now();
    idle.send(livez(1).as_bytes()).await;
    assert!(idle.answer().await.is_some());
    assert_eq!(idle.answer().await, None);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());

    let mut leaving = Client::new(served.address).await;
    leaving.send(livez(2).as_bytes()).await;
    assert!(leaving.answer().await.is_some());
    tokio::time::sleep(PAUSE).await;
    leaving.stream.shutdown().await.unwrap();
    assert_eq!(leaving.answer().await, None);

    let mut parked = Client::new(served.address).await;
    let mut fresh = Client::new(served.address).await;
    parked.send(livez(3).as_bytes()).await;
    assert!(parked.answer().await.is_some());
    tokio::time::sleep(PAUSE).await;
    served.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.task).await;
    assert!(ended.expect("an end before the drain limit").unwrap().is_ok());
    assert_eq!(parked.answer().await, None);
    assert_eq!(fresh.answer().await, None);
}

#[tokio::test]
async fn http2_is_recognised_wherever_its_first_bytes_are_cut_and_never_parked() {
    let served = served().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let ping = b"\0\0\x08\x06\0\0\0\0\x0012345678";
    for cut in [1, 3, 10, 14, 16, 23, 24, 25, preface.len()] {
        let mut client = Client::new(served.address).await;
        client.send(&preface[..cut]).await;
        tokio::time::sleep(PAUSE).await;
        client.send(&preface[cut..]).await;
        tokio::time::sleep(PAUSE).await;
        client.send(ping).await;
        let pong = async {
            while !client.read.windows(8).any(|part| part == b"12345678") {
                assert_ne!(client.stream.read_buf(&mut client.read).await.unwrap(), 0, "{cut}");
            }
        };
        tokio::time::timeout(PATIENCE, pong).await.expect("an answer in time");
    }
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_with_a_problem_after_parking_too() {
    let served = served().await;
    for (bytes, status) in [
        ("GET /livez HTTP/1.1\nhost: a\n\n".to_owned(), 400),
        ("GET  HTTP/1.1\r\n\r\n".to_owned(), 400),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), 414),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(100_000)), 431),
    ] {
        let mut client = Client::new(served.address).await;
        client.send(livez(1).as_bytes()).await;
        assert!(client.answer().await.is_some());
        tokio::time::sleep(PAUSE).await;
        client.send(bytes.as_bytes()).await;
        let answer = client.answer().await.unwrap_or_else(|| panic!("a problem {status}"));
        assert_eq!((answer.0, client.answer().await), (status, None));
    }
}

#[tokio::test]
async fn an_answer_that_is_read_late_is_whole_though_its_connection_could_be_parked() {
    let world = World::with_many(3).await;
    let mut api = world.api(roomy());
    let large = || async { vec![b'x'; 8 << 20] };
    api.router = api.router.merge(axum::Router::new().route("/large", axum::routing::get(large)));
    let served = serve(api, SHORT).await;
    let mut client = Client::new(served.address).await;
    let text = format!("{}{}", livez(1).replace("/livez", "/large"), livez(2));
    client.send(text.as_bytes()).await;
    tokio::time::sleep(PAUSE * 4).await;
    assert_eq!(client.answer().await, Some((200, "r1".to_owned())));
    assert_eq!(client.answer().await, Some((200, "r2".to_owned())));
}
