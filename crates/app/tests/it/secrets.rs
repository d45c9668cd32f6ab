//! Secrets go into requests and nowhere else.

use std::path::Path;

use kasparro_testkit::{Reply, TinyUpstream, get, send, wait_for};

use crate::world::{ADMIN, World, get_as, wait_until_loaded};

const CANARY: &str = "canary5d41402abc4b2a76";

/// Every file below a folder that holds one of these texts, but for those that are meant to.
fn files_with(folder: &Path, texts: &[String], meant: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files_with(&path, texts, meant));
        } else if !meant.contains(&name.as_str()) {
            let bytes = std::fs::read(&path).unwrap();
            let holds =
                |text: &&String| bytes.windows(text.len()).any(|part| part == text.as_bytes());
            found
                .extend(texts.iter().find(holds).map(|text| format!("{}: {text}", path.display())));
        }
    }
    found
}

/// How a text may look somewhere: as it is, in base64 (whatever stands before it), in hexadecimal digits,
/// and as a part of an address.
pub(crate) fn encodings(text: &str) -> Vec<String> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let part: String = text
        .bytes()
        .map(|byte| match byte {
            b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect();
    let mut found = vec![text.to_owned(), hex.to_uppercase(), hex, part];
    for before in 0..3 {
        let padded = [&b"\0\0"[..before], text.as_bytes()].concat();
        let whole = padded.len() / 3 * 3;
        // The first group also holds what stands before.
        let skipped = if before == 0 { 0 } else { 4 };
        let encoded = base64(&padded[..whole]);
        found.push(encoded[skipped..].to_owned());
        found.push(encoded[skipped..].replace('+', "-").replace('/', "_"));
    }
    found
}

/// Whole groups of three bytes in base64.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize]))
    });
    groups.collect()
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
        said.push_str(&get_as(ADMIN, &format!("{}{path}", server.url)).unwrap().text());
    }
    let stopped = server.stop();
    said.push_str(&stopped.stdout);
    said.push_str(&stopped.stderr);
    assert!(!said.contains(CANARY), "found in what was said");
    let canary = [CANARY.to_owned()];
    assert_eq!(files_with(world.folder.path(), &canary, &["key"]), Vec::<String>::new());
}

#[test]
fn i9_no_key_of_the_api_is_said_or_kept_anywhere() {
    const CONFIGURED: &str = "canary+of/ADMIN=key&more?";
    let world = World::new()
        .with("ADMIN_API_KEY", CONFIGURED)
        .with("LOG_LEVEL", "trace")
        .nothing_by_itself();
    let mut said = String::new();
    let mut hear = |arguments: &[&str]| {
        let call = world.call(arguments);
        said.push_str(&call.stdout);
        said.push_str(&call.stderr);
    };
    for arguments in
        [&["config", "print"][..], &["config", "print", "--json"], &["config", "check"]]
    {
        hear(arguments);
    }
    // Its stdout is where the key is meant to be.
    let create = ["keys", "create", "--name", "canary", "--scope", "operate"];
    let made = world.call(&create);
    let key = made.stdout.trim_end().to_owned();
    said.push_str(&made.stderr);
    let server = world.serve();
    wait_until_loaded(&server);
    let id = &key["kasparro_live_".len()..][..8];
    for path in
        ["/runs", "/keys", "/trigger-etl?source=csv", "/data?limit=0", "/nothing", "/metrics"]
    {
        let url = format!("{}{path}", server.url);
        for header in ["X-API-Key", "Authorization", "Cookie", "X-Api-Key-Old"] {
            for key in [&*key, CONFIGURED, &format!("{key}x"), &key.to_lowercase()] {
                let value =
                    if header == "Authorization" { format!("Bearer {key}") } else { key.into() };
                let answer = send("GET", &url, &[(header, &value)], "").unwrap();
                said.push_str(&format!("{:?} {}", answer.headers, answer.text()));
            }
        }
        let both = [("X-API-Key", &*key), ("Authorization", &format!("Bearer {CONFIGURED}"))];
        said.push_str(&send("GET", &url, &both, "").unwrap().text());
    }
    let cmdline = std::fs::read(format!("/proc/{}/cmdline", server.id())).unwrap();
    said.push_str(&String::from_utf8_lossy(&cmdline));
    let rotated = world.call(&["keys", "rotate", id]);
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let next = rotated.stdout.trim_end().to_owned();
    said.push_str(&rotated.stderr);
    for arguments in [&["keys", "list"][..], &["keys", "revoke", id], &["status"], &["verify"]] {
        let call = world.call(arguments);
        said.push_str(&call.stdout);
        said.push_str(&call.stderr);
    }
    let stopped = server.stop();
    said.push_str(&stopped.stdout);
    said.push_str(&stopped.stderr);
    assert!(said.contains(" DEBUG "), "logs are there");
    assert!(said.contains(id), "they tell the id");
    let folder = world.folder.path();
    let secret = std::fs::read_to_string(folder.join("data/kasparro.db.secret")).unwrap();
    let secrets = [&*key, &*next, CONFIGURED, secret.trim_end()];
    let texts: Vec<_> = secrets.iter().flat_map(|secret| encodings(secret)).collect();
    let told: Vec<_> = texts.iter().filter(|text| said.contains(text.as_str())).collect();
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(files_with(folder, &texts, &["kasparro.db.secret"]), Vec::<String>::new());
}

#[test]
fn every_encoding_of_a_secret_is_looked_for() {
    assert_eq!(base64(b"canary"), "Y2FuYXJ5");
    for (text, within) in [
        ("canary+key/of", "GET /x?key=canary%2Bkey%2Fof"),
        ("canary", "63616e617279"),
        ("canary", "Y2FuYXJ5"),
        ("canary of three", "eGNhbmFyeSBvZiB0aHJlZQ=="),
        ("canary of three", "eHhjYW5hcnkgb2YgdGhyZWU="),
    ] {
        let found = encodings(text).iter().any(|encoded| within.contains(encoded.as_str()));
        assert!(found, "{text} in {within}");
    }
}
