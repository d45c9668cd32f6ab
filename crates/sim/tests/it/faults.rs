//! What each kind of fault does to a generated answer, over real HTTP.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use kasparro_sim::LedgerEntry;
use serde_json::json;

use crate::client::{Running, start_with};
use crate::ledger::hash;

fn last(running: &Running) -> LedgerEntry {
    running.simulator.ledger().pop().unwrap()
}

/// The chunks of a body of which the end may be missing, and whether it is there.
fn body_of(raw: &[u8]) -> (Vec<u8>, bool) {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (mut rest, mut body) = (&raw[end + 4..], Vec::new());
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    (body, false)
}

#[tokio::test]
async fn a_status_comes_with_its_headers_and_the_body_of_its_vendor() {
    let running = start_with(1, 60).await;
    running
        .play(json!([
            {"path": "/v1/coins", "status": 503, "headers": {"Retry-After": 30, "x-more": "a"},
             "body": "come back"},
            {"path": "/v1/*", "status": 404},
            {"path": "/api/v3/*", "status": 429},
            {"path": "/csv/*", "status": 500},
        ]))
        .await;
    let own = running.get("/v1/coins").await;
    assert_eq!((own.status, own.text()), (503, "come back"));
    assert_eq!((&*own.headers["retry-after"], &*own.headers["x-more"]), ("30", "a"));
    let entry = last(&running);
    assert_eq!((entry.status, entry.completed, entry.rows.len()), (503, true, 0));
    assert_eq!((entry.path.as_str(), entry.request), ("/v1/coins", 1));

    assert_eq!(running.get("/v1/tickers").await.json(), json!({"error": "not found"}));
    let limited = running.get("/api/v3/coins/list").await;
    assert_eq!((limited.status, &limited.json()["status"]["error_code"]), (429, &json!(429)));
    let csv = running.get("/csv/assets.csv").await;
    assert_eq!((csv.status, &*csv.headers["content-type"]), (500, "text/plain; charset=utf-8"));
    assert_eq!(running.fired().await, [1, 1, 1, 1]);
    assert!(running.simulator.ledger().iter().all(|entry| entry.rows.is_empty()));
    let requests = running.get("/_sim/requests").await.json();
    assert_eq!(requests["requests"][0]["fault"], "status");
    assert_eq!(requests["requests"][0]["status"], 503);
}

#[tokio::test]
async fn a_status_of_success_with_a_body_of_rows_is_accounted_for_as_data() {
    let running = start_with(1, 60).await;
    let body = r#"[{"id":"made-up"}, {"id":"other"}]"#;
    running.play(json!([{"path": "/v1/coins", "status": 200, "body": body}])).await;
    assert_eq!(running.get("/v1/coins").await.text(), body);
    let rows = last(&running).rows;
    assert_eq!((rows.len(), &*rows[0].external_id), (2, "made-up"));
    assert_eq!(rows[0].sha256, hash(r#"{"id":"made-up"}"#));
}

#[tokio::test]
async fn a_status_without_a_body_ends_there() {
    let running = start_with(1, 60).await;
    running.play(json!([{"path": "/v1/coins", "status": 204}])).await;
    let reply = running.get("/v1/coins").await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert!(last(&running).completed);
}

#[tokio::test]
async fn a_delayed_answer_is_the_right_one() {
    let running = start_with(1, 60).await;
    let right = running.get("/v1/tickers").await;
    running.play(json!([{"path": "/v1/tickers", "delay_ms": 150, "times": 1}])).await;
    let begun = Instant::now();
    let late = running.get("/v1/tickers").await;
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
    assert_eq!((late.status, late.text()), (200, right.text()));
    let ledger = running.simulator.ledger();
    assert_eq!(ledger[0].rows, ledger[1].rows);
    assert!(ledger[1].completed);
}

#[tokio::test]
async fn a_client_that_leaves_during_a_delay_leaves_a_line_without_rows() {
    let running = start_with(1, 60).await;
    running.play(json!([{"path": "/v1/tickers", "delay_ms": 3_600_000}])).await;
    let shown = running.get("/_sim/faults").await.json();
    assert_eq!(shown["rules"][0]["delay_ms"], 600_000, "ten minutes are the most");
    let stream = running.connect("GET /v1/tickers HTTP/1.1\r\n", "").await;
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, async {
        while running.fired().await != [1] || running.simulator.request_count() == 0 {}
    })
    .await
    .unwrap();
    assert_eq!(running.simulator.ledger(), []);
    drop(stream);
    let left = async {
        while running.simulator.ledger().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(patience, left).await.unwrap();
    let entry = last(&running);
    assert_eq!((entry.completed, entry.rows.len()), (false, 0));
}

#[tokio::test]
async fn a_truncated_body_has_so_many_bytes_and_no_end() {
    let running = start_with(1, 2_000).await;
    let right = running.get("/v1/tickers").await;
    let rows = running.simulator.ledger().remove(0).rows;
    for bytes in [0, 1, 5_000, 65_536, 900_000, right.body.len(), usize::MAX >> 1] {
        running.play(json!([{"path": "/v1/tickers", "truncate_bytes": bytes}])).await;
        let (raw, _) = running.get_raw("/v1/tickers").await;
        assert!(raw.starts_with(b"HTTP/1.1 200"), "{bytes}");
        let (body, is_ended) = body_of(&raw);
        let wanted = &right.body[..bytes.min(right.body.len())];
        assert!(body == wanted && !is_ended, "{bytes}: {} bytes came", body.len());

        let entry = last(&running);
        assert!(!entry.completed);
        let text = std::str::from_utf8(wanted).unwrap();
        let whole = right.rows().iter().take_while(|row| text.contains(**row)).count();
        assert_eq!(entry.rows, rows[..whole], "{bytes}");
    }
    let csv = running.get("/csv/markets.csv").await;
    running.play(json!([{"path": "/csv/*", "truncate_bytes": 300}])).await;
    let (body, is_ended) = body_of(&running.get_raw("/csv/markets.csv").await.0);
    assert!(body == csv.body[..300] && !is_ended);
}

#[tokio::test]
async fn a_truncated_body_comes_even_where_the_client_could_be_told_that_nothing_changed() {
    let running = start_with(1, 60).await;
    let etag = running.get("/api/v3/coins/list").await.headers["etag"].clone();
    running.play(json!([{"path": "/api/v3/coins/list", "truncate_bytes": 10}])).await;
    let head = format!("GET /api/v3/coins/list HTTP/1.1\r\nif-none-match: {etag}\r\n");
    let mut stream = running.connect(&head, "").await;
    let mut raw = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut raw).await;
    assert!(raw.starts_with(b"HTTP/1.1 200"));
    assert_eq!(body_of(&raw).0.len(), 10);
}

#[tokio::test]
async fn a_reset_connection_brings_no_byte() {
    let running = start_with(1, 60).await;
    running.play(json!([{"path": "/v1/tickers", "reset": true, "times": 1}])).await;
    let (raw, ended) = running.get_raw("/v1/tickers").await;
    assert_eq!(raw, b"");
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let entry = last(&running);
    assert_eq!((entry.status, entry.completed, entry.rows.len()), (0, false, 0));
    assert_eq!(running.get("/v1/tickers").await.status, 200, "others are served");
    let requests = running.get("/_sim/requests").await.json();
    assert_eq!(requests["requests"][0]["status"], 0);
    assert_eq!(requests["requests"][1]["fault"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_web_page_and_an_empty_list_come_with_status_200() {
    let running = start_with(1, 60).await;
    running
        .play(json!([{"path": "/v1/tickers", "html": true}, {"path": "/v1/coins", "empty": true}]))
        .await;
    let page = running.get("/v1/tickers").await;
    assert_eq!((page.status, &*page.headers["content-type"]), (200, "text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!DOCTYPE html>"));
    let empty = running.get("/v1/coins").await;
    assert_eq!((empty.status, empty.text()), (200, "[]"));
    assert!(empty.headers["content-type"].starts_with("application/json"));
    for entry in running.simulator.ledger() {
        assert_eq!((entry.status, entry.completed, entry.rows.len()), (200, true, 0));
    }
}

#[tokio::test]
async fn replaced_text_is_in_the_body_and_in_the_hashes_of_the_rows() {
    let running = start_with(1, 60).await;
    let right = running.get("/v1/tickers").await;
    for (find, with) in [
        ("\"price\":", "\"price\":-"),
        ("\"price\":", "\"price\":1e400,\"was\":"),
        ("\"symbol\":", "\"ticker\":"),
        ("\"id\":\"btc-bitcoin\"", "\"id\":\"new-id\""),
        ("},{", "} , {"),
    ] {
        assert!(right.text().contains(find), "{find}");
        let replace = json!({"find": find, "with": with});
        running.play(json!([{"path": "/v1/tickers", "replace": replace}])).await;
        let reply = running.get("/v1/tickers").await;
        assert!(reply.text() == right.text().replace(find, with), "{find}");
        let entry = last(&running);
        let hashes: Vec<String> = reply.rows().into_iter().map(hash).collect();
        let noted: Vec<&String> = entry.rows.iter().map(|row| &row.sha256).collect();
        if find != "},{" {
            assert_eq!(noted, hashes.iter().collect::<Vec<_>>(), "{find}");
        }
        assert_eq!((entry.completed, entry.rows.len()), (true, 60));
        let id = if with.contains("new-id") { "new-id" } else { "btc-bitcoin" };
        assert_eq!(entry.rows[0].external_id, id);
    }
}

#[tokio::test]
async fn replaced_text_reaches_records_and_items_too() {
    let running = start_with(1, 60).await;
    let right = running.get("/csv/assets.csv").await;
    let replace = json!({"find": "bitcoin", "with": "gold;coin"});
    running.play(json!([{"path": "*", "replace": replace}])).await;
    let reply = running.get("/csv/assets.csv").await;
    assert_eq!(reply.text(), right.text().replace("bitcoin", "gold;coin"));
    let rows = last(&running).rows;
    assert_eq!((rows.len(), &*rows[0].external_id), (60, "gold;coin"));
    for (row, line) in rows.iter().zip(reply.text().lines().skip(1)) {
        assert_eq!(row.sha256, hash(line));
    }
    let replace = json!({"find": "<title>", "with": "<title>!"});
    running.play(json!([{"path": "/feed/*", "replace": replace}])).await;
    let feed = running.get("/feed/rss.xml").await;
    let item = feed.text().split_inclusive("</item>").next().unwrap();
    let item = &item[item.find("<item>").unwrap()..];
    assert!(item.starts_with("<item><title>!"));
    assert_eq!(last(&running).rows[0].sha256, hash(item));
}

#[tokio::test]
async fn a_replaced_body_is_no_version_that_a_client_could_keep() {
    let running = start_with(1, 60).await;
    let right = running.get("/api/v3/coins/list").await;
    let condition = format!("if-none-match: {}\r\n", right.headers["etag"]);
    let replace = json!({"find": "bitcoin", "with": "x"});
    running.play(json!([{"path": "/api/v3/coins/list", "replace": replace, "times": 1}])).await;
    let bad = running.ask("GET", "/api/v3/coins/list", &condition, "").await;
    assert_eq!(bad.status, 200);
    assert!(!bad.headers.contains_key("etag") && !bad.headers.contains_key("last-modified"));
    assert_eq!(running.ask("GET", "/api/v3/coins/list", &condition, "").await.status, 304);
}
