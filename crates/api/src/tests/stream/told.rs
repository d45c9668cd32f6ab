//! What clients are told while they listen.

use std::time::Duration;

use kasparro_domain::Scope;
use kasparro_store::{KeyEnd, KeyStore as _};
use serde_json::json;

use super::listener::Listener;
use super::{telling, unlimited};
use crate::ApiSettings;
use crate::tests::client::get;
use crate::tests::keyed::with_key;
use crate::tests::world::World;

#[tokio::test]
async fn every_client_is_told_the_same_bytes_and_the_rows_are_those_of_data() {
    let mut world = World::with_many(5).await;
    let served = world.serve().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Listener::new(served.address, "/stream").await);
    }
    world
        .commit(
            "coinpaprika",
            &[("coin-2", "TWO", "Two", Some("3.84e-18")), ("coin-4", "", "\"", None)],
        )
        .await;
    world.refresh().await;
    for client in &mut clients {
        let (rows, generation) = client.swap().await;
        assert_eq!((rows.len(), generation), (2, 2));
    }
    let text = clients[0].text.clone();
    assert!(clients.iter().all(|client| client.text == text));
    for id in ["id: 1-1\n", "id: 1-2\n", "id: 2-0\n\n"] {
        assert!(text.contains(id), "{text}");
    }
    let page = get(served.address, "/data").await.body;
    let rows: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("data: {\"id\"")).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| page.contains(row)), "{page}");
    assert!(rows[0].contains(r#""price_usd":3.84e-18,"#), "{text}");
}

#[tokio::test]
async fn what_a_client_did_not_ask_for_is_left_out_and_still_moves_its_place() {
    let mut world = World::with("coinpaprika", &[("btc", "BTC", "Bitcoin", Some("1"))]).await;
    world.commit("csv", &[("a", "btc", "A", Some("1")), ("b", "ETH", "B", Some("1"))]).await;
    world.refresh().await;
    let served = world.serve().await;
    let mut clients = Vec::new();
    for (query, expected) in [
        ("", vec!["btc", "a", "b"]),
        ("?symbol=Btc", vec!["btc", "a"]),
        ("?symbol=eth,btc", vec!["btc", "a", "b"]),
        ("?source=csv", vec!["a", "b"]),
        ("?source=csv_source,coinpaprika_free", vec!["btc", "a", "b"]),
        ("?asset_id=1,3", vec!["btc", "b"]),
        ("?symbol=btc&source=csv", vec!["a"]),
        ("?symbol=btc&asset_id=3", vec![]),
        ("?symbol=none", vec![]),
    ] {
        clients.push((
            query,
            Listener::new(served.address, &format!("/stream{query}")).await,
            expected,
        ));
    }
    world.commit("coinpaprika", &[("btc", "BTC", "Bitcoin", Some("2"))]).await;
    world.commit("csv", &[("a", "btc", "A", Some("2")), ("b", "ETH", "B", Some("2"))]).await;
    world.refresh().await;
    for (query, client, expected) in &mut clients {
        let (rows, generation) = client.swap().await;
        let ids: Vec<_> = rows.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((ids, generation), (expected.clone(), 4), "{query}");
    }
}

#[tokio::test]
async fn i5_the_rows_of_one_swap_are_of_one_generation() {
    let mut world = World::with_many(40).await;
    let served = world.serve().await;
    let mut client = Listener::new(served.address, "/stream").await;
    let ids: Vec<String> = (1..=40).map(|number| format!("coin-{number}")).collect();
    for round in 1..30_u64 {
        let price = round.to_string();
        let coins: Vec<_> =
            ids.iter().map(|id| (id.as_str(), "SYM", id.as_str(), Some(price.as_str()))).collect();
        world.commit("coinpaprika", &coins).await;
        if round % 3 > 0 {
            world.refresh().await;
            let (rows, generation) = client.swap().await;
            assert_eq!((rows.len(), generation), (40, round + 1));
            assert!(rows.iter().all(|(_, shown)| *shown == json!(round)), "{rows:?}");
        }
    }
}

#[tokio::test]
async fn a_listing_without_a_quote_is_not_told_until_it_has_one() {
    let mut world = World::with_many(1).await;
    let served = world.serve().await;
    let mut client = Listener::new(served.address, "/stream").await;
    world.list("coinpaprika", &[("new", "NEW", "New Coin")]).await;
    world.refresh().await;
    assert_eq!(client.swap().await, (Vec::new(), 2));
    world.commit("coinpaprika", &[("new", "NEW", "New Coin", Some("7"))]).await;
    world.refresh().await;
    assert_eq!(client.swap().await, (vec![("new".to_owned(), json!(7))], 3));
}

#[tokio::test]
async fn a_row_that_grows_too_old_is_told_under_the_present_generation() {
    let mut world = World::with_many(2).await;
    let served = world.serve().await;
    let mut client = Listener::new(served.address, "/stream").await;
    world.clock.advance(Duration::from_secs(4 * 3600));
    world.refresh().await;
    for id in ["1-1", "1-2"] {
        let event = client.next().await;
        assert_eq!((event.id.as_str(), &event.json()["stale"]), (id, &json!(true)));
    }
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("1"))]).await;
    world.refresh().await;
    let event = client.next().await;
    assert_eq!((event.id.as_str(), &event.json()["stale"]), ("1-3", &json!(false)));
    assert_eq!(client.next().await.ends(), Some(2));
}

#[tokio::test]
async fn a_client_that_is_told_nothing_hears_a_heartbeat() {
    let world = World::with_many(1).await;
    let settings = ApiSettings { stream_heartbeat: Duration::from_millis(20), ..unlimited() };
    let telling = telling(&world, settings).await;
    let mut client = Listener::new(telling.served.address, "/stream").await;
    for _ in 0..3 {
        let event = client.next().await;
        assert_eq!((event.comment.as_str(), event.id.as_str()), ("heartbeat", ""));
    }
}

#[tokio::test]
async fn a_stream_outlives_the_limits_of_requests() {
    let mut world = World::with_many(1).await;
    let short = Duration::from_millis(50);
    let settings = ApiSettings {
        request_timeout: short,
        idle_timeout: short,
        header_timeout: short,
        stream_heartbeat: short * 10,
        ..unlimited()
    };
    let telling = telling(&world, settings).await;
    let mut client = Listener::new(telling.served.address, "/stream").await;
    assert_eq!(
        client.next().await.comment,
        "heartbeat",
        "five times as long as a request may take"
    );
    world.commit("coinpaprika", &[("coin-1", "SYM", "coin-1", Some("1"))]).await;
    world.refresh().await;
    assert_eq!(client.swap().await.1, 2);
}

#[tokio::test]
async fn a_key_that_is_revoked_or_expires_ends_its_streams_within_two_seconds() {
    let world = World::with_many(1).await;
    let now = kasparro_domain::Clock::now(&*world.clock);
    let (revoked, good) = (world.key(Scope::Read).await, world.key(Scope::Read).await);
    let end = now.plus(Duration::from_secs(60));
    let expiring = world.key_with(Scope::Read, |key| key.expires_at = Some(end)).await;
    let telling = telling(&world, unlimited()).await;
    let mut clients = Vec::new();
    for key in [&revoked, &expiring, &good] {
        let mut client = Listener::ask(telling.served.address, "/stream", &with_key(key)).await;
        assert_eq!(client.next().await.event, "hello", "{:?}", client.head);
        clients.push(client);
    }
    let key_id = crate::key_id_of(&revoked).unwrap();
    assert!(world.kept.end_key(key_id, KeyEnd::Revoked(now)).await.unwrap());
    let ending = tokio::time::timeout(Duration::from_secs(3), clients[0].try_next());
    assert_eq!(ending.await.expect("an end in time"), None);
    world.clock.advance(Duration::from_secs(60));
    let ending = tokio::time::timeout(Duration::from_secs(3), clients[1].try_next());
    assert_eq!(ending.await.expect("an end in time"), None);
    assert_eq!(telling.hub.clients(), 1, "the good one goes on");
}
