//! Requests that have one effect, however often they are sent.

use std::collections::BTreeSet;

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{CommandId, CommandKind, Timestamp};
use kasparro_store::{Once, Submitted};
use tokio_postgres::Row;

use super::{Instant, commands, execute, first, get, json, json_text, source_id};
use crate::error::{Queried, damaged};

/// Takes a name, also one that somebody used so long ago that it is forgotten. Of those who come at once one
/// takes it, and the others wait here until its transaction has ended. Nobody waits for anything before
/// this, so nobody waits in a circle.
const TAKE: &str = "INSERT INTO once AS held (caller, name, asked, answer, commands, created_at)
    VALUES ($1, $2, $3, $4, '{}', $5)
    ON CONFLICT (caller, name) DO UPDATE
    SET asked = excluded.asked, answer = excluded.answer, commands = excluded.commands,
        created_at = excluded.created_at
    WHERE held.created_at < $6
    RETURNING 1";

/// Names that others are about to take anew are theirs, and are left out.
pub(super) const FORGET: &str = "DELETE FROM once WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM once WHERE created_at < $1 FOR UPDATE SKIP LOCKED))";

/// What became of a request whose name was taken before, and is not forgotten.
pub(crate) async fn before(
    client: &impl GenericClient,
    once: &Once,
    forget_before: Timestamp,
) -> Queried<Option<Submitted>> {
    let sql = "SELECT asked, commands, answer FROM once
               WHERE caller = $1 AND name = $2 AND created_at >= $3";
    let read = |row: &Row| {
        if get::<&[u8]>(row, 0)? != once.asked {
            return Ok(Submitted::Other);
        }
        let commands = get::<Vec<i64>>(row, 1)?.into_iter().map(CommandId).collect();
        Ok(Submitted::Before(commands, json(row, 2)?))
    };
    first(client, sql, &[&once.caller, &once.name, &Instant(forget_before)], read).await
}

/// Takes the name and writes the commands, unless somebody has taken it meanwhile.
pub(crate) async fn submit(
    transaction: &Transaction<'_>,
    once: &Once,
    kinds: &[CommandKind],
    now: Timestamp,
    forget_before: Timestamp,
) -> Queried<Submitted> {
    let (asked, answer) = (once.asked.as_slice(), json_text(&once.answer)?);
    let (now_at, forget_at) = (Instant(now), Instant(forget_before));
    let params: super::Params<'_> =
        &[&once.caller, &once.name, &asked, &answer, &now_at, &forget_at];
    if first(transaction, TAKE, params, |_| Ok(())).await?.is_none() {
        let known = before(transaction, once, forget_before).await?;
        return known.ok_or_else(|| damaged("a request under its name", &once.name).into());
    }
    // New names of sources in one order, so that two who bring several do not wait in a circle.
    for source in kinds.iter().map(CommandKind::source).collect::<BTreeSet<_>>() {
        source_id(transaction, source).await?;
    }
    let mut written = Vec::with_capacity(kinds.len());
    for kind in kinds {
        written.push(commands::submit(transaction, kind, now).await?);
    }
    let numbers: Vec<i64> = written.iter().map(|command| command.0).collect();
    let sql = "UPDATE once SET commands = $3 WHERE caller = $1 AND name = $2";
    execute(transaction, sql, &[&once.caller, &once.name, &numbers]).await?;
    execute(transaction, FORGET, &[&forget_at]).await?;
    Ok(Submitted::New(written))
}
