//! Secrets go into requests and nowhere else.

use std::path::Path;

use kasparro_testkit::{Reply, TinyUpstream, get, wait_for};

use crate::world::World;

const CANARY: &str = "canary5d41402abc4b2a76";

fn files_with_canary(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with_canary(&path));
        } else if path.file_name().is_some_and(|name| name != "key")
            && std::fs::read(&path)
                .unwrap()
                .windows(CANARY.len())
                .any(|part| part == CANARY.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn i9_no_secret_reaches_logs_output_or_store() {
    let upstream = TinyUpstream::start(|_| {
        Reply::of("401 Unauthorized", "application/json", r#"{"error":"bad key"}"#)
    });
    let world = World::new()
        .upstream(&upstream.url)
        .with("COINPAPRIKA_API_KEY", CANARY)
        .with("COINGECKO_API_KEY_FILE", "key")
        .with("KASPARRO_ALERTS__WEBHOOK_URL", &format!("{}/hooks/{CANARY}", upstream.url))
        .with("KASPARRO_ALERTS__WEBHOOK_SECRET_FILE", "key")
        .with("LOG_LEVEL", "trace");
    std::fs::write(world.folder.path().join("key"), format!("CG-{CANARY}\n")).unwrap();
    let mut said = String::new();
    for arguments in [
        &["run", "--json"][..],
        &["config", "print"],
        &["config", "print", "--json"],
        &["config", "check"],
        &["sources"],
        &["anomalies", "list"],
        &["status"],
        &["runs"],
    ] {
        let call = world.call(arguments);
        said.push_str(&call.stdout);
        said.push_str(&call.stderr);
    }
    assert!(said.contains("********"), "the keys were there");
    assert!(said.contains("# webhook_url = \"********\""), "the webhook was there");
    let server = world.serve();
    wait_for("the failed runs", || {
        let health = get(&format!("{}/health", server.url)).ok()?;
        said.push_str(&health.text());
        (!health.json()["etl_status"]["coingecko"]["error"].is_null()).then_some(())
    });
    for path in ["/metrics", "/sources", "/runs", "/stats", "/openapi.json"] {
        said.push_str(&get(&format!("{}{path}", server.url)).unwrap().text());
    }
    let stopped = server.stop();
    said.push_str(&stopped.stdout);
    said.push_str(&stopped.stderr);
    assert!(!said.contains(CANARY), "found in what was said");
    assert_eq!(files_with_canary(world.folder.path()), Vec::<String>::new());
}
