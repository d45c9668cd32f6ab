//! Files and texts whose meaning changes between runs, or that fail beside others.

use std::io::Write as _;
use std::time::Duration;

use kasparro_domain::{Run, RunStatus};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::{Value, json};

use crate::world::{World, assert_same, write};

fn csv(options: Value) -> World {
    World::new(None, vec![("csv", options)])
}

/// Writes the only file of a world that reads `assets.csv`, and runs it a minute later.
async fn run_with(world: &World, text: &str) -> Run {
    write(world.folder.path(), "assets.csv", text);
    world.clock.advance(Duration::from_secs(60));
    world.run("csv").await
}

fn world_of_one_file(further: Value) -> World {
    let mut world = csv(Value::Null);
    let path = world.folder.path().join("assets.csv").display().to_string();
    let mut options = json!({"paths": [path]});
    if let (Some(options), Some(further)) = (options.as_object_mut(), further.as_object()) {
        options.extend(further.clone());
    }
    world.sources = vec![("csv", options)];
    world
}

async fn price(world: &World, id: &str) -> Option<String> {
    let listings = world.listings("csv").await;
    let listing = listings.into_iter().find(|listing| listing.external_id == id)?;
    listing.quote?.values.price_usd.map(|price| price.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_row_below_a_corrected_header_is_read_again() {
    let world = world_of_one_file(json!({}));
    run_with(&world, "id,price,volume\nbtc,100,5\n").await;
    let corrected = run_with(&world, "id,volume,price\nbtc,100,5\n").await;
    assert_eq!(corrected.counts.updated, 1);
    assert_eq!(price(&world, "btc").await.unwrap(), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symbol_that_repeats_later_is_ambiguous_from_then_on() {
    let world = world_of_one_file(json!({}));
    run_with(&world, "symbol,price\nBTC,100\n").await;
    let run = run_with(&world, "symbol,price\nBTC,100\nBTC,200\n").await;
    assert_eq!((run.counts.quarantined, run.status), (2, RunStatus::Partial));
    assert_eq!(run.error.unwrap().code, "nothing_believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_without_a_time_never_makes_the_price_flap() {
    let world = world_of_one_file(json!({}));
    for (n, further) in ["y,1\n", "y,2\n", "y,3\n"].iter().enumerate() {
        let run = run_with(&world, &format!("id,price\nx,1\nx,2\n{further}")).await;
        assert_eq!(run.counts.duplicate, 1, "run {n}");
        assert_eq!(price(&world, "x").await.unwrap(), "1", "run {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.csv", "id,price\nbtc,1\n");
    let empty = write(folder.path(), "empty.csv", "id,price\n");
    let missing = folder.path().join("missing.csv").display().to_string();
    let pattern = folder.path().join("*.csv").display().to_string();
    for paths in [json!([missing, good]), json!([pattern]), json!([empty, good])] {
        let world = csv(json!({"paths": paths}));
        let run = world.run("csv").await;
        assert_eq!((run.status, run.counts.inserted), (RunStatus::Partial, 1), "{run:?}");
        assert!(run.error.unwrap().message.contains(".csv"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_with_the_same_path_are_two_texts() {
    let upstreams =
        ["a", "b"].map(|id| TinyUpstream::script([gzipped(&format!("id,price\n{id},1\n"))]));
    let paths = upstreams.each_ref().map(|upstream| format!("{}/x.csv", upstream.url));
    let world = csv(json!({"paths": paths}));
    let run = world.run("csv").await;
    assert_eq!(
        (run.status, run.counts.inserted, run.requests),
        (RunStatus::Success, 2, 2),
        "{run:?}"
    );
}

/// A gzip file, served as it lies on the disk.
fn gzipped(text: &str) -> Reply {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    Reply::of("200 OK", "application/octet-stream", gzip.finish().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_that_lay_in_the_future_is_believed_once_it_has_passed() {
    let world = world_of_one_file(json!({}));
    let text = "id,price,date\nbtc,1,2026-01-01T00:08:00Z\n";
    assert_eq!(run_with(&world, text).await.counts.quarantined, 1);
    world.clock.advance(Duration::from_secs(600));
    assert_eq!(run_with(&world, text).await.counts.inserted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_again_is_unchanged_whatever_it_holds() {
    let world = world_of_one_file(json!({}));
    let text = "id,price\nx,1\nx,2\nbad,-1\ny,3\n";
    let first = run_with(&world, text).await;
    let before = world.kept().await;
    let second = run_with(&world, text).await;
    assert_eq!((first.counts.inserted, second.counts.unchanged), (2, 2));
    assert_eq!((second.counts.duplicate, second.counts.quarantined), (1, 1));
    assert_same(&world.kept().await, &before);
}
