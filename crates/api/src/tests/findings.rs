//! What the engine brings to light: changes in what upstreams send, refused pages, anomalies, budgets.

use std::sync::Arc;

use async_trait::async_trait;
use kasparro_domain::{
    AssetId, DriftEvent, DriftKey, DriftKind, DriftSeverity, Generation, PageId, RunAnomaly,
    RunAnomalyKind, RunError, RunId, RunStatus, ValueAnomalyKind,
};
use kasparro_store::{
    Examined, Findings, ListingRow, PageStore as _, ReadStore, RowAnomaly, RunStore as _, Store,
    StoreInfo, StoreResult,
};
use kasparro_view::{View, ViewSettings};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::world::{Brought, Coin, World, batch_row, known};

/// A member of the rows of `tickers` that holds other values than it did.
pub(super) fn changed(pointer: &str, severity: DriftSeverity) -> DriftEvent {
    DriftEvent {
        key: DriftKey {
            endpoint: "tickers".to_owned(),
            kind: DriftKind::TypeChanged,
            pointer: pointer.to_owned(),
            before: "number".to_owned(),
            after: "text".to_owned(),
        },
        severity,
        rows_affected: 9,
        rows_examined: 10,
        confidence_percent: 90,
        suggestion: "look at the page".to_owned(),
        breaks: vec!["price_usd".to_owned()],
    }
}

impl World {
    /// A page that shows these changes is loaded.
    pub(super) async fn examine(&mut self, source: &str, drift: Vec<DriftEvent>) -> RunId {
        let examined = Examined { endpoint: "tickers".to_owned(), drift, profile: None };
        let brought = Brought { examined: Some(examined), ..Brought::default() };
        self.bring(source, |_, _| brought).await
    }

    /// A page is refused as a whole.
    pub(super) async fn refuse(&mut self, source: &str) -> (RunId, PageId) {
        let run_id = self.start_run(source).await;
        let page_id = self.land(source, run_id).await;
        let error = RunError {
            code: "too_few_rows".to_owned(),
            message: "3 rows came, 250 are usual".to_owned(),
            hint: "look at the page".to_owned(),
        };
        let epoch = self.epoch(source).await;
        self.kept.refuse(page_id, epoch, error, None).await.unwrap();
        self.end_run(run_id, RunStatus::Failed).await;
        (run_id, page_id)
    }

    /// A successful run that brings coins whose price jumped.
    pub(super) async fn jump(&mut self, source: &str, coins: &[Coin<'_>]) -> RunId {
        self.bring(source, |memory, now| {
            let rows = coins.iter().enumerate().map(|(ordinal, coin)| {
                let mut row = batch_row(ordinal, coin, known(memory, coin.0), now);
                row.anomalies = vec![RowAnomaly {
                    kind: ValueAnomalyKind::PriceJump,
                    value: coin.3.unwrap_or_default().to_owned(),
                    expected: "1 to 2".to_owned(),
                }];
                row
            });
            Brought { rows: rows.collect(), ..Brought::default() }
        })
        .await
    }

    /// A successful run with fewer rows than usual.
    pub(super) async fn short_run(&mut self, source: &str) -> RunId {
        let run_id = self.start_run(source).await;
        let anomaly = RunAnomaly {
            kind: RunAnomalyKind::FewRows,
            value: "3 rows".to_owned(),
            expected: "median 250 rows, spread 8".to_owned(),
        };
        let findings = Findings { anomalies: vec![anomaly], ..Findings::default() };
        self.end_run_with(run_id, RunStatus::Success, findings).await;
        run_id
    }

    /// Says what is left of the limits of a source, as the engine does.
    pub(super) async fn set_budgets(&self, source: &str, budgets: Vec<Value>) {
        self.set_state(source, true).await;
        let states = self.kept.source_states().await.unwrap();
        let mut state = states.into_iter().find(|state| state.source.as_str() == source).unwrap();
        state.budgets = budgets;
        self.kept.put_source_state(state).await.unwrap();
    }

    /// Shows every listing as one of the asset 1.
    pub(super) fn merge(&mut self, settings: ViewSettings) {
        self.view = View::new(Arc::new(Merged(self.store.clone())), self.clock.clone(), settings);
    }
}

/// A store in which all listings are of one asset.
struct Merged(Arc<dyn Store>);

#[async_trait]
impl ReadStore for Merged {
    async fn generation(&self) -> StoreResult<Generation> {
        self.0.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        self.0.watch()
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        let (sender, mut receiver) = mpsc::channel::<Vec<ListingRow>>(1);
        let handing_on = async {
            while let Some(mut piece) = receiver.recv().await {
                piece.iter_mut().for_each(|row| row.asset_id = AssetId(1));
                pieces.send(piece).await.unwrap();
            }
        };
        tokio::join!(self.0.changes(since, sender), handing_on).0
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.0.ping().await
    }
}
