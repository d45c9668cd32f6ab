//! A process that is killed at any point and started again leaves the store of one that was not (I3).
//!
//! The program is built with the feature `faults`, so that `CRASH_AT` can name the point at which it gets
//! SIGKILL. Upstreams are simulated and frozen: what is fetched again is what was fetched before.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use kasparro_testkit::postgres::{Database, Postgres};
use kasparro_testkit::{Finished, Program, SimulatedUpstream};
use serde_json::Value;
use tempfile::TempDir;

const SEED: u64 = 11;

/// Enough for three pages of CoinGecko and two batches of lists and history.
const COINS: u32 = 600;

/// Points that every run passes, with the times that it is passed before the process dies: over asking,
/// landing, loading, committing and ending.
const POINTS: [&str; 24] = [
    "run.queued:2",
    "run.started:1",
    "ask.begin:1",
    "ask.begin:5",
    "fetch.sent:3",
    "fetch.answered:4",
    "page.checked:2",
    "text.read:1",
    "land.begin:1",
    "land.begin:6",
    "land.end:1",
    "land.end:4",
    "load.begin:2",
    "load.begin:7",
    "commit.begin:1",
    "commit.begin:5",
    "commit.rows:2",
    "commit.quarantine:3",
    "commit.manifest:4",
    "transaction.full:6",
    "transaction.committed:9",
    "commit.end:3",
    "run.ending:1",
    "run.ended:2",
];

/// Where the first process dies, and where the one that recovers from that dies.
const PAIRS: [(&str, &str); 12] = [
    ("land.end:1", "recover.page:1"),
    ("land.end:3", "recover.abandon:1"),
    ("load.begin:2", "recover.page:1"),
    ("load.begin:4", "commit.begin:1"),
    ("commit.begin:2", "commit.rows:1"),
    ("commit.begin:4", "commit.manifest:1"),
    ("commit.rows:3", "transaction.full:1"),
    ("commit.manifest:2", "commit.end:1"),
    ("commit.quarantine:2", "recover.abandon:1"),
    ("commit.end:1", "recover.abandon:2"),
    ("fetch.sent:2", "transaction.committed:2"),
    ("run.ending:2", "recover.abandon:1"),
];

/// The same on PostgreSQL, where the process that died still holds its sources until its leases end: one
/// or two deaths in each step.
const SHARED: [&[&str]; 10] = [
    &["run.queued:2"],
    &["ask.begin:5"],
    &["land.begin:2"],
    &["land.end:4"],
    &["commit.rows:2"],
    &["commit.manifest:4"],
    &["transaction.full:3"],
    &["transaction.committed:5"],
    &["commit.end:3", "recover.abandon:1"],
    &["load.begin:2", "commit.manifest:1"],
];

/// A store, and the upstream that it shares with the undisturbed one: the addresses of feeds are part of
/// what is kept.
struct World<'a> {
    folder: TempDir,
    upstream: &'a SimulatedUpstream,
    /// In place of a file.
    shared: Option<Database>,
}

impl<'a> World<'a> {
    fn new(upstream: &'a SimulatedUpstream) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rows: Vec<_> = (0..700).map(|n| format!("c{n},{n}.25\n")).collect();
        let text = format!("id,price\n{}bad,-1\nc3,9\n", rows.concat());
        std::fs::write(folder.path().join("assets.csv"), text).unwrap();
        Self { folder, upstream, shared: None }
    }

    fn shared(upstream: &'a SimulatedUpstream) -> Self {
        Self { shared: Some(Postgres::shared().fresh_database()), ..Self::new(upstream) }
    }

    fn database(&self) -> String {
        match &self.shared {
            Some(database) => database.url(),
            None => format!("sqlite:{}", self.folder.path().join("data/kasparro.db").display()),
        }
    }

    fn call(&self, arguments: &[&str], crash_at: Option<&str>) -> Finished {
        let url = &self.upstream.url;
        let feeds = format!("{url}/feed/rss.xml,{url}/feed/atom.xml,{url}/feed/feed.json");
        let program = Program::new(env!("CARGO_BIN_EXE_kasparro"), self.folder.path())
            .with("DATABASE_URL", &self.database())
            .with("KASPARRO_LEASE__TTL", "2s")
            .with("KASPARRO_LEASE__RENEW_EVERY", "500ms")
            .with("KASPARRO_FETCH__UPSTREAM", url)
            .with("KASPARRO_SOURCES__CSV__PATHS", "assets.csv")
            .with("KASPARRO_SOURCES__FEED__URLS", &feeds)
            .with("KASPARRO_SOURCES__COINPAPRIKA__REQUESTS_PER_MINUTE", "60000")
            .with("KASPARRO_SOURCES__COINGECKO__REQUESTS_PER_MINUTE", "60000");
        let program =
            crash_at.into_iter().fold(program, |program, at| program.with("CRASH_AT", at));
        program.call(arguments)
    }

    /// Runs every source, to its end.
    fn run(&self) {
        let run = self.call(&["run", "--json"], None);
        assert_eq!(run.code, Some(0), "{run:?}");
    }

    /// Runs every source and is killed at a point.
    fn killed(&self, crash_at: &str) {
        let run = self.call(&["run", "--json"], Some(crash_at));
        assert_eq!(run.code, None, "{crash_at} was not reached: {run:?}");
    }

    /// The digest of the store, whose invariants all hold.
    fn digest(&self) -> Value {
        let verified = self.call(&["verify", "--json"], None);
        let document = verified.json();
        assert_eq!((verified.code, &document["violations"]), (Some(0), &serde_json::json!([])));
        document
    }

    /// The same from the raw pages alone.
    fn replays(&self) {
        let from = self.database();
        let into = format!("sqlite:{}", self.folder.path().join("again.db").display());
        let replayed = self.call(&["replay", "--from", &from, "--into", &into, "--json"], None);
        assert_eq!(replayed.code, Some(0), "{replayed:?}");
    }
}

fn assert_same(left: &Value, right: &Value, what: &str) {
    assert_eq!(left["tables"], right["tables"], "{what}");
    assert_eq!(left["digest"], right["digest"], "{what}");
}

/// Lets every store live through a step in which its process is killed at each of its points, one after
/// the other, and compares it with one that lived undisturbed; then again through the next step.
fn live<'a>(
    upstream: &'a SimulatedUpstream,
    deaths: &[Vec<&str>],
    world: impl Fn(&'a SimulatedUpstream) -> World<'a>,
) {
    let control = World::new(upstream);
    let worlds: Vec<_> = deaths.iter().map(|points| (world(upstream), points)).collect();
    for step in ["first", "second"] {
        control.run();
        let undisturbed = control.digest();
        for (world, points) in &worlds {
            points.iter().for_each(|point| world.killed(point));
            world.run();
            assert_same(&world.digest(), &undisturbed, &format!("{step} step, {points:?}"));
        }
        upstream.step();
    }
    worlds.iter().for_each(|(world, _)| world.replays());
}

#[test]
fn i3_a_kill_at_any_point_leaves_the_store_of_an_undisturbed_run() {
    let upstream = SimulatedUpstream::start(SEED, COINS);
    live(&upstream, &POINTS.map(|point| vec![point]), World::new);
}

#[test]
fn i3_a_kill_during_recovery_changes_nothing_either() {
    let upstream = SimulatedUpstream::start(SEED, COINS);
    live(&upstream, &PAIRS.map(|(point, then)| vec![point, then]), World::new);
}

#[test]
fn i3_i14_a_kill_leaves_postgresql_with_the_store_of_an_undisturbed_file() {
    let upstream = SimulatedUpstream::start(SEED, COINS);
    live(&upstream, &SHARED.map(<[_]>::to_vec), World::shared);
}
