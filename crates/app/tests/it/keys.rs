//! Keys of the API: made, listed, taken back and replaced, alone and beside a server.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kasparro_testkit::{Server, get, wait_for};
use serde_json::{Value, json};

use crate::assets::Call;
use crate::world::{ADMIN, World, get_as, wait_until_loaded};

pub(crate) fn done(call: Call<'_>, arguments: &[&str]) -> Value {
    let finished = call(&[&["keys"], arguments, &["--json"]].concat());
    assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    finished.json()
}

fn refused(call: Call<'_>, arguments: &[&str]) -> (Option<i32>, String) {
    let finished = call(&[&["keys"], arguments, &["--json"]].concat());
    let code = finished.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (finished.code, code)
}

/// A key of this scope, and its id.
pub(crate) fn create(call: Call<'_>, scope: &str) -> (String, String) {
    let made = done(call, &["create", "--name", "of a story", "--scope", scope]);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("key"), text("key_id"))
}

/// The status of a page about operations, asked for with a key.
fn answered(server: &Server, key: &str) -> u16 {
    get_as(key, &format!("{}/runs?limit=1", server.url)).unwrap().status
}

/// Waits until every server answers so; no longer than two seconds, and what the test itself takes.
pub(crate) fn seen_within_two_seconds(servers: &[&Server], key: &str, expected: u16) {
    let begun = std::time::Instant::now();
    for server in servers {
        wait_for("the key as it is now", || (answered(server, key) == expected).then_some(()));
    }
    assert!(begun.elapsed().as_secs_f64() < 3.5, "{:?}", begun.elapsed());
}

/// Makes, lists, takes back and replaces keys; what `keys list` says in the end, without what differs from
/// store to store. `servers` answer from the store meanwhile.
pub(crate) fn lived_through(call: Call<'_>, servers: &[&Server]) -> Value {
    let (first, first_id) = create(call, "read");
    let arguments = ["create", "--name", "cron", "--scope", "operate", "--expires", "90d"];
    let made = done(call, &[&arguments[..], &["--requests", "500"]].concat());
    let (second, second_id) = (made["key"].as_str().unwrap(), made["key_id"].as_str().unwrap());
    assert_eq!((&made["requests"], &made["status"]), (&json!(500), &json!("good")), "{made}");
    for key in [&*first, second] {
        seen_within_two_seconds(servers, key, 200);
    }

    let rotated = done(call, &["rotate", second_id, "--overlap", "1h"]);
    let third = rotated["key"].as_str().unwrap();
    assert_eq!(rotated["replaces"], second_id, "{rotated}");
    assert_eq!((&rotated["name"], &rotated["requests"]), (&json!("cron"), &json!(500)));
    assert!(rotated["expires_at"].as_str() > rotated["replaced_until"].as_str());
    seen_within_two_seconds(servers, third, 200);
    for server in servers {
        assert_eq!(answered(server, second), 200, "the old one is good until the overlap ends");
    }

    let revoked = done(call, &["revoke", &first_id]);
    assert_eq!((&revoked["status"], revoked["revoked_at"].is_string()), (&json!("revoked"), true));
    seen_within_two_seconds(servers, &first, 401);
    let again = done(call, &["revoke", &first_id]);
    assert_eq!(again["revoked_at"], revoked["revoked_at"], "it was taken back once");
    let last = done(call, &["rotate", rotated["key_id"].as_str().unwrap(), "--overlap", "0s"]);
    seen_within_two_seconds(servers, last["key"].as_str().unwrap(), 200);
    seen_within_two_seconds(servers, third, 401);

    assert_eq!(refused(call, &["rotate", &first_id]), (Some(1), "key_ended".to_owned()));
    for action in ["revoke", "rotate"] {
        assert_eq!(refused(call, &[action, "00000000"]), (Some(1), "unknown_key".to_owned()));
    }
    let whole = call(&["keys", "revoke", &first, "--json"]);
    assert_eq!((whole.code, &whole.json()["error"]["code"]), (Some(2), &json!("no_key_id")));
    assert!(!whole.stderr.contains(&first) && !whole.stdout.contains(&first), "{whole:?}");

    let mut listed = done(call, &["list"]);
    let text = listed.to_string();
    for key in [&*first, second, third] {
        assert!(!text.contains(key), "a list shows no key: {text}");
    }
    for key in listed.as_array_mut().unwrap() {
        let key = key.as_object_mut().unwrap();
        for field in ["key_id", "created_at", "expires_at", "revoked_at", "last_used_at"] {
            assert!(key.remove(field).is_some(), "{field}");
        }
    }
    listed
}

fn expected() -> Value {
    let key = |name: &str, scope: &str, status: &str, requests: Value| json!({"name": name, "scope": scope, "status": status, "requests": requests});
    json!([
        key("of a story", "read", "revoked", Value::Null),
        key("cron", "operate", "good", json!(500)),
        key("cron", "operate", "expired", json!(500)),
        key("cron", "operate", "good", json!(500)),
    ])
}

pub(crate) fn assert_lived_through(listed: &Value) {
    assert_eq!(listed, &expected());
}

#[test]
fn keys_are_managed_alone_and_beside_a_server() {
    let alone = World::new();
    let call = |arguments: &[&str]| alone.call(arguments);
    assert_eq!(refused(&call, &["list"]), (Some(3), "store_missing".to_owned()));
    assert_lived_through(&lived_through(&call, &[]));
    let server = alone.call(&["keys", "list"]);
    assert!(
        server.stdout.contains("of a story") && server.stdout.contains("revoked"),
        "{server:?}"
    );

    let beside = World::new().nothing_by_itself();
    let server = beside.serve();
    wait_until_loaded(&server);
    let call = |arguments: &[&str]| beside.call(arguments);
    assert_lived_through(&lived_through(&call, &[&server]));
    let mut over_http = get_as(ADMIN, &format!("{}/keys", server.url)).unwrap().json();
    let mut listed = json!({ "data": done(&call, &["list"]) });
    for keys in [&mut over_http["data"], &mut listed["data"]] {
        for key in keys.as_array_mut().unwrap() {
            // It is written once a minute.
            assert!(key.as_object_mut().unwrap().remove("last_used_at").is_some());
        }
    }
    assert_eq!(over_http["data"], listed["data"], "both ways tell the same");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_key_is_the_only_thing_on_stdout_and_its_explanation_is_not() {
    let world = World::new().nothing_by_itself();
    let made = world.call(&["keys", "create", "--name", "a pipe", "--scope", "read"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.stdout.trim_end();
    assert!(key.starts_with("kasparro_live_") && key.len() == 48, "{made:?}");
    assert!(made.stderr.contains("a pipe") && !made.stderr.contains(key), "{made:?}");
    let server = world.serve();
    seen_within_two_seconds(&[&server], key, 200);
    assert_eq!(server.stop().code, Some(0));
    for wrong in [
        &["create", "--name", "x"][..],
        &["create", "--name", "x", "--scope", "root"],
        &["create", "--name", "", "--scope", "read"],
        &["create", "--name", "x", "--scope", "read", "--expires", "0s"],
        &["create", "--name", "x", "--scope", "read", "--requests", "0"],
        &["rotate", "abcdefgh", "--overlap", "soon"],
    ] {
        assert_eq!(refused(&|arguments| world.call(arguments), wrong).0, Some(2), "{wrong:?}");
    }
}

/// Mode, and the line that a file holds.
fn private(path: &Path) -> (u32, String) {
    let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    (mode, std::fs::read_to_string(path).unwrap().trim_end().to_owned())
}

#[test]
fn k4_the_first_start_makes_an_admin_key_in_a_private_file_and_says_where() {
    let world = World::new().with("ADMIN_API_KEY", "").nothing_by_itself();
    let file = world.folder.path().join("data/admin.key");
    let server = world.serve();
    let key = wait_for("the first key", || std::fs::read_to_string(&file).ok());
    assert_eq!(private(&file), (0o600, key.trim_end().to_owned()));
    let key = key.trim_end();
    seen_within_two_seconds(&[&server], key, 200);
    let keys = get_as(key, &format!("{}/keys", server.url)).unwrap();
    assert_eq!(keys.status, 200, "its scope is admin: {}", keys.text());
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0));
    assert!(stopped.stderr.contains("admin.key"), "{stopped:?}");
    assert!(!stopped.stderr.contains(key) && !stopped.stdout.contains(key), "{stopped:?}");
    let (mode, secret) = private(&world.folder.path().join("data/kasparro.db.secret"));
    assert_eq!((mode, secret.len()), (0o600, 64));

    // The same key is good after a restart, and no second one is made, also not where the file is gone.
    std::fs::remove_file(&file).unwrap();
    let again = world.serve();
    seen_within_two_seconds(&[&again], key, 200);
    let stopped = again.stop();
    assert!(!file.exists() && !stopped.stderr.contains("admin.key"), "{stopped:?}");
    let listed = world.call(&["keys", "list", "--json"]).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["scope"], "admin");

    let json = World::new().with("ADMIN_API_KEY", "").nothing_by_itself();
    let server = json.listen(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let file = json.folder.path().join("data/admin.key");
    let key = wait_for("the first key", || std::fs::read_to_string(&file).ok());
    seen_within_two_seconds(&[&server], key.trim_end(), 200);
    let stopped = server.stop();
    let told = stopped.stderr.lines().find(|line| line.contains("admin.key")).unwrap();
    assert!(serde_json::from_str::<Value>(told).is_ok(), "{told}");
}

#[test]
fn a_configured_admin_key_is_good_and_nothing_is_made() {
    let world = World::new().nothing_by_itself();
    let server = world.serve();
    assert_eq!(answered(&server, ADMIN), 200);
    assert_eq!(answered(&server, "admin-key-of-other-stories"), 401);
    assert_eq!(get(&format!("{}/runs", server.url)).unwrap().status, 401);
    assert_eq!(server.stop().code, Some(0));
    assert!(!world.folder.path().join("data/admin.key").exists());
    assert_eq!(world.call(&["keys", "list", "--json"]).json(), json!([]));
    let short = World::new().with("ADMIN_API_KEY", "canary");
    let refused = short.call(&["serve"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("16 characters") && !refused.stderr.contains("canary"));
    let long = World::new().with("ADMIN_API_KEY", &"canary".repeat(100));
    for command in [&["serve"][..], &["config", "check"]] {
        let refused = long.call(command);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("at most 512") && !refused.stderr.contains("canary"));
    }
}

#[test]
fn a_damaged_secret_is_refused_and_another_one_makes_keys_useless() {
    let world = World::new().nothing_by_itself();
    let (key, _) = create(&|arguments| world.call(arguments), "read");
    let server = world.serve();
    seen_within_two_seconds(&[&server], &key, 200);
    assert_eq!(server.stop().code, Some(0));

    let other = world.with("KASPARRO_SECRET", "another secret of many characters");
    let server = other.serve();
    wait_until_loaded(&server);
    assert_eq!(answered(&server, &key), 401);
    assert_eq!(server.stop().code, Some(0));

    let world = other.with("KASPARRO_SECRET", "");
    let file = world.folder.path().join("data/kasparro.db.secret");
    let secret = std::fs::read(&file).unwrap();
    std::fs::write(&file, "cut").unwrap();
    let creating = ["keys", "create", "--name", "x", "--scope", "read"];
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &creating] {
        let refused = world.call(command);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("kasparro.db.secret"), "{refused:?}");
        assert!(!refused.stderr.trim_end().contains('\n'), "{refused:?}");
    }
    assert_eq!(world.call(&["keys", "list"]).code, Some(0), "looking needs no secret");
    std::fs::write(&file, secret).unwrap();
    let server = world.serve();
    seen_within_two_seconds(&[&server], &key, 200);
    assert_eq!(server.stop().code, Some(0));
}
