//! What is decided about listings, handed to an audit.

use kasparro_domain::{AssetEdge, EdgeKind, ListingKey};
use kasparro_store::{Audit, decode_changed};
use rusqlite::{Connection, Row};

use super::audit::of_every_source;
use super::identity::{read_resolution, read_terms, select_resolution};
use super::{Sources, json, named, past, text, walk};
use crate::error::{Queried, damaged};

/// Decisions about the listings of a source by external id.
pub(super) const OF_SOURCE: &str = "SELECT l.source_id, l.external_id, i.confidence, i.candidates
    FROM listing AS l CROSS JOIN identity AS i USING (listing_id)
    WHERE l.source_id = ?1 ORDER BY l.external_id";

/// Few enough to be sorted.
const EDGES: &str = "SELECT f.source_id, f.external_id, e.kind, t.source_id, t.external_id, e.why,
        e.ratio, e.effective_on
    FROM asset_edge AS e
    JOIN listing AS f ON f.listing_id = e.from_listing_id
    JOIN listing AS t ON t.listing_id = e.to_listing_id
    JOIN source AS fs ON fs.source_id = f.source_id
    JOIN source AS ts ON ts.source_id = t.source_id
    ORDER BY fs.name, f.external_id, e.kind, ts.name, t.external_id";

fn key(row: &Row<'_>, sources: &Sources, from: usize) -> Queried<ListingKey> {
    let source = sources.name(row.get(from)?)?.clone();
    Ok(ListingKey { source, external_id: text(row, from + 1)?.into() })
}

/// What was said of listings before, what is decided about them, and how their assets relate.
pub(super) fn of_listings(
    connection: &Connection,
    sources: &Sources,
    audit: &mut Audit,
) -> Queried<()> {
    of_every_source(connection, sources, past::OF_SOURCE, |row| {
        audit.past_statement(&past::read_key(row, sources)?, &past::read_past(row)?);
        Ok(())
    })?;
    of_every_source(connection, sources, OF_SOURCE, |row| {
        audit.identity(&key(row, sources, 0)?, row.get(2)?, &json(row, 3)?);
        Ok(())
    })?;
    walk(connection, EDGES, [], |row| {
        audit.edge(&AssetEdge {
            from: key(row, sources, 0)?,
            kind: named(row, 2, EdgeKind::from_name)?,
            to: key(row, sources, 3)?,
            why: text(row, 5)?.into(),
            terms: read_terms(row, 6)?,
        });
        Ok(())
    })
}

/// Every resolution, oldest first.
pub(super) fn resolutions(connection: &Connection, audit: &mut Audit) -> Queried<()> {
    walk(connection, select_resolution!("ORDER BY generation"), [], |row| {
        let changed = row.get_ref(9)?.as_blob().map_err(|error| damaged("a manifest", error))?;
        audit.resolution(&read_resolution(row)?, &decode_changed(changed)?);
        Ok(())
    })
}
