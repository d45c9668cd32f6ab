//! What every answer says of itself: ids, headers, prefixes and methods.

use kasparro_domain::DriftSeverity;

use super::client::{get, get_json, parse, request, send};
use super::findings::changed;
use super::paths;
use super::world::World;
use crate::openapi;

#[tokio::test]
async fn a_request_id_is_taken_over_or_made_and_is_in_header_and_body() {
    let served = World::with_many(3).await.serve().await;
    for path in ["/data", "/stats", "/data?page=0", "/nothing"] {
        let reply = request(served.address, "GET", path, "x-request-id: client-7\"\\\r\n").await;
        assert_eq!(reply.header("x-request-id"), Some("client-7\"\\"), "{path}");
        assert_eq!(reply.json()["request_id"], "client-7\"\\", "{path}");
        for bad in [String::new(), "a b".to_owned(), "x".repeat(129)] {
            let reply =
                request(served.address, "GET", path, &format!("x-request-id: {bad}\r\n")).await;
            let id = reply.header("x-request-id").unwrap();
            assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7, "{path}");
        }
    }
}

/// What leaves unknown parameters aside: others add their own to it.
const LEAVES_ASIDE: [&str; 7] =
    ["/health", "/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/redoc"];

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused_where_the_documents_say_so_and_only_there() {
    let mut world = World::with_many(3).await;
    world.examine("csv", vec![changed("/price", DriftSeverity::Info)]).await;
    let run_id = world.commit("csv", &[("a", "A", "a", None)]).await.to_string();
    let served = world.serve().await;
    for path in paths::read() {
        let under = |place: &&str| path == **place || path.starts_with(&format!("{place}/"));
        let aside = LEAVES_ASIDE.iter().any(under);
        let target = paths::target(&path, &run_id);
        let reply = get(served.address, &format!("{target}?utm_source=x&utm_source=y")).await;
        if aside {
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        } else {
            reply.assert_problem(400, "unknown_parameter");
        }
    }
    let document = openapi::document().info.description.unwrap();
    let page = include_str!("../../../../docs/API.md");
    let sentence = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let at = text.find("`/health`, `/livez`").expect("the exception is named");
        text[at..].split_once("take none").unwrap().0.to_owned()
    };
    for said in [sentence(&document), sentence(page)] {
        let mut named: Vec<&str> = said.split('`').filter(|it| it.starts_with('/')).collect();
        named.sort_unstable();
        let mut expected = LEAVES_ASIDE;
        expected.sort_unstable();
        assert_eq!(named, expected);
    }
}

#[tokio::test]
async fn what_head_must_not_start_is_not_offered_to_head() {
    let served = World::with_many(1).await.serve().await;
    for method in ["OPTIONS", "HEAD", "DELETE", "PUT"] {
        for path in ["/trigger-etl", "/trigger-etl/", "/api/v1/trigger-etl"] {
            let reply = request(served.address, method, path, "").await;
            let status = if method == "OPTIONS" { 204 } else { 405 };
            assert_eq!(reply.status, status, "{method} {path}");
            assert_eq!(reply.header("allow"), Some("GET,POST,OPTIONS"), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_path_is_served_with_and_without_prefix_and_slash() {
    let mut world = World::with_many(3).await;
    world.examine("csv", vec![changed("/price", DriftSeverity::Info)]).await;
    let run_id = world.commit("csv", &[("a", "A", "a", None)]).await.to_string();
    let served = world.serve().await;
    let document = openapi::document();
    for path in &paths::read() {
        let posted = document.paths.paths[path].post.is_some();
        let query = match path == "/compare-runs" {
            true => format!("?run1_id={run_id}&run2_id={run_id}"),
            false => String::new(),
        };
        let allowed = if posted { "GET,HEAD,POST,OPTIONS" } else { "GET,HEAD,OPTIONS" };
        let path = paths::target(path, &run_id);
        for target in
            [path.clone(), format!("/api/v1{path}"), format!("{path}/"), format!("/api/v1{path}/")]
        {
            if target == "//" {
                continue;
            }
            let reply = get(served.address, &format!("{target}{query}")).await;
            assert_eq!(reply.status, 200, "{target}: {}", reply.body);
            assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
            let kept = if ["/stream", "/keys"].contains(&&*path) { "no-store" } else { "no-cache" };
            assert_eq!(reply.header("cache-control"), Some(kept), "{target}");
            assert!(reply.header("content-security-policy").is_some(), "{target}");
            assert!(reply.header("x-request-id").is_some(), "{target}");
            if reply.header("content-type") == Some("application/json") && path != "/openapi.json" {
                let body = reply.json();
                assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"), "{target}");
                assert!(body["api_latency_ms"].is_number(), "{target}");
            }
        }
        let head = request(served.address, "HEAD", &format!("{path}{query}"), "").await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let options = request(served.address, "OPTIONS", &path, "").await;
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(options.header("allow"), Some(allowed), "{path}");
    }
    let described = document.paths.paths.iter().flat_map(|(path, item)| {
        let methods = [("GET", item.get.is_some()), ("POST", item.post.is_some())];
        methods
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(method, _)| (path.clone(), method.to_owned()))
    });
    let described: Vec<_> = described.collect();
    let listed = get_json(served.address, "/api").await;
    let listed: Vec<_> = listed["endpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| [&it["path"], &it["method"]].map(|text| text.as_str().unwrap().to_owned()))
        .map(|[path, method]| (path, method))
        .collect();
    assert_eq!(listed, described);
    let head = request(served.address, "HEAD", "/data?page=0", "").await;
    assert_eq!((head.status, head.body.as_str()), (400, ""));
    assert_eq!(head.header("content-type"), Some("application/problem+json"));
}

#[test]
fn the_committed_openapi_document_is_the_served_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let made = openapi::openapi_json() + "\n";
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may be asked to write its expectation anew"
    )]
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == made, "openapi.json is out of date: run this test with UPDATE_OPENAPI=1");
}

#[test]
fn every_parameter_that_is_read_is_described() {
    let document = openapi::document();
    let described = |path: &str| {
        let operation = document.paths.paths[path].get.clone().unwrap();
        let mut names: Vec<_> = operation
            .parameters
            .unwrap()
            .into_iter()
            .map(|it| match it {
                utoipa::openapi::RefOr::T(parameter) => parameter,
                utoipa::openapi::RefOr::Ref(_) => panic!("a reference"),
            })
            .filter(|it| it.parameter_in != utoipa::openapi::path::ParameterIn::Header)
            .map(|it| it.name)
            .collect();
        names.sort();
        names
    };
    let sorted = |names: &[&str]| {
        let mut names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    for (path, known) in [
        ("/data", crate::data::Selection::Data.known()),
        ("/csv-data", crate::data::Selection::Csv.known()),
        ("/listings", crate::data::Selection::All.known()),
        ("/assets", crate::routes::ASSETS_KNOWN),
        ("/runs", crate::routes::RUNS_KNOWN),
        ("/quarantine", crate::routes::QUARANTINE_KNOWN),
        ("/quarantine/pages", crate::routes::QUARANTINE_PAGES_KNOWN),
        ("/drift", crate::routes::DRIFT_KNOWN),
        ("/anomalies", crate::routes::ANOMALIES_KNOWN),
        ("/compare-runs", crate::routes::COMPARE_RUNS_KNOWN),
        ("/news", crate::routes::NEWS_KNOWN),
        ("/stream", crate::routes::STREAM_KNOWN),
        ("/rss-feed", crate::routes::RSS_FEED_KNOWN),
    ] {
        assert_eq!(described(path), sorted(known), "{path}");
    }
    for (path, known) in [
        ("/listings/{id}/history", crate::history::KNOWN),
        ("/assets/{id}/history", crate::history::ASSET_KNOWN),
    ] {
        let with_id: Vec<_> = known.iter().copied().chain(["id"]).collect();
        assert_eq!(described(path), sorted(&with_id), "{path}");
    }
}

/// A route without a description cannot come about, because nothing else registers one.
#[test]
fn routes_are_registered_only_together_with_their_descriptions() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/routes");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for way in [".route(", ".nest(", ".merge(", "route_service"] {
            assert!(!text.contains(way), "{way} in {}", path.display());
        }
    }
}

#[tokio::test]
async fn b1_the_documentation_loads_nothing_from_other_servers() {
    let served = World::new().serve().await;
    for path in ["/docs", "/docs/", "/docs/docs.js", "/docs/problems", "/"] {
        let reply = get(served.address, path).await;
        assert_eq!(reply.status, 200);
        for scheme in ["https://", "http://", "src=\"//", "href=\"//"] {
            assert!(!reply.body.contains(scheme), "{scheme} in {path}");
        }
    }
    for (page, files, document) in
        [("/docs", "docs/", "openapi.json"), ("/docs/", "", "../openapi.json")]
    {
        let reply = get(served.address, page).await;
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(reply.body.contains(&format!("src=\"{files}docs.js\"")), "{}", reply.body);
        assert!(reply.body.contains(&format!("\"{document}\"")), "{}", reply.body);
    }
    let script = get(served.address, "/docs/docs.js").await;
    assert!(script.body.contains("validatorUrl: null"));
    for (file, kind) in
        [("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css")]
    {
        let reply = get(served.address, &format!("/docs/{file}")).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kind)));
        assert!(reply.body.len() > 50_000, "{file}");
    }
    get(served.address, "/docs/secret.js").await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_one_by_one() {
    let served = World::with_many(3).await.serve().await;
    let bytes = b"GET /data?limit=1 HTTP/1.1\r\nhost: a\r\n\r\nGET /livez HTTP/1.1\r\nhost: a\r\n\r\nGET /data?limit=0 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answers = String::from_utf8(send(served.address, bytes).await).unwrap();
    let places: Vec<_> = ["\"total_items\":3", "\"alive\"", "invalid_parameter"]
        .iter()
        .map(|text| answers.find(text).unwrap())
        .collect();
    assert!(places.is_sorted(), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 3);
    assert_eq!(parse(answers.as_bytes()).status, 200);
}
