//! What the two stores say of themselves.

use kasparro_domain::{Anomaly, DriftRow, DriftStatus, PageId, PageState};
use kasparro_store::{
    AnomalyAbout, AnomalyFilter, DriftFilter, NewsFilter, PageFilter, PageRecord, QuarantineFilter,
    Store,
};

use super::Story;
use crate::support::{at, run_id, source};

impl Story<'_> {
    /// Everything that both say of themselves.
    pub(super) async fn compare(&self, pages: i64) {
        let mut said = Vec::new();
        for store in self.stores {
            let mut settled = Vec::new();
            for page in 1..=pages {
                settled.push(store.settled(PageId(page)).await.unwrap());
            }
            let search = NewsFilter { search: Some("0% 3".to_owned()), ..NewsFilter::default() };
            let early = NewsFilter { until: Some(at(5)), ..NewsFilter::default() };
            said.push((
                store.dump().await.unwrap(),
                store.verify().await.unwrap(),
                format!("{:#?}", store.memory(&source()).await.unwrap()),
                store.quarantined(QuarantineFilter::default()).await.unwrap(),
                (store.decisions().await.unwrap(), found(store).await),
                [NewsFilter::default(), search, early].map(|filter| store.news(filter)).into_iter(),
                settled,
            ));
        }
        let other = said.pop().unwrap();
        let one = said.pop().unwrap();
        for (one, other) in one.0.iter().zip(&other.0) {
            assert_eq!(one, other);
        }
        assert_eq!((&one.1, &one.3, &one.4, &one.6), (&other.1, &other.3, &other.4, &other.6));
        assert_eq!(one.2, other.2);
        for (one, other) in one.5.zip(other.5) {
            assert_eq!(one.await.unwrap(), other.await.unwrap());
        }
    }
}

/// What was found out: changes, anomalies and pages, by several filters.
async fn found(store: &dyn Store) -> (Vec<DriftRow>, Vec<Anomaly>, Vec<PageRecord>, Vec<u64>) {
    let of_source = || vec![source()];
    let accepted = DriftFilter { status: Some(DriftStatus::Accepted), ..DriftFilter::default() };
    let mut changes = store.drift(DriftFilter::default()).await.unwrap();
    changes.extend(store.drift(accepted.clone()).await.unwrap());
    let some = DriftFilter { sources: of_source(), after: Some(2), offset: 1, ..accepted.clone() };
    changes.extend(store.drift(some).await.unwrap());
    let all = AnomalyFilter::default();
    let jumps = AnomalyFilter { kind: Some("price_jump".to_owned()), ..all.clone() };
    let of_coin = AnomalyFilter { external_id: Some("coin-1".into()), ..all.clone() };
    let runs = AnomalyFilter { about: Some(AnomalyAbout::Runs), ..all.clone() };
    let page = AnomalyFilter { limit: Some(3), offset: 2, sources: of_source(), ..all.clone() };
    let mut counts = vec![store.count_drift(accepted).await.unwrap()];
    let mut anomalies = Vec::new();
    for filter in [all, jumps, of_coin, runs, page] {
        counts.push(store.count_anomalies(filter.clone()).await.unwrap());
        anomalies.extend(store.anomalies(filter).await.unwrap());
    }
    let landed = PageFilter { state: Some(PageState::Landed), ..PageFilter::default() };
    let some = PageFilter { limit: Some(3), offset: 1, sources: of_source(), ..landed.clone() };
    counts.push(store.count_pages(landed).await.unwrap());
    let of_run = PageFilter { run_id: Some(run_id(1)), ..PageFilter::default() };
    let mut pages = store.pages(some).await.unwrap();
    pages.extend(store.pages(of_run).await.unwrap());
    (changes, anomalies, pages, counts)
}
