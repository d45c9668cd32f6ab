//! Wrongs done to batches.

use async_trait::async_trait;
use kasparro_domain::{
    Checkpoint, Decimal, ListingId, PageId, RejectionReason, RunCounts, SourceName,
};
use kasparro_store::{
    Batch, BatchStore, Committed, EvidenceChange, ListingRef, PageStore as _, ReadStore as _,
    RowChange, SourceMemory, StoreError, StoreResult,
};

use super::{Fault, Twin};

impl Twin {
    /// Spoils a batch on its way in; its page has `done` rows done.
    fn spoil(&self, batch: &mut Batch, done: u64) {
        match self.fault {
            Fault::TrustsProgress => {
                let rows = batch.rows.len() + batch.quarantined.len();
                let received = rows as u64 + batch.unchanged + batch.duplicate;
                batch.rows_done = batch.rows_done.clamp(done, done + received);
            }
            Fault::AppliesTwice => self.note(|notes| {
                let key = (batch.source.clone(), batch.sequence);
                if notes.applied.contains(&key) {
                    notes.sequence += 1;
                    batch.sequence = notes.sequence;
                    batch.rows.retain(|row| !matches!(row.change, RowChange::New { .. }));
                    batch.rows_done = done;
                }
            }),
            Fault::DropsQuarantine => {
                batch.unchanged += batch.quarantined.len() as u64;
                batch.quarantined.clear();
            }
            Fault::KeepsCheckpointBack => batch.position = None,
            Fault::DoesNotFence => {
                let epoch = self.note(|notes| notes.epochs.get(&batch.source).copied());
                batch.epoch = epoch.unwrap_or(batch.epoch);
            }
            Fault::UsesBinaryNumbers => {
                for row in &mut batch.rows {
                    let price = row.quote.price_usd.take();
                    row.quote.price_usd = price.map(|price| {
                        let binary: f64 = price.as_str().parse().unwrap();
                        Decimal::parse(&binary.to_string()).unwrap_or(price)
                    });
                }
            }
            _ => self.spoil_statements(batch),
        }
    }

    /// Spoils what lists, feeds, sweeps and people bring.
    fn spoil_statements(&self, batch: &mut Batch) {
        match self.fault {
            Fault::CountsRepeatsAnew => {
                for row in &mut batch.rows {
                    if let RowChange::Late { repeated, .. } = &mut row.change {
                        *repeated = false;
                    }
                }
            }
            Fault::KeepsOldNames => {
                for row in &mut batch.rows {
                    row.attributes.name.get_or_insert_with(|| "an old name".into());
                }
            }
            Fault::LosesPointsOfNewListings => {
                let before = batch.rows.len();
                batch.rows.retain(|row| !in_batch(&row.change));
                batch.unchanged += (before - batch.rows.len()) as u64;
            }
            Fault::ReplacesByLateStatements => {
                for row in &mut batch.evidence {
                    if let EvidenceChange::Late { listing } = row.change {
                        row.change = EvidenceChange::Stated { listing };
                    }
                }
            }
            Fault::ForgetsDelisting => {
                batch.evidence.iter_mut().for_each(|row| row.evidence.active = None);
            }
            Fault::KeepsTheFirstText => {
                let before = batch.news.len();
                batch.news.retain(|row| !row.known);
                batch.unchanged += (before - batch.news.len()) as u64;
            }
            Fault::ForgetsSweeps => batch.sweep = None,
            Fault::ForgetsReturns => batch.returned.clear(),
            Fault::KeepsTheFirstRefusal if batch.retry.is_some() => {
                for row in &mut batch.quarantined {
                    row.rejection.reason = RejectionReason::BadNumber;
                }
            }
            _ => {}
        }
    }

    /// True when this twin takes a batch that the store refused.
    fn shrugs(&self, batch: &Batch) -> bool {
        match self.fault {
            Fault::TakesPointsBesideNoQuote => batch.rows.iter().any(|row| {
                matches!(row.change, RowChange::Late { .. } | RowChange::Correction { .. })
            }),
            Fault::TakesAnyInBatch => batch.rows.iter().any(|row| in_batch(&row.change)),
            Fault::TakesChangesOfUnfinishedPages => batch.examined.is_some() && !batch.page_done,
            Fault::TakesAnyChange => batch.examined.is_some() && batch.page_done,
            Fault::TakesAnyAnomaly => batch.rows.iter().any(|row| !row.anomalies.is_empty()),
            Fault::TakesAnyStatement => !batch.evidence.is_empty(),
            Fault::SweepsStrangers => batch.sweep.is_some() || !batch.returned.is_empty(),
            Fault::RetriesAnything => batch.retry.is_some(),
            _ => false,
        }
    }
}

fn in_batch(change: &RowChange) -> bool {
    matches!(
        change,
        RowChange::Newer { listing: ListingRef::InBatch }
            | RowChange::Correction { listing: ListingRef::InBatch }
            | RowChange::Late { listing: ListingRef::InBatch, .. }
    )
}

#[async_trait]
impl BatchStore for Twin {
    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        match self.inner.settled(page).await? {
            None if self.fault == Fault::SettlesTooSoon => Ok(Some(RunCounts::default())),
            Some(mut counts) if self.fault == Fault::CountsRetriesTowardsThePage => {
                let retried = self.note(|notes| notes.retried.get(&page).copied());
                counts.add(&retried.unwrap_or_default());
                Ok(Some(counts))
            }
            counts => Ok(counts),
        }
    }

    async fn next_sequence(&self, source: &SourceName) -> StoreResult<u64> {
        match self.fault {
            Fault::NumbersFromZero => Ok(0),
            _ => self.inner.next_sequence(source).await,
        }
    }

    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let mut memory = self.inner.memory(source).await?;
        if let Some(moved) = self.note(|notes| notes.checkpoint.clone()) {
            memory.checkpoint = Some(moved);
        }
        match self.fault {
            Fault::HidesUnquoted => memory.listings.retain(|known| known.quote.is_some()),
            Fault::ForgetsStatements => memory.evidence.clear(),
            Fault::ForgetsNews => memory.news.clear(),
            _ => {}
        }
        Ok(memory)
    }

    async fn commit(&self, mut batch: Batch) -> StoreResult<Committed> {
        let quarantined = batch.quarantined.len() as u64;
        let rewritten = batch.news.iter().filter(|row| row.known).count() as u64;
        let page = self.inner.page(batch.page_id).await?;
        let done = page.as_ref().map_or(0, |page| page.rows_done);
        if self.fault == Fault::KeepsEqualBytesOnce
            && let Some(page) = page.filter(|_| batch.retry.is_none())
        {
            let first = self.note(|notes| *notes.bodies.entry(page.body).or_insert(page.page_id));
            if first != page.page_id {
                batch.unchanged += quarantined;
                batch.quarantined.clear();
            }
        }
        self.spoil(&mut batch, done);
        self.spoil_examined(&mut batch);
        self.spoil_anomalies(&mut batch);
        let outcome = self.inner.commit(batch.clone()).await;
        match self.fault {
            Fault::MovesCheckpointOnFailure if outcome.is_err() => self.note(|notes| {
                let moved_at = batch.stored_at;
                notes.checkpoint =
                    batch.position.clone().map(|position| Checkpoint { position, moved_at });
            }),
            Fault::SetsCheckpointBack if outcome.is_ok() => self.note(|notes| {
                let moved_at = batch.fetched_at;
                let moved = batch.position.clone();
                notes.checkpoint = moved.map(|position| Checkpoint { position, moved_at });
            }),
            Fault::KeepsHalfABatch if matches!(outcome, Err(StoreError::Conflict(_))) => {
                batch.rows.truncate(1);
                batch.rows_done = done;
                let _ = self.inner.commit(batch.clone()).await;
            }
            Fault::FindsAnyLoadedPage if outcome.is_ok() && batch.page_done => {
                self.note(|notes| notes.loaded = Some(batch.page_id));
            }
            _ if outcome.is_err() && self.shrugs(&batch) => {
                let counts = RunCounts::default();
                let generation = self.inner.generation().await?;
                return Ok(Committed { generation, counts, new_listings: Vec::new() });
            }
            _ => {}
        }
        let mut committed = outcome?;
        self.note_prices(&batch);
        self.note(|notes| {
            for row in &batch.evidence {
                let stated = row.evidence.attributes.clone();
                notes.stated.insert(row.evidence.external_id.to_string(), stated);
            }
            let unusual = batch.rows.iter().filter(|row| {
                !row.anomalies.is_empty() && !matches!(row.change, RowChange::Late { .. })
            });
            notes.marked.extend(unusual.map(|row| row.external_id.clone()));
            let examined = batch.examined.as_ref();
            if let Some(examined) = examined.filter(|examined| examined.profile.is_some()) {
                notes.profiles.push((batch.source.clone(), examined.endpoint.clone()));
            }
            if batch.retry.is_some() {
                notes.retried.insert(batch.page_id, committed.counts);
            }
            notes.applied.insert((batch.source, batch.sequence))
        });
        match self.fault {
            Fault::Miscounts => committed.counts = RunCounts::default(),
            Fault::DropsQuarantine => {
                committed.counts.unchanged -= quarantined;
                committed.counts.quarantined = quarantined;
            }
            Fault::KeepsTheFirstText => {
                committed.counts.updated += rewritten;
                committed.counts.unchanged -= rewritten;
            }
            Fault::CountsNewsAsListings => {
                let first = committed.new_listings.first().copied().unwrap_or_default();
                let next = (0..committed.counts.inserted).map(|no| ListingId(first.0 + no as i64));
                committed.new_listings = next.collect();
            }
            Fault::TurnsIdsRound => committed.new_listings.reverse(),
            _ => {}
        }
        Ok(committed)
    }
}
