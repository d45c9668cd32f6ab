//! Errors that come with status 200: kept and told as changes, unless they repeat a key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kasparro_domain::{
    DriftKind, DriftRow, DriftSeverity, PageState, RunReason, RunStatus, SourceName,
};
use kasparro_engine::Lists;
use kasparro_store::contract::FailingStore;
use kasparro_store::{DriftFilter, PageFilter, PageRecord, StoreError};
use kasparro_testkit::{Reply, TinyUpstream};
use serde_json::json;

use crate::world::World;

const KEY: &str = "CG-canary/1+2";

fn world(reply: Reply) -> (TinyUpstream, World) {
    let upstream = TinyUpstream::script([reply]);
    let sources = vec![("coingecko", json!({"pages": 1, "api_key": KEY}))];
    let world = World::new(Some(upstream.url.clone()), sources);
    (upstream, world)
}

async fn refused(world: &World) -> Vec<PageRecord> {
    let filter = PageFilter { state: Some(PageState::Refused), ..PageFilter::default() };
    world.store.pages(filter).await.unwrap()
}

async fn drift(world: &World) -> Vec<DriftRow> {
    world.store.drift(DriftFilter::default()).await.unwrap()
}

/// What is on record after a run that is answered so: pages that are refused, and changes.
async fn recorded(reply: Reply, code: &str) -> (usize, usize) {
    let (_upstream, world) = world(reply);
    let run = world.run("coingecko").await;
    let error = run.error.unwrap();
    assert_eq!((run.status, error.code.as_str()), (RunStatus::Failed, code), "{error:?}");
    let dump = format!("{:?}", world.store.dump().await.unwrap());
    assert!(!dump.contains("canary"), "{dump}");
    (refused(&world).await.len(), drift(&world).await.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_an_error_with_status_200_is_kept_and_told_as_a_change() {
    let body = r#"{"status":{"error_code":10005,"error_message":"for subscribers only"}}"#;
    let (_upstream, world) = world(Reply::json(body));
    let run = world.run("coingecko").await;
    assert_eq!(run.error.unwrap().code, "plan_too_small");
    let pages = refused(&world).await;
    let [page] = pages.as_slice() else { panic!("{pages:?}") };
    let told = page.error.as_ref().map(|error| error.code.as_str());
    assert_eq!((told, page.page.rows_done), (Some("plan_too_small"), 0));
    let found = drift(&world).await;
    let [change] = found.as_slice() else { panic!("{found:?}") };
    let key = &change.event.key;
    assert_eq!(
        (key.endpoint.as_str(), key.kind, key.pointer.as_str(), key.after.as_str()),
        ("coins_markets", DriftKind::ErrorPage, "", "error object")
    );
    assert_eq!(
        (change.event.severity, change.page_id, change.refused),
        (DriftSeverity::Breaking, page.page.page_id, true)
    );
    let alerts = world.store.alerts(10).await.unwrap();
    assert!(alerts.iter().any(|alert| alert.alert.code == "drift"), "{alerts:?}");

    // There are no rows in it to be read after all.
    let engine = world.engine().await;
    let again = engine.retry_page(page.page.page_id, true, "ann", "perhaps").await.unwrap();
    assert_eq!((again, refused(&world).await.len()), (None, 1));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_an_error_that_repeats_the_key_is_not_kept() {
    for key in
        [KEY, r"CG-canary\/1+2", "CG-canary%2F1%2B2", "CG-canary%2f1%2b2", r"CG-canary/1\u002b2"]
    {
        let body = format!(r#"{{"error":"no such thing at /?x_cg_demo_api_key={key}"}}"#);
        assert_eq!(recorded(Reply::json(body), "upstream_error").await, (0, 0), "{key}");
        let page = format!("<html><a href=\"/?k={key}\">back</a></html>");
        let page = Reply::of("200 OK", "text/html", page);
        assert_eq!(recorded(page, "not_json").await, (0, 0), "{key}");
        // One that only the look at the whole body refuses.
        let body = format!(r#"{{"message":"no such key: {key}"}}"#);
        assert_eq!(recorded(Reply::json(body), "wrong_shape").await, (0, 0), "{key}");
    }
    let body = r#"{"error":"no such thing at /?x_cg_demo_api_key=***"}"#;
    assert_eq!(recorded(Reply::json(body), "upstream_error").await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_its_status_tells_is_no_change_and_a_long_one_is_not_kept() {
    let body = r#"{"error":"down"}"#;
    for (status, code) in [
        ("404 Not Found", "not_found"),
        ("503 Service Unavailable", "server_error"),
        ("203 Non-Authoritative Information", "unexpected_status"),
    ] {
        let reply = Reply::of(status, "application/json", body);
        assert_eq!(recorded(reply, code).await, (0, 0), "{status}");
    }
    let page = |length: usize| {
        let page = format!("<html>{:length$}</html>", "", length = length - 13);
        Reply::of("200 OK", "text/html", page)
    };
    assert_eq!(recorded(page(4_096), "not_json").await, (1, 1));
    assert_eq!(recorded(page(4_097), "not_json").await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_in_place_of_a_text_is_a_change_of_that_text() {
    let page = Reply::of("200 OK", "text/html", "<!DOCTYPE html><html>Log in</html>");
    let upstream = TinyUpstream::script([page]);
    let paths = json!({"paths": [format!("{}/x.csv", upstream.url)]});
    let world = World::new(None, vec![("csv", paths)]);
    assert_eq!(world.run("csv").await.error.unwrap().code, "not_csv");
    let found = drift(&world).await;
    let [change] = found.as_slice() else { panic!("{found:?}") };
    let key = &change.event.key;
    assert!(key.endpoint.ends_with("/x.csv"), "{key:?}");
    assert_eq!((key.kind, key.after.as_str()), (DriftKind::ErrorPage, "HTML"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_whose_process_died_before_it_was_refused_is_told_by_the_next() {
    let (_upstream, world) = world(Reply::json(r#"{"error":"no"}"#));
    let dead = Arc::new(AtomicBool::new(false));
    let died = Arc::clone(&dead);
    let store = FailingStore::new(Arc::clone(&world.store), move |call| {
        if call == "refuse" {
            died.store(true, Ordering::SeqCst);
        }
        match died.load(Ordering::SeqCst) {
            true => Err(StoreError::Unavailable("the process died".to_owned())),
            false => Ok(()),
        }
    });
    let engine = world.engine_on(Arc::new(store)).await;
    let source = [SourceName::new("coingecko")];
    engine.run_now(&source, RunReason::Manual, Lists::Due).await.unwrap_err();
    assert!(dead.load(Ordering::SeqCst));
    assert_eq!((refused(&world).await.len(), drift(&world).await.len()), (0, 0));
    drop(engine);
    world.engine().await;
    assert_eq!((refused(&world).await.len(), drift(&world).await.len()), (1, 1));
    world.prove().await;
}
