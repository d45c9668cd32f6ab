//! The last net around what is decided about listings, tried past the program.

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/refused.rs"]
mod refused;
#[path = "common/refused_but_for.rs"]
mod refused_but_for;

use refused::refused;
use refused_but_for::refused_but_for;

const NUL: &str = "'a' || char(0)";

#[tokio::test]
async fn evidence_is_counted_upwards_and_says_what_can_be_read() {
    refused(&[
        "UPDATE generation SET evidence_version = -1",
        "UPDATE generation SET evidence_version = NULL",
    ])
    .await;
    let good = [
        ("listing_id", "1"),
        ("endpoint", "'coins'"),
        ("part", "''"),
        ("content_hash", "0"),
        ("page_id", "1"),
        ("ordinal", "0"),
        ("first_seen_at", "0"),
        ("fetched_at", "0"),
        ("kind", "'coin'"),
        ("same_as", "'[]'"),
    ];
    let changes = [("kind", NUL), ("same_as", "'['"), ("same_as", NUL)];
    refused_but_for("evidence", &good, &changes).await;
}

#[tokio::test]
async fn what_was_said_is_a_name_or_a_statement_of_a_list() {
    let stated = [
        ("listing_id", "1"),
        ("endpoint", "'coins'"),
        ("part", "'a'"),
        ("until_at", "5"),
        ("symbol", "'BTC'"),
        ("name", "NULL"),
        ("contracts", "'[]'"),
        ("kind", "'coin'"),
        ("same_as", "'[]'"),
    ];
    let changes = [
        ("listing_id", "99"),
        ("endpoint", "''"),
        ("endpoint", NUL),
        ("part", NUL),
        ("until_at", "NULL"),
        ("symbol", NUL),
        ("name", NUL),
        ("contracts", "'['"),
        ("kind", NUL),
        ("same_as", "'['"),
    ];
    refused_but_for("evidence_past", &stated, &changes).await;
    let mut named = stated;
    for column in &mut named {
        match column.0 {
            "endpoint" | "part" => column.1 = "''",
            "contracts" | "kind" | "same_as" => column.1 = "NULL",
            _ => {}
        }
    }
    let changes = [("part", "'a'"), ("contracts", "'[]'"), ("kind", "'coin'"), ("same_as", "'[]'")];
    refused_but_for("evidence_past", &named, &changes).await;
}

#[tokio::test]
async fn a_decided_listing_has_an_asset_and_a_share_below_one() {
    let good = [
        ("listing_id", "1"),
        ("asset_id", "2"),
        ("class", "'coin'"),
        ("state", "'linked'"),
        ("confidence", "10000"),
        ("candidates", "'[]'"),
    ];
    let changes = [
        ("listing_id", "99"),
        ("asset_id", "99"),
        ("asset_id", "NULL"),
        ("class", "''"),
        ("class", NUL),
        ("state", "'lost'"),
        ("confidence", "10001"),
        ("confidence", "-1"),
        ("candidates", "'['"),
        ("candidates", "NULL"),
    ];
    refused_but_for("identity", &good, &changes).await;
}

#[tokio::test]
async fn an_edge_leads_from_one_listing_to_another() {
    let good = [
        ("from_listing_id", "1"),
        ("kind", "'wrapped_of'"),
        ("to_listing_id", "2"),
        ("why", "'its name says so'"),
        ("ratio", "NULL"),
        ("effective_on", "NULL"),
    ];
    let changes = [
        ("from_listing_id", "99"),
        ("from_listing_id", "2"),
        ("kind", "''"),
        ("kind", NUL),
        ("to_listing_id", "99"),
        ("why", NUL),
    ];
    refused_but_for("asset_edge", &good, &changes).await;
}

#[tokio::test]
async fn what_is_known_of_an_edge_is_a_ratio_above_zero_and_a_day() {
    let changes = [
        ("ratio", "'0'"),
        ("ratio", "'0.0'"),
        ("ratio", "'-1'"),
        ("ratio", "''"),
        ("ratio", "'1:1000'"),
        ("ratio", "'1 '"),
        ("ratio", "'Infinity'"),
        ("ratio", "'1' || char(0)"),
        ("ratio", "x'31'"),
        ("effective_on", "''"),
        ("effective_on", "'2024-02-30'"),
        ("effective_on", "'2023-02-29'"),
        ("effective_on", "'2024-13-01'"),
        ("effective_on", "'2024-1-01'"),
        ("effective_on", "'0000-01-01'"),
        ("effective_on", "'20240229'"),
        ("effective_on", "'now'"),
        ("effective_on", "'2024-02-29T00:00:00Z'"),
        ("effective_on", "'2024-02-29' || char(0)"),
        ("effective_on", "5"),
    ];
    for (ratio, day) in
        [("'1000'", "'2024-02-29'"), ("'1e-60'", "'0001-01-01'"), ("'1e80'", "'9999-12-31'")]
    {
        let good = [
            ("from_listing_id", "1"),
            ("kind", "'migrated_to'"),
            ("to_listing_id", "2"),
            ("why", "''"),
            ("ratio", ratio),
            ("effective_on", day),
        ];
        refused_but_for("asset_edge", &good, &changes).await;
    }
}

#[tokio::test]
async fn a_resolution_that_means_nothing_cannot_be_stored() {
    let good = [
        ("generation", "7"),
        ("evidence_version", "0"),
        ("rule_version", "'identity/1'"),
        ("resolved_at", "0"),
        ("listings", "2"),
        ("assets", "2"),
        ("linked", "0"),
        ("ambiguous", "0"),
        ("pending", "1"),
        ("changed", "x''"),
    ];
    let changes = [
        ("generation", "0"),
        ("evidence_version", "-1"),
        ("rule_version", NUL),
        ("listings", "-1"),
        ("assets", "-1"),
        ("linked", "-1"),
        ("ambiguous", "-1"),
        ("pending", "2"),
        ("changed", "NULL"),
    ];
    refused_but_for("resolution", &good, &changes).await;
}

#[tokio::test]
async fn a_decision_about_listings_names_pairs_and_nothing_else() {
    let good = [
        ("kind", "'link'"),
        ("source_id", "1"),
        ("page_rows", "'[]'"),
        ("who", "'me'"),
        ("why", "''"),
        ("decided_at", "0"),
        ("after_page", "1"),
        ("run_id", "NULL"),
        ("drift", "'[]'"),
        ("forced", "0"),
        ("pairs", "'[[{},{}]]'"),
        ("relation", "NULL"),
    ];
    for kind in ["'link'", "'unlink'", "'merge'", "'split'", "'unrelate'", "'withdraw'"] {
        let mut row = good;
        row[0].1 = kind;
        let changes = [
            ("pairs", "'[]'"),
            ("pairs", "'['"),
            ("relation", "'{}'"),
            ("kind", "'discard'"),
            ("kind", "'relate'"),
            ("kind", "'forget'"),
            ("page_rows", "'[{}]'"),
            ("run_id", "(SELECT run_id FROM run)"),
            ("drift", "'[{}]'"),
            ("forced", "1"),
        ];
        refused_but_for("decision", &row, &changes).await;
    }
}

#[tokio::test]
async fn a_decision_that_relates_listings_says_how() {
    let good = [
        ("kind", "'relate'"),
        ("source_id", "1"),
        ("page_rows", "'[]'"),
        ("who", "'me'"),
        ("why", "''"),
        ("decided_at", "0"),
        ("after_page", "1"),
        ("pairs", "'[[{},{}]]'"),
        ("relation", "'{\"kind\": \"wrapped_of\"}'"),
    ];
    let changes = [
        ("kind", "'link'"),
        ("kind", "'unrelate'"),
        ("kind", "'discard'"),
        ("pairs", "'[]'"),
        ("page_rows", "'[{}]'"),
        ("relation", "NULL"),
        ("relation", "'null'"),
        ("relation", "'[]'"),
        ("relation", "'{'"),
        ("relation", "''"),
        ("relation", "'{}' || char(0)"),
    ];
    refused_but_for("decision", &good, &changes).await;
}
