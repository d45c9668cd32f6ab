//! More requests and connections than there is room for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get as on_get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::client::{ADMIN_KEY, Reply, get, parse, request, send};
use super::keyed::unlimited;
use super::world::{Served, World, serve};
use crate::ApiSettings;
use crate::answer::Streaming;

const PATIENCE: Duration = Duration::from_secs(20);

/// A server of so many requests at once; `/wait` is answered once a permit is there, `/endless` begins and
/// goes on for ever.
async fn with_room(
    world: &World,
    max_requests: usize,
) -> (Served, Arc<Semaphore>, Arc<crate::Shared>) {
    let mut api = world.api(ApiSettings { max_requests, ..ApiSettings::default() });
    let permits = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&permits);
    let wait = move || async move {
        waits.acquire().await.unwrap().forget();
        "done"
    };
    let stream = || async {
        let mut response = Response::new(Body::from_stream(futures_util::stream::pending::<
            Result<bytes::Bytes, std::io::Error>,
        >()));
        response.extensions_mut().insert(Streaming);
        response
    };
    let more = Router::new().route("/wait", on_get(wait)).route("/endless", on_get(stream));
    api.router = api.router.merge(more);
    let shared = Arc::clone(&api.shared);
    (serve(api).await, permits, shared)
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a10_beyond_its_requests_a_server_says_so_but_to_health_checks_and_operators() {
    let world = World::with_many(3).await;
    let (served, permits, shared) = with_room(&world, 2).await;
    let address = served.address;
    let waiting: Vec<_> =
        (0..2).map(|_| tokio::spawn(async move { get(address, "/wait").await.status })).collect();
    until("two are under way", || shared.load.under_way() == 2).await;
    for target in ["/data", "/nothing", "/openapi.json"] {
        let reply = get(address, target).await;
        reply.assert_problem(503, "overloaded");
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
    for target in ["/livez", "/api/v1/readyz", "/health"] {
        assert_ne!(get(address, target).await.json()["code"], "overloaded", "{target}");
    }
    // Whoever looks after a server that is overrun wants to see by how much.
    assert_eq!(get(address, "/metrics").await.status, 200);
    let key = format!("x-api-key: {ADMIN_KEY}\r\n");
    assert_eq!(request(address, "GET", "/data", &key).await.status, 200);
    permits.add_permits(2);
    for one in waiting {
        assert_eq!(one.await.unwrap(), 200);
    }
    until("their places are free", || shared.load.under_way() == 0).await;
    assert_eq!(get(address, "/data").await.status, 200);
}

/// Asks for something as so many clients at once, each so often.
fn asking(
    address: SocketAddr,
    target: &'static str,
    clients: usize,
    times: usize,
) -> Vec<JoinHandle<Reply>> {
    let ask = |number: usize| {
        let client = format!("x-forwarded-for: 192.0.2.{}\r\n", number % clients);
        tokio::spawn(async move { request(address, "GET", target, &client).await })
    };
    (0..clients * times).map(ask).collect()
}

/// A world whose database hangs, and a server of two requests at once behind a proxy.
async fn hanging() -> (World, Served, Arc<crate::Shared>) {
    let world = World::with_many(3).await;
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let settings = ApiSettings { max_requests: 2, trusted_proxies, ..unlimited() };
    let api = world.api(settings);
    let shared = Arc::clone(&api.shared);
    let served = serve(api).await;
    get(served.address, "/livez").await;
    world.switches.hanging.store(true, Ordering::SeqCst);
    (world, served, shared)
}

#[tokio::test]
async fn a10_checks_of_a_database_that_hangs_hold_no_place_of_others() {
    let (world, served, shared) = hanging().await;
    let address = served.address;
    let targets = ["/health", "/api/v1/readyz", "/metrics"];
    let asked: Vec<_> =
        targets.into_iter().flat_map(|target| asking(address, target, 4, 20)).collect();
    let stuck = || world.switches.stuck.load(Ordering::SeqCst);
    until("each question is asked", || stuck() == 3).await;
    while !asked.iter().any(JoinHandle::is_finished) {
        assert_eq!(get(address, "/data").await.status, 200, "others go on");
        assert!(shared.load.under_way() <= 1, "{}", shared.load.under_way());
        assert!(stuck() <= 3, "{}: one question of each kind", stuck());
    }
    for (number, asked) in asked.into_iter().enumerate() {
        let reply = asked.await.unwrap();
        let unhealthy = reply.body.contains("unhealthy") && !reply.body.contains("overloaded");
        match number / 80 {
            0 => assert!(reply.status == 503 && unhealthy, "{}", reply.body),
            1 => assert!(reply.status == 200 && unhealthy, "{}", reply.body),
            _ => assert_eq!(reply.status, 200),
        }
    }
}

#[tokio::test]
async fn a10_one_client_has_its_share_of_the_checks_that_wait() {
    let (world, served, _shared) = hanging().await;
    let address = served.address;
    let greedy = asking(address, "/health", 1, 100);
    until("some are refused", || greedy.iter().any(JoinHandle::is_finished)).await;
    // It has no more, whatever it asks; others have.
    let reply = request(address, "GET", "/readyz", "x-forwarded-for: 192.0.2.0\r\n").await;
    reply.assert_problem(503, "overloaded");
    assert_eq!(reply.header("retry-after"), Some("5"));
    assert!(reply.json()["detail"].as_str().unwrap().contains("of this client"), "{}", reply.body);
    assert_eq!(get(address, "/livez").await.status, 200, "it waits for nothing");
    assert_eq!(get(address, "/readyz").await.status, 200);
    let mut refused = 0;
    for asked in greedy {
        refused += u32::from(asked.await.unwrap().json()["code"] == "overloaded");
    }
    assert!((1..=100 - 64).contains(&refused), "{refused}");
    world.switches.hanging.store(false, Ordering::SeqCst);
    assert_eq!(get(address, "/health").await.status, 200, "places are free again");
}

#[tokio::test]
async fn an_answer_that_goes_on_takes_no_place() {
    let world = World::with_many(3).await;
    let (served, _permits, shared) = with_room(&world, 1).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    stream.read_exact(&mut byte).await.unwrap();
    assert_eq!(shared.load.under_way(), 0);
    assert_eq!(get(served.address, "/data").await.status, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_place() {
    let world = World::with_many(3).await;
    let (served, _permits, shared) = with_room(&world, 1).await;
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until("it is under way", || shared.load.under_way() == 1).await;
    drop(stream);
    until("it has left", || shared.load.under_way() == 0).await;
    assert_eq!(get(served.address, "/data").await.status, 200);
}

#[tokio::test]
async fn a_client_holds_no_more_connections_than_it_may() {
    let world = World::with_many(3).await;
    let settings = ApiSettings { max_connections_per_client: 2, ..ApiSettings::default() };
    let served = serve(world.api(settings.clone())).await;
    let hold = async |address| {
        let mut held: TcpStream = TcpStream::connect(address).await.unwrap();
        held.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        held.read_exact(&mut [0; 1]).await.unwrap();
        held
    };
    let (first, _second) = (hold(served.address).await, hold(served.address).await);
    let reply = parse(&send(served.address, b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await);
    reply.assert_problem(503, "overloaded");
    assert!(reply.json()["detail"].as_str().unwrap().contains("of this client"), "{}", reply.body);
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while get(served.address, "/livez").await.status != 200 {
        assert!(Instant::now() < deadline, "the place is free again");
    }
    // A trusted proxy has the connections of many clients.
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let served = serve(world.api(ApiSettings { trusted_proxies, ..settings })).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(hold(served.address).await);
    }
    assert_eq!(get(served.address, "/livez").await.status, 200);
}
