//! What is known of endpoints, and how they have changed.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{
    DriftEvent, DriftId, DriftKey, DriftKind, DriftRow, DriftSeverity, DriftStatus, PageId,
    SourceName,
};
use kasparro_store::{DriftFilter, Examined};
use serde_json::Value;
use tokio_postgres::Row;

use super::asked_sources::AskedSources;
use super::{
    Params, Sources, each, execute, first, get, instant, int, json, json_text, maybe_json, named,
    uint,
};
use crate::error::{Queried, damaged};

/// Known changes are locked by ascending number, as by whoever accepts them. A page that is older than the
/// one that showed a change last counts, and says nothing new of it.
const SEEN: &str = "WITH seen AS (
        SELECT page.source_id, page.page_id, page.fetched_at, told.*
        FROM page, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                          $9::bigint[], $10::bigint[], $11::integer[], $12::text[], $13::json[])
             WITH ORDINALITY
             AS told (endpoint, kind, pointer, before_value, after_value, severity, rows_affected,
                      rows_examined, confidence_percent, suggestion, breaks, place)
        WHERE page.page_id = $1
    ), known AS (
        SELECT drift_id, place, seen.fetched_at >= drift.last_seen_at AS newer
        FROM drift JOIN seen USING (source_id, endpoint, kind, pointer, before_value, after_value)
        ORDER BY drift_id FOR UPDATE OF drift
    ), again AS (
        UPDATE drift AS old SET pages_seen = pages_seen + 1, refused = old.refused OR $2,
            last_seen_at = CASE WHEN newer THEN fetched_at ELSE last_seen_at END,
            severity = CASE WHEN newer THEN seen.severity ELSE old.severity END,
            rows_affected = CASE WHEN newer THEN seen.rows_affected ELSE old.rows_affected END,
            rows_examined = CASE WHEN newer THEN seen.rows_examined ELSE old.rows_examined END,
            confidence_percent =
                CASE WHEN newer THEN seen.confidence_percent ELSE old.confidence_percent END,
            suggestion = CASE WHEN newer THEN seen.suggestion ELSE old.suggestion END,
            breaks = CASE WHEN newer THEN seen.breaks ELSE old.breaks END
        FROM known JOIN seen USING (place) WHERE old.drift_id = known.drift_id
    )
    INSERT INTO drift (source_id, endpoint, kind, pointer, before_value, after_value, severity,
                       rows_affected, rows_examined, confidence_percent, suggestion, breaks,
                       page_id, refused, first_seen_at, last_seen_at, pages_seen)
    SELECT source_id, endpoint, kind, pointer, before_value, after_value, severity, rows_affected,
           rows_examined, confidence_percent, suggestion, breaks, page_id, $2, fetched_at,
           fetched_at, 1
    FROM seen WHERE place NOT IN (SELECT place FROM known) ORDER BY place";

const LEARNED: &str = "INSERT INTO drift_profile (source_id, endpoint, state)
    SELECT source_id, $2, $3 FROM page WHERE page_id = $1
    ON CONFLICT (source_id, endpoint) DO UPDATE SET state = excluded.state";

/// Keeps what examining a page brought; `refuses` tells that the page is refused for it. The caller holds
/// the lease of its source.
pub(crate) async fn keep(
    transaction: &Transaction<'_>,
    page: PageId,
    examined: &Examined,
    refuses: bool,
) -> Queried<()> {
    let events = &examined.drift;
    if !events.is_empty() {
        let keys = || events.iter().map(|event| &event.key);
        let endpoints: Vec<&str> = keys().map(|key| key.endpoint.as_str()).collect();
        let kinds: Vec<&str> = keys().map(|key| key.kind.name()).collect();
        let pointers: Vec<&str> = keys().map(|key| key.pointer.as_str()).collect();
        let before: Vec<&str> = keys().map(|key| key.before.as_str()).collect();
        let after: Vec<&str> = keys().map(|key| key.after.as_str()).collect();
        let severities: Vec<&str> = events.iter().map(|event| event.severity.name()).collect();
        let count = |of: fn(&DriftEvent) -> u64| {
            events.iter().map(|event| int(of(event))).collect::<Queried<Vec<i64>>>()
        };
        let affected = count(|event| event.rows_affected)?;
        let looked_at = count(|event| event.rows_examined)?;
        let sure: Vec<i32> =
            events.iter().map(|event| i32::from(event.confidence_percent)).collect();
        let suggestions: Vec<&str> = events.iter().map(|event| event.suggestion.as_str()).collect();
        let breaks = events.iter().map(|event| json_text(&event.breaks));
        let breaks = breaks.collect::<Queried<Vec<_>>>()?;
        let params: Params<'_> = &[
            &page.0,
            &refuses,
            &endpoints,
            &kinds,
            &pointers,
            &before,
            &after,
            &severities,
            &affected,
            &looked_at,
            &sure,
            &suggestions,
            &breaks,
        ];
        execute(transaction, SEEN, params).await?;
    }
    if let Some(profile) = &examined.profile {
        let params: Params<'_> = &[&page.0, &examined.endpoint, &json_text(profile)?];
        execute(transaction, LEARNED, params).await?;
    }
    Ok(())
}

/// What is known of an endpoint.
pub(crate) async fn profile(
    client: &impl GenericClient,
    source: &SourceName,
    endpoint: &str,
) -> Queried<Option<Value>> {
    let sql = "SELECT state FROM drift_profile JOIN source USING (source_id)
               WHERE name = $1 AND endpoint = $2";
    let read = |row: &Row| maybe_json(row, 0);
    Ok(first(client, sql, &[&source.as_str(), &endpoint], read).await?.flatten())
}

/// What is known of the endpoints of a source, by endpoint.
pub(super) const PROFILES: &str =
    "SELECT source_id, endpoint, state FROM drift_profile WHERE source_id = $1 ORDER BY endpoint";

/// The columns of a change, and where they stand for [`read_drift`].
macro_rules! select_drift {
    ($rest:expr) => {
        concat!(
            "SELECT drift_id, source_id, endpoint, kind, pointer, before_value, after_value, \
             severity, rows_affected, rows_examined, confidence_percent, suggestion, breaks, \
             page_id, refused, first_seen_at, last_seen_at, pages_seen, status FROM drift ",
            $rest
        )
    };
}

/// Changes of a source by what has changed.
pub(super) const OF_SOURCE: &str = select_drift!(
    "WHERE source_id = $1 ORDER BY endpoint, kind, pointer, before_value, after_value"
);

/// What makes a change the same when it is seen again, from column `from` on.
pub(crate) fn read_key(row: &Row, from: usize) -> Queried<DriftKey> {
    Ok(DriftKey {
        endpoint: get(row, from)?,
        kind: named(row, from + 1, DriftKind::from_name)?,
        pointer: get(row, from + 2)?,
        before: get(row, from + 3)?,
        after: get(row, from + 4)?,
    })
}

pub(super) fn read_drift(row: &Row, sources: &Sources) -> Queried<DriftRow> {
    let sure: i32 = get(row, 10)?;
    Ok(DriftRow {
        drift_id: DriftId(get(row, 0)?),
        source: sources.name(get(row, 1)?)?.clone(),
        event: DriftEvent {
            key: read_key(row, 2)?,
            severity: named(row, 7, DriftSeverity::from_name)?,
            rows_affected: uint(row, 8)?,
            rows_examined: uint(row, 9)?,
            confidence_percent: u8::try_from(sure).map_err(|_| damaged("a percentage", sure))?,
            suggestion: get(row, 11)?,
            breaks: json(row, 12)?,
        },
        page_id: PageId(get(row, 13)?),
        refused: get(row, 14)?,
        first_seen_at: instant(row, 15)?,
        last_seen_at: instant(row, 16)?,
        pages_seen: uint(row, 17)?,
        status: named(row, 18, DriftStatus::from_name)?,
    })
}

/// What a filter asks for; its parameters are 1 to 6.
macro_rules! that_fit {
    ($rest:literal) => {
        concat!(
            "WHERE ($1::bigint IS NULL OR source_id = $1) AND ($2::text IS NULL OR endpoint = $2) \
             AND ($3::text IS NULL OR kind = $3) AND ($4::text IS NULL OR severity = $4) \
             AND ($5::text IS NULL OR status = $5) \
             AND ($6::bigint[] IS NULL OR source_id = ANY($6)) ",
            $rest
        )
    };
}

pub(super) const LIST: &str =
    select_drift!(that_fit!("AND drift_id > $7 ORDER BY drift_id LIMIT $8 OFFSET $9"));

/// Changes that fit, by ascending number.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &DriftFilter,
) -> Queried<Vec<DriftRow>> {
    let sources = Sources::read(client).await?;
    let Some((of, endpoint, [kind, severity, status])) = asked(client, filter).await? else {
        return Ok(Vec::new());
    };
    let after = filter.after.unwrap_or(i64::MIN);
    let limit = filter.limit.map(i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let params: Params<'_> =
        &[&of.one, &endpoint, &kind, &severity, &status, &of.several, &after, &limit, &offset];
    each(client, LIST, params, |row| read_drift(row, &sources)).await
}

/// How many changes fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &DriftFilter) -> Queried<u64> {
    let Some((of, endpoint, [kind, severity, status])) = asked(client, filter).await? else {
        return Ok(0);
    };
    let sql = concat!("SELECT count(*) FROM drift ", that_fit!(""));
    let params: Params<'_> = &[&of.one, &endpoint, &kind, &severity, &status, &of.several];
    Ok(first(client, sql, params, |row| uint(row, 0)).await?.unwrap_or(0))
}

/// The parameters of a filter.
type Asked<'a> = (AskedSources, Option<&'a str>, [Option<&'static str>; 3]);

/// What a filter asks for; nothing where its sources were never written, or its text holds what no text of the
/// database can.
async fn asked<'a>(
    client: &impl GenericClient,
    filter: &'a DriftFilter,
) -> Queried<Option<Asked<'a>>> {
    let endpoint = filter.endpoint.as_deref();
    if endpoint.is_some_and(|text| text.contains('\0')) {
        return Ok(None);
    }
    let Some(sources) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(None);
    };
    let kind = filter.kind.map(DriftKind::name);
    let severity = filter.severity.map(DriftSeverity::name);
    Ok(Some((sources, endpoint, [kind, severity, filter.status.map(DriftStatus::name)])))
}
