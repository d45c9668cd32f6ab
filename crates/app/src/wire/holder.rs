//! Who this process is to others, and who holds which source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kasparro_domain::SourceName;
use kasparro_store::{Lease, Store, StoreError};

use super::store::file_held;
use crate::config::{Config, Database};

static HOLDER: LazyLock<String> =
    LazyLock::new(|| format!("{}pid {} ({:06x})", machine(), std::process::id(), tag()));

/// The name under which this process takes sources: `MACHINE pid NUMBER (RANDOM)`. No other process has
/// it, since process ids come again and machines may share a name.
pub(crate) fn holder() -> &'static str {
    &HOLDER
}

fn tag() -> u32 {
    rand::random_range(0..1 << 24)
}

/// The name of this machine or container and a space; nothing where it has none.
fn machine() -> String {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name.trim().chars().filter(|c| plain(*c)).take(64).collect();
    if name.is_empty() { name } else { format!("{name} ") }
}

/// True for a holder that is, or was, a process of this machine.
pub(crate) fn of_this_machine(holder: &str) -> bool {
    holder.starts_with(&format!("{}pid ", machine()))
}

/// The leases that have not ended, by source.
///
/// # Errors
/// [`StoreError`] where the store cannot be read.
pub(crate) async fn live_leases(
    store: &dyn Store,
) -> Result<BTreeMap<SourceName, Lease>, StoreError> {
    let leases = store.leases().await?.into_iter().filter(|lease| lease.live);
    Ok(leases.map(|lease| (lease.source.clone(), lease)).collect())
}

/// Gives up what this process still holds, so that others need not wait for the leases to end.
pub(crate) async fn release_all(store: &dyn Store) {
    let Ok(leases) = live_leases(store).await else { return };
    for lease in leases.values().filter(|lease| lease.holder == holder()) {
        if let Err(error) = store.release(&lease.source, lease.epoch).await {
            tracing::warn!(source = %lease.source, %error, "the lease could not be given up");
        }
    }
}

/// The sources on which some process works at this moment; `None` stands for all of them.
///
/// # Errors
/// [`StoreError`] where the store cannot be read.
pub(crate) async fn held_sources(
    config: &Config,
    store: &dyn Store,
) -> Result<Option<Vec<SourceName>>, StoreError> {
    match &config.database {
        // The lock tells it: leases of a file live as long as the process that has the lock.
        Database::Sqlite(path) if file_held(path) => Ok(None),
        Database::Sqlite(_) => Ok(Some(Vec::new())),
        Database::Postgres(_) => Ok(Some(live_leases(store).await?.into_keys().collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_names_machine_process_and_something_of_its_own() {
        let name = holder();
        assert!(name.contains(&format!("pid {} (", std::process::id())), "{name}");
        assert_eq!(holder(), name, "it stays the same");
        assert!(of_this_machine(name), "{name}");
        assert!(!of_this_machine("another-machine pid 1 (000000)"));
    }
}
