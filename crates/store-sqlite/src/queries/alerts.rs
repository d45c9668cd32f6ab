//! What operators should hear of, until it is delivered.

use kasparro_domain::{Alert, NewAlert, RunId, SourceName, Timestamp};
use kasparro_store::{AlertOutcome, Audit, Findings, Resolution};
use rusqlite::{Connection, Row, params};

use super::{Sources, each, instant, json_text, maybe_instant, run_id, walk};
use crate::error::{Queried, refused};

/// Keeps the alerts of a run that ends.
pub(super) fn raise(
    connection: &Connection,
    run: RunId,
    at: Timestamp,
    findings: &Findings,
) -> Queried<()> {
    let sql =
        "INSERT INTO alert (source_id, run_id, code, message, hint, raised_at, next_attempt_at)
               SELECT source_id, run_id, ?2, ?3, ?4, ?5, iif(?6, ?5, NULL)
               FROM run WHERE run_id = ?1";
    for NewAlert { code, message, hint } in &findings.alerts {
        let send = findings.send_alerts;
        connection.prepare_cached(sql)?.execute(params![
            run.to_string(),
            code,
            message,
            hint,
            at.as_millis(),
            send
        ])?;
    }
    Ok(())
}

/// Keeps the alerts of a resolution, each with the source and the run that it is told with.
pub(super) fn raise_of_resolution(connection: &Connection, resolution: &Resolution) -> Queried<()> {
    let sql =
        "INSERT INTO alert (source_id, run_id, code, message, hint, raised_at, next_attempt_at)
               SELECT source_id, ?2, ?3, ?4, ?5, ?6, iif(?7, ?6, NULL)
               FROM source WHERE name = ?1";
    for (source, run, NewAlert { code, message, hint }) in &resolution.alerts {
        let raised = connection.prepare_cached(sql)?.execute(params![
            source.as_str(),
            run.to_string(),
            code,
            message,
            hint,
            resolution.resolved_at.as_millis(),
            resolution.send_alerts
        ])?;
        if raised != 1 {
            return refused(format!("an alert is about {source}, which is not known"));
        }
    }
    Ok(())
}

/// The columns of an alert, and where they stand for [`read_alert`].
macro_rules! select_alert {
    ($rest:literal) => {
        concat!(
            "SELECT alert_id, source_id, run_id, code, message, hint, raised_at, attempts, \
             next_attempt_at, delivered_at FROM alert ",
            $rest
        )
    };
}

fn read_alert(row: &Row<'_>, sources: &Sources) -> Queried<Alert> {
    Ok(Alert {
        alert_id: row.get(0)?,
        source: sources.name(row.get(1)?)?.clone(),
        run_id: run_id(row, 2)?,
        alert: NewAlert { code: row.get(3)?, message: row.get(4)?, hint: row.get(5)? },
        raised_at: instant(row, 6)?,
        attempts: row.get(7)?,
        next_attempt_at: maybe_instant(row, 8)?,
        delivered_at: maybe_instant(row, 9)?,
    })
}

pub(super) const DUE: &str = select_alert!(
    "WHERE next_attempt_at <= ?1 AND source_id IN (SELECT source_id FROM source \
     WHERE name IN (SELECT value FROM json_each(?2))) ORDER BY alert_id LIMIT ?3"
);

/// Alerts of these sources that are to be sent, oldest first.
pub(crate) fn due(
    connection: &Connection,
    of: &[SourceName],
    now: Timestamp,
    limit: u32,
) -> Queried<Vec<Alert>> {
    let sources = Sources::read(connection)?;
    let params = params![now.as_millis(), json_text(&of)?, limit];
    each(connection, DUE, params, |row| read_alert(row, &sources))
}

/// The newest alerts, newest first.
pub(crate) fn newest(connection: &Connection, limit: u32) -> Queried<Vec<Alert>> {
    let sources = Sources::read(connection)?;
    let sql = select_alert!("ORDER BY alert_id DESC LIMIT ?1");
    each(connection, sql, [limit], |row| read_alert(row, &sources))
}

/// Records how sending an alert went.
pub(crate) fn settle(connection: &Connection, alert_id: i64, outcome: AlertOutcome) -> Queried<()> {
    let settled = match outcome {
        AlertOutcome::Delivered { at } => connection
            .prepare_cached(
                "UPDATE alert SET delivered_at = ?2, next_attempt_at = NULL WHERE alert_id = ?1",
            )?
            .execute(params![alert_id, at.as_millis()])?,
        AlertOutcome::Failed { next_attempt_at } => connection
            .prepare_cached(
                "UPDATE alert SET attempts = attempts + 1, next_attempt_at = ?2
                 WHERE alert_id = ?1",
            )?
            .execute(params![alert_id, next_attempt_at.map(Timestamp::as_millis)])?,
    };
    if settled == 1 { Ok(()) } else { refused(format!("alert {alert_id} is not known")) }
}

/// Hands every alert to an audit.
pub(super) fn audit(connection: &Connection, sources: &Sources, audit: &mut Audit) -> Queried<()> {
    walk(connection, select_alert!("ORDER BY alert_id"), [], |row| {
        audit.alert(&read_alert(row, sources)?);
        Ok(())
    })
}
