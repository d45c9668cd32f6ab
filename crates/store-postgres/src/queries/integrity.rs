//! What the database itself finds wrong: rows that point nowhere, and pages that no request finds.

use deadpool_postgres::Transaction;

use super::pages::request_hash;
use super::{each, get, text, walk};
use crate::error::Queried;

/// Rows that point nowhere that are told of one relation; a damaged store may have millions.
const MOST_TOLD: i64 = 100;

/// Table, its key as text, its column, and the table that the column points to, by a column of the same
/// name; one that begins with `from_` or `to_`, by what follows. The first eight have no foreign key that
/// would refuse such a row; the others may have lost theirs, or rows may have been changed past it.
const RELATIONS: [(&str, &str, &str, &str); 42] = [
    ("quote", "listing_id", "listing_id", "listing"),
    ("quote", "listing_id", "page_id", "page"),
    ("history", "concat_ws(' ', hour, listing_id, revision)", "listing_id", "listing"),
    ("evidence", "concat_ws(' ', listing_id, endpoint, part)", "listing_id", "listing"),
    ("evidence", "concat_ws(' ', listing_id, endpoint, part)", "page_id", "page"),
    ("evidence_past", "concat_ws(' ', listing_id, endpoint, part)", "listing_id", "listing"),
    ("identity", "listing_id", "listing_id", "listing"),
    ("identity", "listing_id", "asset_id", "asset"),
    ("run", "run_id", "source_id", "source"),
    ("raw_chunk", "concat_ws(' ', body_id, chunk_index)", "body_id", "raw_body"),
    ("page", "page_id", "source_id", "source"),
    ("page", "page_id", "run_id", "run"),
    ("page", "page_id", "body_id", "raw_body"),
    ("listing", "listing_id", "source_id", "source"),
    ("listing", "listing_id", "asset_id", "asset"),
    ("sweep", "source_id", "source_id", "source"),
    ("news", "news_id", "source_id", "source"),
    ("news", "news_id", "page_id", "page"),
    ("quarantine", "quarantine_id", "source_id", "source"),
    ("quarantine", "quarantine_id", "body_id", "raw_body"),
    ("quarantine", "quarantine_id", "page_id", "page"),
    ("quarantine", "quarantine_id", "run_id", "run"),
    ("decision", "decision_id", "source_id", "source"),
    ("decision", "decision_id", "run_id", "run"),
    ("batch", "generation", "source_id", "source"),
    ("batch", "generation", "run_id", "run"),
    ("batch", "generation", "page_id", "page"),
    ("checkpoint", "source_id", "source_id", "source"),
    ("lease", "source_id", "source_id", "source"),
    ("command", "command_id", "source_id", "source"),
    ("source_state", "source_id", "source_id", "source"),
    ("drift_profile", "concat_ws(' ', source_id, endpoint)", "source_id", "source"),
    ("drift", "drift_id", "source_id", "source"),
    ("drift", "drift_id", "page_id", "page"),
    ("anomaly", "anomaly_id", "source_id", "source"),
    ("anomaly", "anomaly_id", "listing_id", "listing"),
    ("anomaly", "anomaly_id", "run_id", "run"),
    ("budget", "concat_ws(' ', source_id, name)", "source_id", "source"),
    ("alert", "alert_id", "source_id", "source"),
    ("alert", "alert_id", "run_id", "run"),
    ("asset_edge", EDGE, "from_listing_id", "listing"),
    ("asset_edge", EDGE, "to_listing_id", "listing"),
];

const EDGE: &str = "concat_ws(' ', from_listing_id, kind, to_listing_id)";

/// Everything that is found, in words.
pub(crate) async fn integrity(transaction: &Transaction<'_>) -> Queried<Vec<String>> {
    let mut found = Vec::new();
    for (table, key, column, parent) in RELATIONS {
        let end = column.strip_prefix("from_").or_else(|| column.strip_prefix("to_"));
        let of_parent = end.unwrap_or(column);
        let sql = format!(
            "SELECT ({key})::text FROM {table}
             WHERE {column} IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM {parent} WHERE {parent}.{of_parent} = {table}.{column})
             ORDER BY 1 LIMIT {MOST_TOLD}"
        );
        found.extend(
            each(transaction, &sql, &[], |row| {
                Ok(format!("row {} of {table} points to no row of {parent}", text(row, 0)?))
            })
            .await?,
        );
    }
    found.extend(numbers_to_come(transaction).await?);
    misfiled(transaction, &mut found).await?;
    Ok(found)
}

/// Numbers that would be given a second time.
async fn numbers_to_come(transaction: &Transaction<'_>) -> Queried<Vec<String>> {
    let sql = "SELECT kind, given, newest FROM (
                 SELECT 'listing', listing_id, (SELECT max(listing_id) FROM listing) FROM minted
                 UNION ALL
                 SELECT 'asset', asset_id, (SELECT max(asset_id) FROM asset) FROM minted
               ) AS numbers (kind, given, newest) WHERE newest > given";
    each(transaction, sql, &[], |row| {
        let (kind, given, newest) = (text(row, 0)?, get::<i64>(row, 1)?, get::<i64>(row, 2)?);
        Ok(format!("there is {kind} {newest}, and the last number given to one is {given}"))
    })
    .await
}

/// Pages whose request has another hash than the one by which it is looked up, in words.
async fn misfiled(transaction: &Transaction<'_>, found: &mut Vec<String>) -> Queried<()> {
    let sql = "SELECT page_id, request, request_hash FROM page ORDER BY page_id";
    walk(transaction, sql, &[], |row| {
        if request_hash(text(row, 1)?) != get::<i64>(row, 2)? {
            let page: i64 = get(row, 0)?;
            found.push(format!("the hash of the request of page {page} is that of another"));
        }
        Ok(())
    })
    .await
}
