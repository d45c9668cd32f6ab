//! Keys that several processes share.

use kasparro_testkit::{get, wait_for};

use super::{SECRET, Shared};
use crate::assets::{SOURCES, fill, with_listings};
use crate::keys::{assert_lived_through, create, done, lived_through, seen_within_two_seconds};
use crate::over_http::{decided, triggered};
use crate::secrets::encodings;
use crate::world::{ADMIN, World, get_as, simulator};

const API: [&str; 3] = ["api", "--listen", "127.0.0.1:0"];

#[test]
fn keys_are_managed_on_postgresql_and_every_process_knows_them() {
    let shared = Shared::new().map(World::nothing_by_itself);
    assert_eq!(shared.call(&["db", "migrate"]).code, Some(0));
    let call = |arguments: &[&str]| shared.call(arguments);
    assert_lived_through(&lived_through(&call, &[]));
    let again = Shared::new().map(World::nothing_by_itself);
    assert_eq!(again.call(&["db", "migrate"]).code, Some(0));
    let servers = [again.world.listen(&API), again.world.serve()];
    for server in &servers {
        wait_for("the database", || {
            (get(&format!("{}/data?limit=1", server.url)).ok()?.status == 200).then_some(())
        });
    }
    let call = |arguments: &[&str]| again.call(arguments);
    assert_lived_through(&lived_through(&call, &servers.each_ref()));
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
    let without = again.map(|world| world.with("KASPARRO_SECRET", ""));
    let refused = without.call(&["keys", "create", "--name", "x", "--scope", "read", "--json"]);
    assert_eq!((refused.code, &refused.json()["error"]["code"]), (Some(2), &"no_secret".into()));
}

#[test]
fn a_run_and_decisions_are_asked_of_a_worker_over_http() {
    let upstream = simulator(40);
    let shared = Shared::new().map(|world| with_listings(world, &upstream).nothing_by_itself());
    let call = |arguments: &[&str]| shared.call(arguments);
    fill(&call);
    let (key, _) = create(&call, "admin");
    let worker = shared.work(&SOURCES);
    let api = shared.world.listen(&API);
    seen_within_two_seconds(&[&api], &key, 200);
    triggered(&api, "POST", &key, "csv");
    triggered(&api, "GET", &key, "csv");
    decided(&api, &call, &key);
    // Nothing that was kept tells the key or those that were tried.
    for table in ["api_key", "command", "once", "request_usage", "run", "decision"] {
        let rows = shared.cell(&format!("SELECT string_agg(t::text, ' ') FROM kasparro.{table} t"));
        let rows = rows.unwrap_or_default();
        let told = encodings(&key).into_iter().chain(encodings(ADMIN));
        let told: Vec<_> = told.filter(|text| rows.contains(text.as_str())).collect();
        assert!(told.is_empty(), "{table}: {told:?}");
    }
    for stopped in [api.stop(), worker.stop()] {
        assert_eq!(stopped.code, Some(0), "{stopped:?}");
    }
}

#[test]
fn i11_a_limit_is_that_of_all_processes_together() {
    let shared = Shared::new()
        .map(|world| world.with("KASPARRO_LIMITS__ANONYMOUS", "50").nothing_by_itself());
    assert_eq!(shared.call(&["run", "csv"]).code, Some(0));
    let servers = [shared.world.listen(&API), shared.world.listen(&API)];
    for server in &servers {
        wait_for("the read model", || {
            (get(&format!("{}/readyz", server.url)).ok()?.status == 200).then_some(())
        });
    }
    let asked = (0..120)
        .map(|number| get(&format!("{}/data?limit=1", servers[number % 2].url)).unwrap().status);
    let taken = asked.filter(|status| *status == 200).count();
    // Between two looks at what the other counted, each lets a tenth of the limit through.
    assert!((45..=60).contains(&taken), "{taken} of 50");
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
    let again = shared.world.listen(&API);
    wait_for("the read model", || {
        (get(&format!("{}/readyz", again.url)).ok()?.status == 200).then_some(())
    });
    let asked = (0..20).map(|_| get(&format!("{}/data?limit=1", again.url)).unwrap().status);
    let more = asked.filter(|status| *status == 200).count();
    assert!(taken + more <= 60, "{taken} and {more} after a restart");
    assert_eq!(again.stop().code, Some(0));
}

#[test]
fn of_several_processes_one_makes_the_first_key() {
    let shared = Shared::new().map(|world| world.with("ADMIN_API_KEY", "").nothing_by_itself());
    assert_eq!(shared.call(&["db", "migrate"]).code, Some(0));
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut world = Some(shared);
    let mut servers = Vec::new();
    for folder in &folders {
        let path = folder.path().display().to_string();
        let shared = world.take().unwrap();
        let shared = shared.map(|world| world.with("KASPARRO_STORE__DATA_DIR", &path));
        servers.push(shared.world.listen(&API));
        world = Some(shared);
    }
    let shared = world.unwrap();
    let files = || {
        let files = folders.iter().map(|folder| folder.path().join("admin.key"));
        files.filter_map(|file| std::fs::read_to_string(file).ok()).collect::<Vec<_>>()
    };
    let call = |arguments: &[&str]| shared.call(arguments);
    wait_for("one key", || {
        let listed = done(&call, &["list"]);
        (listed.as_array().unwrap().len() == 1 && files().len() == 1).then_some(())
    });
    let key = files().pop().unwrap();
    seen_within_two_seconds(&servers.iter().collect::<Vec<_>>(), key.trim_end(), 200);
    for server in servers {
        assert_eq!(server.stop().code, Some(0));
    }
    assert_eq!((files().len(), done(&call, &["list"]).as_array().unwrap().len()), (1, 1));
}

#[test]
fn a_key_that_moved_with_its_store_is_good_where_the_secret_moved_too() {
    let file = World::new().with("KASPARRO_SECRET", SECRET).nothing_by_itself();
    assert_eq!(file.call(&["run", "csv"]).code, Some(0));
    let (key, _) = create(&|arguments| file.call(arguments), "read");
    let shared = Shared::new().map(World::nothing_by_itself);
    let to = shared.database.url();
    let copied = file.call(&["db", "copy", "--from", "data/kasparro.db", "--to", &to]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let server = shared.world.listen(&API);
    seen_within_two_seconds(&[&server], &key, 200);
    let refused = get_as("kasparro_live_x", &format!("{}/runs", server.url)).unwrap();
    assert_eq!(refused.status, 401, "{}", refused.text());
    assert_eq!(server.stop().code, Some(0));
}
