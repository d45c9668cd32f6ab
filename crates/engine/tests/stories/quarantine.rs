//! Rows that were not believed are kept, read again after a fix, or given up.

use std::time::Duration;

use kasparro_domain::{DecisionKind, PageId, RejectionReason, RunReason, RunStatus};
use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStatus};
use kasparro_testkit::TinyUpstream;
use serde_json::json;

use crate::rows::{json as json_answer, page, ticker};
use crate::world::{World, write};

async fn quarantined(world: &World) -> Vec<QuarantineRow> {
    world.store.quarantined(QuarantineFilter::default()).await.unwrap()
}

fn numbers(rows: &[QuarantineRow]) -> Vec<i64> {
    rows.iter().map(|row| row.quarantine_id).collect()
}

/// A world with a file whose price stands in another column than it seems.
async fn misread() -> World {
    let mut world = World::new(None, vec![]);
    let text = "id,price,cost\na,one,1\nb,2,2\nc,three,oops\nd,four,4\n";
    let path = write(world.folder.path(), "assets.csv", text);
    world.sources = vec![("csv", json!({"paths": [path]}))];
    let run = world.run("csv").await;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (1, 3));
    world
}

/// The fix: the column is named.
fn fix(world: &mut World) {
    let path = world.folder.path().join("assets.csv").display().to_string();
    let files = json!([{"path": path, "columns": {"price_usd": "cost"}}]);
    world.sources = vec![("csv", json!({"paths": [path], "files": files}))];
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_again_after_a_fix_exactly_those_and_accounted_for() {
    let mut world = misread().await;
    let rows = quarantined(&world).await;
    world.clock.advance(Duration::from_secs(60));
    fix(&mut world);
    let engine = world.engine().await;
    let runs = engine.retry(&numbers(&rows), "ann", "the column was wrong").await.unwrap();
    let run = &runs[0];
    assert_eq!((run.reason, run.status), (RunReason::Retry, RunStatus::Success));
    let counts = &run.counts;
    assert_eq!((counts.received, counts.inserted, counts.quarantined), (3, 2, 1));
    let after = quarantined(&world).await;
    let status: Vec<_> = after.iter().map(|row| row.status).collect();
    use QuarantineStatus::{Loaded, Open};
    assert_eq!(status, [Loaded, Open, Loaded]);
    assert_eq!((after[1].reason, after[1].field.as_str()), (RejectionReason::BadNumber, "cost"));
    let listings = world.listings("csv").await;
    assert_eq!(listings.len(), 3);
    let decisions = world.store.decisions().await.unwrap();
    assert_eq!(decisions.len(), 1);
    assert_eq!((decisions[0].kind, decisions[0].rows.len()), (DecisionKind::Retry, 3));
    assert_eq!((decisions[0].who.as_str(), decisions[0].after_page), ("ann", PageId(1)));
    world.prove().await;

    let again = engine.retry(&numbers(&after[..1]), "ann", "again").await.unwrap();
    assert_eq!(again, [], "what is loaded is not open");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_read_again_late_never_replace_newer_ones() {
    let mut world = misread().await;
    world.clock.advance(Duration::from_secs(60));
    write(world.folder.path(), "assets.csv", "id,price,cost\na,9,9\n");
    world.run("csv").await;
    let rows = quarantined(&world).await;
    fix(&mut world);
    let engine = world.engine().await;
    let runs = engine.retry(&numbers(&rows[..1]), "ann", "late").await.unwrap();
    assert_eq!((runs[0].counts.received, runs[0].counts.stale), (1, 1));
    let listings = world.listings("csv").await;
    let a = listings.into_iter().find(|listing| listing.external_id == "a").unwrap();
    assert_eq!(a.quote.unwrap().values.price_usd.unwrap().as_str(), "9");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_given_up_stay_and_are_not_read_again() {
    let mut world = misread().await;
    let rows = quarantined(&world).await;
    let engine = world.engine().await;
    assert_eq!(engine.discard(&numbers(&rows[..2]), "bob", "junk").await.unwrap(), 2);
    assert_eq!(engine.discard(&numbers(&rows[..2]), "bob", "junk").await.unwrap(), 0);
    world.prove().await;
    fix(&mut world);
    let engine = world.engine().await;
    let runs = engine.retry(&numbers(&rows), "ann", "all").await.unwrap();
    assert_eq!((runs[0].counts.received, runs[0].counts.inserted), (1, 1));
    let status: Vec<_> = quarantined(&world).await.iter().map(|row| row.status).collect();
    use QuarantineStatus::{Discarded, Loaded};
    assert_eq!(status, [Discarded, Discarded, Loaded]);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_many_pages_and_batches_are_read_again_in_one_run() {
    let at = "2025-12-31T23:00:00Z";
    let bad = |from: u32| -> Vec<String> {
        (from..from + 3_000).map(|n| ticker(&format!("coin-{n}"), 1, "-1", at)).collect()
    };
    let pages = [page(&bad(0)), page(&bad(3_000))];
    let upstream = TinyUpstream::script(pages.map(|page| json_answer(&page)));
    let mut world = World::tickers(upstream.url.clone());
    world.max_body_bytes = 32 << 20;
    world.run("coinpaprika").await;
    world.run("coinpaprika").await;
    let rows = quarantined(&world).await;
    assert_eq!(rows.len(), 6_000);
    let engine = world.engine().await;
    let runs = engine.retry(&numbers(&rows), "ann", "").await.unwrap();
    assert_eq!(
        (runs.len(), runs[0].counts.received, runs[0].counts.quarantined),
        (1, 6_000, 6_000)
    );
    assert!(quarantined(&world).await.iter().all(|row| row.status == QuarantineStatus::Open));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_shown_with_its_header_and_neighbours() {
    let world = misread().await;
    let row = quarantined(&world).await.remove(1);
    let shown = kasparro_engine::raw_row(&world.store, row.page_id, row.ordinal, 1).await.unwrap();
    assert_eq!(shown.header.as_deref(), Some("id,price,cost"));
    let rows: Vec<_> = shown.rows.iter().map(|(at, row)| (*at, row.as_str())).collect();
    assert_eq!(rows, [(1, "b,2,2"), (2, "c,three,oops"), (3, "d,four,4")]);
}
