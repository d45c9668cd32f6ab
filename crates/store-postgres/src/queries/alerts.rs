//! What operators should hear of.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{Alert, NewAlert, RunId, SourceName, Timestamp};
use kasparro_store::AlertOutcome;
use tokio_postgres::Row;

use super::{Instant, Params, Sources, each, execute, get, instant, maybe_instant, run_id, walk};
use crate::error::{Queried, damaged, refused};

/// In the order of the run, which numbers them.
const RAISE: &str =
    "INSERT INTO alert (source_id, run_id, raised_at, next_attempt_at, code, message,
        hint)
    SELECT source_id, run_id, $2, $3, code, message, hint
    FROM run, unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY
         AS told (code, message, hint, place)
    WHERE run_id = $1 ORDER BY place";

/// Keeps the alerts of a run that ended; `send` tells that they are to be sent.
pub(super) async fn raise(
    transaction: &Transaction<'_>,
    run: RunId,
    at: Timestamp,
    alerts: &[NewAlert],
    send: bool,
) -> Queried<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = alerts.iter().map(|alert| alert.code.as_str()).collect();
    let messages: Vec<&str> = alerts.iter().map(|alert| alert.message.as_str()).collect();
    let hints: Vec<&str> = alerts.iter().map(|alert| alert.hint.as_str()).collect();
    let next_attempt_at = send.then_some(Instant(at));
    let params: Params<'_> = &[&run.0, &Instant(at), &next_attempt_at, &codes, &messages, &hints];
    execute(transaction, RAISE, params).await?;
    Ok(())
}

const RAISE_OF_RUNS: &str =
    "INSERT INTO alert (source_id, run_id, raised_at, next_attempt_at, code, message, hint)
    SELECT source.source_id, told.run_id, $1, $2, told.code, told.message, told.hint
    FROM unnest($3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
         AS told (source, run_id, code, message, hint, place)
         JOIN source ON source.name = told.source
    ORDER BY told.place";

/// Keeps alerts that are told with runs of several sources, in their order.
pub(crate) async fn raise_of_runs(
    transaction: &Transaction<'_>,
    at: Timestamp,
    alerts: &[(SourceName, RunId, NewAlert)],
    send: bool,
) -> Queried<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let sources: Vec<&str> = alerts.iter().map(|(source, ..)| source.as_str()).collect();
    let runs: Vec<uuid::Uuid> = alerts.iter().map(|(_, run, _)| run.0).collect();
    let codes: Vec<&str> = alerts.iter().map(|(.., alert)| alert.code.as_str()).collect();
    let messages: Vec<&str> = alerts.iter().map(|(.., alert)| alert.message.as_str()).collect();
    let hints: Vec<&str> = alerts.iter().map(|(.., alert)| alert.hint.as_str()).collect();
    let next_attempt_at = send.then_some(Instant(at));
    let params: Params<'_> =
        &[&Instant(at), &next_attempt_at, &sources, &runs, &codes, &messages, &hints];
    let raised = execute(transaction, RAISE_OF_RUNS, params).await?;
    match raised == alerts.len() as u64 {
        true => Ok(()),
        false => refused("an alert is about a source that is not known"),
    }
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

fn read_alert(row: &Row, sources: &Sources) -> Queried<Alert> {
    let attempts: i64 = get(row, 7)?;
    Ok(Alert {
        alert_id: get(row, 0)?,
        source: sources.name(get(row, 1)?)?.clone(),
        run_id: run_id(row, 2)?,
        alert: NewAlert { code: get(row, 3)?, message: get(row, 4)?, hint: get(row, 5)? },
        raised_at: instant(row, 6)?,
        attempts: u32::try_from(attempts).map_err(|_| damaged("a count", attempts))?,
        next_attempt_at: maybe_instant(row, 8)?,
        delivered_at: maybe_instant(row, 9)?,
    })
}

pub(super) const DUE: &str =
    select_alert!("WHERE next_attempt_at <= $2 AND source_id = ANY($1) ORDER BY alert_id LIMIT $3");

/// Alerts of these sources that are to be sent at `now`, oldest first.
pub(crate) async fn due(
    client: &impl GenericClient,
    of: &[SourceName],
    now: Timestamp,
    limit: u32,
) -> Queried<Vec<Alert>> {
    let sources = Sources::read(client).await?;
    let known = sources.by_name().into_iter().filter(|(_, name)| of.contains(name));
    let numbers: Vec<i64> = known.map(|(number, _)| number).collect();
    let params: Params<'_> = &[&numbers, &Instant(now), &i64::from(limit)];
    each(client, DUE, params, |row| read_alert(row, &sources)).await
}

/// The newest alerts, newest first.
pub(crate) async fn newest(client: &impl GenericClient, limit: u32) -> Queried<Vec<Alert>> {
    let sources = Sources::read(client).await?;
    let sql = select_alert!("ORDER BY alert_id DESC LIMIT $1");
    each(client, sql, &[&i64::from(limit)], |row| read_alert(row, &sources)).await
}

/// Hands every alert to `see`, by number.
pub(super) async fn every_alert(
    client: &impl GenericClient,
    sources: &Sources,
    mut see: impl FnMut(&Alert),
) -> Queried<()> {
    walk(client, select_alert!("ORDER BY alert_id"), &[], |row| {
        see(&read_alert(row, sources)?);
        Ok(())
    })
    .await
}

/// Records how sending an alert went.
pub(crate) async fn settle(
    client: &impl GenericClient,
    alert_id: i64,
    outcome: AlertOutcome,
) -> Queried<()> {
    let settled = match outcome {
        AlertOutcome::Delivered { at } => {
            let sql = "UPDATE alert SET delivered_at = $2, next_attempt_at = NULL
                       WHERE alert_id = $1";
            execute(client, sql, &[&alert_id, &Instant(at)]).await?
        }
        AlertOutcome::Failed { next_attempt_at } => {
            let sql = "UPDATE alert SET attempts = attempts + 1, next_attempt_at = $2
                       WHERE alert_id = $1";
            execute(client, sql, &[&alert_id, &next_attempt_at.map(Instant)]).await?
        }
    };
    if settled == 1 { Ok(()) } else { refused(format!("alert {alert_id} is not known")) }
}
