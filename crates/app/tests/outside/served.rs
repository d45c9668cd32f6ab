//! The real program over a store that simulated upstreams filled.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kasparro_testkit::{Finished, Program, Server, SimulatedUpstream, get, send, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use crate::database::Database;

/// The admin key of every such program.
pub(crate) const ADMIN: &str = "admin-key-of-the-outside-tools";

/// What is made up.
const SEED: u64 = 7;
const COINS: u32 = 100;

/// Time between two steps of upstreams that move.
const STEP_EVERY: Duration = Duration::from_millis(200);

/// Where the program keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A running server in a folder of its own, with everything that it reads from.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
    program: Program,
    _upstream: Upstream,
    database: Option<Database>,
}

/// Simulated upstreams that move by themselves, or do not.
struct Upstream {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    fn start(upstream: SimulatedUpstream, moving: bool) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                if moving {
                    upstream.step();
                }
                std::thread::park_timeout(STEP_EVERY);
            }
        });
        Self { done, thread: Some(thread) }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // What went wrong there has shown in requests that failed.
            let _ = thread.join();
        }
    }
}

impl Served {
    /// Starts `program` over a store of this kind without limits, with `settings` on top, and waits until every
    /// source is in and it is decided which listings are one asset. Where it is `moving`, every source is asked
    /// every second and has something else to say.
    pub(crate) fn start(
        program: &Path,
        store: Store,
        moving: bool,
        settings: &[(&str, &str)],
    ) -> Self {
        let database = (store == Store::Postgres).then(Database::start);
        let upstream = SimulatedUpstream::start(SEED, COINS);
        let folder = tempfile::tempdir().unwrap();
        let url = upstream.url.clone();
        let mut program = Program::new(program, folder.path())
            .with("KASPARRO_FETCH__UPSTREAM", &url)
            .with("KASPARRO_FETCH__MAX_ATTEMPTS", "1")
            .with("KASPARRO_SOURCES__FEED__URLS", &format!("{url}/feed/rss.xml"))
            .with("KASPARRO_SERVER__SHUTDOWN_NOTICE", "0s")
            .with("KASPARRO_LIMITS__ANONYMOUS", "off")
            .with("KASPARRO_LIMITS__KEYED", "off")
            // One of the checks sends keys that are not good.
            .with("KASPARRO_LIMITS__FAILED_AUTH", "1000000")
            .with("ADMIN_API_KEY", ADMIN);
        for source in ["COINGECKO", "COINPAPRIKA", "CSV", "FEED"] {
            program = program.with(
                &format!("KASPARRO_SOURCES__{source}__SCHEDULE"),
                if moving { "1s" } else { "1h" },
            );
        }
        for source in ["COINGECKO", "COINPAPRIKA"] {
            // A run every second is more than any month allows.
            for (limit, figure) in
                [("REQUESTS_PER_MINUTE", "60000"), ("CREDITS_PER_MONTH", "1000000000")]
            {
                program = program.with(&format!("KASPARRO_SOURCES__{source}__{limit}"), figure);
            }
        }
        if let Some(database) = &database {
            program = program
                .with("DATABASE_URL", &database.url())
                // Processes over one database share it, so none makes its own.
                .with("KASPARRO_SECRET", "a secret of the outside tools");
        }
        for (name, value) in settings {
            program = program.with(name, value);
        }
        let server = program.serve(&["serve", "--listen", "127.0.0.1:0"]);
        let _upstream = Upstream::start(upstream, moving);
        let served = Self { server, folder, program, _upstream, database };
        wait_for("every source and its assets", || served.filled());
        served
    }

    fn filled(&self) -> Option<()> {
        let asked = |path: &str| {
            let answer = get(&format!("{}{path}", self.server.url)).ok()?;
            (answer.status == 200).then(|| answer.json())
        };
        for source in ["csv", "coingecko", "coinpaprika"] {
            some(&asked(&format!("/data?limit=1&source={source}"))?)?;
        }
        some(&asked("/news?limit=1")?)?;
        // Resolved once an asset has listings of two sources.
        let shared = asked("/assets?limit=100")?;
        let joined =
            |asset: &&Value| asset["listings"].as_u64().is_some_and(|listings| listings > 1);
        shared["data"].as_array()?.iter().find(joined).map(|_| ())
    }

    /// Calls the program beside the server, which has to end well.
    pub(crate) fn call(&self, arguments: &[&str]) -> Finished {
        let called = self.program.call(arguments);
        assert_eq!(called.code, Some(0), "{called:?}");
        called
    }

    /// Makes a key of scope `read` that the server knows.
    pub(crate) fn read_key(&self) -> String {
        let made = self.call(&["keys", "create", "--name", "outside", "--scope", "read", "--json"]);
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let url = format!("{}/runs", self.server.url);
        wait_for("the key to be known", || {
            let answer = send("GET", &url, &[("X-API-Key", &key)], "").ok()?;
            (answer.status == 200).then_some(())
        });
        key
    }

    /// Ends the program. It has to have taken everything well, and so has its database.
    pub(crate) fn stop(self) {
        let stopped = self.server.stop();
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
        assert!(!stopped.stderr.contains("panicked"), "{stopped:?}");
        if let Some(database) = &self.database {
            let refused = database.refused();
            assert!(refused.is_empty(), "the database refused:\n{}", refused.join("\n"));
        }
    }
}

fn some(page: &Value) -> Option<()> {
    page["total"].as_u64().filter(|total| *total > 0).map(|_| ())
}
