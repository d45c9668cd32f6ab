//! What the read model asks: every listing, or those that changed.

use kasparro_domain::{Generation, ListingId};
use kasparro_store::{ListingRow, StoreError, decode_changed};
use rusqlite::{Connection, Params};
use tokio::sync::mpsc::Sender;

use crate::error::Queried;
use crate::queries::listings::{read_listing, select_listing};
use crate::queries::{Sources, each, first, int, uint};

/// Rows in one piece.
const PIECE_ROWS: usize = 5_000;

/// The newest generation.
pub(crate) fn generation(connection: &Connection) -> Queried<Generation> {
    let value = first(connection, "SELECT value FROM generation", [], |row| uint(row, 0))?;
    Ok(Generation(value.unwrap_or(0)))
}

pub(crate) const ALL: &str = select_listing!("ORDER BY l.listing_id");

pub(crate) const IN_RANGE: &str =
    select_listing!("WHERE l.listing_id BETWEEN ?1 AND ?2 ORDER BY l.listing_id");

/// Sends what changed after `since`. The caller has a transaction open, so that all of it is one
/// snapshot.
pub(crate) fn send(
    connection: &Connection,
    since: Generation,
    pieces: &Sender<Vec<ListingRow>>,
) -> Queried<Generation> {
    let generation = generation(connection)?;
    let mut outlet = Outlet { sources: Sources::read(connection)?, pieces, piece: Vec::new() };
    if since == Generation(0) {
        outlet.send_rows(connection, ALL, [])?;
    } else {
        for (from, to) in ranges(&changed(connection, since)?) {
            outlet.send_rows(connection, IN_RANGE, [from.0, to.0])?;
        }
    }
    outlet.flush()?;
    Ok(generation)
}

/// Ids that the manifests above `since` name, ascending, each once.
pub(crate) fn changed(connection: &Connection, since: Generation) -> Queried<Vec<ListingId>> {
    let sql = "SELECT changed FROM batch WHERE generation > ?1
               UNION ALL SELECT changed FROM resolution WHERE generation > ?1";
    let manifests = each(connection, sql, [int(since.0)?], |row| {
        let bytes: Vec<u8> = row.get(0)?;
        Ok(decode_changed(&bytes)?)
    })?;
    let mut ids = manifests.concat();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Runs of neighbouring ids: one range reads them with one descent of the tree.
pub(crate) fn ranges(ascending: &[ListingId]) -> Vec<(ListingId, ListingId)> {
    let mut ranges: Vec<(ListingId, ListingId)> = Vec::new();
    for id in ascending {
        match ranges.last_mut() {
            Some((_, to)) if to.0 + 1 == id.0 => *to = *id,
            _ => ranges.push((*id, *id)),
        }
    }
    ranges
}

/// Collects rows into pieces and sends them.
struct Outlet<'a> {
    sources: Sources,
    pieces: &'a Sender<Vec<ListingRow>>,
    piece: Vec<ListingRow>,
}

impl Outlet<'_> {
    fn send_rows(
        &mut self,
        connection: &Connection,
        sql: &str,
        params: impl Params,
    ) -> Queried<()> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            self.piece.push(read_listing(row, &self.sources)?);
            if self.piece.len() == PIECE_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Queried<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let gone = |_| StoreError::Unavailable("the reader of changes went away".to_owned());
        self.pieces.blocking_send(std::mem::take(&mut self.piece)).map_err(gone)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_ids_become_one_range() {
        let ids: Vec<ListingId> = [1, 2, 3, 7, 9, 10].into_iter().map(ListingId).collect();
        let expected = [(1, 3), (7, 7), (9, 10)].map(|(from, to)| (ListingId(from), ListingId(to)));
        assert_eq!(ranges(&ids), expected);
        assert!(ranges(&[]).is_empty());
    }
}
