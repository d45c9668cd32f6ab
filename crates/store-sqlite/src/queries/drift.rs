//! What is known of endpoints, and the changes that were found.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{
    DecisionKind, DriftEvent, DriftId, DriftKey, DriftKind, DriftRow, DriftSeverity, DriftStatus,
    PageId, SourceName, Timestamp,
};
use kasparro_store::{Audit, DriftFilter, Examined};
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::conditions::Conditions;
use super::decisions::{self, NewDecision};
use super::{
    Sources, each, find_source, first, instant, int, json, json_text, named, text, uint, walk,
};
use crate::error::{Queried, refused};

/// The row of a change; its parameters are 1 to 6.
macro_rules! with_key {
    ($rest:literal) => {
        concat!(
            "WHERE source_id = ?1 AND endpoint = ?2 AND kind = ?3 AND pointer = ?4 \
             AND before_value = ?5 AND after_value = ?6 ",
            $rest
        )
    };
}

const SEEN: &str = concat!(
    "UPDATE drift SET pages_seen = pages_seen + 1, refused = refused OR ?7 ",
    with_key!("")
);

/// A page that is older than the last one says nothing new.
const SAY: &str = concat!(
    "UPDATE drift SET severity = ?7, rows_affected = ?8, rows_examined = ?9, \
     confidence_percent = ?10, suggestion = ?11, breaks = ?12, last_seen_at = ?13 ",
    with_key!("AND last_seen_at <= ?13")
);

const INSERT: &str = "INSERT INTO drift (source_id, endpoint, kind, pointer, before_value, after_value,
        severity, rows_affected, rows_examined, confidence_percent, suggestion, breaks, first_seen_at,
        last_seen_at, page_id, refused, pages_seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, 1)";

const PROFILE: &str = "INSERT INTO drift_profile (source_id, endpoint, state) VALUES (?1, ?2, ?3)
    ON CONFLICT (source_id, endpoint) DO UPDATE SET state = excluded.state";

/// Keeps what examining a page brought; `refuses` tells that the page is refused for it.
pub(super) fn keep(
    connection: &Connection,
    page: PageId,
    examined: &Examined,
    refuses: bool,
) -> Queried<()> {
    let sql = "SELECT source_id, fetched_at FROM page WHERE page_id = ?1";
    let brought =
        first(connection, sql, [page.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let Some((source, fetched_at)) = brought else {
        return refused(format!("page {page} is not known"));
    };
    for event in &examined.drift {
        let DriftKey { endpoint, kind, pointer, before, after } = &event.key;
        let kind = kind.name();
        // Updated first and inserted then: an insert that meets a known row would use up a number.
        let known = connection
            .prepare_cached(SEEN)?
            .execute(params![source, endpoint, kind, pointer, before, after, refuses])?;
        let severity = event.severity.name();
        let (affected, looked_at) = (int(event.rows_affected)?, int(event.rows_examined)?);
        let (percent, breaks) = (event.confidence_percent, json_text(&event.breaks)?);
        if known == 1 {
            connection.prepare_cached(SAY)?.execute(params![
                source,
                endpoint,
                kind,
                pointer,
                before,
                after,
                severity,
                affected,
                looked_at,
                percent,
                event.suggestion,
                breaks,
                fetched_at
            ])?;
        } else {
            connection.prepare_cached(INSERT)?.execute(params![
                source,
                endpoint,
                kind,
                pointer,
                before,
                after,
                severity,
                affected,
                looked_at,
                percent,
                event.suggestion,
                breaks,
                fetched_at,
                page.0,
                refuses
            ])?;
        }
    }
    if let Some(profile) = &examined.profile {
        let state = json_text(profile)?;
        connection.prepare_cached(PROFILE)?.execute(params![source, examined.endpoint, state])?;
    }
    Ok(())
}

/// What is known of an endpoint.
pub(crate) fn profile(
    connection: &Connection,
    source: &SourceName,
    endpoint: &str,
) -> Queried<Option<Value>> {
    let sql = "SELECT state FROM drift_profile WHERE source_id = ?1 AND endpoint = ?2";
    let params = params![find_source(connection, source)?, endpoint];
    first(connection, sql, params, |row| json(row, 0))
}

/// The columns of a change, and where they stand for [`read_drift`].
const SELECT: &str =
    "SELECT drift_id, source_id, endpoint, kind, pointer, before_value, after_value,
        severity, rows_affected, rows_examined, confidence_percent, suggestion, breaks, page_id,
        refused, first_seen_at, last_seen_at, pages_seen, status FROM drift";

fn read_drift(row: &Row<'_>, sources: &Sources) -> Queried<DriftRow> {
    Ok(DriftRow {
        drift_id: DriftId(row.get(0)?),
        source: sources.name(row.get(1)?)?.clone(),
        event: DriftEvent {
            key: read_key(row, 2)?,
            severity: named(row, 7, DriftSeverity::from_name)?,
            rows_affected: uint(row, 8)?,
            rows_examined: uint(row, 9)?,
            confidence_percent: row.get(10)?,
            suggestion: row.get(11)?,
            breaks: json(row, 12)?,
        },
        page_id: PageId(row.get(13)?),
        refused: row.get(14)?,
        first_seen_at: instant(row, 15)?,
        last_seen_at: instant(row, 16)?,
        pages_seen: uint(row, 17)?,
        status: named(row, 18, DriftStatus::from_name)?,
    })
}

/// What makes a change the same, from column `from` on.
fn read_key(row: &Row<'_>, from: usize) -> Queried<DriftKey> {
    Ok(DriftKey {
        endpoint: text(row, from)?.to_owned(),
        kind: named(row, from + 1, DriftKind::from_name)?,
        pointer: text(row, from + 2)?.to_owned(),
        before: text(row, from + 3)?.to_owned(),
        after: text(row, from + 4)?.to_owned(),
    })
}

/// What a filter asks for, its number left aside; nothing where its sources were never written.
pub(super) fn asked(connection: &Connection, filter: &DriftFilter) -> Queried<Option<Conditions>> {
    let mut asked = Conditions::default();
    if !asked.and_source(connection, "source_id", &filter.sources)? {
        return Ok(None);
    }
    if let Some(endpoint) = &filter.endpoint {
        asked.and_with("endpoint = ?", endpoint.clone());
    }
    if let Some(kind) = filter.kind {
        asked.and_with("kind = ?", kind.name().to_owned());
    }
    if let Some(severity) = filter.severity {
        asked.and_with("severity = ?", severity.name().to_owned());
    }
    if let Some(status) = filter.status {
        asked.and_with("status = ?", status.name().to_owned());
    }
    Ok(Some(asked))
}

pub(super) fn list_sql(asked: &Conditions) -> String {
    asked.statement(SELECT, "ORDER BY drift_id LIMIT ? OFFSET ?")
}

/// Changes that fit, by ascending number.
pub(crate) fn list(connection: &Connection, filter: &DriftFilter) -> Queried<Vec<DriftRow>> {
    let sources = Sources::read(connection)?;
    let Some(mut asked) = asked(connection, filter)? else {
        return Ok(Vec::new());
    };
    if let Some(after) = filter.after {
        asked.and_with("drift_id > ?", after);
    }
    let values = asked.values_of_part(filter.limit, filter.offset);
    each(connection, &list_sql(&asked), values, |row| read_drift(row, &sources))
}

/// How many changes fit.
pub(crate) fn count(connection: &Connection, filter: &DriftFilter) -> Queried<u64> {
    let Some(asked) = asked(connection, filter)? else {
        return Ok(0);
    };
    let sql = asked.statement("SELECT count(*) FROM drift", "");
    Ok(first(connection, &sql, asked.values(), |row| uint(row, 0))?.unwrap_or(0))
}

/// Accepts open changes; returns how many were open.
pub(crate) fn accept(
    connection: &Connection,
    changes: Vec<DriftId>,
    who: &str,
    why: &str,
    now: Timestamp,
) -> Queried<u64> {
    let sources = Sources::read(connection)?;
    let changes: BTreeSet<DriftId> = changes.into_iter().collect();
    let sql = "UPDATE drift SET status = 'accepted' WHERE drift_id = ?1 AND status = 'open'
               RETURNING source_id, endpoint, kind, pointer, before_value, after_value";
    let mut accepted: BTreeMap<SourceName, (i64, Vec<DriftKey>)> = BTreeMap::new();
    let mut count = 0;
    for DriftId(number) in changes {
        let change =
            each(connection, sql, [number], |row| Ok((row.get::<_, i64>(0)?, read_key(row, 1)?)))?;
        for (source, key) in change {
            let name = sources.name(source)?.clone();
            accepted.entry(name).or_insert_with(|| (source, Vec::new())).1.push(key);
            count += 1;
        }
    }
    for (source, drift) in accepted.into_values() {
        let kind = DecisionKind::AcceptDrift;
        let decision = NewDecision { drift, ..NewDecision::new(kind, who, why, now) };
        decisions::insert(connection, source, decision)?;
    }
    Ok(count)
}

/// Hands every change and what is known of every endpoint to an audit: source by source, changes by what
/// makes them the same.
pub(super) fn audit(connection: &Connection, sources: &Sources, audit: &mut Audit) -> Queried<()> {
    let changes = format!(
        "{SELECT} WHERE source_id = ?1 ORDER BY endpoint, kind, pointer, before_value, after_value"
    );
    for (source_id, _) in sources.by_name() {
        walk(connection, &changes, [source_id], |row| {
            audit.drift(&read_drift(row, sources)?);
            Ok(())
        })?;
    }
    let profiles =
        "SELECT endpoint, state FROM drift_profile WHERE source_id = ?1 ORDER BY endpoint";
    for (source_id, source) in sources.by_name() {
        walk(connection, profiles, [source_id], |row| {
            audit.profile(source, text(row, 0)?, &json(row, 1)?);
            Ok(())
        })?;
    }
    Ok(())
}
