//! `keys list`.

use kasparro_domain::Timestamp;

use super::{Context, KeyDocument};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::Table;
use crate::wire;

pub(super) const EXPLAINED: &str = "\
Examples:
  kasparro keys list
  kasparro keys list --json | jq '.[] | select(.status == \"good\" and .last_used_at == null)'

The key of ADMIN_API_KEY is not among them: it is in the memory of servers only.";

pub(super) async fn execute(context: Context) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let clock = SystemClock::shared();
    let store = wire::open_to_read(config, &clock).await?;
    let keys = store.keys().await.map_err(|error| Failure::store(&error, &config.database))?;
    let now = clock.now();
    let documents: Vec<_> = keys.iter().map(|key| KeyDocument::new(key, now)).collect();
    output.result(&documents, || text(&documents, output.colour))?;
    Ok(Exit::Done)
}

fn text(keys: &[KeyDocument], colour: bool) -> String {
    if keys.is_empty() {
        return "no keys".to_owned();
    }
    let headings =
        ["id", "name", "scope", "status", "requests", "made", "expires", "revoked", "last used"];
    let mut table = Table::new(&headings, colour);
    for key in keys {
        let instant =
            |at: Option<Timestamp>| Table::words(&at.map_or_else(String::new, |at| at.to_string()));
        table.row(vec![
            Table::words(&key.key_id),
            Table::words(&key.name),
            Table::words(key.scope.name()),
            Table::words(key.status),
            Table::number(key.requests.map_or_else(String::new, |number| number.to_string())),
            instant(Some(key.created_at)),
            instant(key.expires_at),
            instant(key.revoked_at),
            instant(key.last_used_at),
        ]);
    }
    table.text()
}
