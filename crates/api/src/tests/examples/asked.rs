//! The requests of the examples, in the order in which they are sent.

use serde_json::{Value, json};

use super::story::Story;

const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const LINES: &str = "application/x-ndjson";

/// A request that has to be answered well.
pub(super) struct Asked {
    pub(super) method: &'static str,
    /// The path as it is registered.
    pub(super) path: &'static str,
    pub(super) target: String,
    /// In which form.
    pub(super) media: &'static str,
    pub(super) body: Option<Value>,
    pub(super) status: u16,
}

/// One request or more of each operation; what changes something comes last.
pub(super) fn asked(story: &Story) -> Vec<Asked> {
    reading(story).into_iter().chain(changing(story)).collect()
}

fn reading(story: &Story) -> Vec<Asked> {
    let (first, second) = (story.first_run, story.second_run);
    let get = |path: &'static str, rest: &str| (path, path.replace("{id}", "1") + rest, JSON);
    let as_files = |path: &'static str, target: &str| {
        [JSON, CSV, LINES].map(|media| (path, target.to_owned(), media))
    };
    let mut all = vec![
        get("/", ""),
        get("/api", ""),
        get("/listings/{id}", ""),
        get("/assets/{id}", ""),
        ("/assets/{id}/identity", "/assets/5/identity".to_owned(), JSON),
        ("/assets/{id}", "/assets/3".to_owned(), JSON),
        ("/assets/{id}/identity", "/assets/3/identity".to_owned(), JSON),
        ("/assets/{id}/history", "/assets/3/history".to_owned(), JSON),
        get("/news", "?limit=2"),
        get("/rss-feed", "?limit=1"),
        ("/rss-feed", "/rss-feed?limit=1".to_owned(), "application/rss+xml"),
        get("/sources", ""),
        get("/stats", ""),
        get("/runs", "?limit=2"),
        ("/runs/{id}", format!("/runs/{second}"), JSON),
        get("/compare-runs", &format!("?run1_id={first}&run2_id={second}")),
        get("/quarantine", "?limit=2"),
        get("/quarantine/{id}", ""),
        get("/quarantine/pages", "?limit=2"),
        get("/drift", "?limit=2"),
        get("/drift/{id}", ""),
        get("/anomalies", "?limit=2"),
        get("/livez", ""),
        get("/readyz", ""),
        get("/health", ""),
        get("/openapi.json", ""),
        get("/keys", ""),
        ("/metrics", "/metrics".to_owned(), "text/plain"),
        ("/stream", "/stream".to_owned(), "text/event-stream"),
        ("/docs", "/docs".to_owned(), "text/html"),
        ("/docs/problems", "/docs/problems".to_owned(), "text/html"),
        ("/docs/{file}", "/docs/docs.js".to_owned(), "text/javascript"),
        ("/redoc", "/redoc".to_owned(), "text/html"),
        ("/redoc/{file}", "/redoc/redoc.js".to_owned(), "text/javascript"),
    ];
    all.extend(as_files("/data", "/data?limit=2"));
    all.extend(as_files("/csv-data", "/csv-data?limit=1"));
    all.extend(as_files("/listings", "/listings?limit=2"));
    all.extend(as_files("/assets", "/assets?limit=2"));
    all.extend(as_files("/listings/{id}/history", "/listings/1/history?limit=1"));
    all.extend(as_files("/assets/{id}/history", "/assets/1/history?limit=2"));
    let asked = all.into_iter().map(|(path, target, media)| {
        let status = if target.starts_with("/assets/3") { 308 } else { 200 };
        Asked { method: "GET", path, target, media, body: None, status }
    });
    asked.collect()
}

fn changing(story: &Story) -> Vec<Asked> {
    let [first_key, second_key] = &story.key_ids;
    let pair = |a: &str, b: &str, why: &str| json!({"listings": [a, b], "why": why});
    let (bitcoin, namesake) = ("coinpaprika:btc-bitcoin", "coingecko:bitcoin-b");
    let (first, second) = (story.first_run.to_string(), story.second_run.to_string());
    let rows = |row: i64, why: &str| Some(json!({"rows": [row], "why": why}));
    let link =
        pair("coingecko:usd-coin", "coinpaprika:usdc-usd-coin", "both sites show one contract");
    let unlink = pair(namesake, bitcoin, "a token of another chain");
    let withdraw = pair(namesake, bitcoin, "the contract was corrected");
    let merge = pair("csv:own-1", bitcoin, "our own file lists it as well");
    let split =
        json!({"listings": ["coingecko:usd-coin"], "why": "a bridged one, says its issuer"});
    let relate = json!({
        "from": "coingecko:usd-coin", "kind": "bridged_of", "to": "coinpaprika:usdc-usd-coin", "ratio": "1",
        "effective_on": "2021-11-16", "why": "the bridge says which coin it holds",
    });
    let unrelate = pair(namesake, bitcoin, "it has its name from it, and no block");
    let page = json!({"why": "half of the coins were delisted, says the vendor", "forced": true});
    let key = json!({"name": "a dashboard", "scope": "read", "expires": "90d", "requests": 5_000});
    let refused_page = story.refused_page.0.to_string();
    let post = |path: &'static str, id: &str, body: Option<Value>, status: u16| Asked {
        method: "POST",
        path,
        target: path.replace("{id}", id),
        media: JSON,
        body,
        status,
    };
    let trigger = |method: &'static str| Asked {
        method,
        path: "/trigger-etl",
        target: "/trigger-etl?source=csv".to_owned(),
        media: JSON,
        body: None,
        status: 202,
    };
    vec![
        post("/compare-runs", "", Some(json!({"run1_id": first, "run2_id": second})), 200),
        trigger("GET"),
        trigger("POST"),
        post("/runs", "", Some(json!({"source": "csv"})), 202),
        post("/quarantine/retry", "", rows(1, "n/a counts as unknown now"), 200),
        post("/quarantine/discard", "", rows(2, "a test row of ours"), 200),
        post("/quarantine/pages/{id}/retry", &refused_page, Some(page), 200),
        post(
            "/drift/accept",
            "",
            Some(json!({"drift": [1], "why": "announced in the changelog"})),
            200,
        ),
        post("/assets/link", "", Some(link), 200),
        post("/assets/unlink", "", Some(unlink), 200),
        post("/assets/withdraw", "", Some(withdraw), 200),
        post("/assets/merge", "", Some(merge), 200),
        post("/assets/split", "", Some(split), 200),
        post("/assets/relate", "", Some(relate), 200),
        post("/assets/unrelate", "", Some(unrelate), 200),
        Asked { method: "GET", ..post("/commands/{id}", "4", None, 200) },
        post("/keys", "", Some(key), 201),
        post("/keys/{id}/rotate", first_key, Some(json!({"overlap": "24h"})), 201),
        post("/keys/{id}/revoke", second_key, None, 200),
    ]
}
