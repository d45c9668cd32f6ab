//! Wrongs done to what readers get.

use async_trait::async_trait;
use kasparro_domain::{Generation, ListingId};
use kasparro_store::{
    Audit, AuditReport, AuditStore, HistoryPoint, HistoryRange, HistoryStore, ListingRow,
    ReadStore, StoreError, StoreInfo, StoreResult,
};
use tokio::sync::{mpsc, watch};

use super::{Fault, Twin};

impl Twin {
    /// Spoils a listing on its way out.
    fn spoil_row(&self, row: &mut ListingRow) {
        match self.fault {
            Fault::ShowsOneContract => row.contracts.truncate(1),
            Fault::NeverEndsActivity => row.active = true,
            Fault::MarksNothing => row.unusual = false,
            Fault::NeverRemovesMarks => {
                let marked = self.note(|notes| notes.marked.contains(&row.external_id));
                row.unusual |= marked;
            }
            Fault::SeesFirstSightOnly => {
                row.last_seen_at = row.last_seen_at.map(|_| row.first_seen_at);
            }
            Fault::LetsListsRename => {
                let stated = self.note(|notes| notes.stated.get(row.external_id.as_str()).cloned());
                row.attributes = stated.unwrap_or(row.attributes.clone());
            }
            _ => self.spoil_identity(row),
        }
    }
}

#[async_trait]
impl ReadStore for Twin {
    async fn generation(&self) -> StoreResult<Generation> {
        self.inner.generation().await
    }

    fn watch(&self) -> watch::Receiver<Generation> {
        match self.fault {
            Fault::AnnouncesNothing => self.silent.subscribe(),
            _ => self.inner.watch(),
        }
    }

    async fn changes(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<ListingRow>>,
    ) -> StoreResult<Generation> {
        let since = if self.fault == Fault::SendsEverything { Generation(0) } else { since };
        let (sender, mut receiver) = mpsc::channel::<Vec<ListingRow>>(1);
        let hand_on = async {
            while let Some(mut piece) = receiver.recv().await {
                piece.iter_mut().for_each(|row| self.spoil_row(row));
                let times = if self.fault == Fault::SendsRowsTwice { 2 } else { 1 };
                for _ in 0..times {
                    let gone = |_| StoreError::Unavailable("the reader went away".to_owned());
                    pieces.send(piece.clone()).await.map_err(gone)?;
                }
            }
            Ok(())
        };
        let (generation, handed_on) = tokio::join!(self.inner.changes(since, sender), hand_on);
        handed_on.and(generation)
    }

    async fn ping(&self) -> StoreResult<StoreInfo> {
        self.inner.ping().await
    }
}

#[async_trait]
impl HistoryStore for Twin {
    async fn history(
        &self,
        listing: ListingId,
        range: HistoryRange,
    ) -> StoreResult<Vec<HistoryPoint>> {
        let mut points = self.inner.history(listing, range).await?;
        if self.fault == Fault::KeepsLastRevisionOnly {
            points.reverse();
            points.dedup_by_key(|point| point.observed_at);
            points.reverse();
        }
        Ok(points)
    }
}

#[async_trait]
impl AuditStore for Twin {
    async fn audit(&self, audit: Audit) -> StoreResult<Audit> {
        self.inner.audit(audit).await
    }

    async fn integrity(&self) -> StoreResult<Vec<String>> {
        match self.fault {
            Fault::FindsItsTablesBroken => Ok(vec!["row 3 of the index is gone".to_owned()]),
            _ => self.inner.integrity().await,
        }
    }

    async fn verify(&self) -> StoreResult<AuditReport> {
        let mut report = self.inner.verify().await?;
        let found = self.integrity().await?;
        report.violations.extend(found.into_iter().map(kasparro_store::Violation::integrity));
        match self.fault {
            Fault::DigestsHowItCame => report.digest += &report.generation.to_string(),
            Fault::DigestsOnce => {
                let first = self.note(|notes| notes.digest.get_or_insert(report.digest).clone());
                report.digest = first;
            }
            _ => {}
        }
        Ok(report)
    }
}
