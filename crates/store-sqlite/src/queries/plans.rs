//! How SQLite carries out the queries that must not sort, as it plans them on the newest schema.

use rusqlite::Connection;

use super::{audit, evidence, memory, news, pages, quarantine};

/// The steps of a query, its parameters all NULL.
fn plan(sql: &str) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for migration in [
        include_str!("../../migrations/V1__first_store.sql"),
        include_str!("../../migrations/V2__nothing_lost.sql"),
        include_str!("../../migrations/V3__leases.sql"),
    ] {
        connection.execute_batch(migration).unwrap();
    }
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    steps
}

#[test]
fn listings_are_read_in_one_pass_in_the_order_of_their_table() {
    let steps = plan(memory::LISTINGS);
    assert_eq!(steps, ["SCAN l", "SEARCH q USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN"]);
}

#[test]
fn nothing_but_history_and_quarantine_is_sorted() {
    for sql in [
        evidence::KNOWN,
        evidence::OF_SOURCE,
        audit::LISTINGS,
        news::OF_SOURCE,
        news::LIST,
        quarantine::LIST,
    ] {
        let steps = plan(sql);
        assert!(!steps.iter().any(|step| step.contains("B-TREE")), "{sql}: {steps:?}");
    }
}

#[test]
fn the_newest_news_are_found_by_their_index() {
    let steps = plan(news::LIST);
    assert_eq!(steps, ["SEARCH news USING INDEX news_newest (newest_at>? AND newest_at<?)"]);
}

#[test]
fn loaded_pages_of_a_run_are_found_by_their_index() {
    let steps = plan(pages::LOADED_OF_RUN);
    let body = "SEARCH raw_body USING INTEGER PRIMARY KEY (rowid=?)";
    assert_eq!(steps, ["SEARCH page USING INDEX page_of_run (run_id=?)", body]);
}

#[test]
fn a_quarantined_row_is_looked_up_by_its_body_and_place() {
    let steps = plan(quarantine::KEEP);
    let search = "SEARCH quarantine USING COVERING INDEX sqlite_autoindex_quarantine_1 \
                  (source_id=? AND body_id=? AND ordinal=?)";
    assert!(steps.iter().any(|step| step == search), "{steps:?}");
    assert!(!steps.iter().any(|step| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW"));
}
