//! What other processes ask of the one that holds a source.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{Command, CommandId, CommandKind, CommandState, SourceName, Timestamp};
use kasparro_store::StoreError;
use tokio_postgres::Row;

use super::leases;
use super::{
    Instant, each, execute, find_source, first, get, instant, int, json, json_text, maybe_json,
    named, source_id, uint,
};
use crate::error::{Failure, Queried, damaged, refused};

fn state_from_name(name: &str) -> Option<CommandState> {
    match name {
        "pending" => Some(CommandState::Pending),
        "claimed" => Some(CommandState::Claimed),
        "done" => Some(CommandState::Done),
        _ => None,
    }
}

fn read_command(row: &Row) -> Queried<Command> {
    Ok(Command {
        command_id: CommandId(get(row, 0)?),
        kind: json(row, 1)?,
        state: named(row, 2, state_from_name)?,
        epoch: uint(row, 3)?,
        created_at: instant(row, 4)?,
        result: maybe_json(row, 5)?,
    })
}

/// Adds a command.
pub(crate) async fn submit(
    client: &impl GenericClient,
    kind: &CommandKind,
    now: Timestamp,
) -> Queried<CommandId> {
    let source = source_id(client, kind.source()).await?;
    let sql = "INSERT INTO command (kind, created_at, source_id) VALUES ($1, $2, $3)
               RETURNING command_id";
    let params: super::Params<'_> = &[&json_text(kind)?, &Instant(now), &source];
    let added = first(client, sql, params, |row| Ok(CommandId(get(row, 0)?))).await?;
    added.ok_or_else(|| damaged("a command", "it got no number").into())
}

/// Takes the pending commands, and those of a dead holder where `reclaim` says so.
pub(crate) async fn claim(client: &impl GenericClient, reclaim: bool) -> Queried<Vec<Command>> {
    let sql = "UPDATE command SET state = 'claimed', epoch = 0
               WHERE state <> 'done' AND (state = 'pending' OR $1)
               RETURNING command_id, kind, state, epoch, created_at, result";
    let mut claimed = each(client, sql, &[&reclaim], read_command).await?;
    // RETURNING promises no order.
    claimed.sort_by_key(|command| command.command_id);
    Ok(claimed)
}

/// Takes the commands about sources that are held under these epochs.
pub(crate) async fn claim_held(
    transaction: &Transaction<'_>,
    held: &[(SourceName, u64)],
    under_way: &[CommandId],
) -> Queried<Vec<Command>> {
    // In one order, so that two who hold several sources never wait for each other in a circle.
    let mut held: Vec<_> = held.iter().collect();
    held.sort_unstable();
    let sql = "UPDATE command SET state = 'claimed', epoch = $2
               WHERE source_id = $1
                 AND (state = 'pending' OR (state = 'claimed'
                      AND (epoch <> $2 OR command_id <> ALL ($3))))
               RETURNING command_id, kind, state, epoch, created_at, result";
    let waiting = "SELECT 1 FROM command
                   WHERE source_id = $1 AND (state = 'pending' OR (state = 'claimed'
                         AND (epoch <> $2 OR command_id <> ALL ($3))))
                   LIMIT 1";
    let known: Vec<i64> = under_way.iter().map(|command| command.0).collect();
    let mut claimed = Vec::new();
    for (source, epoch) in held {
        let Some(number) = find_source(transaction, source).await? else { continue };
        let params: super::Params<'_> = &[&number, &int(*epoch)?, &known];
        // Looked at without a lock first: this is asked all the time, and mostly nothing waits.
        if *epoch == 0 || first(transaction, waiting, params, |_| Ok(())).await?.is_none() {
            continue;
        }
        match leases::check(transaction, source, *epoch).await {
            Err(Failure::Store(StoreError::Fenced { .. })) => continue,
            checked => checked?,
        }
        claimed.extend(each(transaction, sql, params, read_command).await?);
    }
    claimed.sort_by_key(|command| command.command_id);
    Ok(claimed)
}

/// Records the outcome of a claimed command.
pub(crate) async fn complete(
    client: &impl GenericClient,
    command: CommandId,
    epoch: u64,
    result: &serde_json::Value,
) -> Queried<()> {
    let sql = "UPDATE command SET state = 'done', result = $2
               WHERE command_id = $1 AND state = 'claimed' AND epoch = $3
                 AND ($3 = 0 OR $3 = (SELECT epoch FROM lease
                                      WHERE lease.source_id = command.source_id))";
    let done = execute(client, sql, &[&command.0, &json_text(result)?, &int(epoch)?]).await?;
    if done == 1 {
        return Ok(());
    }
    refused(format!("command {} is not claimed under epoch {epoch}", command.0))
}

/// One command.
pub(crate) async fn command(
    client: &impl GenericClient,
    command: CommandId,
) -> Queried<Option<Command>> {
    let sql = "SELECT command_id, kind, state, epoch, created_at, result FROM command
               WHERE command_id = $1";
    first(client, sql, &[&command.0], read_command).await
}

/// Every command.
pub(super) async fn all(client: &impl GenericClient) -> Queried<Vec<Command>> {
    let sql = "SELECT command_id, kind, state, epoch, created_at, result FROM command
               ORDER BY command_id";
    each(client, sql, &[], read_command).await
}
