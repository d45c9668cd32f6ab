//! Pages that are refused as a whole, and what people do about them.

use std::time::Duration;

use kasparro_domain::{
    DriftKind, DriftSeverity, DriftStatus, PageState, Run, RunReason, RunStatus,
};
use kasparro_engine::{Lists, PageRules};
use kasparro_store::{DriftFilter, PageFilter, PageRecord, TableDump};
use kasparro_testkit::TinyUpstream;

use crate::rows::{json, page, ticker};
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);

fn ruled(upstream: &TinyUpstream) -> World {
    let mut world = World::tickers(upstream.url.clone());
    world.page_rules = PageRules::default();
    world
}

/// A page of tickers whose prices have moved a little since the last one, at this hour.
fn tickers(count: u32, hour: u32) -> Vec<String> {
    let at = format!("2025-12-31T{hour:02}:00:00Z");
    (0..count).map(|n| ticker(&format!("coin-{n}"), n + 1, &price(n, hour), &at)).collect()
}

fn price(n: u32, hour: u32) -> String {
    // Each coin has a price of its own that moves by a few percent.
    let moved = 100 + (n * 7 + hour * 13) % 5;
    format!("{}.{:02}", (n + 1) * moved / 100, (n * 31 + hour * 17) % 97 + 1)
}

async fn refused(world: &World) -> Vec<PageRecord> {
    let filter = PageFilter { state: Some(PageState::Refused), ..PageFilter::default() };
    world.store.pages(filter).await.unwrap()
}

fn code(run: &Run) -> Option<&str> {
    run.error.as_ref().map(|error| error.code.as_str())
}

async fn quotes(world: &World) -> Vec<TableDump> {
    let kept = ["quote", "history", "listing", "checkpoint"];
    let tables = world.store.dump().await.unwrap();
    tables.into_iter().filter(|table| kept.contains(&table.name)).collect()
}

/// A world that has seen a few healthy hours of `count` coins.
async fn healthy(upstream: &TinyUpstream, count: u32) -> World {
    let world = ruled(upstream);
    for hour in 10..14 {
        let body = page(&tickers(count, hour));
        upstream.answer(move |_| json(&body));
        let run = world.run("coinpaprika").await;
        assert_eq!((run.status, code(&run)), (RunStatus::Success, None));
        world.clock.advance(HOUR);
    }
    let drift = world.store.drift(DriftFilter::default()).await.unwrap();
    assert_eq!(drift, [], "a drift detector does not alarm on healthy payloads");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_a_page_with_too_many_bad_rows_is_refused_whole_and_loads_when_forced() {
    let mut rows = tickers(14, 10);
    for (n, row) in rows.iter_mut().enumerate().take(6) {
        *row = ticker(&format!("coin-{n}"), 1, "-1", "2025-12-31T10:00:00Z");
    }
    let body = page(&rows);
    let upstream = TinyUpstream::start(move |_| json(&body));
    let world = ruled(&upstream);
    let run = world.run("coinpaprika").await;
    assert_eq!((run.status, code(&run)), (RunStatus::Failed, Some("too_many_bad_rows")));
    assert_eq!(run.counts.received, 0, "{run:?}");
    let pages = refused(&world).await;
    let [only] = pages.as_slice() else { panic!("{pages:?}") };

    let engine = world.engine().await;
    let page_id = only.page.page_id;
    let again = engine.retry_page(page_id, false, "ann", "perhaps").await.unwrap().unwrap();
    assert_eq!((again.status, code(&again)), (RunStatus::Failed, Some("too_many_bad_rows")));
    assert_eq!(refused(&world).await.len(), 1, "it is refused once more");
    world.prove().await;
    let forced = engine.retry_page(page_id, true, "ann", "I looked").await.unwrap().unwrap();
    assert_eq!((forced.status, forced.reason), (RunStatus::Success, RunReason::Retry));
    assert_eq!((forced.counts.inserted, forced.counts.quarantined), (8, 6));
    assert_eq!(refused(&world).await, []);
    let twice = engine.retry_page(page_id, true, "ann", "once more").await.unwrap();
    assert_eq!(twice, None, "nothing is left to read");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_bad_rows_refuse_no_page() {
    let mut rows = tickers(6, 10);
    for (n, row) in rows.iter_mut().enumerate().take(4) {
        *row = ticker(&format!("coin-{n}"), 1, "-1", "2025-12-31T10:00:00Z");
    }
    let body = page(&rows);
    let upstream = TinyUpstream::start(move |_| json(&body));
    let run = ruled(&upstream).run("coinpaprika").await;
    assert_eq!((run.counts.inserted, run.counts.quarantined), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn i7_fewer_than_half_of_the_usual_rows_are_refused_and_do_not_block_the_next_run() {
    let upstream = TinyUpstream::start(|_| json("[]"));
    let world = healthy(&upstream, 40).await;
    let before = quotes(&world).await;
    let cut = page(&tickers(19, 14));
    upstream.answer(move |_| json(&cut));
    let run = world.run("coinpaprika").await;
    assert_eq!((run.status, code(&run)), (RunStatus::Failed, Some("too_few_rows")));
    assert_eq!(quotes(&world).await, before, "nothing stored has changed, the checkpoint stays");
    let half = page(&tickers(20, 15));
    upstream.answer(move |_| json(&half));
    world.clock.advance(HOUR);
    assert_eq!(world.run("coinpaprika").await.status, RunStatus::Success, "half is enough");
    let engine = world.engine().await;
    let page_id = refused(&world).await[0].page.page_id;
    let forced = engine.retry_page(page_id, true, "ann", "it was right").await.unwrap().unwrap();
    // A newer page was loaded since: what the old one says is history.
    assert_eq!((forced.counts.received, forced.counts.stale), (19, 19), "{forced:?}");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_a_renamed_price_wipes_no_value_until_somebody_accepts_it() {
    let upstream = TinyUpstream::start(|_| json("[]"));
    let world = healthy(&upstream, 60).await;
    let before = quotes(&world).await;
    let renamed = page(&tickers(60, 14)).replace("\"price\":", "\"price_in_usd\":");
    upstream.answer(move |_| json(&renamed));
    let run = world.run("coinpaprika").await;
    assert_eq!((run.status, code(&run)), (RunStatus::Failed, Some("drift")), "{run:?}");
    assert_eq!(quotes(&world).await, before);
    let breaking = DriftFilter {
        severity: Some(DriftSeverity::Breaking),
        status: Some(DriftStatus::Open),
        ..DriftFilter::default()
    };
    let found = world.store.drift(breaking.clone()).await.unwrap();
    let shown: Vec<_> = found
        .iter()
        .map(|row| (row.event.key.kind, row.event.key.pointer.as_str(), row.refused))
        .collect();
    assert_eq!(shown, [(DriftKind::FieldRenamed, "/quotes/USD/price", true)]);
    assert_eq!(found[0].event.breaks, ["price_usd"]);
    let alerts = world.store.alerts(10).await.unwrap();
    let codes: Vec<&str> = alerts.iter().map(|alert| alert.alert.code.as_str()).collect();
    assert!(codes.contains(&"drift") && codes.contains(&"page_refused"), "{codes:?}");

    // The provider mends it: the source goes on by itself.
    let body = page(&tickers(60, 15));
    upstream.answer(move |_| json(&body));
    world.clock.advance(HOUR);
    assert_eq!(world.run("coinpaprika").await.status, RunStatus::Success);
    let engine = world.engine().await;
    let ids: Vec<_> = found.iter().map(|row| row.drift_id).collect();
    assert_eq!(engine.accept_drift(&ids, "ann", "announced").await.unwrap(), 1);
    assert_eq!(engine.accept_drift(&ids, "ann", "announced").await.unwrap(), 0);
    let page_id = refused(&world).await[0].page.page_id;
    let read = engine.retry_page(page_id, false, "ann", "accepted").await.unwrap().unwrap();
    assert_eq!((read.status, read.counts.stale), (RunStatus::Success, 60), "{read:?}");
    assert_eq!(world.store.drift(breaking).await.unwrap(), []);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_evolves_loads_what_has_changed() {
    let upstream = TinyUpstream::start(|_| json("[]"));
    let mut world = healthy(&upstream, 60).await;
    world.page_rules.drift = kasparro_domain::DriftMode::Evolve;
    let cents = tickers(60, 14).join(",").replace("\"price\":", "\"price\":1");
    let body = format!("[{cents}]");
    upstream.answer(move |_| json(&body));
    let run = world.run("coinpaprika").await;
    assert_eq!(run.status, RunStatus::Success);
    assert_eq!(run.counts.updated, 60);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_reopened_by_a_process_that_died_is_finished_by_the_next() {
    let mut rows = tickers(14, 10);
    for (n, row) in rows.iter_mut().enumerate().take(6) {
        *row = ticker(&format!("coin-{n}"), 1, "-1", "2025-12-31T10:00:00Z");
    }
    let body = page(&rows);
    let upstream = TinyUpstream::start(move |_| json(&body));
    let world = ruled(&upstream);
    world.run("coinpaprika").await;
    let page_id = refused(&world).await[0].page.page_id;
    let source = kasparro_domain::SourceName::new("coinpaprika");
    let lease = world.store.leases().await.unwrap().remove(0);
    let run_id = kasparro_domain::RunId(uuid::Uuid::now_v7());
    let now = world.clock_now();
    world.store.queue_run(run_id, &source, RunReason::Retry, now).await.unwrap();
    let started = kasparro_store::RunUpdate::Started { at: now, options: serde_json::json!({}) };
    world.store.update_run(run_id, lease.epoch, started).await.unwrap();
    let reopening = kasparro_store::Reopening {
        who: "ann".to_owned(),
        why: "I looked".to_owned(),
        forced: true,
        run_id,
        decided_at: now,
    };
    world.store.reopen(page_id, lease.epoch, reopening).await.unwrap();
    // The rules hold for whoever finishes it: it is refused once more, and blocks nothing.
    let engine = world.engine().await;
    assert_eq!(refused(&world).await.len(), 1);
    let body = page(&tickers(14, 11));
    upstream.answer(move |_| json(&body));
    let run = engine.run_now(&[source], RunReason::Manual, Lists::Due).await.unwrap().remove(0);
    assert_eq!((run.status, run.counts.inserted), (RunStatus::Success, 14));
    world.prove().await;
}
