//! What `verify` says of tables that somebody changed behind the store's back.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::access::{ask, once};
use common::findings::watched_store;
use common::resolved::resolved_store;
use common::whole::whole_store;
use common::{at, new_store};
use kasparro_store::{AuditStore, CommandStore, KeyStore, StoreError, UsageStore, Violation};

/// Past foreign keys and triggers.
const PAST: &str = "SET search_path = kasparro; SET session_replication_role = replica;";

/// What `verify` finds after rows were changed; before it, nothing.
async fn found_after(change: &str) -> Vec<Violation> {
    let (database, store) = whole_store().await;
    assert_eq!(store.verify().await.unwrap().violations, []);
    database.sql(&format!("{PAST} {change}")).await;
    store.verify().await.unwrap().violations
}

#[track_caller]
fn names(violations: &[Violation], invariant: &str, part: &str) {
    let named = |one: &Violation| one.invariant == invariant && one.detail.contains(part);
    assert!(violations.iter().any(named), "{invariant} {part}: {violations:?}");
}

#[tokio::test]
async fn a_changed_value_is_named() {
    for (change, invariant, part) in [
        ("UPDATE quote SET price_usd = 2.6 WHERE listing_id = 1", "quote", "coinpaprika btc"),
        (
            "UPDATE run SET received = received + 1, unchanged = unchanged + 1",
            "I1",
            "received 9 rows",
        ),
        ("UPDATE listing SET contracts = NULL WHERE listing_id = 3", "evidence", "listing 3"),
        ("UPDATE evidence SET symbol = 'XPR'", "evidence", "coinpaprika xrp: coins_list"),
        (
            "UPDATE news SET title = 'another headline'",
            "news",
            "coinpaprika news.example.com/feed 1",
        ),
        (
            "UPDATE quarantine SET status = 'open'",
            "decision",
            "decision 1 gives row 2 of page 1 up",
        ),
        ("UPDATE checkpoint SET position = '{}'", "I2", "the checkpoint is not the position"),
        ("UPDATE raw_chunk SET bytes = set_byte(bytes, length(bytes) - 1, 0)", "I21", "body"),
        (
            "UPDATE page SET request_hash = request_hash + 1 WHERE page_id = 2",
            "integrity",
            "the hash of the request of page 2",
        ),
        (
            "UPDATE page SET request = '{\"path\":\"/v2\"}' WHERE page_id = 2",
            "integrity",
            "the hash of the request of page 2",
        ),
        (
            "UPDATE minted SET listing_id = 2",
            "integrity",
            "there is listing 3, and the last number given to one is 2",
        ),
    ] {
        names(&found_after(change).await, invariant, part);
    }
}

#[tokio::test]
async fn a_deleted_row_is_named() {
    for (change, invariant, part) in [
        ("DELETE FROM history WHERE listing_id = 2", "quote", "1 quotes have no point in history"),
        ("DELETE FROM history WHERE revision = 0 AND listing_id = 1", "history", "coinpaprika btc"),
        ("DELETE FROM batch WHERE generation = 1", "generation", "generation 2 follows 0"),
        ("DELETE FROM batch WHERE generation = 2", "generation", "the generation is 2"),
        ("DELETE FROM evidence", "evidence", "listing 3"),
        ("DELETE FROM news", "I1", "batches inserted 4"),
        ("DELETE FROM quarantine", "I1", "page 1 has 0 rows in quarantine"),
        ("DELETE FROM checkpoint", "I2", "coinpaprika: its pages reach a position"),
        ("DELETE FROM sweep", "sweep", "coinpaprika: listings missed sweeps"),
        ("DELETE FROM raw_chunk", "I21", "body"),
        ("DELETE FROM decision", "decision", "no decision tells why row 2 of page 1 is discarded"),
    ] {
        names(&found_after(change).await, invariant, part);
    }
}

#[tokio::test]
async fn a_row_that_points_nowhere_is_named() {
    for (change, part) in [
        ("DELETE FROM asset WHERE asset_id = 2", "row 2 of listing points to no row of asset"),
        ("DELETE FROM listing WHERE listing_id = 2", "row 2 of quote points to no row of listing"),
        (
            "DELETE FROM listing WHERE listing_id = 2",
            "472222 2 0 of history points to no row of listing",
        ),
        (
            "DELETE FROM listing WHERE listing_id = 3",
            "row 3 coins_list  of evidence points to no row of listing",
        ),
        (
            "UPDATE quote SET page_id = 77 WHERE listing_id = 1",
            "row 1 of quote points to no row of page",
        ),
        ("UPDATE evidence SET page_id = 77", "of evidence points to no row of page"),
        ("DELETE FROM run", "row 1 of page points to no row of run"),
        ("UPDATE news SET page_id = 77", "row 1 of news points to no row of page"),
        ("UPDATE batch SET page_id = 77", "row 1 of batch points to no row of page"),
        ("UPDATE quarantine SET body_id = 77", "row 1 of quarantine points to no row of raw_body"),
    ] {
        let (database, store) = whole_store().await;
        database.sql(&format!("{PAST} {change}")).await;
        let found = store.integrity().await.unwrap();
        assert!(found.iter().any(|line| line.contains(part)), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn an_instant_or_a_number_that_is_none_of_ours_is_damage() {
    for change in [
        "UPDATE listing SET first_seen_at = 'infinity'",
        "UPDATE listing SET first_seen_at = first_seen_at + interval '1 microsecond'",
        "UPDATE listing SET first_seen_at = '1969-01-01T00:00:00Z'",
        "UPDATE quote SET price_usd = 1.23456789012345678901234567890123456789",
        "UPDATE listing SET contracts = '{}'",
    ] {
        let (database, store) = whole_store().await;
        database.sql(&format!("SET search_path = kasparro; {change}")).await;
        let told = store.verify().await.unwrap_err();
        assert!(matches!(told, kasparro_store::StoreError::Corrupt(_)), "{change}: {told}");
    }
}

/// What `verify` finds in a store that was watched, after rows were changed; before it, nothing.
async fn found_in_watched(change: &str) -> Vec<Violation> {
    let (database, store) = watched_store().await;
    assert_eq!(store.verify().await.unwrap().violations, []);
    database.sql(&format!("{PAST} {change}")).await;
    store.verify().await.unwrap().violations
}

#[tokio::test]
async fn a_change_of_an_upstream_that_nobody_accepted_or_showed_is_named() {
    for (change, invariant, part) in [
        (
            "UPDATE drift SET status = 'accepted' WHERE drift_id = 2",
            "decision",
            "no decision tells why change 2 is accepted",
        ),
        (
            "DELETE FROM decision WHERE kind = 'accept_drift'",
            "decision",
            "no decision tells why change 1 is accepted",
        ),
        (
            "UPDATE decision SET drift = '[]' WHERE kind = 'accept_drift'",
            "decision",
            "no decision tells why change 1 is accepted",
        ),
        (
            "UPDATE drift SET after_value = 'another' WHERE drift_id = 1",
            "decision",
            "no decision tells why change 1 is accepted",
        ),
        (
            "UPDATE drift SET page_id = 99 WHERE drift_id = 2",
            "drift",
            "change 2 was seen on page 99, which is gone",
        ),
    ] {
        names(&found_in_watched(change).await, invariant, part);
    }
}

#[tokio::test]
async fn what_was_found_and_points_nowhere_is_named() {
    for (change, part) in [
        ("UPDATE drift_profile SET source_id = 99", "99 tickers of drift_profile", "source"),
        ("UPDATE drift SET source_id = 99", "1 of drift", "source"),
        ("UPDATE drift SET page_id = 99", "2 of drift", "page"),
        ("UPDATE anomaly SET listing_id = 99 WHERE anomaly_id = 1", "1 of anomaly", "listing"),
        (
            "UPDATE anomaly SET run_id = gen_random_uuid() WHERE anomaly_id = 2",
            "2 of anomaly",
            "run",
        ),
        ("UPDATE budget SET source_id = 99", "99 key of budget", "source"),
        ("UPDATE alert SET source_id = 99", "1 of alert", "source"),
        ("UPDATE alert SET run_id = gen_random_uuid()", "1 of alert", "run"),
    ]
    .map(|(change, row, parent)| (change, format!("row {row} points to no row of {parent}")))
    {
        let (database, store) = watched_store().await;
        database.sql(&format!("{PAST} {change}")).await;
        let found = store.integrity().await.unwrap();
        assert!(found.contains(&part), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn the_digest_tells_of_a_changed_change_or_anomaly() {
    let (database, store) = watched_store().await;
    let before = store.verify().await.unwrap();
    let mut last = before.digest.clone();
    for (table, change) in [
        ("drift", "UPDATE drift SET pointer = '/c' WHERE drift_id = 2"),
        ("anomaly", "UPDATE anomaly SET kind = 'cap_mismatch' WHERE run_id IS NULL"),
    ] {
        database.sql(&format!("{PAST} {change}")).await;
        let after = store.verify().await.unwrap();
        assert_ne!(after.tables[table], before.tables[table], "{change}");
        assert_ne!(after.digest, last, "{change}");
        last = after.digest;
    }
}

#[tokio::test]
async fn what_was_found_and_cannot_be_read_is_damage() {
    for change in [
        "UPDATE drift SET kind = 'of_a_newer_program'",
        "UPDATE drift SET breaks = '{}'",
        "UPDATE drift SET last_seen_at = 'infinity'",
        "UPDATE anomaly SET kind = 'few_rows' WHERE run_id IS NULL",
        "UPDATE alert SET raised_at = raised_at + interval '1 microsecond'",
        "UPDATE decision SET drift = '{}' WHERE kind = 'accept_drift'",
    ] {
        let (database, store) = watched_store().await;
        database.sql(&format!("{PAST} {change}")).await;
        let told = store.verify().await.unwrap_err();
        assert!(matches!(told, kasparro_store::StoreError::Corrupt(_)), "{change}: {told}");
    }
}

#[tokio::test]
async fn an_asset_that_cannot_be_is_named() {
    for (change, invariant, part) in [
        (
            "UPDATE identity SET asset_id = 1, state = 'linked' WHERE listing_id = 2",
            "identity",
            "another listing of coinpaprika",
        ),
        (
            "UPDATE identity SET asset_id = 99 WHERE listing_id = 4",
            "identity",
            "asset 99 of 1 listings was founded by none",
        ),
        (
            "UPDATE listing SET asset_id = 1 WHERE listing_id = 4",
            "identity",
            "asset 1 was founded twice",
        ),
        ("DELETE FROM resolution", "generation", "the generation is 6, there are 5 commits"),
    ] {
        let (database, store) = resolved_store().await;
        assert_eq!(store.verify().await.unwrap().violations, []);
        database.sql(&format!("{PAST} {change}")).await;
        names(&store.verify().await.unwrap().violations, invariant, part);
    }
}

#[tokio::test]
async fn what_was_decided_and_points_nowhere_is_named() {
    for (change, part) in [
        ("UPDATE evidence_past SET listing_id = 99 WHERE endpoint = ''", "99   of evidence_past"),
        ("UPDATE identity SET listing_id = 99 WHERE listing_id = 4", "99 of identity"),
        ("UPDATE asset_edge SET from_listing_id = 99", "99 pegged_to 1 of asset_edge"),
        ("UPDATE asset_edge SET to_listing_id = 99", "2 pegged_to 99 of asset_edge"),
    ] {
        let (database, store) = resolved_store().await;
        database.sql(&format!("{PAST} {change}")).await;
        let found = store.integrity().await.unwrap();
        let told = format!("row {part} points to no row of listing");
        assert!(found.contains(&told), "{change}: {found:?}");
    }
    let (database, store) = resolved_store().await;
    database.sql(&format!("{PAST} UPDATE identity SET asset_id = 99 WHERE listing_id = 4")).await;
    let found = store.integrity().await.unwrap();
    assert_eq!(found, ["row 4 of identity points to no row of asset"]);
}

#[tokio::test]
async fn what_was_decided_and_cannot_be_read_is_damage() {
    for change in [
        "UPDATE identity SET class = 'of_a_newer_program'",
        "UPDATE asset_edge SET kind = 'of_a_newer_program'",
        "UPDATE asset_edge SET effective_on = '2023-02-29'",
        "UPDATE asset_edge SET effective_on = '0000-01-01'",
        "UPDATE asset_edge SET ratio = 1e-61",
        "UPDATE evidence_past SET contracts = '{}' WHERE endpoint <> ''",
        "UPDATE evidence_past SET same_as = '{}' WHERE endpoint <> ''",
        "UPDATE resolution SET changed = '\\x80'",
    ] {
        let (database, store) = resolved_store().await;
        database.sql(&format!("{PAST} {change}")).await;
        let told = store.verify().await.unwrap_err();
        assert!(matches!(told, kasparro_store::StoreError::Corrupt(_)), "{change}: {told}");
    }
}

#[tokio::test]
async fn what_is_kept_of_keys_and_requests_and_cannot_be_read_is_damage() {
    let unchecked = "ALTER TABLE api_key DROP CONSTRAINT api_key_scope_check,
                       DROP CONSTRAINT api_key_hmac_check, DROP CONSTRAINT api_key_requests_check;
                     ALTER TABLE request_usage DROP CONSTRAINT request_usage_requests_check";
    for change in [
        "UPDATE api_key SET scope = 'of_a_newer_program'",
        "UPDATE api_key SET hmac = ''",
        "UPDATE api_key SET requests = -1",
        "UPDATE api_key SET created_at = 'infinity'",
        "UPDATE api_key SET last_used_at = created_at + interval '1 microsecond'",
        "UPDATE request_usage SET requests = -1",
        "UPDATE request_usage SET slot_at = 'infinity' WHERE requests = 3",
        "UPDATE once SET answer = '1e999'",
        "UPDATE once SET commands = '{NULL}'",
    ] {
        let (database, store) = new_store().await;
        ask(&store).await;
        let before = store.verify().await.unwrap();
        database.sql(&format!("{PAST} {unchecked}; {change}")).await;
        let outcomes = [
            store.keys().await.err(),
            store.share_usage(Vec::new(), at(0)).await.err(),
            store.submit_once(once("first", 1), Vec::new(), at(1), at(0)).await.err(),
        ];
        let told: Vec<_> = outcomes.into_iter().flatten().collect();
        assert!(matches!(told.as_slice(), [StoreError::Corrupt(_)]), "{change}: {told:?}");
        // None of it is what the store knows of the world.
        assert_eq!(store.verify().await, Ok(before), "{change}");
    }
}
