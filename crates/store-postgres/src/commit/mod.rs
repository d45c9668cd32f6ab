//! Commits: one batch, one transaction.
//!
//! Whatever a batch needs to know is read in one round trip, applied to its rows here as the model does it
//! ([`applied`]), and written with one statement for each table.

mod accepted;
mod anomalies;
mod applied;
pub(crate) mod decisions;
mod evidence;
mod identity;
mod known;
mod limits;
mod memory;
mod news;
mod numbers;
mod past;
mod people;
mod points;
mod quarantine;
mod records;
mod resolution;
mod rows;
mod sweeps;
mod transaction;
mod written;

use std::time::{Duration, Instant};

use async_trait::async_trait;
use kasparro_domain::{PageId, RunCounts, SourceName, Timestamp};
use kasparro_store::{
    Batch, BatchStore, Committed, EvidenceRow, SourceMemory, StoreError, StoreResult,
};

use crate::PostgresStore;
use crate::error::{Queried, refused};
use transaction::{Ended, Trouble, attempt};

/// How often a transaction that another one was in the way of is done again.
const COLLISIONS: u32 = 3;
/// How long a commit whose outcome is not known is looked for.
const DOUBT: Duration = Duration::from_secs(10);
/// How long to wait before the database is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// The hour of an instant, as history is keyed by it.
fn hour(at: Timestamp) -> Queried<i32> {
    hour_number(at.hour())
}

fn hour_number(hour: i64) -> Queried<i32> {
    match i32::try_from(hour) {
        Ok(hour) => Ok(hour),
        Err(_) => refused(format!("hour {hour} is too late for a store")),
    }
}

#[async_trait]
impl BatchStore for PostgresStore {
    async fn memory(&self, source: &SourceName) -> StoreResult<SourceMemory> {
        let mut client = self.connection().await?;
        Ok(memory::memory(&mut client, source).await?)
    }

    async fn next_sequence(&self, source: &SourceName) -> StoreResult<u64> {
        let client = self.connection().await?;
        Ok(memory::next_sequence(&client, source).await?)
    }

    async fn settled(&self, page: PageId) -> StoreResult<Option<RunCounts>> {
        let mut client = self.connection().await?;
        Ok(memory::settled(&mut client, page).await?)
    }

    async fn commit(&self, batch: Batch) -> StoreResult<Committed> {
        batch.check()?;
        limits::check(&batch)?;
        let mut numbers = None;
        let (mut collisions, mut lost) = (0, false);
        let mut doubtful: Option<Instant> = None;
        let failure = loop {
            let failed = match attempt(self, &batch, &mut numbers, doubtful.is_some()).await {
                Ok(Ended::Written(committed)) => {
                    self.announce(committed.generation);
                    return Ok(committed);
                }
                Ok(Ended::Known(committed)) => {
                    if doubtful.is_none() {
                        self.give_back(numbers).await;
                    }
                    self.announce(committed.generation);
                    return Ok(committed);
                }
                Err(Trouble::Unknown(failure)) => {
                    doubtful.get_or_insert_with(Instant::now);
                    failure
                }
                Err(Trouble::Failed(failure)) => failure,
            };
            if failed.lacks_partition() {
                self.forget_months();
            }
            if (failed.collided() || failed.lacks_partition()) && collisions < COLLISIONS {
                collisions += 1;
                continue;
            }
            // A try that ended before COMMIT wrote nothing, so a stale connection costs nobody an error.
            if failed.lost() && doubtful.is_none() && !lost {
                lost = true;
                continue;
            }
            match (StoreError::from(failed), doubtful) {
                (StoreError::Unavailable(why), Some(since)) => {
                    if since.elapsed() >= DOUBT {
                        return unknown(&batch, &why);
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                (failure, _) => break failure,
            }
        };
        if doubtful.is_none() {
            self.give_back(numbers).await;
        }
        Err(failure)
    }
}

/// The answer where nobody can be asked what became of a commit.
fn unknown(batch: &Batch, why: &str) -> StoreResult<Committed> {
    let Batch { source, sequence, .. } = batch;
    Err(StoreError::Unavailable(format!(
        "{source}: whether batch {sequence} was committed is not known, the database went away \
         meanwhile ({why}); the next try finds out"
    )))
}

impl PostgresStore {
    /// Gives numbers back that no transaction used. A gap is no harm, so a failure is none either.
    async fn give_back(&self, numbers: Option<numbers::Numbers>) {
        let Some(numbers) = numbers else { return };
        let Ok(client) = self.connection().await else { return };
        if let Err(failure) = numbers.give_back(&client).await {
            let failure = StoreError::from(failure);
            tracing::debug!(%failure, "numbers of a failed batch stay unused");
        }
    }
}
