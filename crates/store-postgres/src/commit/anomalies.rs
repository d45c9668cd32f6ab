//! What is unusual about the rows of a batch.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use kasparro_domain::ListingId;
use kasparro_store::{BatchRow, RowAnomaly};

use super::applied::Applied;
use crate::error::Queried;
use crate::queries::{Instant, execute};

/// What is unusual about the point of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unusual<'a> {
    listing_id: ListingId,
    row: &'a BatchRow,
    anomaly: &'a RowAnomaly,
}

impl<'a> Applied<'a> {
    /// Notes what is unusual about a row whose point is kept.
    pub(super) fn note_unusual(&mut self, listing_id: ListingId, row: &'a BatchRow) {
        let of_row = row.anomalies.iter().map(|anomaly| Unusual { listing_id, row, anomaly });
        self.unusual.extend(of_row);
    }
}

/// What is known already is said anew; what is new is numbered in the order of the batch. The caller holds the
/// lease of the source, so nobody adds any meanwhile.
const KEEP: &str = "WITH told AS (
        SELECT * FROM unnest($3::bigint[], $4::text[], $5::timestamptz[], $6::boolean[],
                             $7::text[], $8::text[]) WITH ORDINALITY
            AS told (listing_id, kind, observed_at, source_timed, value, expected, place)
    ), again AS (
        UPDATE anomaly SET source_timed = told.source_timed, value = told.value,
            expected = told.expected
        FROM told
        WHERE anomaly.listing_id = told.listing_id AND anomaly.kind = told.kind
          AND anomaly.observed_at = told.observed_at
        RETURNING place
    )
    INSERT INTO anomaly (source_id, found_at, listing_id, kind, observed_at, source_timed, value,
                         expected)
    SELECT $1, $2, listing_id, kind, observed_at, source_timed, value, expected
    FROM told WHERE place NOT IN (SELECT place FROM again) ORDER BY place";

/// Writes what is unusual.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    source: i64,
    applied: &Applied<'_>,
) -> Queried<()> {
    if applied.unusual.is_empty() {
        return Ok(());
    }
    let rows = each_once(&applied.unusual);
    let listings: Vec<i64> = rows.iter().map(|one| one.listing_id.0).collect();
    let kinds: Vec<&str> = rows.iter().map(|one| one.anomaly.kind.name()).collect();
    let instants: Vec<Instant> = rows.iter().map(|one| Instant(one.row.observed_at)).collect();
    let timed: Vec<bool> = rows.iter().map(|one| one.row.source_timed).collect();
    let values: Vec<&str> = rows.iter().map(|one| one.anomaly.value.as_str()).collect();
    let expected: Vec<&str> = rows.iter().map(|one| one.anomaly.expected.as_str()).collect();
    let found_at = Instant(applied.batch.fetched_at);
    execute(
        transaction,
        KEEP,
        &[&source, &found_at, &listings, &kinds, &instants, &timed, &values, &expected],
    )
    .await?;
    Ok(())
}

/// Of several rows about one point the last says what is unusual, at the place of the first.
fn each_once<'a>(all: &[Unusual<'a>]) -> Vec<Unusual<'a>> {
    let (mut once, mut places) = (Vec::with_capacity(all.len()), HashMap::new());
    for one in all {
        let place = *places
            .entry((one.listing_id, one.anomaly.kind, one.row.observed_at))
            .or_insert(once.len());
        match once.get_mut(place) {
            Some(earlier) => *earlier = *one,
            None => once.push(*one),
        }
    }
    once
}
