//! What the engine shows of its sources.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_store::SourceState;

use super::{each, execute, json, json_text, source_id};
use crate::error::Queried;

/// Replaces the state of a source.
pub(crate) async fn put(transaction: &Transaction<'_>, state: &SourceState) -> Queried<()> {
    let sql = "INSERT INTO source_state (source_id, state) VALUES ($1, $2)
               ON CONFLICT (source_id) DO UPDATE SET state = excluded.state";
    let source = source_id(transaction, &state.source).await?;
    execute(transaction, sql, &[&source, &json_text(state)?]).await?;
    Ok(())
}

/// The state of every source, by name.
pub(crate) async fn all(client: &impl GenericClient) -> Queried<Vec<SourceState>> {
    let sql = "SELECT state FROM source_state JOIN source USING (source_id) ORDER BY name";
    each(client, sql, &[], |row| json(row, 0)).await
}
