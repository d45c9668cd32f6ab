//! The processes of a fleet, and the undisturbed store beside it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use kasparro_sim::FaultPlan;
use kasparro_testkit::postgres::{Database, Postgres, Relay};
use kasparro_testkit::{Program, Server, SimulatedUpstream, wait_for};
use tempfile::TempDir;

/// Enough for two pages of CoinGecko.
const COINS: u32 = 300;

pub(crate) const WORKERS: usize = 3;
pub(crate) const APIS: usize = 2;

/// The sources that run, and what their rows of the log say.
const SOURCES: [&str; 4] = ["coingecko", "coinpaprika", "csv", "feed"];

pub(crate) struct Stack {
    pub(crate) postgres: Postgres,
    pub(crate) database: Database,
    pub(crate) upstream: SimulatedUpstream,
    /// Each worker reaches the database through a relay of its own.
    pub(crate) relays: Vec<Relay>,
    pub(crate) workers: Vec<Server>,
    pub(crate) apis: Vec<Server>,
    pub(crate) lease_seconds: u64,
    folder: TempDir,
    api_urls: Arc<Vec<Mutex<String>>>,
}

impl Stack {
    pub(crate) fn start(lease_seconds: u64) -> Self {
        let postgres = Postgres::own();
        let database = postgres.fresh_database();
        let upstream = SimulatedUpstream::start(23, COINS);
        // Late answers, so that what happens falls into runs and not between them.
        let plan = FaultPlan::parse(br#"[{"path": "/*", "delay_ms": 120}]"#).unwrap();
        upstream.simulator.set_faults(plan);
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<_> = (0..200).map(|n| format!("c{n},{n}.25\n")).collect();
        let text = format!("id,price\n{}bad,-1\nc3,9\n", rows.concat());
        std::fs::write(folder.path().join("assets.csv"), text).unwrap();
        let relays = (0..WORKERS).map(|_| Relay::start(&database.address())).collect();
        let mut stack = Self {
            postgres,
            database,
            upstream,
            relays,
            workers: Vec::new(),
            apis: Vec::new(),
            lease_seconds,
            folder,
            api_urls: Arc::new((0..APIS).map(|_| Mutex::default()).collect()),
        };
        for number in 0..APIS {
            let api = stack.start_api(number);
            stack.apis.push(api);
        }
        for number in 0..WORKERS {
            let worker = stack.start_worker(number);
            stack.workers.push(worker);
        }
        stack
    }

    /// The program with everything but its database.
    fn program(&self, name: &str) -> Program {
        let url = &self.upstream.url;
        let feeds = format!("{url}/feed/rss.xml,{url}/feed/atom.xml,{url}/feed/feed.json");
        let file = self.folder.path().join("assets.csv");
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut program = Program::new(env!("CARGO_BIN_EXE_kasparro"), &folder)
            .with("KASPARRO_FETCH__UPSTREAM", url)
            .with("KASPARRO_SERVER__SHUTDOWN_NOTICE", "0s")
            .with("KASPARRO_LIMITS__ANONYMOUS", "off")
            .with("KASPARRO_SOURCES__CSV__PATHS", file.to_str().unwrap())
            .with("KASPARRO_SOURCES__FEED__URLS", &feeds)
            .with("KASPARRO_LEASE__TTL", &format!("{}s", self.lease_seconds))
            .with("KASPARRO_LEASE__RENEW_EVERY", &format!("{}s", (self.lease_seconds / 3).max(1)));
        for source in ["COINGECKO", "COINPAPRIKA", "CSV", "FEED"] {
            program = program.with(&format!("KASPARRO_SOURCES__{source}__SCHEDULE"), "1s");
        }
        for source in ["COINGECKO", "COINPAPRIKA"] {
            // A run every second is more than any month allows.
            for (limit, figure) in
                [("REQUESTS_PER_MINUTE", "60000"), ("CREDITS_PER_MONTH", "1000000000")]
            {
                program = program.with(&format!("KASPARRO_SOURCES__{source}__{limit}"), figure);
            }
        }
        program
    }

    /// The key under which a worker asks CoinGecko, by which its requests are told apart.
    pub(crate) fn key(number: usize) -> String {
        format!("key-of-worker-{number}")
    }

    pub(crate) fn start_worker(&self, number: usize) -> Server {
        let url = self.database.url_at(&self.relays[number].address);
        self.program(&format!("worker-{number}"))
            .with("DATABASE_URL", &url)
            .with("KASPARRO_SOURCES__COINGECKO__API_KEY", &Self::key(number))
            .start(&["worker"])
    }

    pub(crate) fn start_api(&self, number: usize) -> Server {
        let api = self
            .program(&format!("api-{number}"))
            .with("DATABASE_URL", &self.database.url())
            .with("KASPARRO_SECRET", "a secret of sixteen letters and more")
            .serve(&["api", "--listen", "127.0.0.1:0"]);
        *self.api_urls[number].lock().unwrap() = api.url.clone();
        api
    }

    pub(crate) fn api_urls(&self) -> Arc<Vec<Mutex<String>>> {
        Arc::clone(&self.api_urls)
    }

    /// The undisturbed store.
    pub(crate) fn control(&self) -> PathBuf {
        self.folder.path().join("control/data/kasparro.db")
    }

    /// Moves every upstream by one step.
    pub(crate) fn step(&self) {
        self.upstream.step();
    }

    /// Waits until every source was asked with success since now, and asks for the same undisturbed.
    pub(crate) fn settle(&self) {
        let begun = wait_for("the database", || self.first_cell("SELECT clock_timestamp()"));
        for source in SOURCES {
            // A run that went on where a broken one stopped asked for the rest of the pages only.
            let whole = if source == "coingecko" { COINS } else { 0 };
            let ended = format!(
                "SELECT run_id FROM kasparro.run JOIN kasparro.source USING (source_id)
                 WHERE name = '{source}' AND status = 'success' AND reason <> 'retry'
                   AND started_at > '{begun}' AND received >= {whole} LIMIT 1"
            );
            wait_for(&format!("a run of {source}"), || self.first_cell(&ended));
        }
        let run = self.program("control").call(&["run", "--due", "--json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }

    /// The first cell of an answer; `None` where there is none, or no database.
    pub(crate) fn first_cell(&self, sql: &str) -> Option<String> {
        let rows = kasparro_testkit::postgres::execute_blocking(&self.database.url(), sql).ok()?;
        rows.into_iter().next()?.into_iter().next()?
    }

    /// Who holds a source, where its lease has not ended.
    pub(crate) fn holder(&self, source: &str) -> Option<String> {
        self.first_cell(&format!(
            "SELECT holder FROM kasparro.lease JOIN kasparro.source USING (source_id)
             WHERE name = '{source}' AND expires_at > clock_timestamp()"
        ))
    }

    /// Requests that reached CoinGecko under the key of a worker.
    pub(crate) fn asked_by(&self, number: usize) -> usize {
        let key = kasparro_sim::name_of_key(Self::key(number).as_bytes());
        let ledger = self.upstream.simulator.ledger();
        ledger.iter().filter(|line| line.key_id.as_deref() == Some(key.as_str())).count()
    }

    pub(crate) fn stop(&mut self) {
        for server in self.workers.drain(..).chain(self.apis.drain(..)) {
            let stopped = server.stop();
            assert_eq!(stopped.code, Some(0), "{stopped:?}");
        }
    }

    /// Runs every source once more on both stores: a worker that was asked to stop may have left a run half way.
    pub(crate) fn come_to_an_end(&self) {
        for (folder, database) in [("judge", Some(self.database.url())), ("control", None)] {
            let program = self.program(folder);
            let program = match database {
                Some(url) => program.with("DATABASE_URL", &url),
                None => program,
            };
            let run = program.call(&["run", "--due", "--json"]);
            assert_eq!(run.code, Some(0), "{run:?}");
        }
    }

    /// What `verify` says of a store.
    pub(crate) fn verified(&self, database: &str) -> serde_json::Value {
        let verified =
            self.program("judge").with("DATABASE_URL", database).call(&["verify", "--json"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        verified.json()
    }
}
