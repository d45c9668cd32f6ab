//! A PostgreSQL server of its own for a program, and what that server refused.

use kasparro_testkit::postgres::{self, Postgres};

/// What a line of the server's log holds that tells of something refused or broken.
const REFUSED: [&str; 3] = ["ERROR:", "FATAL:", "PANIC:"];

/// Lines behind such a one that say more of it, its statement among them.
const MORE: usize = 3;

/// An empty database on a server that nobody else uses, so that everything in its log is about this program.
pub(crate) struct Database {
    database: postgres::Database,
    server: Postgres,
    /// Bytes of the log that count no more.
    past: usize,
}

impl Database {
    pub(crate) fn start() -> Self {
        let server = Postgres::own();
        Self { database: server.fresh_database(), server, past: 0 }
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.server.folder().join("log")).unwrap()
    }

    /// Counts from now on: before there are tables, whoever asks for one is refused.
    pub(crate) fn count_from_here(&mut self) {
        self.past = self.log().len();
    }

    /// Everything that the server refused, as its log tells it.
    pub(crate) fn refused(&self) -> Vec<String> {
        refused_in(&String::from_utf8_lossy(&self.log()[self.past..]))
    }
}

fn refused_in(log: &str) -> Vec<String> {
    let lines: Vec<_> = log.lines().collect();
    let told = |line: &str| REFUSED.iter().any(|part| line.contains(part));
    let places = (0..lines.len()).filter(|place| told(lines[*place]));
    places
        .map(|place| lines[place..].iter().take(MORE).copied().collect::<Vec<_>>().join("\n"))
        .collect()
}

#[test]
fn a_statement_that_was_refused_is_found_in_the_log_of_its_server() {
    let database = Database::start();
    database.database.sql_blocking("SELECT 1");
    assert_eq!(database.refused(), [""; 0]);
    let broken = postgres::execute_blocking(&database.url(), "SELECT 'of a payload");
    assert!(broken.is_err());
    let refused =
        kasparro_testkit::wait_for("the line in the log", || database.refused().into_iter().next());
    assert!(refused.contains("unterminated quoted string"), "{refused}");
}
