//! Files that people and programs append to, edit, cut, sort anew, re-head and replace.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use kasparro_domain::{Run, RunStatus, Timestamp};
use kasparro_store::HistoryRange;
use proptest::prelude::*;
use serde_json::json;

use crate::world::{World, assert_same, write};

fn world() -> World {
    let mut world = World::new(None, vec![]);
    let path = world.folder.path().join("assets.csv").display().to_string();
    world.sources = vec![("csv", json!({"paths": [path]}))];
    world
}

async fn load(world: &World, text: &str) -> Run {
    write(world.folder.path(), "assets.csv", text);
    world.clock.advance(Duration::from_secs(60));
    world.run("csv").await
}

/// Prices by listing, as the quotes say.
async fn prices(world: &World) -> Vec<(String, String)> {
    let mut prices = Vec::new();
    for listing in world.listings("csv").await {
        let price = listing.quote.and_then(|quote| quote.values.price_usd).unwrap();
        prices.push((listing.external_id.to_string(), price.to_string()));
    }
    prices.sort();
    prices
}

fn known(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, price)| ((*id).to_owned(), (*price).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn appended_edited_cut_and_sorted_rows_give_the_right_store() {
    let world = world();
    load(&world, "id,price\na,1\nb,2\n").await;
    let appended = load(&world, "id,price\na,1\nb,2\nc,3\n").await;
    assert_eq!((appended.counts.inserted, appended.counts.unchanged), (1, 2));
    let edited = load(&world, "id,price\na,1\nb,20\nc,3\n").await;
    assert_eq!((edited.counts.updated, edited.counts.unchanged), (1, 2));
    let sorted = load(&world, "id,price\nc,3\nb,20\na,1\n").await;
    assert_eq!(sorted.counts.unchanged, 3);
    let cut = load(&world, "id,price\nc,3\n").await;
    assert_eq!((cut.counts.received, cut.counts.unchanged), (1, 1));
    assert_eq!(prices(&world).await, known(&[("a", "1"), ("b", "20"), ("c", "3")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_header_and_another_file_at_the_same_path_are_read_as_they_are() {
    let world = world();
    load(&world, "id,price\na,1\n").await;
    let re_headed = load(&world, "slug;name;current_price;market_cap\na;Alpha;2;9\n").await;
    assert_eq!(re_headed.counts.updated, 1);
    let replaced = load(&world, "symbol,price\nX,5\nY,6\n").await;
    assert_eq!((replaced.counts.inserted, replaced.status), (2, RunStatus::Success));
    assert_eq!(prices(&world).await, known(&[("X", "5"), ("Y", "6"), ("a", "2")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_becomes_empty_fails_and_loses_nothing() {
    let world = world();
    load(&world, "id,price\na,1\n").await;
    for text in ["", "id,price\n", "<html></html>"] {
        let run = load(&world, text).await;
        assert_eq!(run.status, RunStatus::Failed, "{text:?}");
    }
    assert_eq!(prices(&world).await, known(&[("a", "1")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_is_landed_in_chunks_and_read_as_one() {
    let world = world();
    let mut text = "id,price,note\n".to_owned();
    for n in 0..60_000 {
        writeln!(text, "coin-{n},{n}.5,\"a note, {}\"", "x".repeat(60)).unwrap();
    }
    text.push_str("coin-3,9,again\n");
    let run = load(&world, &text).await;
    assert!(run.pages > 1, "{run:?}");
    assert_eq!((run.counts.inserted, run.counts.duplicate), (60_000, 1));
    let again = load(&world, &text).await;
    assert_eq!((again.counts.unchanged, again.counts.duplicate), (60_000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_replaced_while_it_is_read_is_one_or_the_other() {
    let world = world();
    let text = |price: u32| {
        let rows: Vec<_> = (0..20_000).map(|n| format!("coin-{n},{price}\n")).collect();
        format!("id,price\n{}", rows.concat())
    };
    load(&world, &text(1)).await;
    let folder = world.folder.path().to_path_buf();
    let (one, other) = (text(2), text(3));
    let writer = tokio::task::spawn_blocking(move || {
        for turn in 0..30 {
            let next = write(&folder, "next.csv", if turn % 2 == 0 { &one } else { &other });
            std::fs::rename(next, folder.join("assets.csv")).unwrap();
        }
    });
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(60));
        let run = world.run("csv").await;
        assert_eq!(run.status, RunStatus::Success, "{run:?}");
        let seen: BTreeSet<String> =
            prices(&world).await.into_iter().map(|(_, price)| price).collect();
        assert_eq!(seen.len(), 1, "rows of two files were mixed");
    }
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_named_by_day_become_history_in_any_order() {
    let days = ["2025-08-05", "2025-08-06", "2025-08-07"];
    let mut kept = Vec::new();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut world = World::new(None, vec![]);
        let pattern = world.folder.path().join("prices_*.csv").display().to_string();
        world.sources = vec![("csv", json!({"paths": [pattern]}))];
        for index in order {
            let day = days[index];
            let text = format!("name,symbol,price\nBitcoin,BTC,{}\nEther,ETH,7\n", index + 1);
            write(world.folder.path(), &format!("prices_{day}.csv"), &text);
            world.clock.advance(Duration::from_secs(60));
            let run = world.run("csv").await;
            assert_eq!(run.status, RunStatus::Success, "{run:?}");
        }
        let listings = world.listings("csv").await;
        let bitcoin = listings.iter().find(|known| known.external_id == "Bitcoin|BTC").unwrap();
        let quote = bitcoin.quote.as_ref().unwrap();
        assert_eq!(quote.observed_at, Timestamp::parse("2025-08-07T00:00:00Z").unwrap());
        let points = world.store.history(bitcoin.listing_id, HistoryRange::default());
        assert_eq!(points.await.unwrap().len(), 3);
        let values = |row: &String| row.starts_with("quote ") || row.starts_with("history ");
        kept.push(world.kept().await.into_iter().filter(values).collect());
    }
    assert_same(&kept[0], &kept[1]);
    assert_same(&kept[0], &kept[2]);
}

/// Points of a few listings: no two of them state one instant otherwise.
fn points() -> impl Strategy<Value = Vec<(u8, u8, u32)>> {
    let point = (0..4_u8, 0..12_u8);
    prop::collection::btree_map(point, 0..50_u32, 1..40)
        .prop_map(|points| points.into_iter().map(|((id, day), price)| (id, day, price)).collect())
        .prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_rows_and_files_gives_the_same_store(points in points(), cut in 1..5_usize) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut sorted = points.clone();
            sorted.sort_unstable();
            let mut kept = Vec::new();
            for (points, files) in [(&sorted, 1), (&points, cut)] {
                let world = world();
                for part in points.chunks(points.len().div_ceil(files)) {
                    let mut text = "id,price,date\n".to_owned();
                    for (id, day, price) in part {
                        writeln!(text, "coin-{id},{price},2025-01-{:02}", day + 1).unwrap();
                    }
                    load(&world, &text).await;
                }
                let values = |row: &String| row.starts_with("quote ") || row.starts_with("history ");
                kept.push(world.kept().await.into_iter().filter(values).collect::<BTreeSet<_>>());
            }
            assert_same(&kept[0], &kept[1]);
        });
    }
}
