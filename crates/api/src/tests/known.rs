//! Answers that a client has already, besides lists: single things, news, and what never changes.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::IF_NONE_MATCH;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;

use super::client::{Reply, get, request};
use super::door::Inside;
use super::formats::{both, conditional};
use super::keyed::unlimited;
use super::resolved::resolved;
use super::world::{World, serve};
use crate::{ApiSettings, openapi};

const ITEM: (&str, &str, Option<&str>) = ("a", "Bitcoin rises", Some("2023-12-30T10:00:00Z"));
/// One of each sort that has a tag.
const TAGGED: [&str; 15] = [
    "/data",
    "/data?format=csv",
    "/listings?limit=1",
    "/listings/1",
    "/assets",
    "/assets/1",
    "/assets/1/identity",
    "/assets/1/history",
    "/news",
    "/rss-feed?format=json",
    "/rss-feed?format=rss",
    "/openapi.json",
    "/docs/swagger-ui-bundle.js",
    "/docs/docs.js",
    "/redoc/redoc.standalone.js",
];

fn tag(reply: &Reply) -> String {
    reply.header("etag").unwrap_or_else(|| panic!("no tag: {:?}", reply.headers)).to_owned()
}

/// Headers without what differs between two requests for the same.
fn steady(reply: &Reply) -> Vec<(String, String)> {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| !["date", "server-timing", "x-request-id"].contains(&name.as_str()));
    headers.sort();
    headers
}

async fn world() -> World {
    let mut world = World::with("coinpaprika", &[("btc", "BTC", "Bitcoin", Some("46018.8"))]).await;
    world.news("news.example/rss", &[ITEM]).await;
    world.refresh().await;
    world
}

#[tokio::test]
async fn a13_single_things_news_and_files_are_known_again() {
    let world = world().await;
    for served in both(&world).await {
        for target in TAGGED {
            let first = get(served.address, target).await;
            assert_eq!(first.status, 200, "{target}: {}", first.body);
            let tag = tag(&first);
            let again = conditional(served.address, target, &tag).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
            for header in ["etag", "cache-control", "vary", "x-generation"] {
                assert_eq!(again.header(header), first.header(header), "{target}: {header}");
            }
            assert_eq!(first.header("cache-control"), Some("no-cache"), "{target}");
            let exact = !first.body.contains("\"api_latency_ms\":") || target == "/openapi.json";
            assert_eq!(tag.starts_with('"'), exact, "{target}: {tag}");
            assert_eq!(conditional(served.address, target, "\"other\"").await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_304_tells_head_what_it_tells_get_and_no_length() {
    let world = world().await;
    for served in both(&world).await {
        for target in TAGGED {
            let tag = tag(&get(served.address, target).await);
            let asked = format!("if-none-match: {tag}\r\n");
            let of_get = request(served.address, "GET", target, &asked).await;
            let of_head = request(served.address, "HEAD", target, &asked).await;
            assert_eq!((of_get.status, of_head.status), (304, 304), "{target}");
            assert_eq!(steady(&of_head), steady(&of_get), "{target}");
            assert_eq!(of_head.header("content-length"), None, "{target}");
            assert_eq!(of_head.header("transfer-encoding"), None, "{target}");
        }
    }
    // Over HTTP/2 headers leave as they are here.
    for hot in [true, false] {
        let inside = Inside::of(self::world().await, unlimited(), |api| api.hot = hot);
        for target in TAGGED {
            let ask = |method: Method, tag: Option<http::HeaderValue>| {
                let mut request = Request::new(Full::<Bytes>::default());
                (*request.method_mut(), *request.uri_mut()) = (method, target.parse().unwrap());
                request.headers_mut().extend(tag.map(|tag| (IF_NONE_MATCH, tag)));
                inside.ask(request)
            };
            let tag = ask(Method::GET, None).await.headers["etag"].clone();
            let names = |headers: &HeaderMap| {
                let mut names: Vec<_> = headers.keys().map(ToString::to_string).collect();
                names.sort();
                names
            };
            let of_get = ask(Method::GET, Some(tag.clone())).await;
            let of_head = ask(Method::HEAD, Some(tag)).await;
            assert_eq!((of_get.status, of_head.status), (304, 304), "{target}");
            assert_eq!(names(&of_head.headers), names(&of_get.headers), "{target}");
            assert!(!of_get.headers.contains_key("content-length"), "{target}");
        }
    }
}

#[tokio::test]
async fn the_tag_of_an_asset_changes_with_what_time_changes_but_not_with_ages() {
    let world = world().await;
    let served = world.serve().await;
    let targets = ["/assets/1", "/assets/1/identity", "/listings/1"];
    let mut before = Vec::new();
    for target in targets {
        before.push(tag(&get(served.address, target).await));
    }
    let age = |reply: &Reply| reply.json()["price_sources"][0]["age_seconds"].as_u64().unwrap();
    let young = age(&get(served.address, "/assets/1").await);
    world.clock.advance(Duration::from_secs(60));
    for (target, tag) in targets.iter().zip(&before) {
        assert_eq!(conditional(served.address, target, tag).await.status, 304, "{target}");
    }
    assert_eq!(age(&get(served.address, "/assets/1").await), young + 60);
    world.clock.advance(Duration::from_secs(4 * 3600));
    world.refresh().await;
    let stale = conditional(served.address, "/assets/1", &before[0]).await;
    assert_eq!((stale.status, stale.header("x-generation")), (200, Some("2")), "{}", stale.body);
    assert_eq!(stale.json()["price_sources"][0]["reason"], "stale");
    let stale = conditional(served.address, "/listings/1", &before[2]).await;
    assert_eq!((stale.status, &stale.json()["stale"]), (200, &true.into()));
}

#[tokio::test]
async fn what_an_asset_lacks_while_the_database_is_away_is_not_taken_for_the_whole() {
    let world = resolved().await;
    let served = world.serve().await;
    world.switches.away.store(true, Ordering::SeqCst);
    let lacking = get(served.address, "/assets/1").await;
    assert!(lacking.json()["edges"].is_null(), "{}", lacking.body);
    let tag = tag(&lacking);
    assert_eq!(conditional(served.address, "/assets/1", &tag).await.status, 304);
    world.switches.away.store(false, Ordering::SeqCst);
    let whole = conditional(served.address, "/assets/1", &tag).await;
    assert_eq!(whole.status, 200);
    assert!(whole.json()["edges"].is_array(), "{}", whole.body);
}

#[tokio::test]
async fn news_are_known_again_until_there_are_others() {
    let mut world = world().await;
    let served = world.serve().await;
    let targets = ["/news", "/rss-feed?format=json", "/rss-feed?format=rss"];
    let mut before = Vec::new();
    for target in targets {
        before.push(tag(&get(served.address, target).await));
    }
    world.commit("coinpaprika", &[("btc", "BTC", "Bitcoin", Some("46019"))]).await;
    world.refresh().await;
    for (target, tag) in targets.iter().zip(&before) {
        let reply = conditional(served.address, target, tag).await;
        assert_eq!(reply.status, 304, "{target}: a price is no news");
    }
    world.news("news.example/rss", &[("b", "Ether falls", None)]).await;
    for (target, tag) in targets.iter().zip(&before) {
        let reply = conditional(served.address, target, tag).await;
        assert_eq!(reply.status, 200, "{target}");
        assert!(reply.body.contains("Ether falls"), "{target}");
    }
}

#[tokio::test]
async fn single_things_and_news_may_be_kept_where_lists_may() {
    let world = world().await;
    world.set_state("coinpaprika", true).await;
    let settings = ApiSettings { max_age: Duration::from_secs(60), ..unlimited() };
    let served = serve(world.api(settings)).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while get(served.address, "/data").await.header("cache-control") != Some("max-age=60") {
        assert!(std::time::Instant::now() < deadline, "/data may not be kept");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for target in ["/assets/1", "/assets/1/identity", "/listings/1", "/news", "/rss-feed"] {
        let reply = get(served.address, target).await;
        assert_eq!(reply.header("cache-control"), Some("max-age=60"), "{target}");
        let again = conditional(served.address, target, &tag(&reply)).await;
        assert_eq!(again.header("cache-control"), Some("max-age=60"), "{target}");
    }
    for target in ["/openapi.json", "/docs/docs.js", "/health"] {
        let reply = get(served.address, target).await;
        assert_eq!(reply.header("cache-control"), Some("no-cache"), "{target}");
    }
}

#[test]
fn the_description_says_which_answers_are_known_again() {
    let document = openapi::document();
    let described = document.paths.paths.iter().filter(|(_, item)| {
        let get = item.get.as_ref();
        get.is_some_and(|get| get.responses.responses.contains_key("304"))
    });
    let described: Vec<_> = described.map(|(path, _)| path.as_str()).collect();
    let expected = [
        "/assets",
        "/assets/{id}",
        "/assets/{id}/history",
        "/assets/{id}/identity",
        "/csv-data",
        "/data",
        "/docs/{file}",
        "/listings",
        "/listings/{id}",
        "/listings/{id}/history",
        "/news",
        "/openapi.json",
        "/redoc/{file}",
        "/rss-feed",
    ];
    assert_eq!(described, expected);
}
