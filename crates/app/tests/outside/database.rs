//! A PostgreSQL server of its own for a program, and what that server refused.

use kasparro_testkit::postgres::{self, Postgres};

/// An empty database on a server that nobody else uses, so that everything in its log is about this program.
pub(crate) struct Database {
    database: postgres::Database,
    server: Postgres,
}

impl Database {
    pub(crate) fn start() -> Self {
        let server = Postgres::own();
        Self { database: server.fresh_database(), server }
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Everything that the server refused, as its log tells it.
    pub(crate) fn refused(&self) -> Vec<String> {
        self.server.refused()
    }
}
