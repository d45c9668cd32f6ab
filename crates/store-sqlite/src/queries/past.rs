//! What was said of listings before.

use kasparro_domain::{Attributes, ListingId, ListingKey};
use kasparro_store::PastStatement;
use rusqlite::{Row, params};

use super::applied::Applied;
use super::{Sources, instant, maybe_json, maybe_string, text};
use crate::error::Queried;

/// Where something was said until the same instant, that stays: it is what stood before the commit.
const RENAMED: &str =
    "INSERT INTO evidence_past (listing_id, endpoint, part, until_at, symbol, name)
    VALUES (?1, '', '', ?2, ?3, ?4)
    ON CONFLICT (listing_id, endpoint, part, until_at) DO NOTHING";

/// The WHERE tells SQLite that ON is not that of a join.
const RESTATED: &str =
    "INSERT INTO evidence_past (listing_id, endpoint, part, until_at, symbol, name,
        contracts, kind, same_as)
    SELECT listing_id, endpoint, part, ?4, symbol, name, contracts, kind, same_as FROM evidence
    WHERE listing_id = ?1 AND endpoint = ?2 AND part = ?3
    ON CONFLICT (listing_id, endpoint, part, until_at) DO NOTHING";

/// Keeps what readers saw a listing called until this batch.
pub(super) fn renamed(
    applied: &mut Applied<'_>,
    listing_id: ListingId,
    before: &Attributes,
) -> Queried<()> {
    applied.evidence_changed = true;
    if *before == Attributes::default() {
        return Ok(());
    }
    applied.connection.prepare_cached(RENAMED)?.execute(params![
        listing_id.0,
        applied.batch.fetched_at.as_millis(),
        before.symbol.as_deref(),
        before.name.as_deref()
    ])?;
    Ok(())
}

/// Keeps what a list stated until this batch, which is about to write something else there.
pub(super) fn restated(
    applied: &Applied<'_>,
    listing_id: ListingId,
    endpoint: &str,
    part: &str,
) -> Queried<()> {
    let until_at = applied.batch.fetched_at.as_millis();
    let mut keep = applied.connection.prepare_cached(RESTATED)?;
    keep.execute(params![listing_id.0, endpoint, part, until_at])?;
    Ok(())
}

/// The columns of what was said `p`, and where they stand for [`read_past`].
macro_rules! select_past {
    ($rest:literal) => {
        concat!(
            "SELECT p.listing_id, p.endpoint, p.part, p.until_at, p.symbol, p.name, p.contracts, \
             p.kind, p.same_as",
            $rest
        )
    };
}

/// What was said of some neighbouring listings.
pub(super) const IN_RANGE: &str = select_past!(
    " FROM evidence_past AS p WHERE p.listing_id BETWEEN ?1 AND ?2 \
     ORDER BY p.listing_id, p.endpoint, p.part, p.until_at"
);

/// What was said of one listing, newest first.
pub(super) const NEWEST: &str = select_past!(
    " FROM evidence_past AS p WHERE p.listing_id = ?1 ORDER BY p.until_at DESC, p.endpoint, p.part"
);

/// What was said of the listings of a source, by external id, endpoint, part and instant.
pub(super) const OF_SOURCE: &str = select_past!(
    ", l.source_id, l.external_id FROM listing AS l CROSS JOIN evidence_past AS p USING (listing_id) \
     WHERE l.source_id = ?1 ORDER BY l.external_id, p.endpoint, p.part, p.until_at"
);

pub(super) fn read_past(row: &Row<'_>) -> Queried<PastStatement> {
    Ok(PastStatement {
        endpoint: text(row, 1)?.into(),
        part: text(row, 2)?.into(),
        until_at: instant(row, 3)?,
        attributes: Attributes { symbol: maybe_string(row, 4)?, name: maybe_string(row, 5)? },
        contracts: maybe_json(row, 6)?.unwrap_or_default(),
        kind: maybe_string(row, 7)?,
        same_as: maybe_json(row, 8)?.unwrap_or_default(),
    })
}

/// What a row of [`OF_SOURCE`] is about.
pub(super) fn read_key(row: &Row<'_>, sources: &Sources) -> Queried<ListingKey> {
    Ok(ListingKey {
        source: sources.name(row.get(9)?)?.clone(),
        external_id: text(row, 10)?.into(),
    })
}
