//! Requests that have one effect, however often they are sent.

use kasparro_domain::{CommandId, CommandKind, Timestamp};
use kasparro_store::{Once, Submitted};
use rusqlite::{Connection, params};
use serde_json::Value;

use super::{commands, first, json, json_text};
use crate::error::Queried;

pub(super) const FORGET: &str = "DELETE FROM once WHERE created_at < ?1";

/// What was handed in under a name.
struct Done {
    asked: [u8; 32],
    commands: Vec<i64>,
    answer: Value,
}

/// Adds commands, unless the caller used the name before.
pub(crate) fn submit(
    connection: &Connection,
    once: &Once,
    kinds: &[CommandKind],
    now: Timestamp,
    forget_before: Timestamp,
) -> Queried<Submitted> {
    connection.prepare_cached(FORGET)?.execute([forget_before.as_millis()])?;
    if let Some(done) = find(connection, once)? {
        return Ok(if done.asked == once.asked {
            let commands = done.commands.into_iter().map(CommandId).collect();
            Submitted::Before(commands, done.answer)
        } else {
            Submitted::Other
        });
    }
    let mut commands = Vec::with_capacity(kinds.len());
    for kind in kinds {
        commands.push(commands::submit(connection, kind, now)?);
    }
    let numbers: Vec<_> = commands.iter().map(|command| command.0).collect();
    connection
        .prepare_cached(
            "INSERT INTO once (caller, name, asked, commands, answer, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            once.caller,
            once.name,
            once.asked,
            json_text(&numbers)?,
            json_text(&once.answer)?,
            now.as_millis()
        ])?;
    Ok(Submitted::New(commands))
}

fn find(connection: &Connection, once: &Once) -> Queried<Option<Done>> {
    let sql = "SELECT asked, commands, answer FROM once WHERE caller = ?1 AND name = ?2";
    first(connection, sql, [&once.caller, &once.name], |row| {
        Ok(Done { asked: row.get(0)?, commands: json(row, 1)?, answer: json(row, 2)? })
    })
}
