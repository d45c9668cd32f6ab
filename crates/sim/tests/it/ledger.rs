//! The ledger tells what was served, to the byte, and no secret.

use std::time::Duration;

use kasparro_sim::{LedgerEntry, SimSettings};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::client::{Running, start, start_with};

pub(crate) fn hash(bytes: &str) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares an entry with the rows of the body that the client got.
fn compare(entry: &LedgerEntry, rows: &[&str]) -> Result<(), String> {
    if entry.rows.len() != rows.len() {
        return Err(format!("{} rows in the ledger, {} served", entry.rows.len(), rows.len()));
    }
    for ((ordinal, row), noted) in (0_u64..).zip(rows).zip(&entry.rows) {
        if noted.ordinal != ordinal || noted.sha256 != hash(row) {
            return Err(format!("row {ordinal} differs: {row}"));
        }
        if !row.contains(&noted.external_id)
            && !row.contains(&noted.external_id.replace('&', "&amp;"))
        {
            return Err(format!("row {ordinal} is not about {}", noted.external_id));
        }
    }
    Ok(())
}

async fn read_ledger(running: &Running) -> Vec<LedgerEntry> {
    let reply = running.get("/_sim/ledger").await;
    assert_eq!(reply.headers["x-sim-entries-dropped"], "0");
    reply.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn i1_the_ledger_holds_the_hash_of_every_row_as_served() {
    let running = start_with(4, 400).await;
    running.simulator.set_step(3);
    let arrays = [
        "/v1/tickers?quotes=USD",
        "/v1/coins",
        "/v1/contracts/eth-ethereum",
        "/api/v3/coins/markets?vs_currency=usd&per_page=250&page=2",
        "/api/v3/coins/markets?vs_currency=usd&page=99",
        "/api/v3/coins/list?include_platform=true",
    ];
    for (count, path) in (1_u64..).zip(arrays) {
        let reply = running.get(path).await;
        let entry = read_ledger(&running).await.pop().unwrap();
        compare(&entry, &reply.rows()).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!((entry.request, entry.status, entry.completed), (count, 200, true));
        assert_eq!(format!("{}?{}", entry.path, entry.query).trim_end_matches('?'), path);
        assert_eq!(entry.at.to_string(), "2026-01-01T00:03:00Z");
    }
    for (path, line_end) in
        [("/csv/assets.csv", "\n"), ("/csv/markets.csv", "\r\n"), ("/csv/prices.csv", "\n")]
    {
        let reply = running.get(path).await;
        let entry = read_ledger(&running).await.pop().unwrap();
        let records: Vec<&str> = reply.text().trim_end().split(line_end).skip(1).collect();
        compare(&entry, &records).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    for (path, begin, end) in
        [("/feed/rss.xml", "<item>", "</item>"), ("/feed/atom.xml", "<entry>", "</entry>")]
    {
        let reply = running.get(path).await;
        let entry = read_ledger(&running).await.pop().unwrap();
        let (from, to) = (reply.text().find(begin).unwrap(), reply.text().rfind(end).unwrap());
        let items: Vec<&str> = reply.text()[from..to + end.len()].split_inclusive(end).collect();
        compare(&entry, &items).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    assert_eq!(read_ledger(&running).await, running.simulator.ledger());
}

#[tokio::test]
async fn platform_ids_are_served_and_are_no_rows() {
    let running = start_with(4, 400).await;
    let platforms = running.get("/v1/contracts").await.objects();
    assert_eq!((platforms.len(), platforms[0].as_str()), (5, Some("eth-ethereum")));
    let entry = read_ledger(&running).await.pop().unwrap();
    assert_eq!(
        (entry.path.as_str(), entry.completed, entry.rows.len()),
        ("/v1/contracts", true, 0)
    );
}

#[tokio::test]
async fn i1_a_row_that_differs_in_one_byte_is_noticed() {
    let running = start_with(4, 60).await;
    let reply = running.get("/v1/tickers").await;
    let entry = read_ledger(&running).await.pop().unwrap();
    let rows = reply.rows();
    compare(&entry, &rows).unwrap();
    let changed = rows[17].replacen("\"rank\":", "\"rank\": ", 1);
    let mut broken = rows.clone();
    broken[17] = &changed;
    assert!(compare(&entry, &broken).is_err());
    broken[17] = rows[18];
    assert!(compare(&entry, &broken).is_err());
    assert!(compare(&entry, &rows[1..]).is_err());
}

#[tokio::test]
async fn secrets_are_nowhere_in_ledger_requests_or_answers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    let running =
        start(SimSettings { coins: 60, ledger: Some(file.clone()), ..SimSettings::default() })
            .await;
    let secret = "CG-TOPSECRET42";
    let mut seen = Vec::new();
    for (target, headers) in [
        ("/v1/tickers", format!("authorization: {secret}\r\n")),
        ("/api/v3/coins/markets?vs_currency=usd", format!("x-cg-demo-api-key: {secret}\r\n")),
        ("/api/v3/coins/markets?vs_currency=usd", format!("x-cg-pro-api-key: {secret}\r\n")),
        (
            &format!("/api/v3/coins/list?x_cg_demo_api_key={secret}&include_platform=true"),
            String::new(),
        ),
        (&format!("/api/v3/coins/list?x%5Fcg%5Fpro%5Fapi%5F%6Bey={secret}"), String::new()),
        (&format!("/v1/none?x_cg_pro_api_key={secret}&"), String::new()),
    ] {
        let reply = running.ask("GET", target, &headers, "").await;
        seen.push(reply.text().to_owned());
        seen.extend(reply.headers.into_values());
    }
    let ledger = running.get("/_sim/ledger").await;
    let requests = running.get("/_sim/requests").await;
    seen.push(ledger.text().to_owned());
    seen.push(requests.text().to_owned());
    seen.push(std::fs::read_to_string(&file).unwrap());
    assert!(seen.iter().all(|text| !text.to_ascii_uppercase().contains("TOPSECRET")));

    let entries = running.simulator.ledger();
    assert_eq!(entries[3].query, "x_cg_demo_api_key=***&include_platform=true");
    let key_id = entries[0].key_id.clone().unwrap();
    assert!(
        key_id.len() == 12 && entries.iter().all(|entry| entry.key_id.as_ref() == Some(&key_id))
    );
    running.get("/v1/coins").await;
    assert_eq!(running.simulator.ledger().last().unwrap().key_id, None);
    running.ask("GET", "/v1/coins", "authorization: another\r\n", "").await;
    assert_ne!(running.simulator.ledger().last().unwrap().key_id, Some(key_id));
}

#[tokio::test]
async fn the_ledger_file_has_the_lines_of_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.jsonl");
    let running =
        start(SimSettings { coins: 900, ledger: Some(file.clone()), ..SimSettings::default() })
            .await;
    running.get("/v1/tickers").await;
    running.get("/csv/prices.csv").await;
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 2);
    assert!(written == running.get("/_sim/ledger").await.text());
}

#[tokio::test]
async fn an_answer_that_the_client_left_is_not_completed() {
    let running = start_with(1, 40_000).await;
    let mut stream = running.connect("GET /v1/tickers HTTP/1.1\r\n", "").await;
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
    assert!(!entry.completed);
    assert!(entry.rows.len() < 40_000, "{}", entry.rows.len());
}

#[tokio::test]
async fn answers_without_rows_leave_no_line() {
    let running = start_with(1, 60).await;
    let list = running.get("/api/v3/coins/list").await;
    let etag = &list.headers["etag"];
    assert!(etag.starts_with("W/\""), "{etag}");
    assert_eq!(running.simulator.ledger().len(), 1);

    let condition = format!("if-none-match: \"other\", {etag}\r\n");
    let unchanged = running.ask("GET", "/api/v3/coins/list", &condition, "").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    let head = running.ask("HEAD", "/v1/tickers", "", "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(running.get("/api/v3/coins/markets").await.status, 422);
    assert_eq!(running.simulator.ledger().len(), 1);
    assert_eq!(running.simulator.request_count(), 4);

    running.simulator.step();
    assert_eq!(running.ask("GET", "/api/v3/coins/list", &condition, "").await.status, 200);
}
