//! What a view tells of its changes.

use std::sync::Arc;

use kasparro_domain::Generation;

use crate::Row;

/// One change of what a view shows.
///
/// `to` is `from` where only ages were judged anew. It is smaller where the store went back, as after
/// restoring a backup; the rows are then all that are shown, and what was told before does not count any
/// more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The generation that was shown before.
    pub from: Generation,
    /// The generation that is shown since.
    pub to: Generation,
    /// The rows that came, changed or were judged otherwise, as they are shown now, by ascending listing
    /// id. None where the store changed nothing that readers see.
    pub rows: Vec<Arc<Row>>,
}
