//! A database that is away, refuses us, or is of another version.

use kasparro_testkit::postgres::Postgres;
use kasparro_testkit::{closed_port, get, wait_for};

use super::Shared;
use crate::world::{ADMIN, World, all_rows, get_as};

#[test]
fn a_database_that_is_away_at_the_start_is_waited_for() {
    let postgres = Postgres::own();
    let shared = Shared::on(&postgres).map(|world| world.upstream(&closed_port()));
    postgres.stop();
    let server = shared.world.serve();
    let worker = shared.world.start(&["worker"]);
    let status = |path: &str| get(&format!("{}{path}", server.url)).unwrap().status;
    assert_eq!((status("/livez"), status("/readyz"), status("/health")), (200, 503, 503));
    for path in ["/readyz", "/data"] {
        let problem = get(&format!("{}{path}", server.url)).unwrap().json();
        let told = (&problem["code"], &problem["database"]);
        assert_eq!(told, (&"store_unavailable".into(), &"unhealthy".into()), "{problem}");
    }
    let worker_health = shared.call(&["healthcheck", "--worker", "--json"]);
    assert_eq!(worker_health.code, Some(1), "{worker_health:?}");
    assert_eq!(worker_health.json()["error"]["code"], "store_unavailable");
    for arguments in [&["status", "--json"][..], &["run", "csv", "--json"], &["verify", "--json"]] {
        let call = shared.call(arguments);
        assert_eq!(call.code, Some(3), "{call:?}");
        assert_eq!(call.json()["error"]["code"], "store_unavailable");
        assert!(call.stderr.contains(&postgres.address()), "{call:?}");
    }
    let impatient = shared.world.listen(&["api", "--listen", "127.0.0.1:0"]);
    let stopped = impatient.stop();
    assert_eq!(stopped.code, Some(0), "asked to stop while it waits: {stopped:?}");

    postgres.start();
    wait_for("the sample's rows", || (!all_rows(&server, "").is_empty()).then_some(()));
    assert_eq!((status("/livez"), status("/readyz"), status("/health")), (200, 200, 200));

    // It goes and comes again while everything runs.
    postgres.kill();
    wait_for("the loss", || (status("/health") == 503).then_some(()));
    assert_eq!((status("/livez"), status("/data")), (200, 200), "what is in memory is served");
    for _ in 0..20 {
        assert_eq!(get_as(ADMIN, &format!("{}/runs", server.url)).unwrap().status, 503);
    }
    postgres.start();
    wait_for("its return", || (status("/health") == 200).then_some(()));
    let run = shared.call(&["run", "csv", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let ended = [server.stop(), worker.stop()];
    for stopped in &ended {
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
        for part in ["waiting for it", "can be used now"] {
            assert!(stopped.stderr.contains(part), "{part}: {stopped:?}");
        }
    }
    let told = ended[0].stderr.matches("the database does not answer").count();
    assert!((1..=4).contains(&told), "of 20 refusals {told} were told: {:?}", ended[0]);
}

#[test]
fn i9_a_login_that_is_refused_is_named_without_its_password() {
    let postgres = Postgres::own();
    let shared = Shared::on(&postgres);
    let hba = shared.cell("SHOW hba_file").unwrap();
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("host all stranger all scram-sha-256\n{rules}")).unwrap();
    shared.database.sql_blocking("CREATE ROLE stranger LOGIN PASSWORD 'right'");
    shared.database.sql_blocking("SELECT pg_reload_conf()");
    let with = |password: &str| {
        let (place, name) = (postgres.address(), &shared.database.name);
        format!("postgres://stranger:{password}@{place}/{name}")
    };
    let url = with("canary");
    wait_for("the rule", || {
        (shared.call(&["db", "status", "--database", &url]).code == Some(3)).then_some(())
    });
    let right = shared.call(&["db", "status", "--database", &with("right")]);
    assert_eq!(right.code, Some(0), "{right:?}");
    let file = shared.world.folder.path().join("url");
    std::fs::write(&file, &url).unwrap();
    let file = file.display().to_string();
    let stranger = World::new().upstream(&closed_port()).with("DATABASE_URL_FILE", &file);
    let mut said = String::new();
    for arguments in
        [&["status", "--json"][..], &["run", "csv"], &["db", "migrate"], &["db", "status"]]
    {
        let call = stranger.call(arguments);
        assert_eq!(call.code, Some(3), "{call:?}");
        assert!(call.stderr.contains("check user and password"), "{call:?}");
        said.push_str(&format!("{call:?}"));
    }
    let named = stranger.call(&["verify", "--database", &url]);
    assert_eq!(named.code, Some(3), "{named:?}");
    // It stood in the list of processes meanwhile.
    assert_eq!(named.stderr.matches("POSTGRES_PASSWORD_FILE").count(), 1, "{named:?}");
    let printed = stranger.call(&["config", "print"]);
    let checked = stranger.call(&["config", "check"]);
    let stranger = stranger.with("KASPARRO_SECRET", "a secret of the stranger");
    let server = stranger.with("LOG_LEVEL", "trace").listen(&["serve", "--listen", "127.0.0.1:0"]);
    let health = get(&format!("{}/health", server.url)).unwrap();
    assert_eq!(health.status, 503);
    let ready = get(&format!("{}/readyz", server.url)).unwrap();
    assert_eq!(ready.json()["code"], "store_unavailable", "{}", ready.text());
    said.push_str(&ready.text());
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    said.push_str(&format!("{named:?} {printed:?} {checked:?} {} {stopped:?}", health.text()));
    assert!(said.contains("stranger") && !said.contains("canary"), "{said}");
}

#[test]
fn a_schema_of_a_newer_version_is_left_as_it_is() {
    let shared = Shared::new().unchecked();
    assert_eq!(shared.call(&["db", "migrate"]).code, Some(0));
    shared.database.sql_blocking(
        "INSERT INTO kasparro.refinery_schema_history (version, name, applied_on, checksum)
         VALUES (99, 'from the future', '2030-01-01T00:00:00Z', '1')",
    );
    for arguments in [
        &["status", "--json"][..],
        &["run", "csv", "--json"],
        &["db", "migrate", "--json"],
        &["serve", "--listen", "127.0.0.1:0"],
        &["worker", "--json"],
        &["api", "--listen", "127.0.0.1:0"],
    ] {
        let call = shared.call(arguments);
        assert_eq!(call.code, Some(3), "{arguments:?}: {call:?}");
        assert!(call.stderr.contains("schema version 99"), "{call:?}");
    }
    let status = shared.call(&["db", "status", "--json"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    assert_eq!(status.json()["found"], 99);
    let health = shared.call(&["healthcheck", "--worker"]);
    assert_eq!(health.code, Some(1), "{health:?}");
}
