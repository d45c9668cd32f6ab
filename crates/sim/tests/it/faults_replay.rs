//! Faults of replayed answers.

use kasparro_sim::LedgerEntry;
use serde_json::json;

use crate::client::Running;
use crate::folder::Folder;
use crate::ledger::hash;

/// Made by hand after CoinPaprika's documentation of `/v1/coins`.
const COINS: &str = r#"[ {"id":"btc-bitcoin","rank":1},
 {"id":"eth-ethereum","rank":2} ]"#;
const CSV: &str = "id,price\r\nbitcoin,1.5\r\n\r\nether,2\r\n";

async fn serve() -> (Folder, Running) {
    let mut folder = Folder::new();
    folder.add("coins.json", COINS, json!({"endpoint": "GET /v1/coins", "shape": "array"}));
    folder.add("prices.csv.gz", CSV, json!({}));
    let limited = json!({"endpoint": "GET /v1/tickers", "http_status": 429});
    folder.add("errors/limited.json", r#"[{"id":"no-row"}]"#, limited);
    let running = folder.serve().await;
    (folder, running)
}

fn last(running: &Running) -> LedgerEntry {
    running.simulator.ledger().pop().unwrap()
}

#[tokio::test]
async fn a_capture_is_replaced_text_by_text() {
    let (_folder, running) = serve().await;
    let replace = json!({"find": "rank\":", "with": "rank\":-"});
    running.play(json!([{"path": "/v1/*", "replace": replace}])).await;
    let reply = running.get("/v1/coins").await;
    assert_eq!(reply.text(), COINS.replace("rank\":", "rank\":-"));
    let rows = last(&running).rows;
    assert_eq!((rows.len(), &*rows[1].external_id), (2, "eth-ethereum"));
    assert_eq!(rows[1].sha256, hash(r#"{"id":"eth-ethereum","rank":-2}"#));

    let replace = json!({"find": "bitcoin,1.5", "with": "bitcoin,-1.50"});
    running.play(json!([{"path": "/csv/prices.csv", "replace": replace}])).await;
    assert_eq!(running.get("/csv/prices.csv").await.text(), CSV.replace("1.5", "-1.50"));
    let rows = last(&running).rows;
    assert_eq!((&*rows[0].external_id, &*rows[1].external_id), ("bitcoin", "ether"));
    assert_eq!(rows[0].sha256, hash("bitcoin,-1.50"));
    assert_eq!(rows[1].sha256, hash("ether,2"));
}

#[tokio::test]
async fn a_capture_is_broken_off() {
    let (_folder, running) = serve().await;
    running.play(json!([{"path": "*", "truncate_bytes": 35}])).await;
    for (target, body, rows) in [
        ("/v1/coins", COINS, [hash(r#"{"id":"btc-bitcoin","rank":1}"#)].as_slice()),
        ("/csv/prices.csv", CSV, [hash("bitcoin,1.5"), hash("ether,2")].as_slice()),
        ("/v1/tickers", r#"[{"id":"no-row"}]"#, &[]),
    ] {
        let (raw, _) = running.get_raw(target).await;
        let raw = String::from_utf8(raw).unwrap();
        let sent = &body[..body.len().min(35)];
        assert!(raw.ends_with(&format!("{sent}\r\n")), "{raw}");
        let entry = last(&running);
        assert!(!entry.completed);
        let noted: Vec<&String> = entry.rows.iter().map(|row| &row.sha256).collect();
        assert_eq!(noted, rows.iter().collect::<Vec<_>>(), "{target}");
    }
}

#[tokio::test]
async fn other_faults_stand_in_for_captures_and_end() {
    let (_folder, running) = serve().await;
    running
        .play(json!([
            {"path": "/v1/coins", "status": 503, "times": 1},
            {"path": "/v1/coins", "empty": true, "times": 1},
            {"path": "/v1/coins", "html": true, "times": 1},
            {"path": "/v1/coins", "delay_ms": 1, "times": 1},
        ]))
        .await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(running.get("/v1/coins").await.status);
        assert_eq!(last(&running).rows, []);
    }
    assert_eq!(statuses, [503, 200, 200]);
    for _ in 0..2 {
        assert_eq!(running.get("/v1/coins").await.text(), COINS);
        assert_eq!(last(&running).rows.len(), 2);
    }
    assert_eq!(running.fired().await, [1, 1, 1, 1]);
}
