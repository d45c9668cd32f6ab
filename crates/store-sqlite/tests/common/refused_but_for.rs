//! Rows of which the schema has to refuse every small change.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

use rusqlite::Connection;

use super::common::new_store;
use super::first_batch::first_batch;
use super::refused::refused;

/// The statement that inserts these columns.
fn insert(table: &str, columns: &[(&str, &str)]) -> String {
    let (names, values): (Vec<_>, Vec<_>) = columns.iter().copied().unzip();
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
}

/// Inserts a row that the schema takes, and expects it to refuse the same row with one value changed.
pub(crate) async fn refused_but_for(table: &str, good: &[(&str, &str)], changes: &[(&str, &str)]) {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let mut direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "foreign_keys", true).unwrap();
    let tried = direct.transaction().unwrap();
    tried.execute_batch(&insert(table, good)).expect(table);
    tried.rollback().unwrap();
    let mut statements = Vec::new();
    for change in changes {
        assert!(good.iter().any(|(name, _)| *name == change.0), "{change:?}");
        let changed = |column: &(_, _)| if column.0 == change.0 { *change } else { *column };
        let row: Vec<(&str, &str)> = good.iter().map(changed).collect();
        statements.push(insert(table, &row));
    }
    refused(&statements.iter().map(String::as_str).collect::<Vec<_>>()).await;
}
