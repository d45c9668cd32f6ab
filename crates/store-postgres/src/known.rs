//! Whether the schema is known to be there: until then no table is asked for, since the server would keep each
//! such question in its log as an error.

use std::sync::atomic::{AtomicBool, Ordering};

use kasparro_store::StoreResult;
use tokio_postgres::Client;

use crate::migrate;
use crate::settings::PostgresSettings;

/// What a handle knows of its schema. Once found it is taken for granted: a program goes on working while a
/// newer one brings the schema up to date.
#[derive(Debug)]
pub(crate) struct Known(AtomicBool);

impl Known {
    /// Known from the start, or not.
    pub(crate) const fn new(known: bool) -> Self {
        Self(AtomicBool::new(known))
    }

    /// Looks for the schema on a connection, as long as it was not found.
    ///
    /// # Errors
    /// [`kasparro_store::StoreError`] says what is missing, or that the store is one of a newer program.
    pub(crate) async fn look(
        &self,
        client: &Client,
        settings: &PostgresSettings,
    ) -> StoreResult<()> {
        if !self.0.load(Ordering::Relaxed) {
            migrate::check_by(client, settings).await?;
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
