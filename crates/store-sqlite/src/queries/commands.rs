//! What other processes ask of the one that holds the store.

use kasparro_domain::{Command, CommandId, CommandKind, CommandState, SourceName, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{each, first, instant, int, json, json_text, maybe_json, named, source_id, uint};
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
        epoch: uint(row, 3)?,
        created_at: instant(row, 4)?,
        result: maybe_json(row, 5)?,
    })
}

/// Adds a command.
pub(crate) fn submit(
    connection: &Connection,
    kind: &CommandKind,
    now: Timestamp,
) -> Queried<CommandId> {
    let source = source_id(connection, kind.source())?;
    let mut insert = connection
        .prepare_cached("INSERT INTO command (kind, created_at, source_id) VALUES (?1, ?2, ?3)")?;
    Ok(CommandId(insert.insert(params![json_text(kind)?, now.as_millis(), source])?))
}

/// Takes the pending commands, and those of a dead holder where `reclaim` says so.
pub(crate) fn claim(connection: &Connection, reclaim: bool) -> Queried<Vec<Command>> {
    let sql = "UPDATE command SET state = 'claimed', epoch = 0
               WHERE state <> 'done' AND (state = 'pending' OR ?1)
               RETURNING command_id, kind, state, epoch, created_at, result";
    let mut claimed = each(connection, sql, [reclaim], read_command)?;
    // RETURNING promises no order.
    claimed.sort_by_key(|command| command.command_id);
    Ok(claimed)
}

/// Takes the commands about sources that are held under these epochs, but for those `under_way`.
pub(crate) fn claim_held(
    connection: &Connection,
    held: &[(SourceName, u64)],
    under_way: &[CommandId],
) -> Queried<Vec<Command>> {
    let sql = "SELECT command_id FROM command
               WHERE source_id = (SELECT source_id FROM source JOIN lease USING (source_id)
                                  WHERE name = ?1 AND epoch = ?2)
                 AND state <> 'done' AND NOT (state = 'claimed' AND epoch = ?2 AND command_id IN (
                   SELECT value FROM json_each(?3)))";
    let known = json_text(&under_way)?;
    let mut claim = connection
        .prepare_cached("UPDATE command SET state = 'claimed', epoch = ?2 WHERE command_id = ?1")?;
    let mut claimed = Vec::new();
    for (source, epoch) in held {
        let params = params![source.as_str(), int(*epoch)?, known];
        for number in each(connection, sql, params, |row| Ok(row.get::<_, i64>(0)?))? {
            claim.execute(params![number, int(*epoch)?])?;
            claimed.extend(command(connection, CommandId(number))?);
        }
    }
    claimed.sort_by_key(|command| command.command_id);
    Ok(claimed)
}

/// Records the outcome of a claimed command.
pub(crate) fn complete(
    connection: &Connection,
    command: CommandId,
    epoch: u64,
    result: &serde_json::Value,
) -> Queried<()> {
    let done = connection
        .prepare_cached(
            "UPDATE command SET state = 'done', result = ?2
             WHERE command_id = ?1 AND state = 'claimed' AND epoch = ?3
               AND (?3 = 0 OR ?3 = (SELECT epoch FROM lease
                                    WHERE lease.source_id = command.source_id))",
        )?
        .execute(params![command.0, json_text(result)?, int(epoch)?])?;
    if done == 1 {
        return Ok(());
    }
    refused(format!("command {} is not claimed under epoch {epoch}", command.0))
}

/// One command.
pub(crate) fn command(connection: &Connection, command: CommandId) -> Queried<Option<Command>> {
    let sql = "SELECT command_id, kind, state, epoch, created_at, result FROM command WHERE command_id = ?1";
    first(connection, sql, [command.0], read_command)
}

/// Every command.
pub(super) fn all(connection: &Connection) -> Queried<Vec<Command>> {
    let sql = "SELECT command_id, kind, state, epoch, created_at, result FROM command";
    each(connection, sql, [], read_command)
}
