//! What other processes ask of the one that holds the store.

use kasparro_domain::{Command, CommandId, CommandKind, CommandState, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{each, first, instant, json, json_text, maybe_json, named};
use crate::error::{Queried, refused};

fn state_from_name(name: &str) -> Option<CommandState> {
    match name {
        "pending" => Some(CommandState::Pending),
        "claimed" => Some(CommandState::Claimed),
        "done" => Some(CommandState::Done),
        _ => None,
    }
}

fn read_command(row: &Row<'_>) -> Queried<Command> {
    Ok(Command {
        command_id: CommandId(row.get(0)?),
        kind: json(row, 1)?,
        state: named(row, 2, state_from_name)?,
        created_at: instant(row, 3)?,
        result: maybe_json(row, 4)?,
    })
}

/// Adds a command.
pub(crate) fn submit(
    connection: &Connection,
    kind: &CommandKind,
    now: Timestamp,
) -> Queried<CommandId> {
    let mut insert =
        connection.prepare_cached("INSERT INTO command (kind, created_at) VALUES (?1, ?2)")?;
    Ok(CommandId(insert.insert(params![json_text(kind)?, now.as_millis()])?))
}

/// Takes the pending commands, and those of a dead holder where `reclaim` says so.
pub(crate) fn claim(connection: &Connection, reclaim: bool) -> Queried<Vec<Command>> {
    let sql = "UPDATE command SET state = 'claimed'
               WHERE state <> 'done' AND (state = 'pending' OR ?1)
               RETURNING command_id, kind, state, created_at, result";
    let mut claimed = each(connection, sql, [reclaim], read_command)?;
    // RETURNING promises no order.
    claimed.sort_by_key(|command| command.command_id);
    Ok(claimed)
}

/// Records the outcome of a claimed command.
pub(crate) fn complete(
    connection: &Connection,
    command: CommandId,
    result: &serde_json::Value,
) -> Queried<()> {
    let done = connection
        .prepare_cached(
            "UPDATE command SET state = 'done', result = ?2
             WHERE command_id = ?1 AND state = 'claimed'",
        )?
        .execute(params![command.0, json_text(result)?])?;
    if done == 1 { Ok(()) } else { refused(format!("command {} is not claimed", command.0)) }
}

/// One command.
pub(crate) fn command(connection: &Connection, command: CommandId) -> Queried<Option<Command>> {
    let sql =
        "SELECT command_id, kind, state, created_at, result FROM command WHERE command_id = ?1";
    first(connection, sql, [command.0], read_command)
}

/// Every command.
pub(super) fn all(connection: &Connection) -> Queried<Vec<Command>> {
    let sql = "SELECT command_id, kind, state, created_at, result FROM command";
    each(connection, sql, [], read_command)
}
