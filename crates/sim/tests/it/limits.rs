//! Hidden limits by an injected clock, over real HTTP.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{ManualClock, Timestamp};
use kasparro_sim::{HiddenLimits, LimitViolationKind, LimitsReport, SimError, SimSettings};
use serde_json::{Value, json};

use crate::client::{Reply, Running, start, start_with};

const LIST: &str = "/api/v3/coins/list";
const DEMO: &str = "x-cg-demo-api-key: one\r\n";

async fn limited(limits: Value) -> (Running, Arc<ManualClock>) {
    let base_at = SimSettings::default().base_at;
    let clock = Arc::new(ManualClock::new(base_at));
    let limits = HiddenLimits::parse(limits.to_string().as_bytes()).unwrap();
    let settings = SimSettings {
        coins: 10,
        limits: Some(limits),
        clock: Some(Arc::<ManualClock>::clone(&clock)),
        step_by_clock: true,
        ..SimSettings::default()
    };
    (start(settings).await, clock)
}

async fn statuses(running: &Running, path: &str, headers: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(running.ask("GET", path, headers, "").await.status);
    }
    statuses
}

#[tokio::test]
async fn what_is_over_a_sliding_window_is_refused_and_on_record() {
    let (running, clock) = limited(json!([
        {"vendor": "coingecko", "window": "sliding", "span_ms": 60_000, "limit": 2,
         "refusal": {"retry_after": "seconds"}}
    ]))
    .await;
    assert_eq!(statuses(&running, LIST, "", 1).await, [200]);
    clock.advance(Duration::from_millis(20_500));
    assert_eq!(statuses(&running, LIST, "", 1).await, [200]);
    let refused = running.get(LIST).await;
    assert_eq!((refused.status, &*refused.headers["retry-after"]), (429, "40"), "39.5 rounded up");
    assert_eq!(refused.json()["status"]["error_code"], 429);
    assert_eq!(statuses(&running, "/v1/coins", "", 3).await, [200; 3], "another vendor's");

    clock.advance(Duration::from_secs(39));
    assert_eq!(statuses(&running, LIST, "", 1).await, [429]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(statuses(&running, LIST, "", 1).await, [200], "as long as it was told");

    let report = running.simulator.limits_report();
    let rule = &report.rules[0];
    assert_eq!((rule.allowed, rule.refused, rule.before_retry_after), (3, 2, 1));
    assert_eq!(rule.first_refused_at.unwrap().to_string(), "2026-01-01T00:00:20.500Z");
    assert_eq!(rule.last_refused_at.unwrap().to_string(), "2026-01-01T00:00:59.500Z");
    assert_eq!((rule.most_in_window, rule.spent_by_month["2026-01"]), (2, 3));
    let kinds: Vec<LimitViolationKind> = report.violations.iter().map(|one| one.kind).collect();
    use LimitViolationKind::{BeforeRetryAfter, OverLimit};
    assert_eq!(kinds, [OverLimit, BeforeRetryAfter, OverLimit]);
    assert_eq!(report.violations[1].since_refusal_ms, Some(39_000));

    let told = running.get("/_sim/limits").await;
    assert_eq!(serde_json::from_slice::<LimitsReport>(&told.body).unwrap(), report);
    assert_eq!(told.json()["rules"][0]["vendor"], "coingecko");
    let requests = running.get("/_sim/requests").await.json();
    assert_eq!(requests["requests"][2]["limit"], 0);
    assert_eq!(requests["requests"][2]["at"], "2026-01-01T00:00:20.500Z");
    assert_eq!(requests["requests"][0]["limit"], Value::Null);
    assert!(running.simulator.ledger().iter().all(|entry| entry.status == 200));
}

#[tokio::test]
async fn each_kind_of_key_has_its_own_limit_and_each_key_its_own_account() {
    let rule = |key: &str, limit: u64| json!({"path": "/api/v3/*", "key": key, "window": "fixed", "span_ms": 60_000, "limit": limit});
    let (running, clock) =
        limited(json!([rule("keyless", 1), rule("demo", 2), rule("pro", 3)])).await;
    let other = DEMO.replace("one", "other");
    let pro = "x-cg-pro-api-key: one\r\n";
    for _ in 0..2 {
        assert_eq!(statuses(&running, LIST, "", 2).await, [200, 429]);
        assert_eq!(statuses(&running, LIST, DEMO, 3).await, [200, 200, 429]);
        assert_eq!(statuses(&running, LIST, &other, 3).await, [200, 200, 429]);
        assert_eq!(statuses(&running, LIST, pro, 4).await, [200, 200, 200, 429]);
        clock.advance(Duration::from_secs(60));
    }
    let in_query = format!("{LIST}?x_cg_demo_api_key=one");
    assert_eq!(statuses(&running, &in_query, "", 3).await, [200, 200, 429]);
    let report = running.simulator.limits_report();
    let refused: Vec<u64> = report.rules.iter().map(|rule| rule.refused).collect();
    assert_eq!(refused, [2, 5, 2]);
    let text = running.get("/_sim/limits").await;
    assert!(!text.text().contains("\"one\""), "no key is shown");
}

#[tokio::test]
async fn weights_are_those_of_the_longest_path_and_a_refused_request_costs_what_the_rule_says() {
    let (running, _) = limited(json!({"rules": [
        {"path": "/api/*", "window": "sliding", "span_ms": 60_000, "limit": 10,
         "weights": {"/api/v3/coins/*": 2, LIST: 5}, "headers": ["used_weight"],
         "counts_refused": true}
    ]}))
    .await;
    let used = |reply: &Reply| reply.headers["x-mbx-used-weight-1m"].clone();
    assert_eq!(used(&running.get(LIST).await), "5");
    assert_eq!(used(&running.get("/api/v3/coins/markets?vs_currency=usd").await), "7");
    assert_eq!(used(&running.get("/api/v3/ping").await), "8");
    let refused = running.get(LIST).await;
    assert_eq!((refused.status, used(&refused)), (429, "13".to_owned()));
    assert_eq!(running.get("/api/v3/ping").await.status, 429, "the refused one is counted");
}

#[tokio::test]
async fn a_rule_without_room_lets_no_other_rule_be_used_up() {
    let (running, clock) = limited(json!([
        {"vendor": "coinpaprika", "window": "sliding", "span_ms": 1_000, "limit": 1},
        {"vendor": "coinpaprika", "window": "month", "limit": 3}
    ]))
    .await;
    assert_eq!(statuses(&running, "/v1/coins", "", 4).await, [200, 429, 429, 429]);
    let body = running.get("/v1/coins").await;
    assert_eq!(body.json(), json!({"error": "you have reached maximum request limit"}));
    for status in [200, 200, 402] {
        clock.advance(Duration::from_secs(1));
        assert_eq!(statuses(&running, "/v1/coins", "", 1).await, [status]);
    }
    clock.set(Timestamp::parse("2026-02-01").unwrap());
    assert_eq!(statuses(&running, "/v1/coins", "", 1).await, [200]);
    let spent = &running.simulator.limits_report().rules[1].spent_by_month;
    assert_eq!(
        spent.clone().into_iter().collect::<Vec<_>>(),
        [("2026-01".to_owned(), 3), ("2026-02".to_owned(), 1)]
    );
}

#[tokio::test]
async fn a_refusal_looks_as_it_is_told() {
    let (running, clock) = limited(json!([
        {"path": "/v1/coins", "window": "fixed", "span_ms": 60_000, "limit": 0,
         "refusal": {"status": 418, "retry_after": "date", "body": "away"}},
        {"path": "/v1/tickers", "window": "month", "limit": 0,
         "refusal": {"retry_after": "seconds", "retry_after_seconds": 119}}
    ]))
    .await;
    clock.advance(Duration::from_millis(1_500));
    let date = running.get("/v1/coins").await;
    assert_eq!((date.status, date.text()), (418, "away"));
    assert_eq!(date.headers["retry-after"], "Thu, 01 Jan 2026 00:01:00 GMT");
    assert_eq!(date.headers["date"], "Thu, 01 Jan 2026 00:00:01 GMT", "by the same clock");
    let fixed = running.get("/v1/tickers").await;
    assert_eq!((fixed.status, &*fixed.headers["retry-after"]), (402, "119"));
    clock.advance(Duration::from_millis(118_999));
    running.get("/v1/tickers").await;
    clock.advance(Duration::from_millis(119_000));
    running.get("/v1/tickers").await;
    assert_eq!(running.simulator.limits_report().rules[1].before_retry_after, 1);
}

#[tokio::test]
async fn headers_state_the_limit_where_a_rule_says_so() {
    let (running, clock) = limited(json!([
        {"vendor": "csv", "window": "sliding", "span_ms": 60_000, "limit": 3,
         "headers": ["x_ratelimit", "ratelimit"]},
        {"vendor": "feed", "window": "sliding", "span_ms": 60_000, "limit": 1,
         "headers": ["x_ratelimit_delta"]}
    ]))
    .await;
    running.get("/csv/assets.csv").await;
    clock.advance(Duration::from_secs(10));
    let reply = running.get("/csv/assets.csv").await;
    for (name, value) in [
        ("x-ratelimit-limit", "3"),
        ("x-ratelimit-remaining", "1"),
        ("x-ratelimit-reset", "1767225660"),
        ("ratelimit-policy", "\"default\";q=3;w=60"),
        ("ratelimit", "\"default\";r=1;t=50"),
    ] {
        assert_eq!(reply.headers[name], value, "{name}");
    }
    assert_eq!(running.get("/feed/rss.xml").await.headers["x-ratelimit-reset"], "60");
    assert!(!running.get("/v1/coins").await.headers.contains_key("x-ratelimit-limit"));
}

#[tokio::test]
async fn limits_are_replaced_at_run_time_and_bad_ones_change_nothing() {
    let running = start_with(1, 10).await;
    let put = async |limits: &str| running.ask("PUT", "/_sim/limits", "", limits).await;
    let rule = r#"[{"vendor":"coinpaprika","window":"fixed","span_ms":31536000000,"limit":1}]"#;
    assert_eq!(put(rule).await.json(), json!({"rules": 1}));
    assert_eq!(statuses(&running, "/v1/coins", "", 2).await, [200, 429]);
    for (limits, field) in [
        ("", "the plan"),
        ("7", "the plan"),
        ("{}", "rules"),
        (r#"{"rules":[],"seed":1}"#, "seed"),
        (r#"[{"window":"month","limit":1}]"#, "rules[0]"),
        (r#"[{"vendor":"x","window":"month","limit":1}]"#, "rules[0].vendor"),
        (r#"[{"vendor":"csv","path":"*","window":"month","limit":1}]"#, "rules[0].path"),
        (r#"[{"path":"/_sim/x","window":"month","limit":1}]"#, "rules[0].path"),
        (r#"[{"path":"*","limit":1}]"#, "rules[0].window"),
        (r#"[{"path":"*","window":"day","limit":1}]"#, "rules[0].window"),
        (r#"[{"path":"*","window":"fixed","limit":1}]"#, "rules[0].span_ms"),
        (r#"[{"path":"*","window":"fixed","span_ms":0,"limit":1}]"#, "rules[0].span_ms"),
        (r#"[{"path":"*","window":"month","span_ms":5,"limit":1}]"#, "rules[0].span_ms"),
        (r#"[{"path":"*","window":"month"}]"#, "rules[0].limit"),
        (r#"[{"path":"*","window":"month","limit":-1}]"#, "rules[0].limit"),
        (r#"[{"path":"*","window":"month","limit":1,"key":"x"}]"#, "rules[0].key"),
        (r#"[{"path":"*","window":"month","limit":1,"counted":"x"}]"#, "rules[0].counted"),
        (r#"[{"path":"*","window":"month","limit":1,"weights":{"x":1}}]"#, "rules[0].weights.x"),
        (r#"[{"path":"*","window":"month","limit":1,"headers":["x"]}]"#, "rules[0].headers"),
        (r#"[{"path":"*","window":"month","limit":1,"burst":2}]"#, "rules[0].burst"),
        (
            r#"[{"path":"*","window":"month","limit":1,"refusal":{"status":200}}]"#,
            "rules[0].refusal.status",
        ),
        (
            r#"[{"path":"*","window":"month","limit":1,"refusal":{"retry_after_seconds":5}}]"#,
            "rules[0].refusal.retry_after_seconds",
        ),
    ] {
        let reply = put(limits).await;
        assert_eq!((reply.status, &reply.json()["code"]), (400, &json!("bad_limits")), "{limits}");
        assert_eq!(reply.json()["errors"][0]["field"], field, "{limits}: {}", reply.text());
    }
    assert_eq!(statuses(&running, "/v1/coins", "", 1).await, [429]);
    assert_eq!(running.simulator.limits_report().rules[0].refused, 2);
    put("[]").await;
    assert_eq!(statuses(&running, "/v1/coins", "", 2).await, [200, 200]);
}

#[tokio::test]
async fn a_refused_request_meets_no_fault() {
    let (running, _) = limited(json!([
        {"vendor": "coinpaprika", "window": "month", "limit": 1, "refusal": {"status": 429}}
    ]))
    .await;
    running.play(json!([{"path": "/v1/*", "from": 1, "status": 503}])).await;
    assert_eq!(statuses(&running, "/v1/coins", "", 2).await, [200, 429]);
    assert_eq!(running.get("/_sim/faults").await.json()["rules"][0]["matched"], 1);
}

#[test]
fn a_bad_file_of_limits_is_named_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limits.json");
    assert!(matches!(HiddenLimits::open(&path), Err(SimError::LimitsUnreadable { .. })));
    std::fs::write(&path, r#"[{"path":"*","window":"month","limit":"1"}]"#).unwrap();
    let error = HiddenLimits::open(&path).unwrap_err();
    assert_eq!(error.code(), "bad_limits");
    let told = error.to_string();
    assert!(told.contains("limits.json") && told.contains("rules[0].limit"), "{told}");
    std::fs::write(&path, r#"[{"path":"*","window":"month","limit":1}]"#).unwrap();
    assert_eq!(HiddenLimits::open(&path).unwrap().rule_count(), 1);
}

#[tokio::test]
async fn the_step_and_the_ledger_follow_the_clock() {
    let (running, clock) = limited(json!([])).await;
    let before = running.get("/v1/tickers").await;
    clock.advance(Duration::from_millis(59_999));
    assert_eq!(running.get("/v1/tickers").await.body, before.body);
    clock.advance(Duration::from_millis(1));
    assert_ne!(running.get("/v1/tickers").await.body, before.body);
    assert_eq!(running.simulator.current_step(), 1);
    assert_eq!(running.post_step("").await.status, 409);
    assert_eq!((running.simulator.step(), running.simulator.set_step(9)), (1, 1));
    let at: Vec<String> =
        running.simulator.ledger().iter().map(|entry| entry.at.to_string()).collect();
    assert_eq!(at, ["2026-01-01T00:00:00Z", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01:00Z"]);

    let calm = start_with(1, 10).await;
    calm.simulator.set_step(7 * 1_440);
    clock.set(SimSettings::default().base_at.plus(Duration::from_secs(7 * 86_400)));
    let (one, other) = (calm.get("/v1/tickers").await, running.get("/v1/tickers").await);
    assert!(one.body == other.body, "values are a function of seed and step");
    clock.set(Timestamp::EPOCH);
    assert_eq!(running.simulator.current_step(), 0);
}
