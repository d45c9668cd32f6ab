//! What is known of a source, as the engine takes it when it begins.

use compact_str::CompactString;
use kasparro_domain::{ListingId, SourceName};
use kasparro_store::{KnownListing, KnownQuote, SourceMemory};
use rusqlite::{Connection, Row};

use super::batches::checkpoint;
use super::listings::{read_attributes, read_missed, read_quote, read_raw_hash, select_quoted};
use super::{each, evidence, find_source, first, maybe_instant, news, text, uint};
use crate::error::Queried;

/// What is known of a source.
pub(crate) fn memory(connection: &Connection, source: &SourceName) -> Queried<SourceMemory> {
    let Some(source) = find_source(connection, source)? else {
        return Ok(SourceMemory::default());
    };
    Ok(SourceMemory {
        checkpoint: checkpoint(connection, source)?,
        next_sequence: sequence_of(connection, source)?,
        listings: each(connection, LISTINGS, [source], read_known)?,
        evidence: evidence::known(connection, source)?,
        news: news::known(connection, source)?,
    })
}

/// The number for the next batch of a source.
pub(crate) fn next_sequence(connection: &Connection, source: &SourceName) -> Queried<u64> {
    find_source(connection, source)?.map_or(Ok(0), |source| sequence_of(connection, source))
}

fn sequence_of(connection: &Connection, source: i64) -> Queried<u64> {
    let next = "SELECT coalesce(max(sequence) + 1, 0) FROM batch WHERE source_id = ?1";
    Ok(first(connection, next, [source], |row| uint(row, 0))?.unwrap_or(0))
}

/// The plus keeps SQLite from going through the index over external ids, which would visit the rows in
/// another order than that of the tables. What is decided about them is none of a load's business.
pub(super) const LISTINGS: &str = select_quoted!(
    "",
    "FROM listing AS l LEFT JOIN quote AS q USING (listing_id) WHERE +l.source_id = ?1 \
     ORDER BY l.listing_id"
);

fn read_known(row: &Row<'_>) -> Queried<KnownListing> {
    let quote = match maybe_instant(row, 9)? {
        None => None,
        Some(observed_at) => Some(KnownQuote {
            values: read_quote(row)?,
            observed_at,
            source_timed: row.get(10)?,
            raw_hash: read_raw_hash(row)?,
        }),
    };
    Ok(KnownListing {
        listing_id: ListingId(row.get(0)?),
        external_id: CompactString::from(text(row, 3)?),
        attributes: read_attributes(row)?,
        quote,
        missed: read_missed(row)?,
    })
}
