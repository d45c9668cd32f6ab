//! Where clients go on that come back, that fall behind, or that take nothing.

use std::time::{Duration, Instant};

use kasparro_store::ReadStore as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpSocket;

use super::listener::Listener;
use super::{limits, restarted, telling, unlimited};
use crate::ApiSettings;
use crate::tests::client::{get, request};
use crate::tests::world::{Coin, World};

/// What a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);

async fn price(world: &mut World, id: &str, price: &str) {
    world.commit("coinpaprika", &[(id, "SYM", id, Some(price))]).await;
    world.refresh().await;
}

#[tokio::test]
async fn a_client_that_comes_back_is_told_what_it_missed_from_memory() {
    let mut world = World::with_many(3).await;
    let telling = telling(&world, unlimited()).await;
    let address = telling.served.address;
    let mut client = Listener::new(address, "/stream").await;
    price(&mut world, "coin-1", "5").await;
    assert_eq!(client.swap().await.1, 2);
    let place = client.last_id.clone();
    drop(client);
    price(&mut world, "coin-2", "6").await;
    price(&mut world, "coin-3", "7").await;
    // Nothing is asked of the store.
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut client = Listener::back(address, &place).await;
    assert_eq!(client.swap().await, (vec![("coin-2".to_owned(), json!(6))], 3));
    assert_eq!(client.swap().await, (vec![("coin-3".to_owned(), json!(7))], 4));
    let mut other = Listener::ask(address, "/stream?last_event_id=3-7&symbol=sym", "").await;
    assert_eq!(other.swap().await, (vec![("coin-3".to_owned(), json!(7))], 4));
    // A browser that comes back sends the address as it was, and where it stood.
    let target = "/stream?last_event_id=1-0";
    let mut browser = Listener::ask(address, target, "last-event-id: 3-0\r\n").await;
    assert_eq!(browser.swap().await.1, 4);
    assert_eq!(browser.text.matches("event: quote").count(), 1);
}

#[tokio::test]
async fn a_client_that_was_cut_off_within_a_swap_is_told_all_of_it_again() {
    let mut world = World::with_many(3).await;
    let served = world.serve().await;
    let mut client = Listener::new(served.address, "/stream").await;
    let coins = ["coin-1", "coin-2", "coin-3"].map(|id| (id, "SYM", id, Some("8")));
    world.commit("coinpaprika", &coins).await;
    world.refresh().await;
    client.next().await;
    assert_eq!(client.next().await.id, "1-2");
    let mut client = Listener::back(served.address, &client.last_id).await;
    let (rows, generation) = client.swap().await;
    assert_eq!((rows.len(), generation), (3, 2));
}

#[tokio::test]
async fn after_a_restart_the_store_tells_what_changed() {
    let mut world = World::with_many(5).await;
    let before = world.serve().await;
    let mut client = Listener::new(before.address, "/stream").await;
    price(&mut world, "coin-1", "5").await;
    assert_eq!(client.swap().await.1, 2);
    drop(before);
    price(&mut world, "coin-2", "6").await;
    price(&mut world, "coin-4", "7").await;
    price(&mut world, "coin-2", "8").await;
    let after = restarted(&mut world).await;
    let mut client = Listener::back(after.served.address, "2-0").await;
    let missed = vec![("coin-2".to_owned(), json!(8)), ("coin-4".to_owned(), json!(7))];
    assert_eq!(client.swap().await, (missed, 5), "each in its present state");
    price(&mut world, "coin-3", "9").await;
    assert_eq!(client.swap().await, (vec![("coin-3".to_owned(), json!(9))], 6));
    // From the beginning: everything.
    let mut all = Listener::back(after.served.address, "0-0").await;
    let (rows, generation) = all.swap().await;
    assert_eq!((rows.len(), generation), (5, 6));
}

#[tokio::test]
async fn what_grew_too_old_during_a_restart_is_told_too() {
    let mut world = World::with_many(2).await;
    world.clock.advance(Duration::from_secs(4 * 3600));
    let telling = restarted(&mut world).await;
    let mut client = Listener::back(telling.served.address, "1-0").await;
    for _ in 0..2 {
        assert_eq!(client.next().await.json()["stale"], true);
    }
}

#[tokio::test]
async fn a_place_that_the_store_does_not_know_or_too_far_back_begins_anew() {
    for id in ["2-0", "18446744073709551615-0", "0-0"] {
        let mut world = World::with_many(4).await;
        let telling = telling(&world, unlimited()).await;
        telling.hub.limit(limits(600, 3));
        let mut client = Listener::back(telling.served.address, id).await;
        let reset = client.next().await;
        assert_eq!((reset.event.as_str(), reset.id.as_str()), ("reset", "1-0"), "{id}");
        assert_eq!(reset.json(), json!({"generation": 1}));
        price(&mut world, "coin-1", "2").await;
        assert_eq!(client.swap().await, (vec![("coin-1".to_owned(), json!(2))], 2), "it goes on");
    }
}

#[tokio::test]
async fn a_swap_that_changes_too_much_begins_anew_for_everybody() {
    let mut world = World::with_many(4).await;
    let telling = telling(&world, unlimited()).await;
    telling.hub.limit(limits(600, 3));
    let mut client = Listener::new(telling.served.address, "/stream").await;
    let ids = ["coin-1", "coin-2", "coin-3", "coin-4"];
    world.commit("coinpaprika", &ids.map(|id| (id, "SYM", id, Some("8")))).await;
    world.refresh().await;
    let reset = client.next().await;
    assert_eq!((reset.event.as_str(), reset.id.as_str()), ("reset", "2-0"));
    price(&mut world, "coin-1", "9").await;
    assert_eq!(client.swap().await, (vec![("coin-1".to_owned(), json!(9))], 3));
}

#[tokio::test]
async fn a_generation_that_only_the_store_knows_is_waited_for() {
    let mut world = World::with_many(2).await;
    let served = world.serve().await;
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("3"))]).await;
    assert_eq!(world.kept.generation().await.unwrap().0, 2);
    let address = served.address;
    let waiting = tokio::spawn(async move { Listener::back(address, "2-0").await });
    while world.view.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    world.refresh().await;
    let mut client = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    price(&mut world, "coin-2", "4").await;
    assert_eq!(client.swap().await, (vec![("coin-2".to_owned(), json!(4))], 3));
}

#[tokio::test]
async fn without_the_database_a_place_from_elsewhere_cannot_be_found() {
    let world = World::with_many(2).await;
    let served = world.serve().await;
    world.switches.away.store(true, std::sync::atomic::Ordering::SeqCst);
    for id in ["0-0", "9-0"] {
        let reply =
            request(served.address, "GET", "/stream", &format!("last-event-id: {id}\r\n")).await;
        reply.assert_problem(503, "store_unavailable");
    }
    Listener::new(served.address, "/stream").await;
}

/// Changes so much that no buffer on the way holds it: more than a megabyte each time.
async fn flood(world: &mut World, rounds: u32) {
    let ids: Vec<String> = (1..=100).map(|number| format!("coin-{number}")).collect();
    let name = "a long name ".repeat(1_000);
    for round in 0..rounds {
        let price = (round + 100).to_string();
        let coins: Vec<Coin<'_>> = ids
            .iter()
            .map(|id| (id.as_str(), "SYM", name.as_str(), Some(price.as_str())))
            .collect();
        world.commit("coinpaprika", &coins).await;
        world.refresh().await;
    }
}

/// A client that asks and then reads nothing, with small buffers of its own.
async fn deaf(address: std::net::SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(address).await.unwrap();
    let request = b"GET /stream HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.writable().await.unwrap();
    assert_eq!(stream.try_write(request).unwrap(), request.len());
    stream
}

async fn clients(telling: &super::Telling, count: usize) {
    let waiting = tokio::time::timeout(PATIENCE, async {
        while telling.hub.clients() != count {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waiting.await.unwrap_or_else(|_| panic!("{} clients", telling.hub.clients()));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped_and_holds_nobody_up() {
    let mut world = World::with_many(100).await;
    let stalled_after = Duration::from_secs(1);
    let settings = ApiSettings { stream_stalled_after: stalled_after, ..unlimited() };
    let telling = telling(&world, settings).await;
    let mut good = Listener::new(telling.served.address, "/stream").await;
    let mut deaf = deaf(telling.served.address).await;
    clients(&telling, 2).await;
    let good = tokio::spawn(async move {
        while good.swap().await.1 < 9 {}
        good
    });
    flood(&mut world, 8).await;
    let mut good = good.await.unwrap();
    clients(&telling, 1).await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, deaf.read_to_end(&mut rest)).await.expect("a close");
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it was cut off");
    price(&mut world, "coin-1", "1").await;
    assert_eq!(good.swap().await.1, 10);
}

#[tokio::test]
async fn a_client_that_falls_behind_what_is_kept_begins_anew() {
    let mut world = World::with_many(100).await;
    let telling = telling(&world, unlimited()).await;
    telling.hub.limit(limits(2, 50_000));
    let stream = deaf(telling.served.address).await;
    clients(&telling, 1).await;
    flood(&mut world, 10).await;
    let told = tokio::time::timeout(PATIENCE, async {
        let mut lines = BufReader::new(stream).lines();
        while lines.next_line().await.unwrap().expect("more") != "event: reset" {}
        lines.next_line().await.unwrap().expect("an id")
    });
    assert_eq!(told.await.expect("a reset"), "id: 11-0");
}

#[tokio::test]
async fn shutdown_ends_streams_at_once_also_those_that_take_nothing() {
    let mut world = World::with_many(100).await;
    let mut telling = telling(&world, unlimited()).await;
    let mut client = Listener::new(telling.served.address, "/stream").await;
    let started = Instant::now();
    telling.served.shutdown.cancel();
    assert_eq!(client.try_next().await, None);
    let ended = tokio::time::timeout(PATIENCE, &mut telling.served.task).await;
    assert!(ended.expect("an end").unwrap().is_ok());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());

    let mut telling = self::telling(&world, unlimited()).await;
    let _deaf = deaf(telling.served.address).await;
    clients(&telling, 1).await;
    flood(&mut world, 8).await;
    let started = Instant::now();
    telling.served.shutdown.cancel();
    let ended = tokio::time::timeout(PATIENCE, &mut telling.served.task).await;
    assert!(ended.expect("an end").unwrap().is_ok());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(tokio::net::TcpStream::connect(telling.served.address).await.is_err());
}

#[tokio::test]
async fn a_stream_that_ended_with_the_server_goes_on_with_the_next_one() {
    let mut world = World::with_many(2).await;
    let before = world.serve().await;
    let mut client = Listener::new(before.address, "/stream").await;
    before.shutdown.cancel();
    assert_eq!(client.try_next().await, None);
    let after = restarted(&mut world).await;
    let mut client = Listener::back(after.served.address, &client.last_id).await;
    price(&mut world, "coin-2", "4").await;
    assert_eq!(client.swap().await.1, 2);
    assert_eq!(get(after.served.address, "/data").await.header("x-generation"), Some("2"));
}
