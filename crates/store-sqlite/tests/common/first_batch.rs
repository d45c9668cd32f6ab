//! A store that holds something.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use kasparro_domain::{Rejection, RejectionReason};
use kasparro_store::{BatchStore, Committed, QuarantinedRow};
use kasparro_store_sqlite::SqliteStore;

use super::common::{batch, landed, new_row};

/// Commits two new listings and a quarantined row, which is all of a page.
pub(crate) async fn first_batch(store: &SqliteStore) -> Committed {
    let (epoch, page) = landed(store).await;
    let mut batch = batch(&page, epoch, 0, vec![new_row(0, "btc"), new_row(1, "eth")]);
    let rejection = Rejection::new(RejectionReason::BadNumber, "/price", "1e400");
    batch.quarantined = vec![QuarantinedRow { ordinal: 2, rejection, rule: "domain/1" }];
    (batch.rows_done, batch.page_done) = (3, true);
    store.commit(batch).await.unwrap()
}
