//! What is unusual about values and runs.

use compact_str::CompactString;
use kasparro_domain::{
    Anomaly, AnomalySubject, ListingId, RunAnomaly, RunAnomalyKind, RunId, Timestamp, ValueAnomaly,
    ValueAnomalyKind,
};
use kasparro_store::{AnomalyAbout, AnomalyFilter, Audit, BatchRow};
use rusqlite::{Connection, Row, params};

use super::applied::Applied;
use super::conditions::Conditions;
use super::{Sources, each, first, instant, maybe_text, named, run_id, text, uint, walk};
use crate::error::Queried;

/// What is said of a point once more is said anew, and keeps the time when it was found.
const UPDATE: &str = "UPDATE anomaly SET source_timed = ?4, value = ?5, expected = ?6
    WHERE listing_id = ?1 AND observed_at = ?2 AND kind = ?3";

const INSERT: &str =
    "INSERT INTO anomaly (listing_id, observed_at, kind, source_timed, value, expected,
        source_id, found_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Keeps what is unusual about a row. Hardly any row has something, so nothing is prepared ahead.
pub(super) fn keep_values(
    applied: &Applied<'_>,
    listing_id: ListingId,
    row: &BatchRow,
) -> Queried<()> {
    let at = row.observed_at.as_millis();
    for unusual in &row.anomalies {
        let (kind, value, expected) = (unusual.kind.name(), &unusual.value, &unusual.expected);
        // Updated first and inserted then: an insert that meets a known row would use up a number.
        let known = applied.connection.prepare_cached(UPDATE)?.execute(params![
            listing_id.0,
            at,
            kind,
            row.source_timed,
            value,
            expected
        ])?;
        if known == 0 {
            applied.connection.prepare_cached(INSERT)?.execute(params![
                listing_id.0,
                at,
                kind,
                row.source_timed,
                value,
                expected,
                applied.source,
                applied.batch.fetched_at.as_millis()
            ])?;
        }
    }
    Ok(())
}

/// Keeps what is unusual about a run that ends.
pub(super) fn keep_run(
    connection: &Connection,
    run: RunId,
    at: Timestamp,
    anomalies: &[RunAnomaly],
) -> Queried<()> {
    let sql = "INSERT INTO anomaly (source_id, run_id, kind, value, expected, found_at)
               SELECT source_id, run_id, ?2, ?3, ?4, ?5 FROM run WHERE run_id = ?1";
    for RunAnomaly { kind, value, expected } in anomalies {
        let params = params![run.to_string(), kind.name(), value, expected, at.as_millis()];
        connection.prepare_cached(sql)?.execute(params)?;
    }
    Ok(())
}

/// The columns of an anomaly, and where they stand for [`read_anomaly`].
macro_rules! select_anomaly {
    ($rest:literal) => {
        concat!(
            "SELECT anomaly_id, anomaly.source_id, kind, external_id, observed_at, run_id, value, \
             expected, found_at, source_timed \
             FROM anomaly LEFT JOIN listing USING (listing_id) ",
            $rest
        )
    };
}

fn read_anomaly(row: &Row<'_>, sources: &Sources) -> Queried<Anomaly> {
    let (value, expected) = (text(row, 6)?.to_owned(), text(row, 7)?.to_owned());
    let subject = match maybe_text(row, 5)? {
        Some(_) => AnomalySubject::Run {
            run_id: run_id(row, 5)?,
            anomaly: RunAnomaly {
                kind: named(row, 2, RunAnomalyKind::from_name)?,
                value,
                expected,
            },
        },
        None => AnomalySubject::Value(ValueAnomaly {
            external_id: CompactString::from(text(row, 3)?),
            observed_at: instant(row, 4)?,
            kind: named(row, 2, ValueAnomalyKind::from_name)?,
            value,
            expected,
        }),
    };
    Ok(Anomaly {
        anomaly_id: row.get(0)?,
        source: sources.name(row.get(1)?)?.clone(),
        subject,
        found_at: instant(row, 8)?,
    })
}

/// Source by source, so that the index over external ids finds the listing.
const OF_EXTERNAL_ID: &str = "anomaly.listing_id IN (SELECT named.listing_id
    FROM source CROSS JOIN listing AS named USING (source_id) WHERE named.external_id = ?)";

/// What a filter asks for; nothing where its sources were never written.
pub(super) fn asked(
    connection: &Connection,
    filter: &AnomalyFilter,
) -> Queried<Option<Conditions>> {
    let mut asked = Conditions::default();
    // The plus keeps SQLite from going through everything of the source where less is asked for.
    let less = filter.run_id.is_some()
        || filter.external_id.is_some()
        || filter.about == Some(AnomalyAbout::Runs);
    let column = if less { "+anomaly.source_id" } else { "anomaly.source_id" };
    if !asked.and_source(connection, column, &filter.sources)? {
        return Ok(None);
    }
    match filter.about {
        Some(AnomalyAbout::Values) => asked.and("anomaly.listing_id IS NOT NULL"),
        Some(AnomalyAbout::Runs) => asked.and("run_id IS NOT NULL"),
        None => {}
    }
    if let Some(kind) = &filter.kind {
        asked.and_with("kind = ?", kind.clone());
    }
    if let Some(external_id) = &filter.external_id {
        asked.and_with(OF_EXTERNAL_ID, external_id.to_string());
    }
    if let Some(run) = filter.run_id {
        asked.and_with("run_id = ?", run.to_string());
    }
    Ok(Some(asked))
}

pub(super) fn list_sql(asked: &Conditions) -> String {
    asked.statement(select_anomaly!(""), "ORDER BY anomaly_id DESC LIMIT ? OFFSET ?")
}

/// Anomalies that fit, newest first.
pub(crate) fn list(connection: &Connection, filter: &AnomalyFilter) -> Queried<Vec<Anomaly>> {
    let sources = Sources::read(connection)?;
    let Some(asked) = asked(connection, filter)? else {
        return Ok(Vec::new());
    };
    let values = asked.values_of_part(filter.limit, filter.offset);
    each(connection, &list_sql(&asked), values, |row| read_anomaly(row, &sources))
}

/// How many anomalies fit.
pub(crate) fn count(connection: &Connection, filter: &AnomalyFilter) -> Queried<u64> {
    let Some(asked) = asked(connection, filter)? else {
        return Ok(0);
    };
    let sql = asked.statement("SELECT count(*) FROM anomaly", "");
    Ok(first(connection, &sql, asked.values(), |row| uint(row, 0))?.unwrap_or(0))
}

/// Hands every anomaly to an audit: those about values by source, external id, kind and instant. One whose
/// listing is gone is left to the check of foreign keys, which names it.
pub(super) fn audit(connection: &Connection, sources: &Sources, audit: &mut Audit) -> Queried<()> {
    let values = select_anomaly!(
        "WHERE anomaly.source_id = ?1 AND external_id IS NOT NULL \
         ORDER BY external_id, kind, observed_at"
    );
    for (source_id, _) in sources.by_name() {
        walk(connection, values, [source_id], |row| {
            audit.anomaly(&read_anomaly(row, sources)?, row.get(9)?);
            Ok(())
        })?;
    }
    walk(connection, select_anomaly!("WHERE run_id IS NOT NULL"), [], |row| {
        audit.anomaly(&read_anomaly(row, sources)?, false);
        Ok(())
    })
}
