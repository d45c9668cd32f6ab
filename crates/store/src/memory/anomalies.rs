//! What the in-memory store keeps of what is unusual.

use std::collections::BTreeMap;

use async_trait::async_trait;
use kasparro_domain::{
    Anomaly, AnomalySubject, ListingId, RunAnomaly, RunAnomalyKind, RunId, SourceName, Timestamp,
    ValueAnomaly, ValueAnomalyKind,
};

use super::MemoryStore;
use super::tables::{Tables, of_sources};
use crate::{AnomalyAbout, AnomalyFilter, AnomalyStore, Audit, BatchRow, StoreResult};

/// An anomaly about a listing, and whether its source gave the instant.
#[derive(Debug, Clone)]
struct OfValue {
    anomaly: Anomaly,
    source_timed: bool,
}

/// Anomalies by what they are about: one of each kind for a listing and instant, one for a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Anomalies {
    values: BTreeMap<(ListingId, ValueAnomalyKind, Timestamp), OfValue>,
    runs: BTreeMap<(RunId, RunAnomalyKind), Anomaly>,
    last: i64,
}

impl Anomalies {
    /// Keeps what is unusual about a row; what is known already is said anew.
    pub(super) fn keep_values(
        &mut self,
        source: &SourceName,
        fetched_at: Timestamp,
        listing: ListingId,
        row: &BatchRow,
    ) {
        for unusual in &row.anomalies {
            let last = &mut self.last;
            let of_value =
                self.values.entry((listing, unusual.kind, row.observed_at)).or_insert_with(|| {
                    *last += 1;
                    let subject = AnomalySubject::Value(ValueAnomaly {
                        external_id: row.external_id.clone(),
                        observed_at: row.observed_at,
                        kind: unusual.kind,
                        value: String::new(),
                        expected: String::new(),
                    });
                    let anomaly = Anomaly {
                        anomaly_id: *last,
                        source: source.clone(),
                        subject,
                        found_at: fetched_at,
                    };
                    OfValue { anomaly, source_timed: row.source_timed }
                });
            of_value.source_timed = row.source_timed;
            if let AnomalySubject::Value(anomaly) = &mut of_value.anomaly.subject {
                anomaly.value.clone_from(&unusual.value);
                anomaly.expected.clone_from(&unusual.expected);
            }
        }
    }

    /// Keeps what is unusual about a run.
    pub(super) fn keep_runs(
        &mut self,
        source: &SourceName,
        run_id: RunId,
        at: Timestamp,
        anomalies: &[RunAnomaly],
    ) {
        for anomaly in anomalies {
            self.last += 1;
            let subject = AnomalySubject::Run { run_id, anomaly: anomaly.clone() };
            let kept =
                Anomaly { anomaly_id: self.last, source: source.clone(), subject, found_at: at };
            self.runs.insert((run_id, anomaly.kind), kept);
        }
    }

    /// Hands everything to an audit: values by source, external id, kind and instant.
    pub(super) fn audit(&self, tables: &Tables, audit: &mut Audit) {
        for listing in tables.keys.values() {
            let mut of_listing: Vec<_> =
                self.values.iter().filter(|((id, ..), _)| id == listing).collect();
            of_listing.sort_unstable_by_key(|((_, kind, at), _)| (kind.name(), *at));
            for (_, of_value) in of_listing {
                audit.anomaly(&of_value.anomaly, of_value.source_timed);
            }
        }
        self.runs.values().for_each(|anomaly| audit.anomaly(anomaly, false));
    }

    /// Anomalies that fit, newest first; paging left aside.
    fn fitting(&self, filter: &AnomalyFilter) -> Vec<Anomaly> {
        let values = self.values.values().map(|of_value| &of_value.anomaly);
        let fits = |anomaly: &&Anomaly| {
            let about = match &anomaly.subject {
                AnomalySubject::Value(value) => {
                    filter.about.is_none_or(|about| about == AnomalyAbout::Values)
                        && filter.asks_for(value.kind)
                        && filter.run_id.is_none()
                        && filter.external_id.as_ref().is_none_or(|id| *id == value.external_id)
                }
                AnomalySubject::Run { run_id, anomaly } => {
                    filter.about.is_none_or(|about| about == AnomalyAbout::Runs)
                        && filter.kind.as_deref().is_none_or(|kind| kind == anomaly.kind.name())
                        && filter.external_id.is_none()
                        && filter.run_id.is_none_or(|asked| asked == *run_id)
                }
            };
            about && of_sources(&filter.sources, &anomaly.source)
        };
        let mut all: Vec<Anomaly> =
            values.chain(self.runs.values()).filter(fits).cloned().collect();
        all.sort_unstable_by_key(|anomaly| std::cmp::Reverse(anomaly.anomaly_id));
        all
    }
}

#[async_trait]
impl AnomalyStore for MemoryStore {
    async fn anomalies(&self, filter: AnomalyFilter) -> StoreResult<Vec<Anomaly>> {
        let all = self.tables().anomalies.fitting(&filter).into_iter();
        let offset = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let limit = filter.limit.and_then(|limit| usize::try_from(limit).ok());
        Ok(all.skip(offset).take(limit.unwrap_or(usize::MAX)).collect())
    }

    async fn count_anomalies(&self, filter: AnomalyFilter) -> StoreResult<u64> {
        Ok(self.tables().anomalies.fitting(&filter).len() as u64)
    }
}
