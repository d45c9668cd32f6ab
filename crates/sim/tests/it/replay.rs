//! Which capture answers which request.

use serde_json::json;

use crate::client::Running;
use crate::folder::Folder;

/// The bodies of a path at steps 0 to 3.
async fn sequence(running: &Running, target: &str) -> Vec<String> {
    let mut bodies = Vec::new();
    for step in 0..4 {
        running.simulator.set_step(step);
        let reply = running.get(target).await;
        assert_eq!(reply.status, 200, "{target} at step {step}");
        bodies.push(reply.text().to_owned());
    }
    bodies
}

#[tokio::test]
async fn captures_follow_each_other_by_date_and_the_last_one_stays() {
    let mut folder = Folder::new();
    let list = |captured| json!({ "endpoint": "GET /api/v3/coins/list", "captured": captured });
    folder
        .add("e.json", r#"["e"]"#, list("2025-07-05 (commit of the same job)"))
        .add("d.json.gz", r#"["d"]"#, list("<=2024-02-24 (commit date)"))
        .add("b.json", r#"["b"]"#, list("2022-01-31T17:25:46Z"))
        .add("a.json.gz", r#"["a"]"#, list("2022-01-31T16:00Z (last_updated)"));
    let running = folder.serve().await;
    for target in ["/api/v3/coins/list?include_platform=true", "/api/v3/coins/list/"] {
        assert_eq!(
            sequence(&running, target).await,
            [r#"["a"]"#, r#"["b"]"#, r#"["d"]"#, r#"["e"]"#],
            "{target}"
        );
    }
    assert_eq!(running.post_step(r#"{"step":99}"#).await.status, 200);
    assert_eq!(running.get("/api/v3/coins/list").await.text(), r#"["e"]"#);
    running.simulator.set_step(0);
    assert_eq!(running.post_step("").await.json()["step"], 1);
    assert_eq!(running.get("/api/v3/coins/list").await.text(), r#"["b"]"#);
}

#[tokio::test]
async fn a_request_gets_the_pages_that_were_asked_for_alike() {
    let markets = "/coins/markets?vs_currency=usd&order=market_cap_desc&sparkline=false";
    let mut folder = Folder::new();
    let mut add = |captured, rest: &str, name: &str| {
        folder.gecko(captured, &format!("{markets}{rest}"), &format!(r#"[{{"id":"{name}"}}]"#));
    };
    add("2022-02-23", "&per_page=250&price_change_percentage=1h", "late");
    add("2022-01-29", "&per_page=250", "early");
    add("2022-01-28", "&per_page=250&category=defi&page=1", "defi");
    add("2022-01-27", "&per_page=20", "twenty");
    add("2022-01-26", "&per_page=251&page=1", "clamped");
    add("2022-01-25", "&per_page=1&page=2", "second of one");
    add("2022-01-24", "&per_page=250&page=2", "second early");
    add("2022-01-30", "&per_page=250&page=2", "second late");
    add("2022-01-23", "&per_page=250&ids=bitcoin", "chosen");
    let running = folder.serve().await;
    let names = async |query: &str| -> Vec<String> {
        let bodies = sequence(&running, &format!("/api/v3/coins/markets?{query}")).await;
        let name = |body: &String| {
            let rows: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
            rows.first().map_or_else(String::new, |row| row["id"].as_str().unwrap().to_owned())
        };
        bodies.iter().map(name).collect()
    };
    let usual = ["early", "late", "late", "late"];
    let ordinary = "vs_currency=usd&order=market_cap_desc&per_page=250";
    for query in [
        &format!("{ordinary}&page=1"),
        ordinary,
        &format!("{ordinary}&page=1&sparkline=true&locale=en&x_cg_demo_api_key=none"),
        // Without a page size: the size that was captured most often.
        "vs_currency=usd",
        "",
    ] {
        assert_eq!(names(query).await, usual, "{query}");
    }
    assert_eq!(
        names(&format!("{ordinary}&page=2")).await,
        ["second early", "second late", "second late", "second late"]
    );
    assert_eq!(names("per_page=1&page=2").await, ["second of one"; 4]);
    assert_eq!(names("per_page=20").await, ["twenty"; 4]);
    assert_eq!(names(&format!("{ordinary}&category=defi")).await, ["defi"; 4]);
    assert_eq!(names(&format!("{ordinary}&ids=bitcoin")).await, ["chosen"; 4]);
    for missing in ["&page=3", "&page=1&vs_currency=eur", "&order=id_asc"] {
        assert_eq!(names(&format!("{ordinary}{missing}")).await, [""; 4], "{missing}");
    }
    assert_eq!(names("per_page=100").await, [""; 4]);
}

#[tokio::test]
async fn what_was_not_captured_is_an_empty_page_or_not_found() {
    let mut folder = Folder::new();
    folder.add("platforms.json", r#"["eth-ethereum"]"#, json!({ "endpoint": "GET /v1/contracts" }));
    let running = folder.serve().await;
    for path in [
        "/v1/tickers?quotes=USD",
        "/v1/coins",
        "/v1/contracts/eth-ethereum",
        "/api/v3/coins/list",
        "/api/v3/coins/markets?vs_currency=usd&page=7",
    ] {
        let reply = running.get(path).await;
        assert_eq!((reply.status, reply.text()), (200, "[]"), "{path}");
        assert!(reply.headers["content-type"].starts_with("application/json"));
    }
    for path in ["/csv/assets.csv", "/feed/rss.xml", "/v1/coins/btc-bitcoin", "/nowhere"] {
        let reply = running.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["error"].as_str().unwrap().contains("no capture"), "{path}");
    }
    assert_eq!(running.ask("POST", "/v1/contracts", "", "").await.status, 405);
}

#[tokio::test]
async fn other_paths_are_served_as_they_were_asked_and_placeholders_are_not() {
    let mut folder = Folder::new();
    let url = |url: &str, captured: &str| {
        json!({ "endpoint": "GET /v1/coins/{id}", "request_url": url, "captured": captured,
                "shape": "object" })
    };
    folder
        .add(
            "b.json",
            "{\"b\":2}",
            url("https://api.coinpaprika.com/v1/coins/btc-bitcoin/", "2022-01-30T18:23:57Z"),
        )
        .add(
            "a.json",
            "{\"a\":1}",
            url("https://api.coinpaprika.com/v1/coins/btc-bitcoin", "2022-01-30T18:18:09Z"),
        )
        .add("x.json", "{}", json!({ "endpoint": "GET /v1/tickers/{id}" }))
        .add("y.json", "{}", json!({ "endpoint": "derived from GET /v1/tickers" }))
        .add(
            "z.json",
            "[1]",
            json!({ "endpoint": "GET /api/v3/coins (deprecated list endpoint)" }),
        );
    let running = folder.serve().await;
    let one = "{\"b\":2}";
    assert_eq!(sequence(&running, "/v1/coins/btc-bitcoin").await, ["{\"a\":1}", one, one, one]);
    assert_eq!(running.get("/api/v3/coins").await.text(), "[1]");
    assert_eq!(running.get("/v1/tickers").await.text(), "[]");
    assert_eq!(running.get("/v1/tickers/%7Bid%7D").await.status, 404);
}

#[tokio::test]
async fn errors_are_played_only_where_no_data_was_captured() {
    let mut folder = Folder::new();
    let entry = |path: &str, status: u16| {
        json!({ "endpoint": "GET", "captured": "2021-08-12", "http_status": status,
                "request_url": format!("https://api.coinpaprika.com{path}"),
                "response_headers": { "Content-Type": "application/json", "retry-after": "60",
                                      "location": "https://api.coinpaprika.com/elsewhere" } })
    };
    folder
        .add("errors/404.json", r#"{"error":"id not found"}"#, entry("/v1/coins/BTC", 404))
        .add("errors/429.json", r#"{"error":"slow down"}"#, entry("/v1/tickers", 429))
        .add("tickers.json", r#"[{"id":"btc-bitcoin"}]"#, entry("/v1/tickers?quotes=USD", 200))
        .add("failed.json", r#"{"error":"later"}"#, entry("/v1/global", 503));
    let running = folder.serve().await;
    assert_eq!(sequence(&running, "/v1/tickers").await, [r#"[{"id":"btc-bitcoin"}]"#; 4]);
    assert_eq!(running.simulator.ledger().len(), 4);
    let reply = running.get("/v1/coins/BTC").await;
    assert_eq!((reply.status, reply.text()), (404, r#"{"error":"id not found"}"#));
    assert_eq!(reply.headers["retry-after"], "60");
    assert!(!reply.headers.contains_key("location"));
    assert_eq!(running.get("/v1/global").await.status, 503);
    assert_eq!(running.simulator.ledger().len(), 4);
}

#[tokio::test]
async fn headers_are_sent_as_captured_and_conditions_are_met() {
    let mut folder = Folder::new();
    folder.add(
        "coins/list.json.gz",
        "[]",
        json!({ "endpoint": "GET /api/v3/coins/list", "http_status": 200, "response_headers": {
            "date": "Sat, 29 Jan 2022 17:08:03 GMT", "etag": "W/\"ed0c\"",
            "content-type": "application/json; charset=utf-8", "content-encoding": "gzip",
            "last-modified": "Sat, 29 Jan 2022 17:00:00 GMT", "x-request-id": "1" } }),
    );
    let running = folder.serve().await;
    let reply = running.get("/api/v3/coins/list").await;
    assert_eq!(reply.text(), "[]");
    assert_eq!(reply.headers["date"], "Sat, 29 Jan 2022 17:08:03 GMT");
    assert_eq!(reply.headers["etag"], "W/\"ed0c\"");
    assert_eq!(reply.headers["content-type"], "application/json; charset=utf-8");
    assert!(!reply.headers.contains_key("content-encoding"));
    assert!(!reply.headers.contains_key("x-request-id"));
    for condition in
        ["if-none-match: W/\"ed0c\"", "if-modified-since: Sat, 29 Jan 2022 17:00:00 GMT"]
    {
        let unchanged =
            running.ask("GET", "/api/v3/coins/list", &format!("{condition}\r\n"), "").await;
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0), "{condition}");
    }
    let head = running.ask("HEAD", "/api/v3/coins/list", "", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(running.simulator.ledger().len(), 1);
}
