//! Requests under way: panics, time limits and draining, with operations made for the test.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get as on_get;
use tokio::sync::Notify;

use super::client::{get, get_json};
use super::world::{World, serve};
use crate::ApiSettings;

#[tokio::test]
async fn i8_a_panic_costs_one_request_and_not_the_process() {
    let world = World::with_many(3).await;
    let mut api = world.api(ApiSettings::default());
    async fn panics() {
        panic!("made for this test");
    }
    api.router = Router::new().route("/panic", on_get(panics));
    let served = serve(api).await;
    let reply = get(served.address, "/panic").await;
    reply.assert_problem(500, "internal_error");
    assert!(!reply.body.contains("made for this test"));
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let world = World::with_many(3).await;
    let settings =
        ApiSettings { request_timeout: Duration::from_millis(100), ..ApiSettings::default() };
    let mut api = world.api(settings);
    api.router = Router::new().route("/never", on_get(std::future::pending::<()>));
    let served = serve(api).await;
    get(served.address, "/never").await.assert_problem(503, "request_timeout");
}

#[tokio::test]
async fn a_library_s_plain_error_becomes_a_problem() {
    let world = World::with_many(3).await;
    let mut api = world.api(ApiSettings::default());
    let plain = || async { (http::StatusCode::IM_A_TEAPOT, "plain text") };
    api.router = Router::new().route("/plain", on_get(plain));
    let served = serve(api).await;
    get(served.address, "/plain").await.assert_problem(400, "bad_request");
    get(served.address, "/else").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn shutdown_lets_a_request_under_way_end() {
    let world = World::with_many(3).await;
    let mut api = world.api(ApiSettings::default());
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = move || async move {
        begins.notify_one();
        goes_on.notified().await;
        "done"
    };
    api.router = Router::new().route("/slow", on_get(slow));
    let shared = Arc::clone(&api.shared);
    let mut served = serve(api).await;
    let address = served.address;
    let asking = tokio::spawn(async move { get(address, "/slow").await });
    begun.notified().await;
    served.shutdown.cancel();
    while !shared.draining.load(std::sync::atomic::Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert!(!served.task.is_finished());
    go_on.notify_one();
    assert_eq!(asking.await.unwrap().body, "done");
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.task).await;
    assert!(ended.expect("an end before the drain limit").unwrap().is_ok());
}

#[tokio::test]
async fn shutdown_gives_a_stuck_request_up_after_the_drain_limit() {
    let world = World::with_many(3).await;
    let settings =
        ApiSettings { drain_timeout: Duration::from_millis(100), ..ApiSettings::default() };
    let mut api = world.api(settings);
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let stuck = move || async move {
        begins.notify_one();
        std::future::pending::<()>().await;
    };
    api.router = Router::new().route("/stuck", on_get(stuck));
    let mut served = serve(api).await;
    let address = served.address;
    let asking = tokio::spawn(super::client::send(
        address,
        b"GET /stuck HTTP/1.1\r\nhost: a\r\n\r\n".as_slice(),
    ));
    begun.notified().await;
    served.shutdown.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), &mut served.task).await;
    assert!(ended.expect("an end soon after the drain limit").unwrap().is_ok());
    assert!(asking.await.unwrap().is_empty());
}
