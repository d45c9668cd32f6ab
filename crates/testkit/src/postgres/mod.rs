//! A PostgreSQL server for tests: started at its first use, gone with the test process.
//!
//! Its files lie in memory where there is room for them, else in a temporary folder. Set `TMPDIR` to
//! choose the folder, for example for what is measured or fills gigabytes.

mod binaries;
mod certificates;
mod database;
mod refused;
mod relay;
mod sql;
mod supervisor;

pub use certificates::Certificates;
pub use database::Database;
pub use relay::Relay;
pub use sql::{Rows, connect, execute, execute_blocking};

use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::PATIENCE;
use supervisor::{Supervisor, variable};

/// A server where the tests may create databases, in place of one that they start.
const GIVEN: &str = "KASPARRO_TEST_DATABASE_URL";

/// What every cluster is set to. Nothing is flushed to the disk, which is quick and loses nothing in
/// these tests: they kill processes, and what a process wrote survives it as long as the machine runs.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
full_page_writes = off
synchronous_commit = on
max_connections = 200
shared_buffers = 64MB
jit = off
autovacuum = on
max_wal_size = 256MB
log_min_messages = warning
";

/// A PostgreSQL server. Its user is `kasparro`, a superuser without a password.
pub struct Postgres {
    server: Server,
    may_be_stopped: bool,
    certificates: Option<Certificates>,
}

enum Server {
    Own { port: u16, supervisor: Mutex<Supervisor> },
    Given { url: String },
}

impl fmt::Debug for Postgres {
    // The URL of a given server may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Postgres {
    /// The server that all tests of this process share: the one that `KASPARRO_TEST_DATABASE_URL` names,
    /// which must accept connections without TLS, or one that is started now.
    ///
    /// # Panics
    /// When there is neither; the message says what to install or set.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| match variable(GIVEN) {
            Some(url) => {
                Self { server: Server::Given { url }, may_be_stopped: false, certificates: None }
            }
            None => Self { may_be_stopped: false, ..Self::own() },
        })
    }

    /// A server of this test alone, which it may stop and kill. It goes when the value is dropped.
    ///
    /// # Panics
    /// When it cannot be started; the message says what to install, or what the server wrote.
    #[must_use]
    pub fn own() -> Self {
        Self::create(false)
    }

    /// A server of this test alone that speaks TLS to whoever asks for it.
    ///
    /// # Panics
    /// When it cannot be started; the message says what to install, or what the server wrote.
    #[must_use]
    pub fn with_tls() -> Self {
        Self::create(true)
    }

    fn create(tls: bool) -> Self {
        let mut supervisor = done(Supervisor::start());
        done(supervisor.configure(SETTINGS));
        let certificates = tls.then(|| done(certificates::install(&supervisor)));
        let mut attempts = 0;
        let port = loop {
            let port = done(free_port());
            attempts += 1;
            match supervisor.order(&format!("start {port}")) {
                Ok(()) => break port,
                // Somebody else may have taken the port in between.
                Err(_) if attempts < 5 => {}
                Err(error) => done(Err(error)),
            }
        };
        let server = Server::Own { port, supervisor: Mutex::new(supervisor) };
        Self { server, may_be_stopped: true, certificates }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.server {
            Server::Own { port, .. } => format!("127.0.0.1:{port}"),
            Server::Given { url } => database::address(url),
        }
    }

    /// `postgres://USER@HOST:PORT/DATABASE` of a user who may create databases.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        match &self.server {
            Server::Own { .. } => format!("postgres://kasparro@{}/postgres", self.address()),
            Server::Given { url } => url.clone(),
        }
    }

    /// An empty database of its own.
    ///
    /// # Panics
    /// When the server does not create one.
    #[must_use]
    #[expect(clippy::panic, reason = "a test without its database has failed")]
    pub fn fresh_database(&self) -> Database {
        Database::create(self.superuser_url()).unwrap_or_else(|error| {
            panic!("a database on {}: {}", self.address(), database::told(&error))
        })
    }

    /// The files for a client of [`Self::with_tls`].
    ///
    /// # Panics
    /// For a server without TLS.
    #[must_use]
    #[expect(clippy::panic, reason = "a test of TLS against a server without it has failed")]
    pub fn certificates(&self) -> &Certificates {
        let Some(certificates) = &self.certificates else {
            panic!("this server speaks no TLS: start it by Postgres::with_tls");
        };
        certificates
    }

    /// Where everything of the server lies until it goes.
    ///
    /// # Panics
    /// For a server that was given.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.supervisor().folder.clone()
    }

    /// Everything that the server refused since its start, as its log tells it.
    ///
    /// # Panics
    /// For a server that was given; where its log cannot be read.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        let log = done(std::fs::read(self.folder().join("log")));
        refused::refused_in(&String::from_utf8_lossy(&log))
    }

    #[expect(clippy::panic, reason = "a test that stops a server it was given has failed")]
    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        match &self.server {
            Server::Own { supervisor, .. } => {
                supervisor.lock().unwrap_or_else(PoisonError::into_inner)
            }
            Server::Given { .. } => panic!("{GIVEN} names a server that is not ours"),
        }
    }

    /// The supervisor of a server that no other test uses.
    fn stoppable(&self) -> MutexGuard<'_, Supervisor> {
        assert!(self.may_be_stopped, "other tests use this server: take Postgres::own()");
        self.supervisor()
    }

    /// Shuts the server down, rolling back what is open. One that is down stays down.
    ///
    /// # Panics
    /// For a shared server.
    pub fn stop(&self) {
        done(self.stoppable().order("stop"));
    }

    /// Kills the server with all its processes by SIGKILL. One that is down stays down.
    ///
    /// # Panics
    /// For a shared server.
    pub fn kill(&self) {
        done(self.stoppable().order("kill"));
    }

    /// Starts the server again after [`Self::stop`] or [`Self::kill`], on the same data and port, and
    /// waits until it has recovered.
    ///
    /// # Panics
    /// For a shared server; when it does not start.
    pub fn start(&self) {
        let Server::Own { port, .. } = &self.server else { return };
        let mut supervisor = self.stoppable();
        let begun = Instant::now();
        // Somebody may hold the port for a moment, as may a process of a killed server its memory.
        loop {
            match supervisor.order(&format!("start {port}")) {
                Ok(()) => return,
                Err(_) if begun.elapsed() < PATIENCE / 4 => {}
                Err(error) => done(Err(error)),
            }
        }
    }

    /// [`Self::stop`] and [`Self::start`].
    ///
    /// # Panics
    /// For a shared server; when it does not start.
    pub fn restart(&self) {
        self.stop();
        self.start();
    }
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[expect(clippy::panic, reason = "a test without its server has failed")]
fn done<T, E: fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
