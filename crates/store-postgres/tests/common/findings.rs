//! What a store learns about its sources.

use kasparro_domain::{
    DriftEvent, DriftKey, DriftKind, DriftSeverity, ListingId, NewAlert, RunAnomaly,
    RunAnomalyKind, RunStatus, ValueAnomalyKind,
};
use kasparro_store::{
    BatchStore, BudgetStore, DriftFilter, DriftStore, Examined, Findings, LeaseStore, ListingRef,
    NewPage, PageStore, RowAnomaly, RowChange, RunStore, RunUpdate,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::Database;
use serde_json::json;

use super::whole::{later_row, whole_store};
use super::{LEASE, at, batch, body, new_page, run_id, source};

/// A change of the member at `pointer`.
pub(crate) fn change(pointer: &str) -> DriftEvent {
    DriftEvent {
        key: DriftKey {
            endpoint: "tickers".to_owned(),
            kind: DriftKind::TypeChanged,
            pointer: pointer.to_owned(),
            before: "number".to_owned(),
            after: "string".to_owned(),
        },
        severity: DriftSeverity::Warning,
        rows_affected: 3,
        rows_examined: 4,
        confidence_percent: 90,
        suggestion: "look at the page".to_owned(),
        breaks: vec!["price_usd".to_owned()],
    }
}

/// What examining a page brought: these changes.
pub(crate) fn examined(drift: Vec<DriftEvent>) -> Examined {
    Examined { endpoint: "tickers".to_owned(), drift, profile: Some(json!({"rows": 1e-7})) }
}

/// A kind, and what is said of it.
pub(crate) fn unusual(kind: ValueAnomalyKind) -> RowAnomaly {
    RowAnomaly { kind, value: "9000".to_owned(), expected: "about 2".to_owned() }
}

/// What the end of a run brings to light: an anomaly, and an alert that is to be sent.
pub(crate) fn findings() -> Findings {
    let anomaly = RunAnomaly {
        kind: RunAnomalyKind::FewRows,
        value: "2 rows".to_owned(),
        expected: "median 250 rows".to_owned(),
    };
    let alert = NewAlert { code: "few_rows".into(), message: "few".into(), hint: "look".into() };
    Findings { anomalies: vec![anomaly], alerts: vec![alert], send_alerts: true }
}

/// A whole store with a third page that has changed twice, of which one change was accepted, an unusual value,
/// a budget, and a run whose end has findings.
pub(crate) async fn watched_store() -> (Database, PostgresStore) {
    let (database, store) = whole_store().await;
    watch(&store).await;
    (database, store)
}

/// Adds what a watched store has to a whole one.
pub(crate) async fn watch(store: &PostgresStore) {
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let page = store.land(NewPage { epoch, ..new_page() }, body(b"another")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let mut row = later_row(0, "btc", 30, RowChange::Newer { listing: btc });
    row.anomalies = vec![unusual(ValueAnomalyKind::PriceJump)];
    let mut third = batch(&page, epoch, 2, vec![row]);
    (third.rows_done, third.page_done) = (1, true);
    third.position = None;
    third.examined = Some(examined(vec![change("/a"), change("/b")]));
    store.commit(third).await.unwrap();
    let first = store.drift(DriftFilter::default()).await.unwrap()[0].drift_id;
    assert_eq!(store.accept_drift(vec![first], "a person", "fine", at(6)).await.unwrap(), 1);
    assert!(store.put_budget(&source(), "key", 0, json!({"spent": 1})).await.unwrap());
    let (status, error) = (RunStatus::Success, None);
    let ended = RunUpdate::Ended { at: at(40), status, requests: 1, error, findings: findings() };
    store.update_run(run_id(1), epoch, ended).await.unwrap();
}
