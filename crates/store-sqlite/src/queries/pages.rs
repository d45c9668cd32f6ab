//! Raw pages and bodies.

use std::io::Read;

use kasparro_domain::{BodyHash, PageId, PageState, RawPage, RunId, SourceName};
use kasparro_store::{
    BodyChunks, CHUNK_BYTES, CompressedBody, NewPage, PageRecord, StoreError, StoreResult,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Sources, each, find_source, first, instant, int, json, json_text, leases, maybe_json, named,
    run_id, text, uint, walk,
};
use crate::error::{Queried, refused, store_error};

/// The columns that [`read_page`] takes, and where they stand.
macro_rules! select_page {
    ($rest:literal) => {
        concat!(
            "SELECT page.page_id, page.source_id, page.run_id, page.sequence, page.request, \
             page.context, page.http_status, page.headers, page.fetched_at, raw_body.body_hash, \
             raw_body.body_bytes, page.state, page.rows_done, page.error \
             FROM page CROSS JOIN raw_body USING (body_id) ",
            $rest
        )
    };
}

/// Pages, for a statement that goes on.
pub(super) const SELECT: &str = select_page!("");

/// The hash by which a request is found again, in the sign that SQLite's integers have.
fn request_hash(request: &str) -> i64 {
    xxhash_rust::xxh3::xxh3_64(request.as_bytes()).cast_signed()
}

pub(super) fn body_hash(row: &Row<'_>, column: usize) -> Queried<BodyHash> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(BodyHash(bytes))
}

fn read_page(row: &Row<'_>, sources: &Sources) -> Queried<RawPage> {
    Ok(RawPage {
        page_id: PageId(row.get(0)?),
        source: sources.name(row.get(1)?)?.clone(),
        run_id: run_id(row, 2)?,
        sequence: uint(row, 3)?,
        request: json(row, 4)?,
        context: json(row, 5)?,
        http_status: row.get(6)?,
        headers: json(row, 7)?,
        fetched_at: instant(row, 8)?,
        body: body_hash(row, 9)?,
        body_bytes: uint(row, 10)?,
        state: named(row, 11, PageState::from_name)?,
        rows_done: uint(row, 12)?,
    })
}

/// A page, and why it was refused.
pub(super) fn read_record(row: &Row<'_>, sources: &Sources) -> Queried<PageRecord> {
    Ok(PageRecord { page: read_page(row, sources)?, error: maybe_json(row, 13)? })
}

/// Keeps a page and, where it is new, its body.
pub(crate) fn land(
    connection: &Connection,
    page: NewPage,
    body: CompressedBody,
) -> Queried<RawPage> {
    leases::check(connection, &page.source, page.epoch)?;
    let run = page.run_id.to_string();
    let source = find_source(connection, &page.source)?;
    let counted = connection
        .prepare_cached("UPDATE run SET pages = pages + 1 WHERE run_id = ?1 AND source_id = ?2")?
        .execute(params![run, source])?;
    if counted == 0 {
        return refused(format!("run {run} of {} is not known", page.source));
    }
    let (body_id, body_bytes) = keep_body(connection, &body.hash, body.body_bytes, body.frame)?;
    let request = json_text(&page.request)?;
    let page_id = connection
        .prepare_cached(
            "INSERT INTO page (source_id, run_id, sequence, request, request_hash, context,
                               http_status, headers, fetched_at, body_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .insert(params![
            source,
            run,
            int(page.sequence)?,
            request,
            request_hash(&request),
            json_text(&page.context)?,
            page.http_status,
            json_text(&page.headers)?,
            page.fetched_at.as_millis(),
            body_id
        ])?;
    Ok(RawPage {
        page_id: PageId(page_id),
        source: page.source,
        run_id: page.run_id,
        sequence: page.sequence,
        request: page.request,
        context: page.context,
        http_status: page.http_status,
        headers: page.headers,
        fetched_at: page.fetched_at,
        body: body.hash,
        body_bytes,
        state: PageState::Landed,
        rows_done: 0,
    })
}

/// Returns the number and the length of a body, which is read and written only where it is new.
fn keep_body(
    connection: &Connection,
    hash: &BodyHash,
    body_bytes: u64,
    mut frame: Box<dyn Read + Send>,
) -> Queried<(i64, u64)> {
    let known = "SELECT body_id, body_bytes FROM raw_body WHERE body_hash = ?1";
    let read = |row: &Row<'_>| Ok((row.get(0)?, uint(row, 1)?));
    if let Some(known) = first(connection, known, [hash.0], read)? {
        return Ok(known);
    }
    let body_id = connection
        .prepare_cached("INSERT INTO raw_body (body_hash, body_bytes) VALUES (?1, ?2)")?
        .insert(params![hash.0, int(body_bytes)?])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO raw_chunk (body_id, chunk_index, bytes) VALUES (?1, ?2, ?3)",
    )?;
    let mut chunk = Vec::new();
    for index in 0_u32.. {
        chunk.clear();
        let chunk_bytes = u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX);
        let read =
            frame.by_ref().take(chunk_bytes).read_to_end(&mut chunk).map_err(|error| {
                StoreError::Unavailable(format!("cannot read the body: {error}"))
            })?;
        if read > 0 {
            insert.execute(params![body_id, index, chunk])?;
        }
        if read < CHUNK_BYTES {
            break;
        }
    }
    Ok((body_id, body_bytes))
}

/// The unfinished pages of a source.
pub(crate) fn landed(connection: &Connection, source: &SourceName) -> Queried<Vec<RawPage>> {
    let sources = Sources::read(connection)?;
    let sql =
        select_page!("WHERE page.source_id = ?1 AND page.state = 'landed' ORDER BY page.page_id");
    each(connection, sql, [find_source(connection, source)?], |row| read_page(row, &sources))
}

/// The newest loaded page for a request.
pub(crate) fn last_loaded(
    connection: &Connection,
    source: &SourceName,
    request: &str,
) -> Queried<Option<RawPage>> {
    let sources = Sources::read(connection)?;
    let source = find_source(connection, source)?;
    let sql = select_page!(
        "WHERE page.source_id = ?1 AND page.request_hash = ?2 AND page.state = 'loaded' \
         AND page.request = ?3 ORDER BY page.page_id DESC LIMIT 1"
    );
    let params = params![source, request_hash(request), request];
    first(connection, sql, params, |row| read_page(row, &sources))
}

/// Pages of a run that are loaded, in landing order.
pub(super) const LOADED_OF_RUN: &str =
    select_page!("WHERE page.run_id = ?1 AND page.state = 'loaded' ORDER BY page.page_id");

/// Pages of a run that are loaded, in landing order.
pub(crate) fn loaded_pages(connection: &Connection, run: RunId) -> Queried<Vec<RawPage>> {
    let sources = Sources::read(connection)?;
    each(connection, LOADED_OF_RUN, [run.to_string()], |row| read_page(row, &sources))
}

/// Pages behind a number, in landing order.
pub(crate) fn pages_after(
    connection: &Connection,
    after: PageId,
    limit: u32,
) -> Queried<Vec<PageRecord>> {
    let sources = Sources::read(connection)?;
    let sql = select_page!("WHERE page.page_id > ?1 ORDER BY page.page_id LIMIT ?2");
    each(connection, sql, params![after.0, limit], |row| read_record(row, &sources))
}

/// Hands every page to `see`, in landing order.
pub(super) fn every_page(
    connection: &Connection,
    sources: &Sources,
    mut see: impl FnMut(&PageRecord),
) -> Queried<()> {
    walk(connection, select_page!("ORDER BY page.page_id"), [], |row| {
        see(&read_record(row, sources)?);
        Ok(())
    })
}

/// Pages whose request has another hash than the one by which it is looked up, in words.
pub(super) fn misfiled(connection: &Connection) -> Queried<Vec<String>> {
    let mut found = Vec::new();
    let sql = "SELECT page_id, request, request_hash FROM page ORDER BY page_id";
    walk(connection, sql, [], |row| {
        if request_hash(text(row, 1)?) != row.get::<_, i64>(2)? {
            let page = PageId(row.get(0)?);
            found.push(format!("the hash of the request of page {page} is that of another"));
        }
        Ok(())
    })?;
    Ok(found)
}

/// One page.
pub(crate) fn page(connection: &Connection, page: PageId) -> Queried<Option<RawPage>> {
    let sources = Sources::read(connection)?;
    let sql = select_page!("WHERE page.page_id = ?1");
    first(connection, sql, [page.0], |row| read_page(row, &sources))
}

/// One chunk of a body.
pub(crate) fn body_chunk(
    connection: &Connection,
    body: BodyHash,
    index: u32,
) -> Queried<Option<Vec<u8>>> {
    let sql = "SELECT bytes FROM raw_body JOIN raw_chunk USING (body_id)
               WHERE body_hash = ?1 AND chunk_index = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![body.0, index], |row| row.get(0)).optional()?)
}

/// Hands every body to `see`, by hash, with a way to read its chunks one after another.
pub(super) fn every_body(
    connection: &Connection,
    mut see: impl FnMut(BodyHash, u64, &mut BodyChunks<'_>) -> StoreResult<()>,
) -> Queried<()> {
    let sql = "SELECT body_hash, body_bytes, body_id FROM raw_body ORDER BY body_hash";
    let mut chunk = connection
        .prepare_cached("SELECT bytes FROM raw_chunk WHERE body_id = ?1 AND chunk_index = ?2")?;
    walk(connection, sql, [], |row| {
        let body_id: i64 = row.get(2)?;
        let mut chunks = |index: u32| {
            let found = chunk.query_row(params![body_id, index], |row| row.get(0)).optional();
            found.map_err(|error| store_error(&error))
        };
        Ok(see(body_hash(row, 0)?, uint(row, 1)?, &mut chunks)?)
    })
}
