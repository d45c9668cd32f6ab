//! A database that is brought back to an earlier state under a worker that goes on.

use kasparro_testkit::postgres::{Postgres, execute_blocking};
use kasparro_testkit::wait_for;

use super::Shared;
use crate::world::{run_of, simulator};

const COINS: u32 = 40;

/// Keeps everybody out of a database while something is done about it.
fn closed(server: &Postgres, name: &str, act: &str) {
    let url = server.superuser_url();
    let end =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    execute_blocking(&url, &format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false")).unwrap();
    wait_for("a database without sessions", || {
        execute_blocking(&url, &end).ok()?;
        execute_blocking(&url, act).ok()
    });
}

#[test]
fn i3_what_a_restored_database_lost_is_fetched_again() {
    let upstream = simulator(COINS);
    let shared = Shared::new()
        .map(|world| world.upstream(&upstream.url).nothing_by_itself())
        .leases("30s", "500ms");
    let (server, name) = (Postgres::shared(), shared.database.name.clone());
    let worker = shared.work(&["coinpaprika"]);
    let fetched = |what: &str| {
        let run = shared.call(&["run", "coinpaprika", "--json"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        run_of(&run.json(), "coinpaprika")[what].as_u64().unwrap()
    };
    assert!(fetched("inserted") >= u64::from(COINS));
    let copy = format!("CREATE DATABASE \"{name}_before\" TEMPLATE \"{name}\"");
    closed(server, &name, &copy);
    let open = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true");
    execute_blocking(&server.superuser_url(), &open).unwrap();

    upstream.step();
    let moved = fetched("updated");
    assert!(moved > 0);
    closed(server, &name, &format!("DROP DATABASE \"{name}\" WITH (FORCE)"));
    let rename = format!("ALTER DATABASE \"{name}_before\" RENAME TO \"{name}\"");
    execute_blocking(&server.superuser_url(), &rename).unwrap();

    // What the worker remembers says that nothing changed; the store says otherwise.
    assert_eq!(fetched("updated"), moved);
    assert_eq!(worker.stop().code, Some(0));
}
