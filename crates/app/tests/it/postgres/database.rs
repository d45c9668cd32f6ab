//! The schema and its roles.

use kasparro_testkit::postgres::Postgres;
use kasparro_testkit::{closed_port, get, wait_for};

use super::{SECRET, Shared};
use crate::world::{World, all_rows};

#[test]
fn the_schema_is_made_shown_and_brought_up_to_date() {
    let shared = Shared::new();
    let status = || shared.call(&["db", "status", "--json"]).json();
    let empty = status();
    assert_eq!((&empty["kind"], &empty["found"]), (&"postgres".into(), &0.into()), "{empty}");
    assert!(!empty["pending"].as_array().unwrap().is_empty(), "{empty}");
    assert_eq!(empty["schema"], "kasparro");
    let early = shared.call(&["status"]);
    assert_eq!(early.code, Some(3), "{early:?}");
    assert!(early.stderr.contains("kasparro db migrate"), "{early:?}");
    assert_eq!(shared.call(&["sources"]).code, Some(0), "sources need no store");
    assert_eq!(shared.call(&["healthcheck", "--worker"]).code, Some(1), "without a schema, too");

    let made = shared.call(&["db", "migrate", "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let version = made.json()["to"].clone();
    assert_eq!(made.json()["from"], 0);
    let again = shared.call(&["db", "migrate", "--json"]).json();
    assert_eq!((&again["from"], &again["to"]), (&version, &version));
    let now = status();
    assert_eq!((&now["found"], &now["known"]), (&version, &version), "{now}");
    assert_eq!((&now["pending"], &now["generation"]), (&serde_json::json!([]), &0.into()));
    assert!(now["size_bytes"].as_u64().unwrap() > 0);
    let text = shared.call(&["db", "status"]);
    assert!(text.stdout.contains("pending     nothing"), "{text:?}");
}

#[test]
fn two_schemas_of_one_database_are_two_stores() {
    let shared = Shared::new();
    assert_eq!(shared.call(&["run", "csv"]).code, Some(0));
    let url = shared.database.url();
    let joined = if url.contains('?') { '&' } else { '?' };
    let second = format!("{url}{joined}schema=second");
    let first = shared.call(&["verify", "--json"]).json();
    let empty = shared.call(&["verify", "--json", "--database", &second]);
    assert_eq!(empty.code, Some(3), "{empty:?}");
    let rebuilt = shared.call(&["replay", "--from", &url, "--into", &second, "--json"]);
    assert_eq!(rebuilt.code, Some(0), "{rebuilt:?}");
    let verified = shared.call(&["verify", "--json", "--database", &second]).json();
    assert_eq!(verified["digest"], first["digest"]);
    let full = shared.call(&["replay", "--from", &url, "--into", &second, "--json"]);
    assert_eq!(full.json()["error"]["code"], "target_not_empty", "{full:?}");
    let same = shared.call(&["replay", "--from", &url, "--into", &url, "--json"]);
    assert_eq!(same.json()["error"]["code"], "same_store", "{same:?}");
}

#[test]
fn each_process_works_with_the_rights_of_its_role_alone() {
    let postgres = Postgres::own();
    let shared = Shared::on(&postgres);
    let roles = shared.call(&["db", "roles"]);
    assert_eq!(roles.code, Some(0), "{roles:?}");
    assert_eq!(shared.call(&["db", "roles", "--schema", "x; DROP"]).code, Some(2));
    let named = shared.call(&["db", "roles", "--schema", "market", "--json"]).json();
    assert!(named["sql"].as_str().unwrap().contains("market."), "{named}");
    let logins =
        "CREATE ROLE o LOGIN IN ROLE kasparro_owner; CREATE ROLE w LOGIN IN ROLE kasparro_worker;
                  CREATE ROLE a LOGIN IN ROLE kasparro_api;";
    shared.database.sql_blocking(&format!("{}\n{logins}", roles.stdout));
    let url =
        |user: &str| format!("postgres://{user}@{}/{}", postgres.address(), shared.database.name);
    let of = |user: &str| {
        let world = World::new().upstream(&closed_port()).with("DATABASE_URL", &url(user));
        let world = world.with("KASPARRO_SECRET", SECRET);
        world.with("KASPARRO_LEASE__TTL", "2s").with("KASPARRO_LEASE__RENEW_EVERY", "500ms")
    };
    let (owner, worker, api) = (of("o"), of("w"), of("a"));

    let refused = worker.call(&["run", "csv", "--json"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("kasparro db migrate"), "{refused:?}");
    let answering = api.listen(&["api", "--listen", "127.0.0.1:0"]);
    let working = worker.start(&["worker"]);
    let early = get(&format!("{}/readyz", answering.url)).unwrap();
    assert_eq!((early.status, early.json()["code"].as_str()), (503, Some("store_unavailable")));
    assert!(early.text().contains("kasparro db migrate"), "{}", early.text());
    let made = owner.call(&["db", "migrate"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    wait_for("the sample's rows", || (!all_rows(&answering, "").is_empty()).then_some(()));
    let beside = worker.call(&["run", "csv", "--json"]);
    assert_eq!(beside.code, Some(0), "{beside:?}");
    for world in [&worker, &api] {
        let read = world.call(&["status", "--json"]);
        assert_eq!(read.code, Some(0), "{read:?}");
        assert_eq!(world.call(&["verify"]).code, Some(0));
    }
    let made = api.call(&["keys", "create", "--name", "by an API", "--scope", "read"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(api.call(&["keys", "list"]).code, Some(0));
    assert_eq!(working.stop().code, Some(0));
    let forbidden = api.call(&["run", "csv", "--json"]);
    assert_eq!(forbidden.code, Some(3), "an API may not fetch: {forbidden:?}");
    assert_eq!(answering.stop().code, Some(0));
}
