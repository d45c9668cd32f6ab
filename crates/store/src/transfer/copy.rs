//! One store read and another one written, at the same time.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::{Piece, TransferStore};
use crate::{Audit, AuditReport, StoreError, StoreResult, Violation};

/// Pieces that wait between two steps: one is read while one is written.
const WAITING_PIECES: usize = 1;

/// How far a copy has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyProgress {
    /// Rows are on their way.
    Rows {
        /// The table.
        table: &'static str,
        /// How many of its rows were handed to the target.
        rows: u64,
        /// How many rows it has.
        of_rows: u64,
        /// Bytes handed to the target so far, of all tables.
        bytes: u64,
    },
    /// The target is durable; both stores are compared.
    Comparing,
}

/// A copy that is durable, and what both stores hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Rows by table.
    pub tables: BTreeMap<&'static str, u64>,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of all rows, as they travelled.
    pub bytes: u64,
    /// What the origin held in the snapshot that was copied.
    pub from: AuditReport,
    /// What the target holds.
    pub to: AuditReport,
}

impl Copied {
    /// True when both stores have one digest.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.from.digest == self.to.digest && self.from.generation == self.to.generation
    }

    /// The tables whose digests differ.
    #[must_use]
    pub fn differing(&self) -> Vec<&'static str> {
        let differs =
            |name: &&&'static str| self.from.tables.get(**name) != self.to.tables.get(**name);
        let names = self.from.tables.keys().chain(self.to.tables.keys());
        let mut names: Vec<_> = names.filter(differs).copied().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Why a copy is not good.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The origin failed. The target is as empty as it was, unless the origin failed only while both were
    /// compared.
    #[error("the origin failed: {0}")]
    From(StoreError),
    /// The target failed. It is as empty as it was, unless it failed only while both were compared.
    #[error("the target failed: {0}")]
    To(StoreError),
    /// The copy is durable, but the digests differ or one of the stores does not hold together.
    #[error("{}", differs(.0))]
    Unsound(Box<Copied>),
}

fn differs(copied: &Copied) -> String {
    let mut said = Vec::new();
    if !copied.is_equal() {
        said.push(format!("the digests differ in {}", copied.differing().join(", ")));
    }
    for (name, report) in [("origin", &copied.from), ("target", &copied.to)] {
        if !report.violations.is_empty() {
            said.push(format!("the {name} has {} violations", report.violations.len()));
        }
    }
    said.join("; ")
}

/// Copies everything of `from` into `to`, which must be empty, and compares the two afterwards.
///
/// # Errors
/// [`CopyError`] says which of the two failed, or how they differ.
pub async fn copy(
    from: &dyn TransferStore,
    to: &dyn TransferStore,
    mut progress: impl FnMut(CopyProgress) + Send,
) -> Result<Copied, CopyError> {
    let (out, sent) = mpsc::channel(WAITING_PIECES);
    let (hand_on, pieces) = mpsc::channel(WAITING_PIECES);
    let (exported, relayed, imported) = tokio::join!(
        from.export(out, Audit::digest()),
        relay(sent, hand_on, &mut progress),
        to.import(pieces),
    );
    let (exported, imported) = match (exported, imported, relayed.target_gone) {
        // Whichever failed first made the other one fail.
        (_, Err(error), true) => return Err(CopyError::To(error)),
        (Err(error), _, _) => return Err(CopyError::From(error)),
        (_, Err(error), _) => return Err(CopyError::To(error)),
        (Ok(audit), Ok(()), _) => (audit, ()),
    };
    let () = imported;
    progress(CopyProgress::Comparing);
    let report = reported(from, exported).await.map_err(CopyError::From)?;
    let to = to.verify().await.map_err(CopyError::To)?;
    let copied = Copied {
        rows: relayed.tables.values().sum(),
        tables: relayed.tables,
        bytes: relayed.bytes,
        from: report,
        to,
    };
    let sound = copied.from.violations.is_empty() && copied.to.violations.is_empty();
    if sound && copied.is_equal() { Ok(copied) } else { Err(CopyError::Unsound(Box::new(copied))) }
}

/// What `verify` gives, for an audit that was made in the snapshot of the export.
async fn reported(store: &dyn TransferStore, audit: Audit) -> StoreResult<AuditReport> {
    let mut report = audit.report()?;
    let found = store.integrity().await?;
    report.violations.extend(found.into_iter().map(Violation::integrity));
    Ok(report)
}

#[derive(Debug, Default)]
struct Relayed {
    tables: BTreeMap<&'static str, u64>,
    bytes: u64,
    target_gone: bool,
}

/// Hands pieces on and says how far it is.
async fn relay(
    mut sent: mpsc::Receiver<Piece>,
    hand_on: mpsc::Sender<Piece>,
    progress: &mut impl FnMut(CopyProgress),
) -> Relayed {
    let mut relayed = Relayed::default();
    let mut of_rows = 0;
    while let Some(piece) = sent.recv().await {
        let now = match &piece {
            Piece::Table { table, rows, .. } => {
                of_rows = *rows;
                Some((table.name, 0))
            }
            Piece::Rows(rows) => {
                relayed.bytes += rows.bytes();
                Some((rows.table().name, rows.len()))
            }
            Piece::End => None,
        };
        if hand_on.send(piece).await.is_err() {
            relayed.target_gone = true;
            return relayed;
        }
        if let Some((table, more)) = now {
            let rows = relayed.tables.entry(table).or_default();
            *rows += more;
            progress(CopyProgress::Rows { table, rows: *rows, of_rows, bytes: relayed.bytes });
        }
    }
    relayed
}
