//! Raw bodies in chunks.

use std::io::Read;

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::BodyHash;
use kasparro_store::{CHUNK_BYTES, CompressedBody, StoreError};
use tokio_postgres::Row;

use super::{execute, first, get, int, uint};
use crate::error::{Queried, damaged};

/// A frame that is read, and the piece that was read last.
type Piece = (Box<dyn Read + Send>, std::io::Result<Vec<u8>>);

/// Returns the number and the length of a body, which is read and written only where it is new.
pub(crate) async fn keep(
    transaction: &Transaction<'_>,
    body: CompressedBody,
) -> Queried<(i64, u64)> {
    let CompressedBody { hash, body_bytes, mut frame } = body;
    if let Some(known) = find(transaction, &hash).await? {
        return Ok(known);
    }
    // Of two who bring the same body at once the second waits here, and finds it kept.
    let sql = "INSERT INTO raw_body (body_hash, body_bytes) VALUES ($1, $2)
               ON CONFLICT DO NOTHING RETURNING body_id";
    let params: super::Params<'_> = &[&hash.0.as_slice(), &int(body_bytes)?];
    let Some(body_id) = first(transaction, sql, params, |row| get::<i64>(row, 0)).await? else {
        let known = find(transaction, &hash).await?;
        return known.ok_or_else(|| damaged("a body", hash).into());
    };
    let insert = "INSERT INTO raw_chunk (body_id, chunk_index, bytes) VALUES ($1, $2, $3)";
    for index in 0_i32.. {
        // The frame may be a file.
        let reading = tokio::task::spawn_blocking(move || read_piece(frame));
        let gone = |_| StoreError::Unavailable("the program is shutting down".to_owned());
        let (rest, piece) = reading.await.map_err(gone)?;
        frame = rest;
        let chunk = piece
            .map_err(|error| StoreError::Unavailable(format!("cannot read the body: {error}")))?;
        if !chunk.is_empty() {
            execute(transaction, insert, &[&body_id, &index, &chunk]).await?;
        }
        if chunk.len() < CHUNK_BYTES {
            break;
        }
    }
    Ok((body_id, body_bytes))
}

fn read_piece(mut frame: Box<dyn Read + Send>) -> Piece {
    let most = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
    let mut chunk = Vec::new();
    let read = frame.by_ref().take(most).read_to_end(&mut chunk);
    (frame, read.map(|_| chunk))
}

async fn find(client: &impl GenericClient, hash: &BodyHash) -> Queried<Option<(i64, u64)>> {
    let sql = "SELECT body_id, body_bytes FROM raw_body WHERE body_hash = $1";
    let read = |row: &Row| Ok((get(row, 0)?, uint(row, 1)?));
    first(client, sql, &[&hash.0.as_slice()], read).await
}

/// One chunk of a body.
pub(crate) async fn chunk(
    client: &impl GenericClient,
    body: BodyHash,
    index: u32,
) -> Queried<Option<Vec<u8>>> {
    let Ok(index) = i32::try_from(index) else { return Ok(None) };
    let sql = "SELECT bytes FROM raw_body JOIN raw_chunk USING (body_id)
               WHERE body_hash = $1 AND chunk_index = $2";
    first(client, sql, &[&body.0.as_slice(), &index], |row| get(row, 0)).await
}

/// One chunk of a body with this number.
pub(super) async fn chunk_of(
    client: &impl GenericClient,
    body_id: i64,
    index: u32,
) -> Queried<Option<Vec<u8>>> {
    let Ok(index) = i32::try_from(index) else { return Ok(None) };
    let sql = "SELECT bytes FROM raw_chunk WHERE body_id = $1 AND chunk_index = $2";
    first(client, sql, &[&body_id, &index], |row| get(row, 0)).await
}
