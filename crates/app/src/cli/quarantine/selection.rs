//! Which quarantined rows a decision is about.

use std::sync::Arc;

use kasparro_domain::{Clock, RejectionReason};
use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStatus, QuarantineStore};
use kasparro_store_sqlite::SqliteStore;

use super::Context;
use crate::failure::{Exit, Failure};
use crate::wire;

/// Rows read at once.
const PIECE: u32 = 5_000;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Selection {
    /// Rows by their ids, as `kasparro quarantine list` shows them.
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    /// Every open row.
    #[arg(long, conflicts_with_all = ["ids", "reason", "source"])]
    all: bool,
    /// Every open row with this reason, for example bad_number.
    #[arg(long, value_name = "REASON", conflicts_with = "ids", value_parser = read_reason)]
    reason: Option<RejectionReason>,
    /// Every open row of this source.
    #[arg(long, value_name = "SOURCE", conflicts_with = "ids")]
    source: Option<String>,
}

/// Reads the code of a reason.
pub(super) fn read_reason(text: &str) -> Result<RejectionReason, String> {
    RejectionReason::from_code(text).ok_or_else(|| {
        let codes: Vec<_> = RejectionReason::ALL.iter().map(|reason| reason.code()).collect();
        format!("is none of {}", codes.join(", "))
    })
}

impl Selection {
    /// The ids of the open rows that are meant, ascending.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 1 for an id that no row has and for a row that is not open, with exit
    /// code 2 for a source that does not exist.
    pub(super) async fn rows(
        &self,
        context: &Context,
        clock: &Arc<dyn Clock>,
    ) -> Result<Vec<i64>, Failure> {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = &wire::open_to_read(&context.config, clock)?;
        if self.ids.is_empty() {
            return self.fitting(context, store).await;
        }
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        for id in &ids {
            let row = row(context, store, *id).await?;
            if row.status != QuarantineStatus::Open {
                return Err(Failure::new(
                    Exit::Failed,
                    "not_open",
                    format!("row {id} is {} already", row.status.name()),
                    "`kasparro quarantine list` shows the rows that are open",
                ));
            }
        }
        Ok(ids)
    }

    async fn fitting(&self, context: &Context, store: &SqliteStore) -> Result<Vec<i64>, Failure> {
        let config = &context.config;
        let source = match &self.source {
            Some(name) => Some(wire::known_source(config, name)?),
            None => None,
        };
        let mut ids = Vec::new();
        loop {
            let filter = QuarantineFilter {
                source: source.clone(),
                reason: self.reason,
                status: Some(QuarantineStatus::Open),
                after: ids.last().copied(),
                limit: Some(PIECE),
                ..QuarantineFilter::default()
            };
            let found = store.quarantined(filter).await;
            let found = found.map_err(|error| Failure::store(&error, &config.database))?;
            if found.is_empty() {
                return Ok(ids);
            }
            ids.extend(found.iter().map(|row| row.quarantine_id));
        }
    }
}

/// One row by its id.
///
/// # Errors
/// A [`Failure`] with exit code 1 where there is none.
pub(super) async fn row(
    context: &Context,
    store: &SqliteStore,
    id: i64,
) -> Result<QuarantineRow, Failure> {
    let filter = QuarantineFilter {
        after: id.checked_sub(1),
        limit: Some(1),
        ..QuarantineFilter::default()
    };
    let found = store.quarantined(filter).await;
    let found = found.map_err(|error| Failure::store(&error, &context.config.database))?;
    found.into_iter().find(|row| row.quarantine_id == id).ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "unknown_row",
            format!("there is no quarantined row {id}"),
            "`kasparro quarantine list --status all` lists the ids",
        )
    })
}
