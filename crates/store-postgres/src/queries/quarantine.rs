//! Rows that were not believed, as people look at them.

use deadpool_postgres::GenericClient;
use kasparro_domain::{PageId, Rejection, RejectionReason};
use kasparro_store::{QuarantineFilter, QuarantineRecord, QuarantineRow, QuarantineStatus};
use tokio_postgres::Row;
use uuid::Uuid;

use super::asked_sources::AskedSources;
use super::pages::body_hash;
use super::{Params, Sources, each, first, get, instant, json, named, run_id, uint};
use crate::error::Queried;

/// What a filter asks for; its parameters are 1 to 5.
macro_rules! that_fit {
    ($rest:literal) => {
        concat!(
            "WHERE ($1::bigint IS NULL OR quarantine.source_id = $1) \
             AND ($2::text IS NULL OR reason = $2) AND ($3::text IS NULL OR status = $3) \
             AND ($4::uuid IS NULL OR run_id = $4) \
             AND ($5::bigint[] IS NULL OR quarantine.source_id = ANY($5)) ",
            $rest
        )
    };
}

const LIST: &str = concat!(
    "SELECT quarantine_id, source_id, run_id, page_id, body_hash, ordinal, external_id, reason, \
            field, value, rule, status, first_seen_at \
     FROM quarantine JOIN raw_body USING (body_id) ",
    that_fit!("AND quarantine_id > $6 ORDER BY quarantine_id LIMIT $7 OFFSET $8")
);

/// Rows that fit, by ascending number.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &QuarantineFilter,
) -> Queried<Vec<QuarantineRow>> {
    let sources = Sources::read(client).await?;
    let Some((of, reason, status, run)) = asked(client, filter).await? else {
        return Ok(Vec::new());
    };
    let after = filter.after.unwrap_or(i64::MIN);
    let limit = filter.limit.map(i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let params: Params<'_> =
        &[&of.one, &reason, &status, &run, &of.several, &after, &limit, &offset];
    each(client, LIST, params, |row| {
        Ok(QuarantineRow {
            quarantine_id: get(row, 0)?,
            source: sources.name(get(row, 1)?)?.clone(),
            run_id: run_id(row, 2)?,
            page_id: PageId(get(row, 3)?),
            body: body_hash(row, 4)?,
            ordinal: uint(row, 5)?,
            external_id: get(row, 6)?,
            reason: named(row, 7, RejectionReason::from_code)?,
            field: get(row, 8)?,
            value: get(row, 9)?,
            rule: get(row, 10)?,
            status: named(row, 11, QuarantineStatus::from_name)?,
            first_seen_at: instant(row, 12)?,
        })
    })
    .await
}

/// How many rows fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &QuarantineFilter) -> Queried<u64> {
    let Some((of, reason, status, run)) = asked(client, filter).await? else {
        return Ok(0);
    };
    let sql = concat!("SELECT count(*) FROM quarantine ", that_fit!(""));
    let params: Params<'_> = &[&of.one, &reason, &status, &run, &of.several];
    Ok(first(client, sql, params, |row| uint(row, 0)).await?.unwrap_or(0))
}

/// The parameters of a filter.
type Asked = (AskedSources, Option<&'static str>, Option<&'static str>, Option<Uuid>);

/// What a filter asks for; nothing where its sources were never written.
async fn asked(client: &impl GenericClient, filter: &QuarantineFilter) -> Queried<Option<Asked>> {
    let Some(sources) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(None);
    };
    let reason = filter.reason.map(RejectionReason::code);
    let status = filter.status.map(QuarantineStatus::name);
    Ok(Some((sources, reason, status, filter.run_id.map(|run| run.0))))
}

/// Rows of a source by request, body and ordinal.
pub(super) const OF_SOURCE: &str = "
    SELECT q.source_id, q.page_id, b.body_hash, q.ordinal, reason, field, value, external_id, rule,
           status, p.request
    FROM quarantine AS q JOIN raw_body AS b ON b.body_id = q.body_id
         JOIN page AS p ON p.page_id = q.page_id
    WHERE q.source_id = $1 ORDER BY p.request, b.body_hash, q.ordinal";

pub(super) fn read_record(row: &Row, sources: &Sources) -> Queried<QuarantineRecord> {
    Ok(QuarantineRecord {
        source: sources.name(get(row, 0)?)?.clone(),
        page_id: PageId(get(row, 1)?),
        request: json(row, 10)?,
        body: body_hash(row, 2)?,
        ordinal: uint(row, 3)?,
        rejection: Rejection {
            reason: named(row, 4, RejectionReason::from_code)?,
            field: get(row, 5)?,
            value: get(row, 6)?,
            external_id: get(row, 7)?,
        },
        rule: get(row, 8)?,
        status: named(row, 9, QuarantineStatus::from_name)?,
    })
}
