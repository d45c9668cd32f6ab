//! `db copy`: a store moves into another database and goes on there.

use std::path::Path;
use std::sync::Arc;

use kasparro_domain::{ManualClock, Timestamp};
use kasparro_sim::FaultPlan;
use kasparro_store::{AuditStore, TABLES, TableDump};
use kasparro_store_postgres::{PostgresSettings, PostgresStore};
use kasparro_store_sqlite::SqliteStore;
use kasparro_testkit::postgres::{Database, Postgres};
use kasparro_testkit::{Finished, Program, SimulatedUpstream, get};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::world::{World, all_rows, assert_balanced, run_of, simulator, wait_until_loaded};

const FEEDS: &str = "https://news.example/feed/rss.xml,https://news.example/feed/atom.xml";

/// One row to believe, one that a setting mends, one to give up.
const ROWS: &str = "\
id,symbol,name,price_usd,time,seen
mine-a,AAA,Mine \u{1f980},1.10,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z
mine-b,BBB,,0.000000000000000000000000000000000000000000000000000000000001,soon,2025-11-02T03:04:05Z
mine-c,CCC,Mine C,abc,2026-01-02T03:04:05Z,2026-01-02T03:04:05Z
";

const FIX: &str = "[{ path = \"mine.csv\", time = \"seen\" }]";

/// A store with something in every table.
fn world(coins: u32) -> (SimulatedUpstream, World) {
    let upstream = simulator(coins);
    let world = World::new()
        .upstream(&upstream.url)
        .with("KASPARRO_SECRET", "a secret of both stores")
        .with("KASPARRO_SOURCES__FEED__URLS", FEEDS)
        .with("KASPARRO_SOURCES__CSV__PATHS", "mine.csv");
    std::fs::write(world.folder.path().join("mine.csv"), ROWS).unwrap();
    for source in ["coinpaprika", "coingecko", "csv", "feed"] {
        let run = world.call(&["run", source, "--json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
    upstream.step();
    let again = world.call(&["run", "coinpaprika", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let world = world.with("KASPARRO_SOURCES__CSV__FILES", FIX).with("USER", "ada");
    let retried = world.call(&["quarantine", "retry", "--reason", "bad_timestamp", "--json"]);
    assert_balanced(&run_of(&retried.json(), "csv"));
    let why = ["quarantine", "discard", "--reason", "bad_number", "--why", "no \"price\" \u{e9}"];
    assert_eq!(world.call(&why).code, Some(0));
    crate::keys::create(&|arguments| world.call(arguments), "read");
    // What a listing was called before, one that stands for another, and what a person says of two.
    let renamed = ROWS.replace("AAA,Mine", "AAX,Mine X").replace("2026-01-02", "2026-01-03");
    let mended = renamed.replace("abc", "3.30");
    let wrapped = "mine-d,WBTC,Wrapped Bitcoin,4.40,2026-01-03T03:04:05Z,2026-01-03T03:04:05Z\n";
    std::fs::write(world.folder.path().join("mine.csv"), mended + wrapped).unwrap();
    let again = world.call(&["run", "csv", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let pair = ["coingecko:bitcoin", "coinpaprika:btc-bitcoin"];
    let apart = world.call(&["assets", "unlink", pair[0], pair[1], "--why", "no \"one\" \u{e9}"]);
    assert_eq!(apart.code, Some(0), "{apart:?}");
    (upstream, world)
}

fn copy(world: &World, from: &str, to: &str) -> Finished {
    world.call(&["db", "copy", "--from", from, "--to", to, "--json"])
}

fn copied(world: &World, from: &str, to: &str) -> Value {
    let copy = copy(world, from, to);
    assert_eq!(copy.code, Some(0), "{copy:?}");
    let document = copy.json();
    assert_eq!(document["equal"], true, "{document}");
    document
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::EPOCH))
}

fn dump_of_file(path: &Path) -> Vec<TableDump> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = SqliteStore::open_read_only(path, clock()).unwrap();
    runtime.block_on(store.dump()).unwrap()
}

fn dump_of_server(url: &str) -> Vec<TableDump> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = PostgresSettings::from_url(url).unwrap();
        let store = PostgresStore::open(settings).await.unwrap();
        store.dump().await.unwrap()
    })
}

/// Every value of every table, as SQLite keeps it, and the numbers that were given out. Leases end with the
/// process that had them.
fn values_of(path: &Path) -> Vec<(String, Vec<Vec<rusqlite::types::Value>>)> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sequences = "SELECT name, seq FROM sqlite_sequence WHERE name NOT LIKE 'new\\_%' ESCAPE '\\' \
                     AND seq > 0 ORDER BY name";
    let mut tables = vec![("sqlite_sequence".to_owned(), rows_of(&connection, sequences))];
    for table in TABLES {
        let (columns, key) = (table.column_list().replace(", expires_at", ""), table.key_list());
        let sql = format!("SELECT {columns} FROM {} ORDER BY {key}", table.name);
        tables.push((table.name.to_owned(), rows_of(&connection, &sql)));
    }
    tables
}

fn rows_of(connection: &Connection, sql: &str) -> Vec<Vec<rusqlite::types::Value>> {
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let rows =
        statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every row of `/data`, walked by cursor, which holds ids; then all of `/news`.
fn served(world: &World, database: &str) -> (Vec<Value>, Vec<Value>, Value) {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--database", database];
    let server = world.listen(&arguments);
    wait_until_loaded(&server);
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&format!("{}/data?limit=100{cursor}", server.url)).unwrap().json();
        walked.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let by_page = all_rows(&server, "");
    let news = get(&format!("{}/news?limit=500", server.url)).unwrap().json()["data"].clone();
    assert_eq!(server.stop().code, Some(0));
    (walked, by_page, news)
}

fn database() -> Database {
    Postgres::shared().fresh_database()
}

#[test]
fn a_store_moves_to_postgresql_and_back_and_goes_on_in_each() {
    let (upstream, world) = world(120);
    // A page that is refused for a change, so that no table is empty.
    upstream.step();
    crate::drift::change(
        &upstream,
        json!({"mutation": "unit", "member": "/quotes/USD/price", "factor": 100}),
    );
    // The lists of the source still come.
    assert_eq!(world.call(&["run", "coinpaprika"]).code, Some(4));
    upstream.simulator.set_faults(FaultPlan::default());
    let server = database();
    // A URL may hold a password, so it is taken from a file.
    std::fs::write(world.folder.path().join("url"), format!("{}\n", server.url())).unwrap();
    let there = copied(&world, "sqlite:data/kasparro.db", "@url");
    let back = copied(&world, "@url", "data/back.db");
    let again = copied(&world, "data/back.db", "data/again.db");
    let other = format!("{}?schema=other", server.url());
    let within = copied(&world, &server.url(), &other);
    for document in [&back, &again, &within] {
        assert_eq!(document["digest"], there["digest"]);
        assert_eq!(document["tables"], there["tables"]);
        assert_eq!(document["rows"], there["rows"]);
    }
    for table in TABLES.iter().filter(|table| !matches!(table.name, "command")) {
        assert!(there["tables"][table.name].as_u64().unwrap() > 0, "{} is empty", table.name);
    }
    let verified = world.call(&["verify", "--json"]).json();
    assert_eq!(verified["digest"], there["digest"]);

    let folder = world.folder.path();
    let original = folder.join("data/kasparro.db");
    let dump = dump_of_file(&original);
    assert_eq!(dump_of_server(&server.url()), dump);
    assert_eq!(dump_of_file(&folder.join("data/back.db")), dump);
    let values = values_of(&original);
    for copy in ["data/back.db", "data/again.db"] {
        for (was, is) in values.iter().zip(values_of(&folder.join(copy))) {
            assert_eq!(*was, is, "{copy}");
        }
    }

    let world = world.nothing_by_itself();
    let databases = ["sqlite:data/kasparro.db", &server.url(), "sqlite:data/back.db"];
    let shown = databases.map(|database| served(&world, database));
    assert!(shown[0].0.len() > 200 && !shown[0].2.as_array().unwrap().is_empty());
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2]);

    upstream.step();
    let ran = databases.map(|database| {
        let ran = world.call(&["run", "coinpaprika", "--json", "--database", database]);
        assert_eq!(ran.code, Some(0), "{database}: {ran:?}");
        let run = run_of(&ran.json(), "coinpaprika");
        assert_balanced(&run);
        let verified = world.call(&["verify", "--json", "--database", database]);
        assert_eq!(verified.code, Some(0), "{database}: {verified:?}");
        let counts = ["received", "inserted", "updated", "unchanged", "quarantined"];
        (counts.map(|count| run[count].clone()), verified.json()["generation"].clone())
    });
    assert!(ran[0].0[2].as_u64().unwrap() > 0, "{ran:?}");
    assert_eq!(ran[0], ran[1]);
    assert_eq!(ran[0], ran[2]);
    let shown = databases.map(|database| {
        served(&world, database).0.iter().map(|row| row["id"].clone()).collect::<Vec<_>>()
    });
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], shown[2]);
}

#[test]
fn a_target_that_is_held_or_holds_anything_is_refused() {
    let (_upstream, world) = world(10);
    let server = database();
    copied(&world, "data/kasparro.db", &server.url());
    copied(&world, "data/kasparro.db", "data/held.db");
    for target in [&server.url(), "data/held.db"] {
        let full = copy(&world, "data/kasparro.db", target);
        assert_eq!(full.code, Some(2), "{full:?}");
        assert_eq!(full.json()["error"]["code"], "target_not_empty");
        let verified = world.call(&["verify", "--database", &full_name(target)]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
    }
    let holder = SqliteStore::open(world.folder.path().join("data/free.db"), clock()).unwrap();
    let held = copy(&world, "data/kasparro.db", "data/free.db");
    assert_eq!((held.code, &held.json()["error"]["code"]), (Some(3), &"store_locked".into()));
    assert!(held.stderr.contains(&format!("pid {}", std::process::id())), "{held:?}");
    drop(holder);
    copied(&world, "data/kasparro.db", "data/free.db");
    // The origin may be held: it is only read.
    let holder = world.hold();
    copied(&world, "data/kasparro.db", "data/beside.db");
    drop(holder);
    let take = "SET search_path = kasparro;
                UPDATE lease SET holder = 'somebody', expires_at = store_now() + interval '1 hour'";
    server.sql_blocking(take);
    let held = copy(&world, "data/kasparro.db", &server.url());
    assert_eq!((held.code, &held.json()["error"]["code"]), (Some(3), &"store_locked".into()));
    assert!(held.stderr.contains("somebody"), "{held:?}");
}

fn full_name(database: &str) -> String {
    if database.contains("://") { database.to_owned() } else { format!("sqlite:{database}") }
}

#[test]
fn what_makes_no_sense_is_refused_and_no_password_is_told() {
    let (_upstream, world) = world(10);
    let hidden = "postgres://somebody:hidden@127.0.0.1:1/nothing?sslmode=disable";
    for (from, to, code) in [
        ("data/kasparro.db", "sqlite:./data/kasparro.db", 2),
        ("data/missing.db", "data/to.db", 3),
        ("data/kasparro.db", "mysql://u:hidden@h/d", 2),
        ("data/kasparro.db", "@missing", 2),
        ("data/kasparro.db", hidden, 3),
        (hidden, "data/to.db", 3),
    ] {
        let refused = copy(&world, from, to);
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(refused.json()["error"]["hint"].is_string(), "{refused:?}");
        assert!(!refused.stdout.contains("hidden") && !refused.stderr.contains("hidden"));
    }
    // A file that names no database is refused, whatever stands in it.
    for text in ["hidden", "host=h password=hidden", "data/hidden.db", ""] {
        std::fs::write(world.folder.path().join("text"), text).unwrap();
        for (from, to) in [("@text", "data/to.db"), ("data/kasparro.db", "@text")] {
            let refused = copy(&world, from, to);
            assert_eq!(refused.code, Some(2), "{refused:?}");
            assert!(!refused.stdout.contains("hidden") && !refused.stderr.contains("hidden"));
        }
    }
    for name in ["hidden", "data/hidden.db"] {
        assert!(!world.folder.path().join(name).exists(), "no file is named by a password");
    }
    assert!(!world.folder.path().join("data/to.db").exists(), "the origin is looked at first");
    assert_eq!(world.call(&["db", "copy", "--json"]).code, Some(2), "nothing is named");
    // What is left out is the configured database.
    let copy = world.call(&["db", "copy", "--to", "data/to.db"]);
    assert_eq!(copy.code, Some(0), "{copy:?}");
    assert!(copy.stdout.trim_end().ends_with(", equal"), "{copy:?}");
}

#[test]
fn a_digest_that_differs_and_a_violation_are_told_aloud() {
    let (_upstream, world) = world(10);
    let world = world.damaged();
    let direct = Connection::open(world.database()).unwrap();
    direct.execute_batch("UPDATE raw_chunk SET bytes = x'00' WHERE body_id = 1").unwrap();
    drop(direct);
    let copy = copy(&world, "data/kasparro.db", "data/to.db");
    assert_eq!(copy.code, Some(1), "{copy:?}");
    let document = copy.json();
    assert_eq!(document["equal"], true, "{document}");
    assert!(!document["violations_from"].as_array().unwrap().is_empty(), "{document}");
    assert_eq!(document["violations_from"], document["violations_to"]);
}

#[test]
fn a_target_without_room_stays_empty_and_usable() {
    let (_upstream, world) = world(400);
    let target = world.folder.path().join("data/small.db");
    // The signal is ignored, so that writing beyond the limit is an error as on a full disk.
    let limited = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let shell = Program::new("/bin/sh", world.folder.path());
    let program = env!("CARGO_BIN_EXE_kasparro");
    let arguments = ["db", "copy", "--from", "data/kasparro.db", "--to", "data/small.db", "--json"];
    let full = shell.call(&[&["-c", limited, program][..], &arguments].concat());
    assert_eq!(full.code, Some(3), "{full:?}");
    assert!(full.stderr.contains("the target holds nothing of the copy"), "{full:?}");
    let rows = rows_of(&Connection::open(&target).unwrap(), "SELECT 1 FROM source");
    assert!(rows.is_empty());
    copied(&world, "data/kasparro.db", "data/small.db");
}

/// A copy that is killed as its transaction is complete, and as it is committed.
#[cfg(feature = "faults")]
#[test]
fn i3_a_copy_that_is_killed_leaves_all_or_nothing() {
    let (_upstream, world) = world(10);
    let server = database();
    let targets = ["data/killed.db".to_owned(), server.url()];
    for target in &targets {
        let world = Program::new(env!("CARGO_BIN_EXE_kasparro"), world.folder.path())
            .with("CRASH_AT", "transaction.full:1");
        let killed = world.call(&["db", "copy", "--from", "data/kasparro.db", "--to", target]);
        assert_eq!(killed.code, None, "{killed:?}");
    }
    for target in &targets {
        let world = Program::new(env!("CARGO_BIN_EXE_kasparro"), world.folder.path())
            .with("CRASH_AT", "transaction.committed:1");
        let killed = world.call(&["db", "copy", "--from", "data/kasparro.db", "--to", target]);
        assert_eq!(killed.code, None, "{killed:?}");
    }
    let digest = world.call(&["verify", "--json"]).json()["digest"].clone();
    for target in &targets {
        let verified = world.call(&["verify", "--json", "--database", &full_name(target)]);
        assert_eq!((verified.code, &verified.json()["digest"]), (Some(0), &digest));
        assert_eq!(copy(&world, "data/kasparro.db", target).code, Some(2), "it is all there");
    }
}
