//! One try to commit a batch.

use deadpool_postgres::Transaction;
use kasparro_faults::crash_point;
use kasparro_store::{Batch, Committed, StoreError};

use super::applied::Applied;
use super::numbers::{Numbers, ensure_months};
use super::{anomalies, evidence, known, news, past, quarantine, records, sweeps, written};
use crate::PostgresStore;
use crate::error::{Failure, Queried, refused};
use crate::queries::{drift, first, get, uint};
use crate::store::finish;

/// How a try ended well.
pub(super) enum Ended {
    /// The batch was written now.
    Written(Committed),
    /// It had been written before.
    Known(Committed),
}

/// How a try failed.
pub(super) enum Trouble {
    /// Nothing was written.
    Failed(Failure),
    /// The connection was lost after COMMIT was sent: the batch is written, or not.
    Unknown(Failure),
}

impl<E: Into<Failure>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Tries once. `numbers` are taken where they are missing, and kept for the next try. With `doubtful`, a
/// try before may have written the batch: it is looked for even where its epoch is over.
pub(super) async fn attempt(
    store: &PostgresStore,
    batch: &Batch,
    numbers: &mut Option<Numbers>,
    doubtful: bool,
) -> Result<Ended, Trouble> {
    let mut client = store.connection().await?;
    if numbers.is_none() {
        *numbers = Numbers::take(&client, batch).await?;
    }
    ensure_months(&client, store.months(), batch).await?;
    // Dropped half way, as when the caller goes away, it rolls back before the connection is used again.
    let transaction = client.transaction().await?;
    let ended = write(&transaction, batch, *numbers, doubtful).await?;
    if let Ended::Known(_) = ended {
        transaction.rollback().await?;
        return Ok(ended);
    }
    match finish(transaction).await {
        Ok(()) => Ok(ended),
        Err(failure) if failure.lost() => Err(Trouble::Unknown(failure)),
        Err(failure) => Err(Trouble::Failed(failure)),
    }
}

/// Writes a batch within its transaction: looks at everything first, then writes.
async fn write(
    transaction: &Transaction<'_>,
    batch: &Batch,
    numbers: Option<Numbers>,
    doubtful: bool,
) -> Queried<Ended> {
    let source = match lease(transaction, batch).await? {
        Some((source, epoch)) if epoch == batch.epoch => source,
        over => {
            if let (Some((source, _)), true) = (over, doubtful) {
                let ours = Some(batch.epoch);
                let known = records::outcome(transaction, source, batch.sequence, ours).await?;
                if let Some(known) = known {
                    return Ok(Ended::Known(known));
                }
            }
            let source_name = batch.source.clone();
            return Err(StoreError::Fenced { source_name, epoch: batch.epoch }.into());
        }
    };
    let (outcome, page, run_is_known, kept, known) = tokio::try_join!(
        biased;
        records::outcome(transaction, source, batch.sequence, None),
        records::take_page(transaction, source, batch),
        records::run_is_known(transaction, source, batch),
        quarantine::kept(transaction, source, batch),
        known::read(transaction, source, batch),
    )?;
    if let Some(known) = outcome {
        return Ok(Ended::Known(known));
    }
    let Some(page) = page else {
        return refused(format!("page {} takes no rows of {}", batch.page_id, batch.source));
    };
    if !run_is_known {
        return refused(format!("run {} of {} is not known", batch.run_id, batch.source));
    }
    let (first_new, first_asset) =
        numbers.map_or((1, 1), |numbers| (numbers.first_listing, numbers.first_asset));
    let applied = Applied::of(batch, known, first_new)?;
    page.check(batch, &applied.counts)?;
    quarantine::check(batch, &kept)?;

    written::write(transaction, source, first_asset, &applied).await?;
    crash_point!("commit.rows");
    tokio::try_join!(
        biased;
        evidence::write(transaction, &applied),
        past::write(transaction, &applied),
        news::write(transaction, source, &applied),
        sweeps::write(transaction, source, &applied),
        anomalies::write(transaction, source, &applied),
        quarantine::write(transaction, source, batch, &page, &kept),
    )?;
    crash_point!("commit.quarantine");
    if let Some(examined) = &batch.examined {
        drift::keep(transaction, batch.page_id, examined, false).await?;
    }
    records::advance(transaction, source, &applied).await?;
    let committed = records::write_manifest(transaction, source, applied).await?;
    crash_point!("commit.manifest");
    Ok(Ended::Written(committed))
}

/// Number and epoch of the source of a batch. Who writes about a source waits here for whoever does so now.
async fn lease(transaction: &Transaction<'_>, batch: &Batch) -> Queried<Option<(i64, u64)>> {
    let sql = "SELECT source_id, epoch FROM lease JOIN source USING (source_id) WHERE name = $1
               FOR UPDATE OF lease";
    let read = |row: &tokio_postgres::Row| Ok((get(row, 0)?, uint(row, 1)?));
    first(transaction, sql, &[&batch.source.as_str()], read).await
}
