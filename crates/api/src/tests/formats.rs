//! Forms and tags of answers.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::client::{Reply, get, get_json, request};
use super::keyed::unlimited;
use super::world::{Served, World, serve};
use crate::ApiSettings;

/// The same world behind the hot path and behind the router.
pub(super) async fn both(world: &World) -> [Served; 2] {
    let hot = world.serve().await;
    let mut api = world.api(unlimited());
    api.hot = false;
    [hot, serve(api).await]
}

async fn world() -> World {
    let coins = [
        ("btc-bitcoin", "BTC", "Bitcoin", Some("46018.8215")),
        ("evil", "=1+1", "@SUM(A1)", Some("3.84e-18")),
        ("unknown", "X,Y", "say \"x\"", None),
    ];
    World::with("coinpaprika", &coins).await
}

const CSV: &str = "id,symbol,name,price_usd\r\n\
    1,BTC,Bitcoin,46018.8215\r\n\
    2,'=1+1,'@SUM(A1),3.84e-18\r\n\
    3,\"X,Y\",\"say \"\"x\"\"\",\r\n";

#[tokio::test]
async fn a_page_comes_as_csv_or_lines_by_parameter_or_header() {
    let world = world().await;
    for served in both(&world).await {
        let target = "/data?fields=id,symbol,name,price_usd";
        let named = get(served.address, &format!("{target}&format=csv")).await;
        let accepted = request(served.address, "GET", target, "accept: text/csv\r\n").await;
        for reply in [named, accepted] {
            assert_eq!((reply.status, reply.body.as_str()), (200, CSV));
            let content_type = reply.header("content-type").unwrap();
            assert!(content_type.starts_with("text/csv"), "{content_type}");
            assert_eq!(reply.header("x-total-count"), Some("3"));
            assert_eq!(reply.header("x-generation"), Some("1"));
            assert!(reply.header("etag").unwrap().starts_with('"'), "the same byte by byte");
        }
        let lines = get(served.address, &format!("{target}&format=ndjson")).await;
        assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
        let rows: Vec<Value> =
            lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let json = get_json(served.address, target).await;
        assert_eq!(Value::from(rows), json["data"]);
        let both = "accept: text/csv\r\n";
        let json = request(served.address, "GET", &format!("{target}&format=json"), both).await;
        assert_eq!(json.header("content-type"), Some("application/json"));
        get(served.address, &format!("{target}&format=xml"))
            .await
            .assert_problem(400, "invalid_parameter");
    }
}

#[tokio::test]
async fn csv_is_walked_by_its_links_and_every_row_comes_once() {
    let world = World::with_many(45).await;
    let served = world.serve().await;
    let mut target = "/api/v1/data/?format=csv&limit=20&fields=id&symbol=sym".to_owned();
    let mut ids = Vec::new();
    loop {
        let reply = get(served.address, &target).await;
        ids.extend(reply.body.lines().skip(1).map(|line| line.parse::<i64>().unwrap()));
        let Some(link) = reply.header("link") else { break };
        let (next, rel) = link.split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        target = next.trim_start_matches('<').to_owned();
    }
    assert_eq!(ids, (1..=45).collect::<Vec<i64>>());
}

#[tokio::test]
async fn assets_and_history_come_in_the_same_forms() {
    let world = world().await;
    let served = world.serve().await;
    for (target, header) in [
        ("/assets?x", "id,asset_id,symbol,name,class,identity,sources,price_usd,listings,reason"),
        ("/assets/1/history?x", "source,external_id,observed_at,price_usd,market_cap,volume_24h"),
        (
            "/listings/1/history?revisions=all&x",
            "source,external_id,observed_at,revision,price_usd,market_cap,volume_24h",
        ),
        (
            "/listings/1/history?interval=1h&x",
            "source,external_id,from,to,open,high,low,close,points",
        ),
    ] {
        let plain = target.trim_end_matches("&x").trim_end_matches("?x");
        let json = get_json(served.address, plain).await;
        let csv = get(served.address, &target.replace('x', "format=csv")).await;
        assert_eq!(csv.status, 200, "{}", csv.body);
        let rows = json["data"].as_array().unwrap();
        assert_eq!(csv.body.lines().next(), Some(header), "{target}");
        assert_eq!(csv.body.lines().count(), rows.len() + 1, "{target}");
        let lines = get(served.address, &target.replace('x', "format=ndjson")).await;
        let lines: Vec<Value> =
            lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, rows, "{target}");
    }
}

pub(super) async fn conditional(address: SocketAddr, target: &str, tag: &str) -> Reply {
    request(address, "GET", target, &format!("if-none-match: {tag}\r\n")).await
}

#[tokio::test]
async fn a13_what_a_client_has_is_not_sent_again_until_it_changes() {
    let mut world = world().await;
    let served = both(&world).await;
    let targets = [
        "/data",
        "/data?format=csv",
        "/data?symbol=btc&format=ndjson",
        "/listings?limit=1",
        "/csv-data",
        "/assets",
        "/assets/1/history",
        "/listings/1/history?interval=1d&format=csv",
    ];
    let mut before = Vec::new();
    for served in &served {
        for target in targets {
            let reply = get(served.address, target).await;
            let tag = reply.header("etag").unwrap_or_else(|| panic!("{target}")).to_owned();
            let strong = target.contains("format=");
            assert_eq!(tag.starts_with("W/"), !strong, "{target}: {tag}");
            assert!(tag.trim_start_matches("W/").starts_with("\"1-"), "{tag}");
            assert_eq!(reply.header("cache-control"), Some("no-cache"), "{target}");
            assert_eq!(
                reply.header("vary"),
                Some("accept, accept-encoding, x-min-generation"),
                "{target}"
            );
            let again = conditional(served.address, target, &tag).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
            for header in ["etag", "cache-control", "vary", "x-generation"] {
                assert_eq!(again.header(header), reply.header(header), "{target}: {header}");
            }
            assert!(again.header("x-request-id").is_some());
            assert_eq!(conditional(served.address, target, "\"other\"").await.status, 200);
            before.push(tag);
        }
    }
    world.commit("coinpaprika", &[("btc-bitcoin", "BTC", "Bitcoin", Some("46019"))]).await;
    world.refresh().await;
    for served in &served {
        for (target, tag) in targets.iter().zip(&before) {
            let reply = conditional(served.address, target, tag).await;
            assert_eq!(reply.status, 200, "{target}: the generation is another one");
        }
    }
}

#[tokio::test]
async fn a13_a_tag_changes_when_rows_become_stale_without_a_new_generation() {
    let world = world().await;
    let served = world.serve().await;
    let fresh = get(served.address, "/data").await;
    world.clock.advance(Duration::from_secs(4 * 3600));
    world.refresh().await;
    let stale = conditional(served.address, "/data", fresh.header("etag").unwrap()).await;
    assert_eq!(stale.status, 200);
    assert_eq!(stale.json()["data"][0]["stale"], true);
    assert_eq!(stale.header("x-generation"), fresh.header("x-generation"));
}

#[tokio::test]
async fn answers_may_be_kept_until_the_next_scheduled_run_where_that_is_configured() {
    let world = world().await;
    world.set_state("coinpaprika", true).await;
    let settings =
        ApiSettings { max_age: Duration::from_secs(24 * 3600), ..ApiSettings::default() };
    let served = serve(world.api(settings)).await;
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let reply = get(served.address, "/data").await;
        if reply.header("cache-control") == Some("max-age=3600") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{:?}", reply.headers);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.clock.advance(Duration::from_secs(3600));
    let reply = get(served.address, "/data").await;
    assert_eq!(reply.header("cache-control"), Some("no-cache"), "the run is due");
}

#[tokio::test]
async fn head_tells_what_get_would_without_its_body() {
    let world = World::with_many(3).await;
    let served = world.serve().await;
    for target in
        ["/data", "/data?format=csv", "/listings/1", "/assets", "/health", "/openapi.json"]
    {
        let (get, head) =
            (get(served.address, target).await, request(served.address, "HEAD", target, "").await);
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{target}");
        for header in ["content-type", "etag", "x-generation", "cache-control"] {
            assert_eq!(head.header(header), get.header(header), "{target}: {header}");
        }
    }
}

#[tokio::test]
async fn every_answer_tells_how_long_it_took() {
    let world = World::with_many(1).await;
    let served = world.serve().await;
    for target in ["/data", "/assets", "/nothing", "/data?x=1"] {
        let reply = get(served.address, target).await;
        let timing = reply.header("server-timing").unwrap();
        let duration_ms: f64 = timing.strip_prefix("app;dur=").unwrap().parse().unwrap();
        assert!(duration_ms >= 0.0, "{timing}");
    }
}

#[tokio::test]
async fn a16_pages_of_other_sites_read_only_where_they_are_configured() {
    let world = World::with_many(1).await;
    let settings = ApiSettings {
        cors_origins: vec!["https://wallet.example".to_owned()],
        ..ApiSettings::default()
    };
    let mut routed = world.api(settings.clone());
    routed.hot = false;
    for served in [serve(world.api(settings)).await, serve(routed).await] {
        let from = |origin: &str| format!("origin: {origin}\r\n");
        let allowed =
            request(served.address, "GET", "/data", &from("https://wallet.example")).await;
        assert_eq!(allowed.header("access-control-allow-origin"), Some("https://wallet.example"));
        assert!(allowed.header("access-control-expose-headers").unwrap().contains("x-generation"));
        assert_eq!(
            allowed.header("vary"),
            Some("accept, accept-encoding, x-min-generation, origin")
        );
        let other = request(served.address, "GET", "/data", &from("https://evil.example")).await;
        assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
        let preflight = format!(
            "{}access-control-request-method: GET\r\naccess-control-request-headers: x-api-key\r\n",
            from("https://wallet.example")
        );
        let preflight = request(served.address, "OPTIONS", "/data", &preflight).await;
        assert_eq!(preflight.status, 204);
        assert!(preflight.header("access-control-allow-headers").unwrap().contains("x-api-key"));
        assert_eq!(preflight.header("access-control-allow-origin"), Some("https://wallet.example"));
    }
}
