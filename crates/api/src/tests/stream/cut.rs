//! Nothing is lost, whatever happens to whom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kasparro_store::ReadStore as _;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::listener::Listener;
use super::{limits, restarted, telling, unlimited};
use crate::tests::world::{Coin, World};

const COINS: u64 = 30;
const COMMITS: u64 = 120;
/// Longer than the whole test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prices by external id: what is shown.
type Shown = BTreeMap<String, Value>;
/// What was shown in each generation.
type Generations = Arc<Mutex<BTreeMap<u64, Shown>>>;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Listens until the last generation is seen whole, and is cut off at random places.
async fn listen(
    mut dice: Dice,
    server: watch::Receiver<SocketAddr>,
    generations: Generations,
    last: u64,
) -> (u64, u64) {
    let (mut own, mut place) = (Shown::new(), "0-0".to_owned());
    let (mut cuts, mut resets) = (0, 0);
    loop {
        let address = *server.borrow();
        // A server that is being replaced refuses the connection, or ends it.
        let Ok(stream) = tokio::net::TcpStream::connect(address).await else {
            tokio::task::yield_now().await;
            continue;
        };
        let headers = format!("last-event-id: {place}\r\n");
        let Some(mut client) = Listener::try_over(stream, "/stream", &headers).await else {
            continue;
        };
        assert_eq!(client.head.status, 200, "{:?}", client.head);
        let mut left = dice.below(60);
        while left > 0 {
            left -= 1;
            let Some(event) = client.next_or_cut().await else { break };
            if !event.id.is_empty() {
                place.clone_from(&event.id);
            }
            match event.event.as_str() {
                "quote" => {
                    let row = event.json();
                    let id = row["external_id"].as_str().unwrap().to_owned();
                    let price = row["price_usd"].clone();
                    if let Some(before) = own.insert(id, price.clone()) {
                        assert!(before.as_u64() <= price.as_u64(), "{before} before {price}");
                    }
                }
                "reset" => {
                    // As from reading everything anew.
                    resets += 1;
                    let generation = event.json()["generation"].as_u64().unwrap();
                    own = generations.lock().unwrap()[&generation].clone();
                }
                _ => {}
            }
            if let Some(generation) = event.ends() {
                let expected = generations.lock().unwrap()[&generation].clone();
                assert_eq!(own, expected, "generation {generation} after {cuts} cuts");
                if generation == last {
                    return (cuts, resets);
                }
            }
        }
        cuts += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_nothing_is_lost_and_the_order_is_kept_wherever_clients_are_cut_off() {
    let mut world = World::with_many(1).await;
    let mut server = telling(&world, unlimited()).await;
    server.hub.limit(limits(4, 50_000));
    let (address, addresses) = watch::channel(server.served.address);
    let generations = Generations::default();
    let mut shown = Shown::from([("coin-1".to_owned(), json!(1.25))]);
    shown.insert("coin-1".to_owned(), json!(1));
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("1"))]).await;
    world.refresh().await;
    generations.lock().unwrap().insert(2, shown.clone());
    let last = COMMITS + 2;
    let clients: Vec<_> = (1..=4)
        .map(|seed| {
            let dice = Dice(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            tokio::spawn(listen(dice, addresses.clone(), Arc::clone(&generations), last))
        })
        .collect();
    let mut dice = Dice(42);
    for commit in 1..=COMMITS {
        let source = if dice.below(2) == 0 { "coinpaprika" } else { "csv" };
        let ids: Vec<String> = (1..=COINS)
            .filter(|number| (number % 2 == 0) == (source == "csv"))
            .filter(|_| dice.below(3) == 0)
            .map(|number| format!("coin-{number}"))
            .collect();
        let price = (commit + 1).to_string();
        let coins: Vec<Coin<'_>> =
            ids.iter().map(|id| (id.as_str(), "SYM", id.as_str(), Some(price.as_str()))).collect();
        shown.extend(ids.iter().map(|id| (id.clone(), json!(commit + 1))));
        // Known before anybody can be told of it.
        generations.lock().unwrap().insert(commit + 2, shown.clone());
        world.commit(source, &coins).await;
        assert_eq!(world.kept.generation().await.unwrap().0, commit + 2);
        if dice.below(3) > 0 || commit == COMMITS {
            world.refresh().await;
        }
        if commit % 40 == 0 {
            server.served.shutdown.cancel();
            server = restarted(&mut world).await;
            server.hub.limit(limits(4, 50_000));
            address.send_replace(server.served.address);
        }
        // Clients get on in between, now more, now less.
        tokio::time::sleep(Duration::from_micros(dice.below(3_000))).await;
    }
    for client in clients {
        let (cuts, resets) = tokio::time::timeout(PATIENCE, client).await.unwrap().unwrap();
        assert!(cuts >= 3, "{cuts} cuts");
        assert!(resets <= cuts + COMMITS, "{resets} resets");
    }
}
