//! What speaks for the identity of listings, as resolving reads it.

use compact_str::CompactString;
use kasparro_domain::{AssetId, Attributes, Evidence, Generation, ListingId, ListingKey};
use kasparro_store::{
    DatedStatement, IdentityInput, IdentityPosition, PastStatement, receiver_gone,
};
use rusqlite::{Connection, Row, Rows};
use tokio::sync::mpsc::Sender;

use super::{Sources, identity, instant, maybe_json, maybe_string, past, text};
use crate::changes::{changed, ranges};
use crate::error::Queried;

/// Listings in one piece.
const PIECE_ROWS: usize = 5_000;

pub(super) const LISTINGS: &str =
    "SELECT l.listing_id, l.source_id, l.external_id, l.first_seen_at,
        l.symbol, l.name, l.asset_id, EXISTS (SELECT 1 FROM quote AS q WHERE q.listing_id = l.listing_id)
    FROM listing AS l WHERE l.listing_id BETWEEN ?1 AND ?2 ORDER BY l.listing_id";

pub(super) const STATEMENTS: &str = "SELECT e.listing_id, e.endpoint, e.part, e.symbol, e.name,
        e.contracts, e.active, e.kind, e.first_seen_at, e.same_as
    FROM evidence AS e WHERE e.listing_id BETWEEN ?1 AND ?2
    ORDER BY e.listing_id, e.endpoint, e.part";

/// Sends what speaks for every listing that changed after `since`. The caller has a transaction open, so
/// that all of it is one snapshot.
pub(crate) fn send(
    connection: &Connection,
    since: Generation,
    pieces: &Sender<Vec<IdentityInput>>,
) -> Queried<IdentityPosition> {
    let position = identity::position(connection)?;
    let sources = Sources::read(connection)?;
    let asked = match since {
        Generation(0) => vec![(ListingId(i64::MIN), ListingId(i64::MAX))],
        _ => ranges(&changed(connection, since)?),
    };
    let mut piece = Vec::new();
    for (from, to) in asked {
        send_range(connection, &sources, [from.0, to.0], pieces, &mut piece)?;
    }
    flush(pieces, &mut piece)?;
    Ok(position)
}

/// Three tables in the order of their keys, side by side: each is read once.
fn send_range(
    connection: &Connection,
    sources: &Sources,
    range: [i64; 2],
    pieces: &Sender<Vec<IdentityInput>>,
    piece: &mut Vec<IdentityInput>,
) -> Queried<()> {
    let mut listings = connection.prepare_cached(LISTINGS)?;
    let mut statements = connection.prepare_cached(STATEMENTS)?;
    let mut past = connection.prepare_cached(past::IN_RANGE)?;
    let mut listings = listings.query(range)?;
    let mut statements = Beside::of(statements.query(range)?, read_statement)?;
    let mut past: Beside<'_, PastStatement> = Beside::of(past.query(range)?, past::read_past)?;
    while let Some(row) = listings.next()? {
        let listing_id = ListingId(row.get(0)?);
        let external_id = CompactString::from(text(row, 2)?);
        piece.push(IdentityInput {
            listing_id,
            founded_asset_id: AssetId(row.get(6)?),
            first_seen_at: instant(row, 3)?,
            attributes: Attributes { symbol: maybe_string(row, 4)?, name: maybe_string(row, 5)? },
            quoted: row.get(7)?,
            statements: statements.take(listing_id, |said| {
                said.evidence.external_id = external_id.clone();
            })?,
            past: past.take(listing_id, |_| ())?,
            key: ListingKey { source: sources.name(row.get(1)?)?.clone(), external_id },
        });
        if piece.len() == PIECE_ROWS {
            flush(pieces, piece)?;
        }
    }
    Ok(())
}

/// A statement whose listing has no name yet: it stands in another table.
fn read_statement(row: &Row<'_>) -> Queried<DatedStatement> {
    Ok(DatedStatement {
        endpoint: text(row, 1)?.into(),
        evidence: Evidence {
            external_id: CompactString::default(),
            part: text(row, 2)?.into(),
            attributes: Attributes { symbol: maybe_string(row, 3)?, name: maybe_string(row, 4)? },
            contracts: maybe_json(row, 5)?.unwrap_or_default(),
            active: row.get(6)?,
            kind: maybe_string(row, 7)?,
            same_as: maybe_json(row, 9)?.unwrap_or_default(),
        },
        first_seen_at: instant(row, 8)?,
    })
}

fn flush(pieces: &Sender<Vec<IdentityInput>>, piece: &mut Vec<IdentityInput>) -> Queried<()> {
    if piece.is_empty() {
        return Ok(());
    }
    pieces.blocking_send(std::mem::take(piece)).map_err(|_| receiver_gone().into())
}

/// Rows that begin with the id of a listing and ascend by it, read up to the first of the next listing.
struct Beside<'a, T> {
    rows: Rows<'a>,
    read: fn(&Row<'_>) -> Queried<T>,
    next: Option<(ListingId, T)>,
}

impl<'a, T> Beside<'a, T> {
    fn of(rows: Rows<'a>, read: fn(&Row<'_>) -> Queried<T>) -> Queried<Self> {
        let mut beside = Self { rows, read, next: None };
        beside.step()?;
        Ok(beside)
    }

    fn step(&mut self) -> Queried<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some((ListingId(row.get(0)?), (self.read)(row)?)),
            None => None,
        };
        Ok(())
    }

    /// What there is of a listing; those before it have been asked for.
    fn take(&mut self, listing: ListingId, complete: impl Fn(&mut T)) -> Queried<Vec<T>> {
        let mut of_listing = Vec::new();
        while let Some((_, mut found)) = self.next.take_if(|(next, _)| *next == listing) {
            complete(&mut found);
            of_listing.push(found);
            self.step()?;
        }
        Ok(of_listing)
    }
}
