//! What the read model asks: every listing, or those that changed.

use deadpool_postgres::{GenericClient, Transaction};
use futures_util::TryStreamExt;
use kasparro_domain::Generation;
use kasparro_store::{ListingRow, StoreError, decode_changed};
use tokio::sync::mpsc::Sender;

use crate::error::Queried;
use crate::queries::listings::{read_listing, select_listing};
use crate::queries::{Params, Sources, each, first, get, int, uint};

/// Rows in one piece.
pub(crate) const PIECE_ROWS: usize = 5_000;

/// The newest generation.
pub(crate) async fn generation(client: &impl GenericClient) -> Queried<Generation> {
    let value = first(client, "SELECT value FROM generation", &[], |row| uint(row, 0)).await?;
    Ok(Generation(value.unwrap_or(0)))
}

const ALL: &str = select_listing!("ORDER BY l.listing_id");

pub(crate) const SOME: &str = select_listing!("WHERE l.listing_id = ANY($1) ORDER BY l.listing_id");

/// Sends what changed after `since`. The transaction is one snapshot.
pub(crate) async fn send(
    transaction: &Transaction<'_>,
    since: Generation,
    pieces: &Sender<Vec<ListingRow>>,
) -> Queried<Generation> {
    let generation = generation(transaction).await?;
    let sources = Sources::read(transaction).await?;
    if since == Generation(0) {
        send_rows(transaction, ALL, &[], &sources, pieces).await?;
    } else {
        // In pieces of so many ids that one piece of rows comes of each.
        for ids in changed(transaction, since).await?.chunks(PIECE_ROWS) {
            send_rows(transaction, SOME, &[&ids], &sources, pieces).await?;
        }
    }
    Ok(generation)
}

/// Ids that the manifests above `since` name, those of batches and of resolutions, ascending, each once.
pub(crate) async fn changed(transaction: &Transaction<'_>, since: Generation) -> Queried<Vec<i64>> {
    let sql = "SELECT changed FROM batch WHERE generation > $1
               UNION ALL SELECT changed FROM resolution WHERE generation > $1";
    let manifests = each(transaction, sql, &[&int(since.0)?], |row| {
        let ids = decode_changed(get(row, 0)?)?;
        Ok(ids.into_iter().map(|id| id.0).collect::<Vec<_>>())
    })
    .await?;
    let mut ids = manifests.concat();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Sends the rows of a query as they come, in pieces; waits for whoever takes them.
async fn send_rows(
    transaction: &Transaction<'_>,
    sql: &str,
    params: Params<'_>,
    sources: &Sources,
    pieces: &Sender<Vec<ListingRow>>,
) -> Queried<()> {
    let gone = |_| StoreError::Unavailable("the reader of changes went away".to_owned());
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction.query_raw(&statement, params.iter().copied()).await?;
    let mut rows = std::pin::pin!(rows);
    let mut piece = Vec::new();
    while let Some(row) = rows.try_next().await? {
        piece.push(read_listing(&row, sources)?);
        if piece.len() == PIECE_ROWS {
            pieces.send(std::mem::take(&mut piece)).await.map_err(gone)?;
        }
    }
    if !piece.is_empty() {
        pieces.send(piece).await.map_err(gone)?;
    }
    Ok(())
}
