//! Taking a request back, once its holder is gone and this process holds what it is about.

use kasparro_domain::{Command, CommandId, CommandState, SourceName};
use kasparro_store::{Store, StoreError};
use serde_json::json;

use crate::config::Database;
use crate::failure::Failure;

/// What this process holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held<'a> {
    /// The whole store.
    Store,
    /// One source, under this epoch.
    Source(&'a SourceName, u64),
}

/// Takes a request back from a store or a source that this process holds, so that no later holder carries
/// it out; the request where a former holder carried it out after all.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(super) async fn withdraw(
    store: &dyn Store,
    command_id: CommandId,
    held: Held<'_>,
    database: &Database,
) -> Result<Option<Command>, Failure> {
    let failed = |error: StoreError| Failure::store(&error, database);
    let left = command(store, command_id, database).await?;
    // Takes those of others as well; the next holder that serves takes these up again.
    let claimed = match (held, left.state) {
        (_, CommandState::Done) => return Ok(Some(left)),
        (Held::Store, CommandState::Pending) => store.claim(false).await,
        // What a dead holder had taken up stays under its epoch.
        (Held::Store, CommandState::Claimed) => Ok(vec![left]),
        (Held::Source(source, epoch), _) => store.claim_held(&[(source.clone(), epoch)], &[]).await,
    };
    let claimed = claimed.map_err(failed)?;
    let Some(own) = claimed.iter().find(|command| command.command_id == command_id) else {
        // Answered, or taken over by another holder, between the two looks.
        let left = command(store, command_id, database).await?;
        return Ok((left.state == CommandState::Done).then_some(left));
    };
    let withdrawn = json!({ "withdrawn": true });
    store.complete(command_id, own.epoch, withdrawn).await.map_err(failed)?;
    Ok(None)
}

/// A request by its number.
///
/// # Errors
/// A [`Failure`] with exit code 3.
pub(super) async fn command(
    store: &dyn Store,
    id: CommandId,
    database: &Database,
) -> Result<Command, Failure> {
    let command = store.command(id).await.map_err(|error| Failure::store(&error, database))?;
    let gone = || StoreError::Corrupt("a request is gone".to_owned());
    command.ok_or_else(|| Failure::store(&gone(), database))
}
