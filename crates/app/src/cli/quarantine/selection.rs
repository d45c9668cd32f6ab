//! Which quarantined rows a decision is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use kasparro_domain::{Clock, RejectionReason, SourceName};
use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStatus, Store};

use super::Context;
use crate::failure::{Exit, Failure};
use crate::wire;

/// The ids of rows, ascending, by their source: each source is its holder's.
pub(super) type RowsBySource = BTreeMap<SourceName, Vec<i64>>;

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
    /// The open rows that are meant.
    ///
    /// # Errors
    /// A [`Failure`] with exit code 1 for an id that no row has and for a row that is not open, with exit
    /// code 2 for a source that does not exist.
    pub(super) async fn rows(
        &self,
        context: &Context,
        clock: &Arc<dyn Clock>,
    ) -> Result<RowsBySource, Failure> {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, clock).await?;
        let store = store.as_ref();
        if self.ids.is_empty() {
            return self.fitting(context, store).await;
        }
        let mut rows = RowsBySource::new();
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
            rows.entry(row.source).or_default().push(*id);
        }
        Ok(rows)
    }

    async fn fitting(&self, context: &Context, store: &dyn Store) -> Result<RowsBySource, Failure> {
        let config = &context.config;
        let sources = match &self.source {
            Some(name) => vec![wire::known_source(config, name)?],
            None => Vec::new(),
        };
        let (mut rows, mut after) = (RowsBySource::new(), None);
        loop {
            let filter = QuarantineFilter {
                sources: sources.clone(),
                reason: self.reason,
                status: Some(QuarantineStatus::Open),
                after,
                limit: Some(PIECE),
                ..QuarantineFilter::default()
            };
            let found = store.quarantined(filter).await;
            let found = found.map_err(|error| Failure::store(&error, &config.database))?;
            if found.is_empty() {
                return Ok(rows);
            }
            for row in found {
                after = Some(row.quarantine_id);
                rows.entry(row.source).or_default().push(row.quarantine_id);
            }
        }
    }
}

/// One row by its id.
///
/// # Errors
/// A [`Failure`] with exit code 1 where there is none.
pub(super) async fn row(
    context: &Context,
    store: &dyn Store,
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
