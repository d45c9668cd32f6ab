//! The last net around changes, anomalies, budgets and alerts, tried past the program.

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/refused_but_for.rs"]
mod refused_but_for;

use common::new_store;
use first_batch::first_batch;
use refused::refused;
use refused_but_for::refused_but_for;
use rusqlite::{Connection, ErrorCode};

const NUL: &str = "'a' || char(0)";
const RUN: &str = "(SELECT run_id FROM run)";

#[tokio::test]
async fn a_quote_is_unusual_or_not() {
    refused(&["UPDATE quote SET unusual = 2", "UPDATE quote SET unusual = NULL"]).await;
}

#[tokio::test]
async fn a_decision_about_a_page_or_a_change_is_whole() {
    let reopen = [
        ("kind", "'reopen'"),
        ("source_id", "1"),
        ("page_rows", "'[]'"),
        ("who", "'me'"),
        ("why", "''"),
        ("decided_at", "0"),
        ("after_page", "1"),
        ("run_id", RUN),
        ("drift", "'[]'"),
        ("forced", "1"),
    ];
    let changes = [("run_id", "NULL"), ("kind", "'retry'"), ("forced", "2"), ("drift", "'[1]'")];
    refused_but_for("decision", &reopen, &changes).await;
    let mut accept = reopen;
    for (name, value) in [
        ("kind", "'accept_drift'"),
        ("run_id", "NULL"),
        ("drift", "'[{\"pointer\":\"/a\"}]'"),
        ("forced", "0"),
    ] {
        accept.iter_mut().filter(|column| column.0 == name).for_each(|column| column.1 = value);
    }
    let changes = [("run_id", RUN), ("kind", "'discard'"), ("forced", "1"), ("drift", "'['")];
    refused_but_for("decision", &accept, &changes).await;
}

#[tokio::test]
async fn changes_that_mean_nothing_cannot_be_stored() {
    let good = [
        ("source_id", "1"),
        ("endpoint", "'tickers'"),
        ("kind", "'type_changed'"),
        ("pointer", "''"),
        ("before_value", "'number'"),
        ("after_value", "'string'"),
        ("severity", "'info'"),
        ("rows_affected", "0"),
        ("rows_examined", "1"),
        ("confidence_percent", "100"),
        ("suggestion", "''"),
        ("breaks", "'[]'"),
        ("page_id", "1"),
        ("refused", "0"),
        ("first_seen_at", "5"),
        ("last_seen_at", "5"),
        ("pages_seen", "1"),
        ("status", "'open'"),
    ];
    let changes = [
        ("source_id", "99"),
        ("endpoint", "''"),
        ("endpoint", NUL),
        ("kind", "''"),
        ("pointer", NUL),
        ("before_value", NUL),
        ("after_value", NUL),
        ("severity", "'fatal'"),
        ("rows_affected", "-1"),
        ("rows_examined", "-1"),
        ("confidence_percent", "101"),
        ("suggestion", NUL),
        ("breaks", "'['"),
        ("page_id", "99"),
        ("refused", "2"),
        ("last_seen_at", "4"),
        ("pages_seen", "0"),
        ("status", "'closed'"),
    ];
    refused_but_for("drift", &good, &changes).await;
    let good = [("source_id", "1"), ("endpoint", "'tickers'"), ("state", "'{}'")];
    let changes = [("source_id", "99"), ("endpoint", "''"), ("endpoint", NUL), ("state", "'{'")];
    refused_but_for("drift_profile", &good, &changes).await;
}

#[tokio::test]
async fn an_anomaly_is_about_a_point_or_about_a_run() {
    let value = [
        ("source_id", "1"),
        ("kind", "'price_jump'"),
        ("listing_id", "1"),
        ("observed_at", "5"),
        ("source_timed", "1"),
        ("run_id", "NULL"),
        ("value", "'9'"),
        ("expected", "''"),
        ("found_at", "5"),
    ];
    let changes = [
        ("source_id", "99"),
        ("kind", "''"),
        ("kind", NUL),
        ("listing_id", "99"),
        ("listing_id", "NULL"),
        ("observed_at", "NULL"),
        ("observed_at", "-1"),
        ("source_timed", "NULL"),
        ("source_timed", "2"),
        ("run_id", RUN),
        ("value", NUL),
        ("expected", NUL),
    ];
    refused_but_for("anomaly", &value, &changes).await;
    let mut run = value;
    for column in &mut run {
        match column.0 {
            "listing_id" | "observed_at" | "source_timed" => column.1 = "NULL",
            "run_id" => column.1 = RUN,
            _ => {}
        }
    }
    let changes = [
        ("run_id", "'gone'"),
        ("run_id", "NULL"),
        ("listing_id", "1"),
        ("observed_at", "5"),
        ("source_timed", "1"),
    ];
    refused_but_for("anomaly", &run, &changes).await;
}

#[tokio::test]
async fn what_is_found_twice_is_kept_once() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let direct = Connection::open(store.path()).unwrap();
    for statement in [
        "INSERT INTO anomaly (source_id, kind, listing_id, observed_at, source_timed, value, expected,
             found_at) VALUES (1, 'price_jump', 1, 5, 1, '', '', 5)",
        "INSERT INTO anomaly (source_id, kind, run_id, value, expected, found_at)
             SELECT 1, 'slow', run_id, '', '', 5 FROM run",
        "INSERT INTO drift (source_id, endpoint, kind, pointer, before_value, after_value, severity,
             rows_affected, rows_examined, confidence_percent, suggestion, breaks, page_id, refused,
             first_seen_at, last_seen_at, pages_seen)
             VALUES (1, 'tickers', 'nested', '', '', '', 'info', 0, 0, 0, '', '[]', 1, 0, 5, 5, 1)",
    ] {
        direct.execute_batch(statement).unwrap();
        let error = direct.execute_batch(statement).expect_err(statement);
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation), "{statement}");
    }
}

#[tokio::test]
async fn budgets_and_alerts_that_mean_nothing_cannot_be_stored() {
    let good = [("source_id", "1"), ("name", "''"), ("version", "1"), ("state", "'{}'")];
    let changes = [("source_id", "99"), ("name", NUL), ("version", "0"), ("state", "'{'")];
    refused_but_for("budget", &good, &changes).await;
    let good = [
        ("source_id", "1"),
        ("run_id", RUN),
        ("code", "'drift'"),
        ("message", "''"),
        ("hint", "''"),
        ("raised_at", "5"),
        ("attempts", "0"),
        ("next_attempt_at", "5"),
        ("delivered_at", "NULL"),
    ];
    let changes = [
        ("source_id", "99"),
        ("run_id", "NULL"),
        ("run_id", "'gone'"),
        ("code", "''"),
        ("code", NUL),
        ("message", NUL),
        ("hint", NUL),
        ("attempts", "-1"),
        // Delivered, and to be sent nevertheless.
        ("delivered_at", "5"),
    ];
    refused_but_for("alert", &good, &changes).await;
}
