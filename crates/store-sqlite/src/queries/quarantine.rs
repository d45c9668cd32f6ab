//! Rows that were not believed, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{
    DecisionKind, PageId, PageRow, Rejection, RejectionReason, SourceName, Timestamp,
};
use kasparro_store::{
    QuarantineFilter, QuarantineRecord, QuarantineRow, QuarantineStatus, QuarantinedRow, Retry,
};
use rusqlite::{Connection, Row, params};

use super::applied::Applied;
use super::asked_sources::AskedSources;
use super::decisions::{self, NewDecision};
use super::pages::body_hash;
use super::{Sources, each, first, instant, int, json, named, run_id, uint};
use crate::error::{Queried, refused};

/// What a page brought for which request: with source and ordinal the key of a quarantined row.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) body_id: i64,
    pub(super) request: String,
}

/// The row with a key; its parameters are 1 to 4. The request stands in the page that brought it first.
macro_rules! with_key {
    ($rest:literal) => {
        concat!(
            "WHERE source_id = ?1 AND body_id = ?2 AND ordinal = ?3 \
             AND ?4 = (SELECT request FROM page WHERE page.page_id = quarantine.page_id) ",
            $rest
        )
    };
}

pub(super) const KEEP: &str = concat!(
    "INSERT INTO quarantine (source_id, body_id, ordinal, page_id, run_id, external_id, reason, \
                             field, value, rule, first_seen_at) \
     SELECT ?1, ?2, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 \
     WHERE NOT EXISTS (SELECT 1 FROM quarantine ",
    with_key!(")")
);

const LOADED: &str = concat!(
    "UPDATE quarantine SET status = 'loaded' ",
    with_key!("AND status = 'open' RETURNING page_id")
);

const REFUSED: &str = concat!(
    "UPDATE quarantine SET reason = ?5, field = ?6, value = ?7, external_id = ?8, rule = ?9 ",
    with_key!("AND status = 'open' RETURNING page_id")
);

/// Keeps the quarantined rows of a batch; one that is kept already stays as it is.
pub(super) fn keep(applied: &Applied<'_>, brought: &Brought) -> Queried<()> {
    let batch = applied.batch;
    if batch.quarantined.is_empty() {
        return Ok(());
    }
    let mut insert = applied.connection.prepare_cached(KEEP)?;
    let run = batch.run_id.to_string();
    for row in &batch.quarantined {
        insert.execute(params![
            applied.source,
            brought.body_id,
            int(row.ordinal)?,
            brought.request,
            batch.page_id.0,
            run,
            row.rejection.external_id,
            row.rejection.reason.code(),
            row.rejection.field,
            row.rejection.value,
            row.rule,
            batch.fetched_at.as_millis()
        ])?;
    }
    Ok(())
}

/// Settles the rows that were read again, and records who asked for it.
pub(super) fn retry(applied: &Applied<'_>, brought: &Brought, retry: &Retry) -> Queried<()> {
    let batch = applied.batch;
    let again: BTreeMap<u64, &QuarantinedRow> =
        batch.quarantined.iter().map(|row| (row.ordinal, row)).collect();
    let mut rows = Vec::with_capacity(retry.ordinals.len());
    for ordinal in retry.ordinals.iter().copied() {
        let (source, body, request) = (applied.source, brought.body_id, &brought.request);
        let met_first = match again.get(&ordinal) {
            None => {
                let params = params![source, body, int(ordinal)?, request];
                update(applied.connection, LOADED, params)?
            }
            Some(QuarantinedRow { rejection, rule, .. }) => {
                let params = params![
                    source,
                    body,
                    int(ordinal)?,
                    request,
                    rejection.reason.code(),
                    rejection.field,
                    rejection.value,
                    rejection.external_id,
                    rule
                ];
                update(applied.connection, REFUSED, params)?
            }
        };
        let Some(page_id) = met_first else {
            return refused(format!("row {ordinal} of page {} is not open", batch.page_id));
        };
        rows.push(PageRow { page_id, ordinal });
    }
    let decided = NewDecision::new(DecisionKind::Retry, &retry.who, &retry.why, batch.stored_at);
    let decision = NewDecision { rows, run_id: Some(batch.run_id), ..decided };
    decisions::insert(applied.connection, applied.source, decision)?;
    Ok(())
}

/// The page of the one row that an update may have changed. Read to the end, as every statement with
/// RETURNING.
fn update(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Queried<Option<PageId>> {
    Ok(each(connection, sql, params, |row| Ok(PageId(row.get(0)?)))?.pop())
}

/// Gives open rows up; returns how many were open.
pub(crate) fn discard(
    connection: &Connection,
    rows: Vec<i64>,
    who: &str,
    why: &str,
    now: Timestamp,
) -> Queried<u64> {
    let sources = Sources::read(connection)?;
    let rows: BTreeSet<i64> = rows.into_iter().collect();
    let sql = "UPDATE quarantine SET status = 'discarded'
               WHERE quarantine_id = ?1 AND status = 'open' RETURNING source_id, page_id, ordinal";
    let mut given_up: BTreeMap<SourceName, (i64, Vec<PageRow>)> = BTreeMap::new();
    let mut count = 0;
    for quarantine_id in rows {
        let row = each(connection, sql, [quarantine_id], |row| {
            let place = PageRow { page_id: PageId(row.get(1)?), ordinal: uint(row, 2)? };
            Ok((row.get::<_, i64>(0)?, place))
        })?;
        for (source, place) in row {
            let name = sources.name(source)?.clone();
            given_up.entry(name).or_insert_with(|| (source, Vec::new())).1.push(place);
            count += 1;
        }
    }
    for (source, rows) in given_up.into_values() {
        let kind = DecisionKind::Discard;
        let decision = NewDecision { rows, ..NewDecision::new(kind, who, why, now) };
        decisions::insert(connection, source, decision)?;
    }
    Ok(count)
}

/// What a filter asks for; its parameters are 1 to 4. The plus keeps SQLite from sorting everything of several
/// sources instead of reading on in order.
macro_rules! that_fit {
    (several, $rest:literal) => {
        that_fit!("+quarantine.source_id IN (SELECT value FROM json_each(?1))", $rest)
    };
    (one_or_any, $rest:literal) => {
        that_fit!("(?1 IS NULL OR quarantine.source_id = ?1)", $rest)
    };
    ($of_sources:literal, $rest:literal) => {
        concat!(
            "WHERE ",
            $of_sources,
            " AND (?2 IS NULL OR reason = ?2) \
             AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR run_id = ?4) ",
            $rest
        )
    };
}

macro_rules! list {
    ($sources:ident) => {
        concat!(
            "SELECT quarantine_id, source_id, run_id, page_id, body_hash, ordinal, external_id, reason,
                    field, value, rule, status, first_seen_at
             FROM quarantine CROSS JOIN raw_body USING (body_id) ",
            that_fit!($sources, "AND quarantine_id > ?5 ORDER BY quarantine_id LIMIT ?6 OFFSET ?7")
        )
    };
}

pub(super) const LIST: &str = list!(one_or_any);
pub(super) const LIST_OF_SEVERAL: &str = list!(several);

/// Rows that fit, by ascending number.
pub(crate) fn list(
    connection: &Connection,
    filter: &QuarantineFilter,
) -> Queried<Vec<QuarantineRow>> {
    let sources = Sources::read(connection)?;
    let Some((asked, reason, status, run)) = asked(connection, filter)? else {
        return Ok(Vec::new());
    };
    let after = filter.after.unwrap_or(i64::MIN);
    let limit = filter.limit.map_or(-1, i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let params = params![asked.value(), reason, status, run, after, limit, offset];
    each(connection, asked.choose(LIST, LIST_OF_SEVERAL), params, |row| {
        Ok(QuarantineRow {
            quarantine_id: row.get(0)?,
            source: sources.name(row.get(1)?)?.clone(),
            run_id: run_id(row, 2)?,
            page_id: PageId(row.get(3)?),
            body: body_hash(row, 4)?,
            ordinal: uint(row, 5)?,
            external_id: row.get(6)?,
            reason: named(row, 7, RejectionReason::from_code)?,
            field: row.get(8)?,
            value: row.get(9)?,
            rule: row.get(10)?,
            status: named(row, 11, QuarantineStatus::from_name)?,
            first_seen_at: instant(row, 12)?,
        })
    })
}

/// How many rows fit.
pub(crate) fn count(connection: &Connection, filter: &QuarantineFilter) -> Queried<u64> {
    let Some((asked, reason, status, run)) = asked(connection, filter)? else {
        return Ok(0);
    };
    let sql = asked.choose(
        concat!("SELECT count(*) FROM quarantine ", that_fit!(one_or_any, "")),
        concat!("SELECT count(*) FROM quarantine ", that_fit!(several, "")),
    );
    let params = params![asked.value(), reason, status, run];
    Ok(first(connection, sql, params, |row| uint(row, 0))?.unwrap_or(0))
}

/// The first four parameters of a filter.
type Asked = (AskedSources, Option<&'static str>, Option<&'static str>, Option<String>);

/// What a filter asks for; nothing where its sources were never written.
fn asked(connection: &Connection, filter: &QuarantineFilter) -> Queried<Option<Asked>> {
    let Some(sources) = AskedSources::find(connection, &filter.sources)? else {
        return Ok(None);
    };
    let reason = filter.reason.map(RejectionReason::code);
    let status = filter.status.map(QuarantineStatus::name);
    Ok(Some((sources, reason, status, filter.run_id.map(|run| run.to_string()))))
}

/// Rows of a source by request, body and ordinal.
pub(super) const OF_SOURCE: &str =
    "SELECT q.source_id, q.page_id, body_hash, ordinal, reason, field,
        value, external_id, rule, status, request
    FROM quarantine AS q CROSS JOIN raw_body USING (body_id) CROSS JOIN page USING (page_id)
    WHERE q.source_id = ?1 ORDER BY request, body_hash, ordinal";

pub(super) fn read_record(row: &Row<'_>, sources: &Sources) -> Queried<QuarantineRecord> {
    Ok(QuarantineRecord {
        source: sources.name(row.get(0)?)?.clone(),
        page_id: PageId(row.get(1)?),
        request: json(row, 10)?,
        body: body_hash(row, 2)?,
        ordinal: uint(row, 3)?,
        rejection: Rejection {
            reason: named(row, 4, RejectionReason::from_code)?,
            field: row.get(5)?,
            value: row.get(6)?,
            external_id: row.get(7)?,
        },
        rule: row.get(8)?,
        status: named(row, 9, QuarantineStatus::from_name)?,
    })
}
