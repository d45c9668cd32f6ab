//! How assets relate, as people state it: what the schema refuses, and what `verify` says of changed rows.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::resolved::{relate, resolved_store};
use kasparro_store::{AuditStore, StoreError};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Database, execute};

/// Past foreign keys and triggers.
const PAST: &str = "SET search_path = kasparro; SET session_replication_role = replica;";

async fn related_store() -> (Database, PostgresStore) {
    let (database, store) = resolved_store().await;
    relate(&store).await;
    (database, store)
}

/// The constraint that refuses a change, where one does, or else what was said.
async fn refused_by(database: &Database, change: &str) -> Option<String> {
    let sql = format!("SET search_path = kasparro; {change}");
    let error = execute(&database.url(), &sql).await.err()?;
    let answer = error.as_db_error().unwrap();
    Some(answer.constraint().unwrap_or(answer.message()).to_owned())
}

#[tokio::test]
async fn what_an_edge_cannot_say_is_refused_by_the_schema() {
    let (database, _store) = related_store().await;
    for ratio in ["0", "-1", "1e81", "'NaN'", "'Infinity'"] {
        let refused =
            refused_by(&database, &format!("UPDATE asset_edge SET ratio = {ratio}")).await;
        assert_eq!(refused.as_deref(), Some("asset_edge_ratio_check"), "{ratio}");
    }
    for day in [
        "",
        "2024-1-01",
        "2024-00-01",
        "2024-13-01",
        "2024-01-00",
        "2024-01-32",
        "12024-01-01",
        "2024-01-01T00:00:00Z",
        " 2024-01-01",
        "2024-01-01\n",
        "\u{662}\u{660}\u{662}\u{664}-01-01",
    ] {
        let change = format!("UPDATE asset_edge SET effective_on = '{day}'");
        let refused = refused_by(&database, &change).await;
        assert_eq!(refused.as_deref(), Some("asset_edge_effective_on_check"), "{day:?}");
    }
    for change in ["ratio = 1e-60", "ratio = NULL", "effective_on = '9999-12-31'"] {
        let taken = refused_by(&database, &format!("UPDATE asset_edge SET {change}")).await;
        assert_eq!(taken, None, "{change}");
    }
}

#[tokio::test]
async fn a_relation_is_there_exactly_where_the_decision_relates_two_listings() {
    let (database, _store) = related_store().await;
    for (kind, pairs, relation, expected) in [
        ("relate", "[1]", "NULL", Some("decision_related_check")),
        ("relate", "[1]", "'null'", Some("decision_relation_check")),
        ("relate", "[1]", "'[]'", Some("decision_relation_check")),
        ("relate", "[]", "'{}'", Some("decision_pairs_check")),
        ("relate", "[1]", "'{}'", None),
        ("unrelate", "[1]", "'{}'", Some("decision_related_check")),
        ("unrelate", "[]", "NULL", Some("decision_pairs_check")),
        ("unrelate", "[1]", "NULL", None),
        ("split", "[1]", "'{}'", Some("decision_related_check")),
        ("discard", "[]", "'{}'", Some("decision_related_check")),
        ("rename", "[]", "NULL", Some("decision_kind_check")),
    ] {
        let change = format!(
            "INSERT INTO decision (kind, source_id, page_rows, who, why, decided_at, after_page,
                                   pairs, relation)
             VALUES ('{kind}', 1, '[]', 'a', 'b', now(), 0, '{pairs}', {relation})"
        );
        let refused = refused_by(&database, &change).await;
        assert_eq!(refused.as_deref(), expected, "{kind} {pairs} {relation}");
    }
    for change in ["UPDATE decision SET relation = NULL", "DELETE FROM decision"] {
        let refused = refused_by(&database, change).await;
        assert_eq!(refused.as_deref(), Some("a decision is never changed or deleted"), "{change}");
    }
}

#[tokio::test]
async fn the_digest_tells_of_a_changed_relation() {
    let (database, store) = related_store().await;
    let mut last = store.verify().await.unwrap().digest;
    let relation = "UPDATE decision SET relation =";
    for (table, change) in [
        ("partition", "UPDATE asset_edge SET ratio = ratio * 10"),
        ("partition", "UPDATE asset_edge SET effective_on = '2024-02-28' WHERE ratio > 0"),
        ("decision", &format!("{relation} replace(relation::text, '02-29', '02-28')::json")),
        ("decision", &format!("{relation} (relation::jsonb - 'ratio')::json")),
    ] {
        let earlier = store.verify().await.unwrap();
        database.sql(&format!("{PAST} {change}")).await;
        let after = store.verify().await.unwrap();
        assert_ne!(after.tables[table], earlier.tables[table], "{change}");
        assert_ne!(after.digest, last, "{change}");
        last = after.digest;
    }
    for unreadable in ["'{}'", "(relation::jsonb - 'from')::json"] {
        database.sql(&format!("{PAST} {relation} {unreadable} WHERE kind = 'relate'")).await;
        let told = store.verify().await.unwrap_err();
        assert!(matches!(told, StoreError::Corrupt(_)), "{unreadable}: {told}");
    }
}
