//! A folder with a store, the program in it, and upstreams around it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kasparro_domain::{Checkpoint, ManualClock, Timestamp};
use kasparro_store::{ReadStore, RunStore};
use kasparro_store_sqlite::SqliteStore;
use kasparro_testkit::{
    Finished, HttpAnswer, Program, Reply, Server, SimulatedUpstream, get, send, wait_for,
};
use serde_json::Value;
use tempfile::TempDir;

/// The admin key of every world.
pub(crate) const ADMIN: &str = "admin-key-of-these-stories";

/// GET with a key.
pub(crate) fn get_as(key: &str, url: &str) -> std::io::Result<HttpAnswer> {
    send("GET", url, &[("X-API-Key", key)], "")
}

/// POST with a key and a JSON body.
pub(crate) fn post_as(key: &str, url: &str, body: &Value) -> std::io::Result<HttpAnswer> {
    let headers = [("X-API-Key", key), ("Content-Type", "application/json")];
    send("POST", url, &headers, &body.to_string())
}

/// A newcomer's folder: nothing in it, no configuration.
///
/// At its end every store in it has to hold together, and a replay of its raw pages and decisions has to
/// give the same digest, once it is decided which listings are one asset.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    program: Program,
    damaged: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        if self.damaged || std::thread::panicking() {
            return;
        }
        for database in ["data/kasparro.db", "data/demo/kasparro.db"] {
            let path = self.folder.path().join(database);
            if path.is_file() && !held(&path) {
                assert_sound(self.folder.path(), database);
            }
        }
    }
}

/// True while a process of the test still uses the store.
fn held(database: &Path) -> bool {
    File::open(format!("{}.lock", database.display()))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn assert_sound(folder: &Path, database: &str) {
    let program = Program::new(env!("CARGO_BIN_EXE_kasparro"), folder);
    // A server that stops right after a page leaves that to the next one.
    let resolved =
        program.call(&["assets", "resolve", "--database", &format!("sqlite:{database}")]);
    assert_eq!(resolved.code, Some(0), "{resolved:?}");
    let verified = program.call(&["verify", "--json", "--database", &format!("sqlite:{database}")]);
    assert_eq!((verified.code, &verified.json()["ok"]), (Some(0), &true.into()), "{verified:?}");
    let anew = folder.join("anew").join(database).display().to_string();
    let replayed = program.call(&["replay", "--from", database, "--into", &anew, "--json"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let digests = replayed.json();
    assert_eq!(digests["from"]["digest"], verified.json()["digest"], "{replayed:?}");
    assert_eq!(digests["from"]["digest"], digests["into"]["digest"], "{replayed:?}");
}

impl World {
    /// A world in which requests are not spread over minutes, failures are not tried again, everybody may ask
    /// as often as they like, [`ADMIN`] may do everything, and servers stop without notice.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(env!("CARGO_BIN_EXE_kasparro"), folder.path())
            .with("KASPARRO_FETCH__MAX_ATTEMPTS", "1")
            .with("KASPARRO_SERVER__SHUTDOWN_NOTICE", "0s")
            .with("KASPARRO_LIMITS__ANONYMOUS", "off")
            .with("KASPARRO_LIMITS__KEYED", "off")
            // A key that was just made is asked for until it is known.
            .with("KASPARRO_LIMITS__FAILED_AUTH", "1000000")
            .with("ADMIN_API_KEY", ADMIN);
        let program =
            sources_with("requests_per_minute").into_iter().fold(program, |program, name| {
                program.with(&format!("KASPARRO_SOURCES__{name}__REQUESTS_PER_MINUTE"), "60000")
            });
        Self { folder, program, damaged: false }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.program = self.program.clone().with(name, value);
        self
    }

    /// The test harms the store on purpose: it is not checked at the end.
    pub(crate) fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }

    /// Every HTTP source is asked there from now on.
    pub(crate) fn upstream(self, url: &str) -> Self {
        self.with("KASPARRO_FETCH__UPSTREAM", url)
    }

    /// Sources run only when asked for by name.
    pub(crate) fn nothing_by_itself(self) -> Self {
        sources_with("enabled").into_iter().fold(self, |world, source| {
            world.with(&format!("KASPARRO_SOURCES__{source}__ENABLED"), "false")
        })
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Finished {
        self.program.call(arguments)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Server {
        self.program.start(arguments)
    }

    /// Holds the store without doing anything with it.
    pub(crate) fn hold(&self) -> SqliteStore {
        let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
        SqliteStore::open(self.database(), clock).unwrap()
    }

    /// A server on a free port.
    pub(crate) fn serve(&self) -> Server {
        self.program.serve(&["serve", "--listen", "127.0.0.1:0"])
    }

    /// A server on a free port whose output nobody reads.
    pub(crate) fn serve_unheard(&self) -> Server {
        self.program.serve_unheard(&["serve", "--listen", "127.0.0.1:0"])
    }

    pub(crate) fn listen(&self, arguments: &[&str]) -> Server {
        self.program.serve(arguments)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/kasparro.db")
    }

    /// Generation and checkpoint of a source, read from the file.
    pub(crate) fn stored(&self, source: &str) -> (u64, Option<Checkpoint>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
            let store = SqliteStore::open_read_only(self.database(), clock).unwrap();
            let summaries = store.source_summaries().await.unwrap();
            let summary = summaries.into_iter().find(|found| found.source.as_str() == source);
            let generation = store.generation().await.unwrap();
            (generation.0, summary.and_then(|summary| summary.checkpoint))
        })
    }
}

/// The sources in whose section of the default file the key stands, as variables name them.
fn sources_with(key: &str) -> Vec<String> {
    let defaults: toml::Table = include_str!("../../config.default.toml").parse().unwrap();
    let sources = defaults["sources"].as_table().unwrap().iter();
    let with = sources.filter(|(_, section)| section.get(key).is_some());
    with.map(|(name, _)| name.to_ascii_uppercase()).collect()
}

/// A small CoinPaprika, made by hand after its documentation, that answers `tickers` to `/v1/tickers`.
pub(crate) fn coinpaprika(tickers: &Reply) -> impl Fn(&str) -> Reply + Send + Sync + 'static {
    const COINS: &str = r#"[
{"id":"btc-bitcoin","name":"Bitcoin","symbol":"BTC","rank":1,"is_new":false,"is_active":true,"type":"coin"},
{"id":"shib-shiba-inu","name":"Shiba Inu","symbol":"SHIB","rank":15,"is_new":false,"is_active":true,
"type":"token"}]"#;
    const CONTRACTS: &str = r#"[
{"address":"0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce","id":"shib-shiba-inu","type":"ERC20","active":true}]"#;
    let tickers = tickers.clone();
    move |target| match target.split('?').next() {
        Some("/v1/tickers") => tickers.clone(),
        Some("/v1/coins") => Reply::json(COINS),
        Some("/v1/contracts") => Reply::json(r#"["eth-ethereum"]"#),
        Some("/v1/contracts/eth-ethereum") => Reply::json(CONTRACTS),
        _ => Reply::of("404 Not Found", "application/json", r#"{"error":"id not found"}"#),
    }
}

/// Rows of the lists of [`coinpaprika`], and listings that they know.
pub(crate) const LIST_ROWS: u64 = 3;

/// Simulated upstreams with so many coins.
pub(crate) fn simulator(coins: u32) -> SimulatedUpstream {
    SimulatedUpstream::start(1, coins)
}

/// The runs of `run --json`, by source.
pub(crate) fn run_of(document: &Value, source: &str) -> Value {
    let runs = document["runs"].as_array().unwrap();
    let found = runs.iter().find(|run| run["source"] == source);
    found.unwrap_or_else(|| panic!("no run of {source} in {document}")).clone()
}

/// Every received row has exactly one disposition.
pub(crate) fn assert_balanced(run: &Value) {
    let number = |name: &str| run[name].as_u64().unwrap_or_else(|| panic!("{name} in {run}"));
    let sum: u64 = ["inserted", "updated", "unchanged", "stale", "duplicate", "quarantined"]
        .into_iter()
        .map(number)
        .sum();
    assert_eq!(number("received"), sum, "{run}");
}

/// Every row of `/data`, walked by page, once the server has loaded its read model.
pub(crate) fn all_rows(server: &Server, query: &str) -> Vec<Value> {
    wait_until_loaded(server);
    let mut rows = Vec::new();
    for page in 1.. {
        let answer = get(&format!("{}/data?limit=500&page={page}{query}", server.url)).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        let data = body["data"].as_array().unwrap();
        rows.extend(data.iter().cloned());
        if data.is_empty() {
            assert_eq!(body["total"].as_u64().unwrap(), rows.len() as u64);
            break;
        }
    }
    rows
}

/// `/readyz` names the read model only while it is loading, whatever the age of the data.
pub(crate) fn wait_until_loaded(server: &Server) {
    wait_for("the read model", || {
        let answer = get(&format!("{}/data?limit=1", server.url)).ok()?;
        (answer.status == 200).then_some(())
    });
}
