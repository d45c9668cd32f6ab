//! What speaks for the identity of listings, sent in pieces.

use deadpool_postgres::Transaction;
use kasparro_domain::{AssetId, Attributes, Evidence, Generation, ListingId, ListingKey};
use kasparro_store::{DatedStatement, IdentityInput, IdentityPosition, receiver_gone};
use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;

use super::identity::{position, read_past};
use super::{Params, Sources, each, get, instant, maybe_json, maybe_string, string};
use crate::changes::{PIECE_ROWS, changed};
use crate::error::Queried;

const LISTINGS: &str = "SELECT l.listing_id, l.source_id, l.external_id, l.first_seen_at, l.symbol,
        l.name, q.listing_id IS NOT NULL, l.asset_id
    FROM listing AS l LEFT JOIN quote AS q ON q.listing_id = l.listing_id
    WHERE l.listing_id = ANY($1) ORDER BY l.listing_id";

pub(super) const STATEMENTS: &str = "SELECT listing_id, endpoint, part, symbol, name, contracts,
        active, kind, first_seen_at, same_as
    FROM evidence WHERE listing_id = ANY($1) ORDER BY listing_id, endpoint, part";

pub(super) const PAST: &str =
    "SELECT listing_id, endpoint, part, until_at, symbol, name, contracts, kind, same_as
    FROM evidence_past WHERE listing_id = ANY($1) ORDER BY listing_id, endpoint, part, until_at";

/// Sends what speaks for listings that changed after `since`. The transaction is one snapshot.
pub(crate) async fn send(
    transaction: &Transaction<'_>,
    since: Generation,
    pieces: &Sender<Vec<IdentityInput>>,
) -> Queried<IdentityPosition> {
    let position = position(transaction).await?;
    let sources = Sources::read(transaction).await?;
    let ids = if since == Generation(0) {
        let sql = "SELECT listing_id FROM listing ORDER BY listing_id";
        each(transaction, sql, &[], |row| get(row, 0)).await?
    } else {
        changed(transaction, since).await?
    };
    for ids in ids.chunks(PIECE_ROWS) {
        let piece = piece(transaction, &sources, ids).await?;
        if !piece.is_empty() {
            pieces.send(piece).await.map_err(|_| receiver_gone())?;
        }
    }
    Ok(position)
}

/// What speaks for these listings, by number.
async fn piece(
    transaction: &Transaction<'_>,
    sources: &Sources,
    ids: &[i64],
) -> Queried<Vec<IdentityInput>> {
    let ids: Params<'_> = &[&ids];
    let (mut inputs, statements, past) = tokio::try_join!(
        biased;
        each(transaction, LISTINGS, ids, |row| read_input(row, sources)),
        each(transaction, STATEMENTS, ids, |row| Ok((read_id(row)?, read_statement(row)?))),
        each(transaction, PAST, ids, |row| Ok((read_id(row)?, read_past(row, 1)?))),
    )?;
    // A row of a listing that is gone finds none; `integrity` tells of it.
    for (listing_id, mut statement) in statements {
        if let Some(input) = find(&mut inputs, listing_id) {
            statement.evidence.external_id.clone_from(&input.key.external_id);
            input.statements.push(statement);
        }
    }
    for (listing_id, said) in past {
        if let Some(input) = find(&mut inputs, listing_id) {
            input.past.push(said);
        }
    }
    Ok(inputs)
}

/// The one of a listing among those that ascend.
fn find(inputs: &mut [IdentityInput], of: ListingId) -> Option<&mut IdentityInput> {
    let place = inputs.binary_search_by_key(&of, |input| input.listing_id).ok()?;
    inputs.get_mut(place)
}

fn read_id(row: &Row) -> Queried<ListingId> {
    Ok(ListingId(get(row, 0)?))
}

fn read_input(row: &Row, sources: &Sources) -> Queried<IdentityInput> {
    Ok(IdentityInput {
        listing_id: read_id(row)?,
        key: ListingKey {
            source: sources.name(get(row, 1)?)?.clone(),
            external_id: string(row, 2)?,
        },
        founded_asset_id: AssetId(get(row, 7)?),
        first_seen_at: instant(row, 3)?,
        attributes: Attributes { symbol: maybe_string(row, 4)?, name: maybe_string(row, 5)? },
        quoted: get(row, 6)?,
        statements: Vec::new(),
        past: Vec::new(),
    })
}

/// A statement, still without the id of its listing.
fn read_statement(row: &Row) -> Queried<DatedStatement> {
    Ok(DatedStatement {
        endpoint: string(row, 1)?,
        evidence: Evidence {
            external_id: "".into(),
            part: string(row, 2)?,
            attributes: Attributes { symbol: maybe_string(row, 3)?, name: maybe_string(row, 4)? },
            contracts: maybe_json(row, 5)?.unwrap_or_default(),
            active: get(row, 6)?,
            kind: maybe_string(row, 7)?,
            same_as: maybe_json(row, 9)?.unwrap_or_default(),
        },
        first_seen_at: instant(row, 8)?,
    })
}
