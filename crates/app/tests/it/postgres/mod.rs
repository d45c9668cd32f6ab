//! The same stories on a real PostgreSQL, and what only there can happen.

mod assets;
mod database;
mod empty;
mod equality;
mod fleet;
mod keys;
mod quarantine;
mod restored;
mod trouble;

use kasparro_testkit::postgres::{Database, Postgres};
use kasparro_testkit::{Finished, Server, wait_for};
use serde_json::Value;

use crate::world::World;

/// The secret that the processes of a database share.
pub(super) const SECRET: &str = "canary: sixteen and more";

/// A newcomer's folder with an empty database beside it.
///
/// At its end the store has to hold together, and a replay of it into a file has to give its digest, once it is
/// decided which listings are one asset.
pub(super) struct Shared {
    pub(super) world: World,
    pub(super) database: Database,
    unchecked: bool,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self::on(Postgres::shared())
    }

    /// With leases that end after two seconds.
    pub(super) fn on(server: &Postgres) -> Self {
        let database = server.fresh_database();
        let world = World::new()
            .with("DATABASE_URL", &database.url())
            .with("KASPARRO_SECRET", SECRET)
            .with("KASPARRO_LEASE__TTL", "2s")
            .with("KASPARRO_LEASE__RENEW_EVERY", "500ms");
        Self { world, database, unchecked: false }
    }

    /// The test harms the store or its server on purpose.
    pub(super) fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    pub(super) fn map(mut self, change: impl FnOnce(World) -> World) -> Self {
        let world = std::mem::replace(&mut self.world, World::new());
        self.world = change(world);
        self
    }

    /// With leases that last so long and are renewed so often.
    pub(super) fn leases(self, ttl: &str, renew_every: &str) -> Self {
        self.map(|world| {
            world.with("KASPARRO_LEASE__TTL", ttl).with("KASPARRO_LEASE__RENEW_EVERY", renew_every)
        })
    }

    pub(super) fn call(&self, arguments: &[&str]) -> Finished {
        self.world.call(arguments)
    }

    /// A worker that holds every one of these sources.
    pub(super) fn work(&self, sources: &[&str]) -> Server {
        let worker = self.world.start(&["worker"]);
        let pid = format!("pid {} (", worker.id());
        for source in sources {
            wait_for(&format!("{source} in the hands of the worker"), || {
                self.holder(source).filter(|holder| holder.contains(&pid))
            });
        }
        worker
    }

    /// Who holds a source, where its lease has not ended.
    pub(super) fn holder(&self, source: &str) -> Option<String> {
        self.cell(&format!(
            "SELECT holder FROM kasparro.lease JOIN kasparro.source USING (source_id)
             WHERE name = '{source}' AND expires_at > clock_timestamp()"
        ))
    }

    /// The first cell of an answer; `None` where there is none, or no table yet.
    pub(super) fn cell(&self, sql: &str) -> Option<String> {
        let rows = kasparro_testkit::postgres::execute_blocking(&self.database.url(), sql).ok()?;
        rows.into_iter().next()?.into_iter().next()?
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let stored = || self.cell("SELECT value FROM kasparro.generation");
        if self.unchecked || std::thread::panicking() || stored().is_none() {
            return;
        }
        let resolved = self.call(&["assets", "resolve"]);
        assert_eq!(resolved.code, Some(0), "{resolved:?}");
        let verified = self.call(&["verify", "--json"]);
        assert_eq!(
            (verified.code, &verified.json()["ok"]),
            (Some(0), &true.into()),
            "{verified:?}"
        );
        let from = self.database.url();
        let replayed = self.call(&["replay", "--from", &from, "--into", "anew.db", "--json"]);
        assert_eq!(replayed.code, Some(0), "{replayed:?}");
        assert_eq!(replayed.json()["into"]["digest"], verified.json()["digest"], "{replayed:?}");
    }
}

/// The one source of `status --json`.
pub(super) fn status_of(document: &Value, source: &str) -> Value {
    let sources = document["sources"].as_array().unwrap();
    let found = sources.iter().find(|found| found["source"] == source);
    found.unwrap_or_else(|| panic!("no {source} in {document}")).clone()
}
