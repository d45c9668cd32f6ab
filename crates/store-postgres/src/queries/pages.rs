//! Raw pages and bodies.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{
    BodyHash, DecisionKind, PageId, PageRow, PageState, RawPage, RunError, RunId, SourceName,
};
use kasparro_store::{Examined, NewPage, PageFilter, PageRecord, Reopening};
use tokio_postgres::Row;
use uuid::Uuid;

use super::asked_sources::AskedSources;
use super::{
    Instant, Params, Sources, drift, each, execute, find_source, first, get, instant, int, json,
    json_text, leases, maybe_json, named, run_id, uint, walk,
};
use crate::commit::decisions::{self, NewDecision};
use crate::error::{Queried, damaged, refused};

/// The columns that [`read_page`] takes, and where they stand.
macro_rules! select_page {
    ($rest:expr) => {
        concat!(
            "SELECT page.page_id, page.source_id, page.run_id, page.sequence, page.request, \
             page.context, page.http_status, page.headers, page.fetched_at, raw_body.body_hash, \
             raw_body.body_bytes, page.state, page.rows_done, page.error \
             FROM page JOIN raw_body USING (body_id) ",
            $rest
        )
    };
}

/// The hash by which a request is found again, in the sign that PostgreSQL's integers have.
pub(super) fn request_hash(request: &str) -> i64 {
    xxhash_rust::xxh3::xxh3_64(request.as_bytes()).cast_signed()
}

pub(crate) fn body_hash(row: &Row, column: usize) -> Queried<BodyHash> {
    let bytes: &[u8] = get(row, column)?;
    let hash = <[u8; 32]>::try_from(bytes).map_err(|error| damaged("the hash of a body", error))?;
    Ok(BodyHash(hash))
}

fn read_page(row: &Row, sources: &Sources) -> Queried<RawPage> {
    let http_status: Option<i32> = get(row, 6)?;
    let status = |number| u16::try_from(number).map_err(|_| damaged("an HTTP status", number));
    Ok(RawPage {
        page_id: PageId(get(row, 0)?),
        source: sources.name(get(row, 1)?)?.clone(),
        run_id: run_id(row, 2)?,
        sequence: uint(row, 3)?,
        request: json(row, 4)?,
        context: json(row, 5)?,
        http_status: http_status.map(status).transpose()?,
        headers: json(row, 7)?,
        fetched_at: instant(row, 8)?,
        body: body_hash(row, 9)?,
        body_bytes: uint(row, 10)?,
        state: named(row, 11, PageState::from_name)?,
        rows_done: uint(row, 12)?,
    })
}

/// A page, and why it was refused.
fn read_record(row: &Row, sources: &Sources) -> Queried<PageRecord> {
    Ok(PageRecord { page: read_page(row, sources)?, error: maybe_json(row, 13)? })
}

/// The source of a page that is about to be landed, if its epoch and its run are good. Locks nothing: it
/// only spares whoever is refused the way of a whole body.
pub(crate) async fn look(transaction: &Transaction<'_>, page: &NewPage) -> Queried<()> {
    let sql = "SELECT coalesce(lease.epoch, 0), run.run_id IS NOT NULL
               FROM source LEFT JOIN lease USING (source_id)
                    LEFT JOIN run ON run.source_id = source.source_id AND run.run_id = $2
               WHERE name = $1";
    let params: super::Params<'_> = &[&page.source.as_str(), &page.run_id.0];
    let read = |row: &Row| Ok((uint(row, 0)?, get::<bool>(row, 1)?));
    let (epoch, run) = first(transaction, sql, params, read).await?.unwrap_or((0, false));
    if epoch != page.epoch {
        // Says so with the right error.
        leases::check(transaction, &page.source, page.epoch).await?;
    }
    if run { Ok(()) } else { unknown_run(page) }
}

fn unknown_run<T>(page: &NewPage) -> Queried<T> {
    refused(format!("run {} of {} is not known", page.run_id, page.source))
}

/// Keeps a page whose body is kept, and counts it in its run.
pub(crate) async fn keep(
    transaction: &Transaction<'_>,
    page: NewPage,
    body: BodyHash,
    (body_id, body_bytes): (i64, u64),
) -> Queried<RawPage> {
    leases::check(transaction, &page.source, page.epoch).await?;
    let source = find_source(transaction, &page.source).await?;
    let count = "UPDATE run SET pages = pages + 1 WHERE run_id = $1 AND source_id = $2";
    if execute(transaction, count, &[&page.run_id.0, &source]).await? == 0 {
        return unknown_run(&page);
    }
    let request = json_text(&page.request)?;
    let sql = "INSERT INTO page (source_id, run_id, sequence, request, request_hash, context,
                                 http_status, headers, fetched_at, body_id)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING page_id";
    let params: super::Params<'_> = &[
        &source,
        &page.run_id.0,
        &int(page.sequence)?,
        &request,
        &request_hash(request.as_str()),
        &json_text(&page.context)?,
        &page.http_status.map(i32::from),
        &json_text(&page.headers)?,
        &Instant(page.fetched_at),
        &body_id,
    ];
    let page_id = first(transaction, sql, params, |row| Ok(PageId(get(row, 0)?))).await?;
    Ok(RawPage {
        page_id: page_id.ok_or_else(|| damaged("a page", "it got no number"))?,
        source: page.source,
        run_id: page.run_id,
        sequence: page.sequence,
        request: page.request,
        context: page.context,
        http_status: page.http_status,
        headers: page.headers,
        fetched_at: page.fetched_at,
        body,
        body_bytes,
        state: PageState::Landed,
        rows_done: 0,
    })
}

/// Marks a landed page as refused, and keeps what examining it brought.
pub(crate) async fn refuse(
    transaction: &Transaction<'_>,
    page: PageId,
    epoch: u64,
    error: &RunError,
    examined: Option<&Examined>,
) -> Queried<()> {
    leases::check_page(transaction, page, epoch).await?;
    let sql = "UPDATE page SET state = 'refused', error = $2
               WHERE page_id = $1 AND state = 'landed'";
    if execute(transaction, sql, &[&page.0, &json_text(error)?]).await? == 0 {
        return refused(format!("page {page} is not landed"));
    }
    match examined {
        Some(examined) => drift::keep(transaction, page, examined, true).await,
        None => Ok(()),
    }
}

/// Makes a refused page landed again, and writes down who wants that.
pub(crate) async fn reopen(
    transaction: &Transaction<'_>,
    page_id: PageId,
    epoch: u64,
    reopening: &Reopening,
) -> Queried<RawPage> {
    leases::check_page(transaction, page_id, epoch).await?;
    let sql = "UPDATE page SET state = 'landed', error = NULL
               WHERE page_id = $1 AND state = 'refused' RETURNING source_id";
    let reopened = first(transaction, sql, &[&page_id.0], |row| get::<i64>(row, 0)).await?;
    let (Some(source), Some(landed)) = (reopened, page(transaction, page_id).await?) else {
        return refused(format!("page {page_id} is not refused"));
    };
    let Reopening { who, why, forced, run_id, decided_at } = reopening;
    let decision = NewDecision {
        kind: DecisionKind::Reopen,
        rows: vec![PageRow { page_id, ordinal: 0 }],
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: *forced,
        who,
        why,
        decided_at: *decided_at,
        run_id: Some(*run_id),
    };
    decisions::insert(transaction, source, decision).await?;
    Ok(landed)
}

/// What a filter asks for; its parameters are 1 to 4.
macro_rules! that_fit {
    ($($rest:literal)?) => {
        concat!(
            "WHERE ($1::bigint IS NULL OR page.source_id = $1) \
             AND ($2::text IS NULL OR page.state = $2) AND ($3::uuid IS NULL OR page.run_id = $3) \
             AND ($4::bigint[] IS NULL OR page.source_id = ANY($4)) ",
            $($rest)?
        )
    };
}

pub(super) const LIST: &str = select_page!(that_fit!("ORDER BY page.page_id LIMIT $5 OFFSET $6"));

/// Pages that fit, by ascending number.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &PageFilter,
) -> Queried<Vec<PageRecord>> {
    let sources = Sources::read(client).await?;
    let Some((of, state, run)) = asked(client, filter).await? else {
        return Ok(Vec::new());
    };
    let limit = filter.limit.map(i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let params: Params<'_> = &[&of.one, &state, &run, &of.several, &limit, &offset];
    each(client, LIST, params, |row| read_record(row, &sources)).await
}

/// How many pages fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &PageFilter) -> Queried<u64> {
    let Some((of, state, run)) = asked(client, filter).await? else {
        return Ok(0);
    };
    let sql = concat!("SELECT count(*) FROM page ", that_fit!());
    let params: Params<'_> = &[&of.one, &state, &run, &of.several];
    Ok(first(client, sql, params, |row| uint(row, 0)).await?.unwrap_or(0))
}

/// The parameters of a filter.
type Asked = (AskedSources, Option<&'static str>, Option<Uuid>);

/// What a filter asks for; nothing where its sources were never written.
async fn asked(client: &impl GenericClient, filter: &PageFilter) -> Queried<Option<Asked>> {
    let Some(sources) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(None);
    };
    let state = filter.state.map(PageState::name);
    Ok(Some((sources, state, filter.run_id.map(|run| run.0))))
}

/// The unfinished pages of a source.
pub(crate) async fn landed(
    client: &impl GenericClient,
    source: &SourceName,
) -> Queried<Vec<RawPage>> {
    let sources = Sources::read(client).await?;
    let sql =
        select_page!("WHERE page.source_id = $1 AND page.state = 'landed' ORDER BY page.page_id");
    let source = find_source(client, source).await?;
    each(client, sql, &[&source], |row| read_page(row, &sources)).await
}

pub(super) const LAST_LOADED: &str = select_page!(
    "WHERE page.source_id = $1 AND page.request_hash = $2 AND page.state = 'loaded' \
     AND page.request = $3 ORDER BY page.page_id DESC LIMIT 1"
);

/// The newest loaded page for a request.
pub(crate) async fn last_loaded(
    client: &impl GenericClient,
    source: &SourceName,
    request: &serde_json::Value,
) -> Queried<Option<RawPage>> {
    let sources = Sources::read(client).await?;
    let (source, request) = (find_source(client, source).await?, json_text(request)?);
    let params: super::Params<'_> = &[&source, &request_hash(request.as_str()), &request];
    first(client, LAST_LOADED, params, |row| read_page(row, &sources)).await
}

/// Pages of a run that are loaded, in landing order.
pub(crate) async fn loaded_pages(client: &impl GenericClient, run: RunId) -> Queried<Vec<RawPage>> {
    let sources = Sources::read(client).await?;
    let sql =
        select_page!("WHERE page.run_id = $1 AND page.state = 'loaded' ORDER BY page.page_id");
    each(client, sql, &[&run.0], |row| read_page(row, &sources)).await
}

/// Pages behind a number.
pub(crate) async fn pages_after(
    client: &impl GenericClient,
    after: PageId,
    limit: u32,
) -> Queried<Vec<PageRecord>> {
    let sources = Sources::read(client).await?;
    let sql = select_page!("WHERE page.page_id > $1 ORDER BY page.page_id LIMIT $2");
    let limit = i64::from(limit);
    each(client, sql, &[&after.0, &limit], |row| read_record(row, &sources)).await
}

/// One page.
pub(crate) async fn page(client: &impl GenericClient, page: PageId) -> Queried<Option<RawPage>> {
    let sources = Sources::read(client).await?;
    let sql = select_page!("WHERE page.page_id = $1");
    first(client, sql, &[&page.0], |row| read_page(row, &sources)).await
}

/// Hands every page to `see`, by number.
pub(super) async fn every_page(
    client: &impl GenericClient,
    sources: &Sources,
    mut see: impl FnMut(&PageRecord),
) -> Queried<()> {
    walk(client, select_page!("ORDER BY page.page_id"), &[], |row| {
        see(&read_record(row, sources)?);
        Ok(())
    })
    .await
}
