//! Stories drawn by lot, told to this store and to the one in memory: both must know the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "common/findings.rs"]
mod findings;
#[path = "../../store/tests/random_stories/mod.rs"]
mod random_stories;

/// What the stories need of this store.
mod support {
    use kasparro_store_sqlite::SqliteStore;
    use tempfile::TempDir;

    pub(crate) use super::common::{
        LEASE, at, batch, body, landed, new_page, new_row, run_id, source,
    };
    pub(crate) use super::findings::{change, unusual};

    pub(crate) async fn open() -> (TempDir, SqliteStore) {
        super::common::new_store()
    }
}

#[tokio::test]
async fn both_stores_know_the_same_after_any_story() {
    random_stories::tell_all().await;
}
