//! Wrongs done to changes of upstreams.

use async_trait::async_trait;
use kasparro_domain::{DriftId, DriftRow, DriftStatus, SourceName, Timestamp};
use kasparro_store::{Batch, DriftFilter, DriftStore, StoreResult};
use serde_json::Value;

use super::{Fault, Twin};

impl Twin {
    /// Spoils what examining a page brought, on its way in.
    pub(super) fn spoil_examined(&self, batch: &mut Batch) {
        let Some(examined) = &mut batch.examined else { return };
        for event in &examined.drift {
            let key = (batch.source.clone(), event.key.clone());
            self.note(|notes| notes.said.insert(key, event.clone()));
        }
        match self.fault {
            Fault::ClearsProfiles => {
                examined.profile.get_or_insert(Value::Null);
            }
            Fault::KeepsTheFirstProfile => {
                let key = (batch.source.clone(), examined.endpoint.clone());
                let first = self.note(|notes| notes.profiled.insert(key));
                examined.profile = examined.profile.take().filter(|_| first);
            }
            _ => {}
        }
    }

    /// Spoils a change on its way out.
    fn spoil_drift(&self, row: &mut DriftRow) {
        match self.fault {
            Fault::CountsOneSighting => row.pages_seen = 1,
            Fault::DatesChangesByTheFirst => row.last_seen_at = row.first_seen_at,
            Fault::ForgetsWhatWasRefused => row.refused = false,
            Fault::LetsOldPagesSpeakLast => {
                let key = (row.source.clone(), row.event.key.clone());
                let said = self.note(|notes| notes.said.get(&key).cloned());
                row.event = said.unwrap_or(row.event.clone());
            }
            Fault::ReopensChanges if row.pages_seen > 1 => row.status = DriftStatus::Open,
            _ => {}
        }
    }
}

#[async_trait]
impl DriftStore for Twin {
    async fn profile(&self, source: &SourceName, endpoint: &str) -> StoreResult<Option<Value>> {
        match self.fault {
            Fault::SharesProfiles => {
                let first = self.note(|notes| notes.profiles.first().cloned());
                let (source, endpoint) = first.unwrap_or((source.clone(), endpoint.to_owned()));
                self.inner.profile(&source, &endpoint).await
            }
            _ => self.inner.profile(source, endpoint).await,
        }
    }

    async fn drift(&self, mut filter: DriftFilter) -> StoreResult<Vec<DriftRow>> {
        let asked = filter.status;
        match self.fault {
            Fault::IgnoresDriftNumber => filter.after = None,
            Fault::ReopensChanges => filter.status = None,
            _ => {}
        }
        self.forget_sources(&mut filter.sources);
        let mut rows = self.inner.drift(filter).await?;
        rows.iter_mut().for_each(|row| self.spoil_drift(row));
        if self.fault == Fault::KeepsChangesTwice {
            let again = rows.iter().filter(|row| row.pages_seen > 1).cloned();
            let again: Vec<DriftRow> = again
                .map(|row| DriftRow { drift_id: DriftId(row.drift_id.0 + 1_000), ..row })
                .collect();
            rows.extend(again);
        }
        rows.retain(|row| asked.is_none_or(|status| row.status == status));
        Ok(rows)
    }

    async fn count_drift(&self, filter: DriftFilter) -> StoreResult<u64> {
        match self.fault {
            Fault::CountsOnePageOfDrift => Ok(self.inner.drift(filter).await?.len() as u64),
            Fault::KeepsChangesTwice => Ok(self.drift(filter).await?.len() as u64),
            _ => self.inner.count_drift(filter).await,
        }
    }

    async fn accept_drift(
        &self,
        drift: Vec<DriftId>,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> StoreResult<u64> {
        let asked = drift.len() as u64;
        let open = self.inner.accept_drift(drift, who, why, now).await?;
        Ok(if self.fault == Fault::CountsEveryAcceptance { asked } else { open })
    }
}
