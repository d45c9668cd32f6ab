//! Clients as others write them: typed from the description, plain, and by a tool that loads data.

use std::path::Path;

use serde_json::Value;

use crate::served::{Served, Store};
use crate::{PROGRAM, at_rest, call, keep, tools, wanted};

/// Seconds within which the data have to change under a walk.
const WITHIN: &str = "60";

fn script(name: &str) -> String {
    tools::root().join("tools").join(name).display().to_string()
}

/// The JSON object with which a script ends.
fn told(said: &str) -> Value {
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The program over a store into which data come all the while.
fn moving(store: Store) -> Served {
    Served::start(Path::new(PROGRAM), store, true, &[])
}

#[test]
fn a_client_made_from_the_description_walks_pages_an_asset_its_history_and_health() {
    let (Some(generator), Some(python)) = (wanted("openapi-python-client"), wanted("python"))
    else {
        return;
    };
    let served = at_rest(Store::Sqlite);
    let description = keep(&served, "/openapi.json", "openapi.json");
    let package = served.folder.path().join("client/kasparro_client").display().to_string();
    std::fs::create_dir(served.folder.path().join("client")).unwrap();
    let mut arguments = vec!["generate", "--path", &description, "--output-path", &package];
    arguments.extend(["--meta", "none", "--fail-on-warning"]);
    call(&served, "openapi-python-client", &generator, &arguments);
    let arguments = [&*script("client_walk.py"), "client", &served.server.url];
    let told = told(&call(&served, "client_walk.py", &python, &arguments));
    assert!(told["rows"].as_u64().unwrap() > 200 && told["pages"].as_u64().unwrap() > 4, "{told}");
    served.stop();
}

fn walk_by_requests(store: Store) {
    let Some(python) = wanted("python") else { return };
    let served = moving(store);
    let arguments = [&*script("walk_requests.py"), &served.server.url, WITHIN];
    let told = told(&call(&served, "walk_requests.py", &python, &arguments));
    assert!(told["rows"].as_u64().unwrap() > 200, "{told}");
    served.stop();
}

#[test]
fn plain_requests_find_every_row_of_sqlite_exactly_once_while_data_come_in() {
    walk_by_requests(Store::Sqlite);
}

#[test]
fn plain_requests_find_every_row_of_postgres_exactly_once_while_data_come_in() {
    walk_by_requests(Store::Postgres);
}

#[test]
fn dlt_loads_every_row_exactly_once_while_data_come_in() {
    let Some(python) = wanted("python") else { return };
    let served = moving(Store::Sqlite);
    let arguments = [&*script("walk_dlt.py"), &served.server.url, "loads", WITHIN];
    let told = told(&call(&served, "walk_dlt.py", &python, &arguments));
    assert!(told["rows"].as_u64().unwrap() > 200, "{told}");
    served.stop();
}
