//! `scripts/smoke.sh` against the real program: what it accepts, and what it refuses.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use std::path::Path;
use std::process::{Command, Output};

use kasparro_testkit::{Program, Reply, TinyUpstream, closed_port};

/// The key that the script is given.
const KEY: &str = "canary-of-the-smoke-test";

/// The script, asking `url` and waiting no longer than `wait_s` seconds for it to become ready.
fn smoke(url: &str, wait_s: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/smoke.sh");
    Command::new(script)
        .env("API_URL", url)
        .env("API_KEY", KEY)
        .env("SMOKE_WAIT_S", wait_s)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program whose network sources find nobody.
fn program(folder: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_kasparro"), folder)
        .with("ADMIN_API_KEY", KEY)
        .with("KASPARRO_SERVER__SHUTDOWN_NOTICE", "0s")
        .with("KASPARRO_FETCH__MAX_ATTEMPTS", "1")
        .with("KASPARRO_FETCH__UPSTREAM", &closed_port())
}

#[test]
fn a_server_with_data_passes_every_check() {
    let folder = tempfile::tempdir().unwrap();
    let server = program(folder.path()).serve(&["serve", "--listen", "127.0.0.1:0"]);
    let passed = smoke(&server.url, "30");
    let said = text(&passed.stdout);
    assert_eq!(passed.status.code(), Some(0), "{passed:?}");
    for path in ["/readyz", "/health", "/", "/data?limit=1", "/stats", "/metrics", "/openapi.json"]
        .into_iter()
        .chain(["/runs?limit=1"])
    {
        assert!(said.lines().any(|line| line == format!("ok      {path}")), "{path}: {said}");
    }
    assert!(said.contains(" rows\n"), "the sample has rows: {said}");
    assert_eq!(server.stop().code, Some(0));

    let stranger = program(folder.path()).with("ADMIN_API_KEY", "key-of-somebody-else");
    let server = stranger.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let refused = smoke(&server.url, "600");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("answered 401") && said.contains("API_KEY is not good"), "{said}");
    assert!(!said.contains(KEY), "{said}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_server_that_has_no_data_is_not_ready_and_the_hint_says_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let idle = ["CSV", "COINPAPRIKA", "COINGECKO", "FEED"]
        .iter()
        .fold(program(folder.path()), |program, source| {
            program.with(&format!("KASPARRO_SOURCES__{source}__ENABLED"), "false")
        });
    let server = idle.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let refused = smoke(&server.url, "0");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("/readyz answered 503") && said.contains("hint: "), "{said}");

    // Told at once, not after the time that becoming ready may take.
    assert_eq!(server.stop().code, Some(0));
    let stranger = idle.with("ADMIN_API_KEY", "key-of-somebody-else");
    let server = stranger.serve(&["serve", "--listen", "127.0.0.1:0"]);
    let refused = smoke(&server.url, "600");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said.contains("answered 401") && said.contains("API_KEY is not good"), "{said}");
}

#[test]
fn what_is_not_there_or_is_something_else_is_refused_and_the_key_is_not_shown() {
    let nobody = smoke(&closed_port(), "0");
    let said = text(&nobody.stderr);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(said.contains("nothing answers") && said.contains("API_URL"), "{said}");
    assert!(!said.contains("canary"), "{said}");

    let other = TinyUpstream::start(|_| Reply::of("200 OK", "text/plain", "hello"));
    let stranger = smoke(&other.url, "0");
    let said = text(&stranger.stderr);
    assert_eq!(stranger.status.code(), Some(1), "{stranger:?}");
    assert!(said.contains("/health answered 200 without"), "{said}");
    for head in other.heads() {
        assert!(head.contains("X-API-Key: canary-of-the-smoke-test"), "the key is sent: {head}");
    }
}
