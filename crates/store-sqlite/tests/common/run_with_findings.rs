//! A store that has learnt something of its source.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use kasparro_domain::{
    DriftEvent, NewAlert, RunAnomaly, RunAnomalyKind, RunStatus, ValueAnomalyKind,
};
use kasparro_store::{BatchStore, BudgetStore, Examined, Findings, PageStore, RunStore, RunUpdate};
use kasparro_store_sqlite::SqliteStore;
use serde_json::json;

use super::common::{at, batch, landed, new_row, run_id, source};
use super::findings::{change, unusual};

/// What examining a page brought: these changes.
pub(crate) fn examined(drift: Vec<DriftEvent>) -> Examined {
    Examined { endpoint: "tickers".to_owned(), drift, profile: Some(json!({"rows": 1e-7})) }
}

/// A run whose one page has changed, with an unusual row, a budget, and an alert at its end.
pub(crate) async fn run_with_findings(store: &SqliteStore) {
    let (epoch, page) = landed(store).await;
    let mut row = new_row(0, "btc");
    row.anomalies = vec![unusual(ValueAnomalyKind::PriceJump)];
    let mut batch = batch(&page, epoch, 0, vec![row, new_row(1, "eth")]);
    (batch.rows_done, batch.page_done) = (2, true);
    batch.examined = Some(examined(vec![change("/a"), change("/b")]));
    store.commit(batch).await.unwrap();
    assert!(store.put_budget(&source(), "key", 0, json!({"spent": 1})).await.unwrap());
    let anomaly = RunAnomaly {
        kind: RunAnomalyKind::FewRows,
        value: "2 rows".to_owned(),
        expected: "median 250 rows".to_owned(),
    };
    let alert = NewAlert { code: "few_rows".into(), message: "few".into(), hint: "look".into() };
    let findings = Findings { anomalies: vec![anomaly], alerts: vec![alert], send_alerts: true };
    let (status, error) = (RunStatus::Success, None);
    let ended = RunUpdate::Ended { at: at(4), status, requests: 1, error, findings };
    store.update_run(run_id(1), epoch, ended).await.unwrap();
    assert_eq!(store.page(page.page_id).await.unwrap().unwrap().rows_done, 2);
}
