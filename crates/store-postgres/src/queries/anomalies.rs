//! What is unusual, about values and about runs.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{
    Anomaly, AnomalySubject, RunAnomaly, RunAnomalyKind, RunId, Timestamp, ValueAnomaly,
    ValueAnomalyKind,
};
use kasparro_store::{AnomalyAbout, AnomalyFilter};
use tokio_postgres::Row;
use uuid::Uuid;

use super::asked_sources::AskedSources;
use super::{
    Instant, Params, Sources, each, execute, first, get, instant, named, run_id, string, uint,
};
use crate::error::Queried;

/// In the order of the run, which numbers them.
const OF_A_RUN: &str = "INSERT INTO anomaly (source_id, run_id, found_at, kind, value, expected)
    SELECT source_id, run_id, $2, kind, value, expected
    FROM run, unnest($3::text[], $4::text[], $5::text[]) WITH ORDINALITY
         AS told (kind, value, expected, place)
    WHERE run_id = $1 ORDER BY place";

/// Keeps what is unusual about a run that ended.
pub(super) async fn keep_of_run(
    transaction: &Transaction<'_>,
    run: RunId,
    at: Timestamp,
    anomalies: &[RunAnomaly],
) -> Queried<()> {
    if anomalies.is_empty() {
        return Ok(());
    }
    let kinds: Vec<&str> = anomalies.iter().map(|anomaly| anomaly.kind.name()).collect();
    let values: Vec<&str> = anomalies.iter().map(|anomaly| anomaly.value.as_str()).collect();
    let expected: Vec<&str> = anomalies.iter().map(|anomaly| anomaly.expected.as_str()).collect();
    execute(transaction, OF_A_RUN, &[&run.0, &Instant(at), &kinds, &values, &expected]).await?;
    Ok(())
}

/// The columns of an anomaly, and where they stand for [`read_anomaly`].
macro_rules! select_anomaly {
    ($rest:expr) => {
        concat!(
            "SELECT a.anomaly_id, a.source_id, a.kind, l.external_id, a.observed_at, a.run_id, \
             a.value, a.expected, a.found_at, a.source_timed \
             FROM anomaly AS a LEFT JOIN listing AS l USING (listing_id) ",
            $rest
        )
    };
}

/// Anomalies about values of a source by listing, kind and instant.
pub(super) const OF_SOURCE: &str = select_anomaly!(
    "WHERE a.source_id = $1 AND a.run_id IS NULL ORDER BY l.external_id, a.kind, a.observed_at"
);

/// Anomalies about runs.
pub(super) const OF_RUNS: &str =
    select_anomaly!("WHERE a.run_id IS NOT NULL ORDER BY a.run_id, a.kind");

pub(super) fn read_anomaly(row: &Row, sources: &Sources) -> Queried<Anomaly> {
    let (value, expected) = (get(row, 6)?, get(row, 7)?);
    let subject = if get::<Option<Uuid>>(row, 5)?.is_some() {
        let kind = named(row, 2, RunAnomalyKind::from_name)?;
        let anomaly = RunAnomaly { kind, value, expected };
        AnomalySubject::Run { run_id: run_id(row, 5)?, anomaly }
    } else {
        AnomalySubject::Value(ValueAnomaly {
            external_id: string(row, 3)?,
            observed_at: instant(row, 4)?,
            kind: named(row, 2, ValueAnomalyKind::from_name)?,
            value,
            expected,
        })
    };
    Ok(Anomaly {
        anomaly_id: get(row, 0)?,
        source: sources.name(get(row, 1)?)?.clone(),
        subject,
        found_at: instant(row, 8)?,
    })
}

/// Whether the source gave the instant of the value that an anomaly is about.
pub(super) fn read_source_timed(row: &Row) -> Queried<bool> {
    Ok(get::<Option<bool>>(row, 9)?.unwrap_or(false))
}

/// What a filter asks for; its parameters are 1 to 6.
macro_rules! that_fit {
    ($rest:literal) => {
        concat!(
            "WHERE ($1::bigint IS NULL OR a.source_id = $1) \
             AND ($2::boolean IS NULL OR (a.run_id IS NOT NULL) = $2) \
             AND ($3::text IS NULL OR a.kind = $3) \
             AND ($4::bigint[] IS NULL OR a.listing_id = ANY($4)) \
             AND ($5::uuid IS NULL OR a.run_id = $5) \
             AND ($6::bigint[] IS NULL OR a.source_id = ANY($6)) ",
            $rest
        )
    };
}

pub(super) const LIST: &str =
    select_anomaly!(that_fit!("ORDER BY a.anomaly_id DESC LIMIT $7 OFFSET $8"));

/// Anomalies that fit, newest first.
pub(crate) async fn list(
    client: &impl GenericClient,
    filter: &AnomalyFilter,
) -> Queried<Vec<Anomaly>> {
    let sources = Sources::read(client).await?;
    let Some(asked) = asked(client, filter).await? else {
        return Ok(Vec::new());
    };
    let limit = filter.limit.map(i64::from);
    let offset = i64::try_from(filter.offset).unwrap_or(i64::MAX);
    let Asked { sources: of, runs, kind, listings, run } = &asked;
    let params: Params<'_> = &[&of.one, runs, kind, listings, run, &of.several, &limit, &offset];
    each(client, LIST, params, |row| read_anomaly(row, &sources)).await
}

/// How many anomalies fit.
pub(crate) async fn count(client: &impl GenericClient, filter: &AnomalyFilter) -> Queried<u64> {
    let Some(asked) = asked(client, filter).await? else {
        return Ok(0);
    };
    let sql = concat!("SELECT count(*) FROM anomaly AS a ", that_fit!(""));
    let Asked { sources: of, runs, kind, listings, run } = &asked;
    let params: Params<'_> = &[&of.one, runs, kind, listings, run, &of.several];
    Ok(first(client, sql, params, |row| uint(row, 0)).await?.unwrap_or(0))
}

/// The parameters of a filter.
struct Asked<'a> {
    sources: AskedSources,
    runs: Option<bool>,
    kind: Option<&'a str>,
    listings: Option<Vec<i64>>,
    run: Option<Uuid>,
}

/// Every source has an index over its external ids, and there are few sources.
pub(super) const LISTINGS: &str = "SELECT listing_id FROM source JOIN listing USING (source_id)
    WHERE ($1::bigint IS NULL OR source_id = $1) AND external_id = $2
        AND ($3::bigint[] IS NULL OR source_id = ANY($3))";

/// What a filter asks for; nothing where its sources or its listing were never written, or a text holds what no
/// text of the database can.
async fn asked<'a>(
    client: &impl GenericClient,
    filter: &'a AnomalyFilter,
) -> Queried<Option<Asked<'a>>> {
    let texts = [filter.kind.as_deref(), filter.external_id.as_deref()];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Ok(None);
    }
    let Some(sources) = AskedSources::find(client, &filter.sources).await? else {
        return Ok(None);
    };
    let listings = match filter.external_id.as_deref() {
        None => None,
        Some(id) => {
            let found =
                each(client, LISTINGS, &[&sources.one, &id, &sources.several], |row| get(row, 0))
                    .await?;
            if found.is_empty() {
                return Ok(None);
            }
            Some(found)
        }
    };
    Ok(Some(Asked {
        sources,
        runs: filter.about.map(|about| about == AnomalyAbout::Runs),
        kind: filter.kind.as_deref(),
        listings,
        run: filter.run_id.map(|run| run.0),
    }))
}
