//! An empty database: whoever starts on it asks it for nothing that is not there yet, as its own log tells.

use std::time::{Duration, Instant};

use kasparro_testkit::postgres::{Postgres, connect};
use kasparro_testkit::{Server, get, wait_for};
use tokio::runtime::Runtime;

use super::Shared;
use crate::world::{ADMIN, all_rows, get_as};

/// Longer than every part of a server waits before it asks the store again: keys, limits and whoever waits
/// for the schema do so each second.
const SEVERAL_LOOKS: Duration = Duration::from_secs(3);

/// An empty database on a server of its own, whose log tells of nobody else. What clients ask is counted, and
/// sources run only when asked for.
fn empty() -> (Postgres, Shared) {
    let postgres = Postgres::own();
    let shared = Shared::on(&postgres).map(|world| {
        let counted = world.with("KASPARRO_LIMITS__ANONYMOUS", "1000000");
        counted.with("KASPARRO_LIMITS__KEYED", "1000000").nothing_by_itself()
    });
    (postgres, shared)
}

/// Keeps everybody from making the schema, as another process does that is at it, until the value is dropped.
fn hold_migrations(shared: &Shared) -> impl Sized + use<> {
    let runtime = Runtime::new().unwrap();
    let lock = "SELECT pg_advisory_lock(hashtextextended('kasparro.migrate.kasparro', 0))";
    let client = runtime.block_on(async {
        let client = connect(&shared.database.url()).await.unwrap();
        client.batch_execute(lock).await.unwrap();
        client
    });
    (client, runtime)
}

fn nothing_refused(postgres: &Postgres) {
    let refused = postgres.refused();
    assert!(refused.is_empty(), "the database refused:\n{}", refused.join("\n"));
}

/// What the store is asked for in one way or another.
const PATHS: [&str; 13] = [
    "readyz",
    "health",
    "metrics",
    "data",
    "assets",
    "news",
    "runs",
    "sources",
    "drift",
    "anomalies",
    "quarantine",
    "keys",
    "stats",
];

/// Asks for everything, with and without a key; what is answered does not matter here.
fn ask_everything(server: &Server) {
    for path in PATHS {
        let url = format!("{}/{path}", server.url);
        get_as(ADMIN, &url).unwrap();
        get(&url).unwrap();
    }
}

/// Asks for everything until each part of the server has asked the store several times by itself too.
fn ask_for_a_while(server: &Server) {
    let until = Instant::now() + SEVERAL_LOOKS;
    wait_for("several looks at the store", || {
        ask_everything(server);
        (Instant::now() > until).then_some(())
    });
}

/// Waits until the server asks the database for its tables.
fn wait_for_tables(server: &Server) {
    wait_for("the tables", || {
        (get_as(ADMIN, &format!("{}/keys", server.url)).ok()?.status == 200).then_some(())
    });
}

/// Waits until the server shows what others fetched.
fn wait_for_rows(server: &Server) {
    wait_for("the sample's rows", || (!all_rows(server, "").is_empty()).then_some(()));
}

#[test]
fn a_server_that_makes_the_schema_asks_for_nothing_before() {
    let (postgres, shared) = empty();
    let held = hold_migrations(&shared);
    let server = shared.world.serve();
    ask_for_a_while(&server);
    nothing_refused(&postgres);
    drop(held);
    wait_for_tables(&server);
    assert_eq!(shared.call(&["run", "csv"]).code, Some(0));
    wait_for_rows(&server);
    ask_everything(&server);
    assert_eq!(server.stop().code, Some(0));
    nothing_refused(&postgres);
}

#[test]
fn an_api_waits_for_the_schema_and_asks_for_nothing_before() {
    let (postgres, shared) = empty();
    let api = shared.world.listen(&["api", "--listen", "127.0.0.1:0"]);
    ask_for_a_while(&api);
    let early = get(&format!("{}/readyz", api.url)).unwrap();
    let problem = early.json();
    assert_eq!((early.status, &problem["code"]), (503, &"store_unavailable".into()), "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("kasparro db migrate"), "{problem}");
    nothing_refused(&postgres);
    assert_eq!(shared.call(&["run", "csv"]).code, Some(0), "which makes the schema");
    wait_for_rows(&api);
    wait_for_tables(&api);
    let stopped = api.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    for told in ["the schema kasparro holds no store", "the database can be used now"] {
        assert!(stopped.stderr.contains(told), "{told}: {stopped:?}");
    }
    nothing_refused(&postgres);
}
