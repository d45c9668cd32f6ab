//! Stories drawn by lot, told to this store and to the one in memory: both must know the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "../../store/tests/random_stories/mod.rs"]
mod random_stories;

/// What the stories need of this store.
mod support {
    pub(crate) use super::common::findings::{change, unusual};
    pub(crate) use super::common::{
        LEASE, at, batch, body, landed, new_page, new_row, new_store as open, run_id, source,
    };
}

#[tokio::test]
async fn both_stores_know_the_same_after_any_story() {
    random_stories::tell_all().await;
}
