//! Folders and files that are not as the manifest says.

use kasparro_sim::{SimError, SimSettings, Simulator};
use serde_json::json;

use crate::folder::Folder;

fn refused(settings: SimSettings) -> SimError {
    Simulator::open(settings).unwrap_err()
}

#[test]
fn a_folder_without_a_manifest_is_refused_by_name() {
    let folder = Folder::new();
    let missing = folder.path().join("nowhere");
    for path in [missing.as_path(), folder.path()] {
        let settings = SimSettings { replay: Some(path.to_owned()), ..SimSettings::default() };
        let error = refused(settings);
        assert_eq!(error.code(), "replay_unreadable");
        let manifest = path.join("manifest.json");
        assert!(error.to_string().contains(manifest.to_str().unwrap()), "{error}");
        assert!(error.hint().contains("manifest.json"));
    }
}

#[test]
fn a_manifest_that_is_none_is_refused_with_the_place() {
    let folder = Folder::new();
    let settings = folder.write_manifest();
    for (text, part) in [
        ("{\"file\":", "line 1"),
        ("[{\"endpoint\":\"GET /v1/coins\"}]", "missing field `file`"),
        ("[{\"file\":\"a\",\n\"http_status\":\"x\"}]", "line 2"),
    ] {
        std::fs::write(folder.path().join("manifest.json"), text).unwrap();
        let error = refused(settings.clone());
        assert_eq!(error.code(), "replay_manifest_invalid", "{text}");
        assert!(error.to_string().contains("manifest.json"), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn an_entry_that_makes_no_sense_is_named() {
    for (fields, field) in [
        (json!({ "request_url": "https://no host/x y" }), "request_url"),
        (json!({ "endpoint": "GET /v1/coins", "http_status": 7 }), "http_status"),
    ] {
        let mut folder = Folder::new();
        folder.add("odd.json", "[]", fields);
        let error = refused(folder.write_manifest());
        assert_eq!(error.code(), "replay_manifest_invalid");
        let text = error.to_string();
        assert!(text.contains("odd.json") && text.contains(field), "{text}");
    }
}

#[test]
fn files_outside_of_the_folder_are_refused() {
    for file in ["../outside.json", "/etc/hostname", "a/../../outside.json", ""] {
        let mut folder = Folder::new();
        folder.add("inside.json", "[]", json!({ "file": file, "endpoint": "GET /v1/coins" }));
        let error = refused(folder.write_manifest());
        assert_eq!(error.code(), "replay_capture_outside", "{file}");
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_listed_file_that_is_not_there_is_refused_by_name() {
    let mut folder = Folder::new();
    folder.add("kept.json", "[]", json!({ "endpoint": "GET /v1/coins" }));
    folder.add("gone.json", "[]", json!({ "endpoint": "as committed" }));
    let gone = folder.path().join("gone.json");
    std::fs::remove_file(&gone).unwrap();
    let error = refused(folder.write_manifest());
    assert_eq!(error.code(), "replay_capture_missing");
    assert!(error.to_string().contains(gone.to_str().unwrap()), "{error}");
    std::fs::create_dir(&gone).unwrap();
    assert_eq!(refused(folder.write_manifest()).code(), "replay_capture_missing");
}

#[test]
fn a_folder_with_nothing_to_serve_is_refused() {
    let mut folder = Folder::new();
    assert_eq!(refused(folder.write_manifest()).code(), "replay_empty");
    folder.add("map.json", "{}", json!({ "endpoint": "curated map" }));
    assert_eq!(refused(folder.write_manifest()).code(), "replay_empty");
}

#[tokio::test]
async fn bytes_that_are_not_those_of_the_manifest_are_not_served() {
    let mut folder = Folder::new();
    let coins = json!({ "endpoint": "GET /v1/coins", "sha256_uncompressed": "00ff" });
    folder.add("coins.json", "[{}]", coins);
    folder.add("torn.csv.gz", "id\n1\n", json!({}));
    std::fs::write(folder.path().join("torn.csv.gz"), b"\x1f\x8b\x08 torn").unwrap();
    folder.add("right.csv", "id\n1\n", json!({ "sha256_uncompressed": null }));
    let running = folder.serve().await;
    for (path, parts) in [
        ("/v1/coins", ["coins.json", "sha256_uncompressed is 00ff"]),
        ("/csv/torn.csv", ["torn.csv.gz", "cannot be read"]),
    ] {
        let reply = running.get(path).await;
        assert_eq!(reply.status, 500, "{path}");
        let error = reply.json()["error"].as_str().unwrap().to_owned();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    }
    assert!(running.simulator.ledger().is_empty());
    assert_eq!(running.get("/csv/right.csv").await.text(), "id\n1\n");
}

#[test]
fn a_simulator_made_without_reading_replays_nothing() {
    let mut folder = Folder::new();
    folder.add("coins.json", "[]", json!({ "endpoint": "GET /v1/coins" }));
    let settings = folder.write_manifest();
    assert_eq!(Simulator::new(settings.clone()).settings().replay, None);
    assert_eq!(Simulator::open(settings.clone()).unwrap().settings().replay, settings.replay);
}
