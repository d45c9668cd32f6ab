//! Lists: what is known of a listing without a price, and who is missing from them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kasparro_domain::{Generation, RunStatus, SourceName};
use kasparro_engine::Lists;
use kasparro_store::ListingRow;
use serde_json::json;

use crate::paprika::Paprika;
use crate::rows::{page, ticker};
use crate::world::World;

const AT: &str = "2025-12-31T23:00:00Z";

fn coin(id: &str, active: bool) -> String {
    format!(
        r#"{{"id":"{id}","name":"{id} name","symbol":"{}","rank":0,"is_new":false,"is_active":{active},"type":"coin"}}"#,
        id.to_uppercase()
    )
}

fn contract(id: &str, address: &str) -> String {
    format!(r#"{{"address":"{address}","type":"ERC20","id":"{id}","active":true}}"#)
}

/// Everything about every listing, by external id.
async fn rows(world: &World) -> Vec<ListingRow> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
    world.store.changes(Generation(0), sender).await.unwrap();
    let mut rows = Vec::new();
    while let Some(piece) = receiver.recv().await {
        rows.extend(piece);
    }
    rows.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_make_listings_known_and_state_their_contracts() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", true), coin("b", true), coin("c", false)]));
    paprika.say("/v1/contracts", r#"["eth-ethereum","sol-solana"]"#);
    paprika.say(
        "/v1/contracts/eth-ethereum",
        page(&[contract("a", "\\n0xa\\n"), contract("a", "0xb")]),
    );
    paprika.say("/v1/contracts/sol-solana", page(&[contract("a", "S"), contract("d", "D")]));
    let world = paprika.world();
    let run = world.run("coinpaprika").await;
    assert_eq!(
        (run.status, run.counts.received, run.requests),
        (RunStatus::Success, 8, 5),
        "{run:?}"
    );
    assert_eq!((run.counts.inserted, run.counts.updated), (4, 4));
    let rows = rows(&world).await;
    let contracts: Vec<_> = rows[0].contracts.iter().map(|known| known.address.as_str()).collect();
    assert_eq!(contracts, ["0xa", "0xb", "S"]);
    assert!(rows[0].quote.is_some() && rows[1].quote.is_none());
    assert_eq!(rows[1].attributes.name.as_deref(), Some("b name"));
    assert_eq!([rows[1].active, rows[2].active, rows[3].active], [true, false, true]);

    world.clock.advance(Duration::from_secs(25 * 3600));
    let again = world.run("coinpaprika").await;
    assert_eq!((again.counts.received, again.counts.unchanged), (8, 8), "{again:?}");
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT), ticker("b", 2, "7", AT)]));
    let priced = world.run("coinpaprika").await;
    assert_eq!((priced.counts.updated, priced.counts.unchanged), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_asked_on_their_own_interval_also_by_another_process() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", true)]));
    paprika.say("/v1/contracts", r#"["eth-ethereum"]"#);
    paprika.say("/v1/contracts/eth-ethereum", "[]");
    let world = paprika.world();
    for _ in 0..3 {
        // Every run has an engine of its own, as after a restart.
        assert_eq!(world.run("coinpaprika").await.status, RunStatus::Success);
        world.clock.advance(Duration::from_secs(3600));
    }
    let lists = ["/v1/coins", "/v1/contracts", "/v1/contracts/eth-ethereum"];
    assert_eq!(lists.map(|path| paprika.asked(path)), [1, 1, 1]);
    assert_eq!(paprika.asked("/v1/tickers"), 3);
    world.clock.advance(Duration::from_secs(22 * 3600));
    world.run("coinpaprika").await;
    assert_eq!(lists.map(|path| paprika.asked(path)), [2, 2, 2]);

    let engine = world.engine().await;
    let source = [SourceName::new("coinpaprika")];
    let reason = kasparro_domain::RunReason::Manual;
    engine.run_now(&source, reason, Lists::All).await.unwrap();
    assert_eq!(lists.map(|path| paprika.asked(path)), [3, 3, 2]);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_with_the_run_one_interval_later_though_it_was_fetched_after_its_run_began() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/coins", page(&[coin("a", true)]));
    let world = paprika.world();
    for turn in 1..4 {
        // The clock of a run that is slow: its list is fetched a minute after it began.
        world.clock.advance(Duration::from_secs(60));
        world.run("coinpaprika").await;
        assert_eq!(paprika.asked("/v1/coins"), turn);
        world.clock.advance(Duration::from_secs(24 * 3600 - 120));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_leaves_the_prices_and_an_empty_one_is_no_sweep() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/contracts", "[]");
    let world = paprika.world();
    let run = world.run("coinpaprika").await;
    assert_eq!((run.status, run.counts.inserted), (RunStatus::Partial, 1), "{run:?}");
    assert_eq!(run.error.unwrap().code, "not_found");
    paprika.say("/v1/coins", "[]");
    for _ in 0..4 {
        let run = world.run("coinpaprika").await;
        assert_eq!(run.status, RunStatus::Success, "{run:?}");
        world.clock.advance(Duration::from_secs(25 * 3600));
    }
    assert!(rows(&world).await[0].active, "an empty list is no proof that nothing exists");
    assert_eq!(paprika.asked("/v1/coins"), 5, "an empty list is asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_three_sweeps_miss_is_inactive_until_it_comes_back() {
    let paprika = Paprika::new();
    let both = page(&[ticker("a", 1, "1", AT), ticker("b", 2, "1", AT)]);
    let alone = page(&[ticker("a", 1, "1", AT)]);
    paprika.say("/v1/tickers", both.clone());
    paprika.say("/v1/coins", page(&[coin("a", true), coin("b", true)]));
    paprika.say("/v1/contracts", "[]");
    let world = paprika.world();
    world.run("coinpaprika").await;
    let seen_at = world.clock_now();
    paprika.say("/v1/tickers", alone);
    paprika.say("/v1/coins", page(&[coin("a", true)]));
    let mut active = Vec::new();
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(25 * 3600));
        world.run("coinpaprika").await;
        active.push(rows(&world).await[1].active);
    }
    assert_eq!(active, [true, true, false, false]);
    let missing = rows(&world).await.remove(1);
    assert_eq!(missing.last_seen_at, Some(seen_at));
    assert!(missing.quote.is_some(), "it is kept and served");
    let id = (missing.listing_id, missing.asset_id);

    paprika.say("/v1/tickers", both);
    world.run("coinpaprika").await;
    let back = rows(&world).await.remove(1);
    assert_eq!((back.active, back.last_seen_at), (true, None));
    assert_eq!((back.listing_id, back.asset_id), id, "the same listing and asset");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweeps_missed_and_one_seen_are_none_missed() {
    let paprika = Paprika::new();
    paprika.say("/v1/tickers", page(&[ticker("a", 1, "1", AT)]));
    paprika.say("/v1/contracts", "[]");
    let world = paprika.world();
    let turns = AtomicUsize::new(0);
    let sweep = |with_b: bool| {
        let coins =
            if with_b { vec![coin("a", true), coin("b", true)] } else { vec![coin("a", true)] };
        turns.fetch_add(1, Ordering::SeqCst);
        paprika.say("/v1/coins", page(&coins));
    };
    for with_b in [true, false, false, true, false, false] {
        sweep(with_b);
        world.run("coinpaprika").await;
        world.clock.advance(Duration::from_secs(25 * 3600));
    }
    assert!(rows(&world).await[1].active);
    assert_eq!(turns.load(Ordering::SeqCst), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_its_last_rows_is_a_sweep_that_misses_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::world::write(folder.path(), "assets.csv", "id,price\nx,1\ny,1\n");
    let world = World::new(None, vec![("csv", json!({"paths": [path]}))]);
    world.run("csv").await;
    crate::world::write(folder.path(), "assets.csv", "id,price\nx,1\n");
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        world.run("csv").await;
    }
    assert_eq!(rows(&world).await.iter().map(|row| row.active).collect::<Vec<_>>(), [true, false]);
}
