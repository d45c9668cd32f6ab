//! How SQLite carries out the queries that must not sort, as it plans them on the newest schema.

use kasparro_domain::{DriftStatus, PageState, RunId, SourceName};
use kasparro_store::{AnomalyAbout, AnomalyFilter, DriftFilter, PageFilter};
use rusqlite::Connection;

use super::{
    alerts, anomalies, audit, drift, evidence, identity, identity_audit, identity_input, memory,
    news, once, pages, past, quarantine, refusals, resolve, source_id, usage,
};
use crate::changes;

/// A database of the newest schema.
fn newest() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    for migration in [
        include_str!("../../migrations/V1__first_store.sql"),
        include_str!("../../migrations/V2__nothing_lost.sql"),
        include_str!("../../migrations/V3__leases.sql"),
        include_str!("../../migrations/V4__watchfulness.sql"),
        include_str!("../../migrations/V5__one_asset.sql"),
        include_str!("../../migrations/V6__trusted_api.sql"),
        include_str!("../../migrations/V7__relations.sql"),
    ] {
        connection.execute_batch(migration).unwrap();
    }
    connection
}

/// The steps of a query, its parameters all NULL.
fn plan(sql: &str) -> Vec<String> {
    let connection = newest();
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
fn readers_find_quote_and_identity_of_each_listing_by_its_number() {
    let quote = "SEARCH q USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
    let identity = "SEARCH i USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN";
    assert_eq!(plan(changes::ALL), ["SCAN l", quote, identity]);
    let range = "SEARCH l USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)";
    assert_eq!(plan(changes::IN_RANGE), [range, quote, identity]);
}

#[test]
fn what_speaks_for_identity_is_read_in_the_order_of_the_tables() {
    let listings = plan(identity_input::LISTINGS);
    assert_eq!(listings[0], "SEARCH l USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)");
    assert_eq!(listings.last().unwrap(), "SEARCH q USING INTEGER PRIMARY KEY (rowid=?)");
    let by_key =
        |table| format!("SEARCH {table} USING PRIMARY KEY (listing_id>? AND listing_id<?)");
    assert_eq!(plan(identity_input::STATEMENTS), [by_key("e")]);
    assert_eq!(plan(past::IN_RANGE), [by_key("p")]);
}

#[test]
fn resolving_searches_and_scans_no_table() {
    for sql in [resolve::BEFORE, resolve::MEMBER, resolve::CROWDED, resolve::IS_KNOWN] {
        let steps = plan(sql);
        let scans = |step: &&String| step.starts_with("SCAN") && !step.contains("subquery");
        assert_eq!(steps.iter().find(scans), None, "{sql}: {steps:?}");
    }
    let steps = plan(identity::EDGES);
    for index in
        ["USING PRIMARY KEY (from_listing_id=?)", "USING INDEX asset_edge_to (to_listing_id=?)"]
    {
        assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
    }
    let sighted = "SEARCH page USING INDEX page_sighted (source_id=? AND fetched_at>?)";
    assert_eq!(plan(identity::SIGHTINGS), [sighted]);
}

#[test]
fn nothing_but_history_and_quarantine_is_sorted() {
    for sql in [
        evidence::KNOWN,
        evidence::OF_SOURCE,
        audit::LISTINGS,
        past::OF_SOURCE,
        identity_audit::OF_SOURCE,
        news::OF_SOURCE,
        news::LIST,
        news::LIST_OF_SEVERAL,
        quarantine::LIST,
        quarantine::LIST_OF_SEVERAL,
    ] {
        let steps = plan(sql);
        assert!(!steps.iter().any(|step| step.contains("B-TREE")), "{sql}: {steps:?}");
    }
}

#[test]
fn the_newest_news_are_found_by_their_index() {
    let steps = plan(news::LIST);
    let by_time = "SEARCH news USING INDEX news_newest (newest_at>? AND newest_at<?)";
    assert_eq!(steps, [by_time]);
    assert_eq!(plan(news::LIST_OF_SEVERAL)[0], by_time);
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

/// A database in which two sources are known, and these: none, one, both.
fn with_sources() -> (Connection, [Vec<SourceName>; 3]) {
    let connection = newest();
    let sources = ["coinpaprika", "coingecko"].map(SourceName::new).to_vec();
    for source in &sources {
        source_id(&connection, source).unwrap();
    }
    (connection, [Vec::new(), sources[..1].to_vec(), sources])
}

#[test]
fn refused_pages_are_found_by_their_index() {
    let (connection, sources) = with_sources();
    for sources in sources {
        let several = sources.len() > 1;
        let filter =
            PageFilter { sources, state: Some(PageState::Refused), ..PageFilter::default() };
        let asked = refusals::asked(&connection, &filter).unwrap().unwrap();
        let mut steps = plan(&refusals::list_sql(&asked));
        if several {
            let of_list = ["SUBQUERY", "json_each", "BLOOM"];
            steps.retain(|step| !of_list.iter().any(|part| step.contains(part)));
        }
        let body = "SEARCH raw_body USING INTEGER PRIMARY KEY (rowid=?)";
        assert_eq!(steps, ["SCAN page USING INDEX page_refused", body]);
    }
}

#[test]
fn open_changes_of_a_source_are_found_by_their_index() {
    let (connection, [_, one, both]) = with_sources();
    let steps = |sources| {
        let status = Some(DriftStatus::Open);
        let filter = DriftFilter { sources, status, ..DriftFilter::default() };
        let asked = drift::asked(&connection, &filter).unwrap().unwrap();
        plan(&drift::list_sql(&asked))
    };
    let by_source = "SEARCH drift USING INDEX drift_of_source (source_id=? AND status=?)";
    assert_eq!(steps(one), [by_source]);
    assert_eq!(steps(both)[0], by_source);
}

#[test]
fn anomalies_are_found_by_their_indexes() {
    let (connection, [any, one, both]) = with_sources();
    let first = |filter: AnomalyFilter| {
        let asked = anomalies::asked(&connection, &filter).unwrap().unwrap();
        plan(&anomalies::list_sql(&asked)).remove(0)
    };
    assert_eq!(first(AnomalyFilter::default()), "SCAN anomaly");
    let by_source = "SEARCH anomaly USING INDEX anomaly_of_source (source_id=?)";
    for sources in [one.clone(), both.clone()] {
        let of_source = AnomalyFilter { sources, ..AnomalyFilter::default() };
        assert_eq!(first(of_source), by_source);
    }
    for sources in [any.clone(), one.clone(), both.clone()] {
        let about = Some(AnomalyAbout::Runs);
        let about_runs = AnomalyFilter { about, sources, ..AnomalyFilter::default() };
        assert_eq!(first(about_runs), "SCAN anomaly USING INDEX anomaly_about_run");
    }
    let run_id = Some(RunId(uuid::Uuid::from_u128(1)));
    let of_run = AnomalyFilter { run_id, sources: one.clone(), ..AnomalyFilter::default() };
    assert_eq!(first(of_run), "SEARCH anomaly USING INDEX anomaly_of_run (run_id=?)");
    for sources in [any, one, both] {
        let external_id = Some("btc".into());
        let of_listing = AnomalyFilter { external_id, sources, ..AnomalyFilter::default() };
        let by_listing = "SEARCH anomaly USING INDEX anomaly_of_listing (listing_id=?)";
        assert_eq!(first(of_listing), by_listing);
    }
}

#[test]
fn alerts_that_are_due_are_found_by_their_index() {
    let steps = plan(alerts::DUE);
    assert_eq!(steps[0], "SCAN alert USING INDEX alert_due");
    assert!(!steps.iter().any(|step| step.contains("ORDER BY")), "{steps:?}");
}

#[test]
fn counting_clients_and_forgetting_names_scans_no_table() {
    let by_key = "SEARCH u USING PRIMARY KEY (slot_at=? AND client=?)";
    let steps = plan(usage::OF_CLIENTS);
    assert_eq!(steps.last().unwrap(), by_key);
    let scans = |step: &&String| step.starts_with("SCAN") && step.contains("request_usage");
    assert_eq!(steps.iter().find(scans), None, "{steps:?}");
    assert_eq!(plan(usage::OF_ALL), ["SEARCH request_usage USING PRIMARY KEY (slot_at>?)"]);
    assert_eq!(plan(usage::FORGET), ["SEARCH request_usage USING PRIMARY KEY (slot_at<?)"]);
    assert_eq!(plan(once::FORGET), ["SEARCH once USING INDEX once_created (created_at<?)"]);
}
