//! The ledger of replayed answers, and their bytes.

use std::fmt::Write as _;
use std::time::Duration;

use kasparro_sim::{LedgerEntry, LedgerRow};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::client::Running;
use crate::folder::Folder;
use crate::ledger::hash;

fn row(ordinal: u64, external_id: &str, bytes: &str) -> LedgerRow {
    LedgerRow { ordinal, external_id: external_id.to_owned(), sha256: hash(bytes) }
}

fn last(running: &Running) -> LedgerEntry {
    running.simulator.ledger().pop().unwrap()
}

#[tokio::test]
async fn rows_of_a_json_body_are_its_elements_as_they_stand() {
    let elements = [
        r#"{"id":"bitcoin", "n":1e3, "inner":{"id":"no"}}"#,
        r#"{"id":17}"#,
        r#"{"name":"no id"}"#,
        r#"{"id":null}"#,
        r#""text \u00e9""#,
        "[1, 2]",
    ];
    let array = format!(" [ {} ]\n", elements.join("\n , "));
    let wanted: Vec<LedgerRow> = ["bitcoin", "17", "", "", "text é", ""]
        .iter()
        .zip(elements)
        .zip(0..)
        .map(|((id, element), ordinal)| row(ordinal, id, element))
        .collect();
    let mut folder = Folder::new();
    let at = |path: &str, shape: &str| json!({ "endpoint": format!("GET {path}"), "shape": shape });
    let wrapped = format!(r#"{{"total":6,"data":{{"coins":{array}}}}}"#);
    folder
        .add("list.json", &array, at("/v1/coins", "array"))
        .add("plain.json", &array, at("/v1/tickers", ""))
        .add("wrapped.json.gz", &wrapped, at("/v1/exchanges", "object.data.coins"))
        .add("platforms.json", r#"["eth-ethereum"]"#, at("/v1/contracts", "array"))
        .add("one.json", r#"{"id":"btc-bitcoin"}"#, at("/v1/coins/btc-bitcoin", "object"))
        .add("broken.json", "[{\"id\":\"cut", at("/v1/global", "array"));
    let running = folder.serve().await;
    running.simulator.set_step(2);
    for path in ["/v1/coins", "/v1/tickers", "/v1/exchanges"] {
        let reply = running.get(&format!("{path}?limit=1&x_key=secret")).await;
        assert_eq!(reply.text(), if path == "/v1/exchanges" { &wrapped } else { &array });
        let entry = last(&running);
        assert_eq!(entry.rows, wanted, "{path}");
        assert_eq!((entry.path.as_str(), entry.query.as_str()), (path, "limit=1&x_key=***"));
        assert_eq!((entry.status, entry.completed), (200, true));
        assert_eq!(entry.at.to_string(), "2026-01-01T00:02:00Z");
        assert!(entry.key_id.is_some());
    }
    for (path, body) in [
        ("/v1/contracts", r#"["eth-ethereum"]"#),
        ("/v1/coins/btc-bitcoin", r#"{"id":"btc-bitcoin"}"#),
        ("/v1/global", "[{\"id\":\"cut"),
        ("/v1/contracts/none", "[]"),
    ] {
        assert_eq!(running.get(path).await.text(), body);
        let entry = last(&running);
        assert_eq!((entry.path.as_str(), entry.rows.len()), (path, 0));
        assert!(entry.completed);
    }
}

#[tokio::test]
async fn rows_of_a_csv_file_are_its_records() {
    let mut folder = Folder::new();
    let plain = "timestamp,coinId,name\n1,bitcoin,\"a, b\"\n2,ether,\"two\nlines\"\n3,last,no end";
    let dialect = "\u{feff}Symbol;Slug;Price\r\nBTC;bitcoin;1,5\r\n\r\nETH;ethereum;2\r\n";
    let unnamed = "coin,price\nBitcoin,1\n";
    folder
        .add("csv/plain.csv", plain, json!({ "endpoint": "as committed", "captured": "2020-12" }))
        .add("deep/er/dialect.csv.gz", dialect, json!({ "shape": "csv" }))
        .add("unnamed.csv", unnamed, json!({}));
    let running = folder.serve().await;
    for (name, body, rows) in [
        (
            "plain",
            plain,
            vec![
                row(0, "bitcoin", "1,bitcoin,\"a, b\""),
                row(1, "ether", "2,ether,\"two\nlines\""),
                row(2, "last", "3,last,no end"),
            ],
        ),
        (
            "dialect",
            dialect,
            vec![row(0, "bitcoin", "BTC;bitcoin;1,5"), row(1, "ethereum", "ETH;ethereum;2")],
        ),
        ("unnamed", unnamed, vec![row(0, "", "Bitcoin,1")]),
    ] {
        let reply = running.get(&format!("/csv/{name}.csv")).await;
        assert_eq!((reply.status, reply.text()), (200, body), "{name}");
        assert_eq!(reply.headers["content-type"], "text/csv; charset=utf-8");
        assert_eq!(last(&running).rows, rows, "{name}");
    }
}

/// Some megabytes of records, with fields longer than a piece.
fn long_csv() -> (String, Vec<LedgerRow>) {
    let (mut body, mut rows) = ("id,note\r\n".to_owned(), Vec::new());
    for ordinal in 0..30_000 {
        let note = "x".repeat(if ordinal % 10_000 == 7 { 150_000 } else { 50 });
        let record = format!("coin-{ordinal},\"{note}, {ordinal}\"");
        rows.push(row(ordinal, &format!("coin-{ordinal}"), &record));
        write!(body, "{record}\r\n").unwrap();
    }
    (body, rows)
}

#[tokio::test]
async fn a_long_file_is_sent_in_pieces_and_accounted_for_to_the_row() {
    let (body, rows) = long_csv();
    let mut folder = Folder::new();
    folder.add("long.csv.gz", &body, json!({}));
    let running = folder.serve().await;
    let reply = running.get("/csv/long.csv").await;
    assert_eq!(reply.headers["transfer-encoding"], "chunked");
    assert!(reply.text() == body);
    assert!(last(&running).completed && last(&running).rows == rows);
}

#[tokio::test]
async fn a_file_that_the_client_left_is_not_completed() {
    let (body, rows) = long_csv();
    let mut folder = Folder::new();
    // Long enough not to fit in the buffers of a connection.
    folder.add("long.csv.gz", &body.repeat(6), json!({}));
    let running = folder.serve().await;
    let mut stream = running.connect("GET /csv/long.csv HTTP/1.1\r\n", "").await;
    stream.read_exact(&mut [0; 4_096]).await.unwrap();
    drop(stream);
    let entry = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Some(entry) = running.simulator.ledger().pop() {
                return entry;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let entry = entry.await.unwrap();
    assert!(!entry.completed && entry.rows.len() < rows.len() * 6, "{}", entry.rows.len());
}
