//! Statements that the schema has to refuse.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use kasparro_store::AuditStore;
use rusqlite::{Connection, ErrorCode};

use super::common::new_store;
use super::first_batch::first_batch;

/// Runs a statement on a store with one batch and expects the schema to refuse it.
pub(crate) async fn refused(statements: &[&str]) {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let before = store.dump().await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "foreign_keys", true).unwrap();
    for statement in statements {
        let error = direct.execute_batch(statement).expect_err(statement);
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::ConstraintViolation), "{statement}");
    }
    assert_eq!(store.dump().await.unwrap(), before);
}
