//! `config`: what is in effect, and what is refused.

use crate::world::World;

#[test]
fn a_malformed_file_is_named_with_its_line() {
    let world = World::new();
    std::fs::write(world.folder.path().join("bad.toml"), "[server]\nlisten = \n").unwrap();
    for command in [&["config", "check"][..], &["run"], &["serve"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--config", "bad.toml"]);
        let call = world.call(&arguments);
        assert_eq!(call.code, Some(2), "{call:?}");
        assert!(call.stderr.contains("bad.toml") && call.stderr.contains("line 2"), "{call:?}");
        assert_eq!(call.stderr.lines().count(), 1, "{call:?}");
    }
    let absent = world.call(&["config", "check", "--config", "absent.toml"]);
    assert_eq!(absent.code, Some(2), "{absent:?}");
}

#[test]
fn an_unknown_key_is_refused_with_the_key_that_was_meant() {
    let world = World::new();
    std::fs::write(world.folder.path().join("typo.toml"), "[sources.coingecko]\npagse = 2\n")
        .unwrap();
    let file = world.call(&["config", "check", "--config", "typo.toml", "--json"]);
    assert_eq!(file.code, Some(2), "{file:?}");
    assert_eq!(file.json()["error"]["code"], "bad_configuration");
    assert!(file.stderr.contains("sources.coingecko.pages"), "{file:?}");
    let variable = world.with("KASPARRO_SERVER_LISTEN", "x").call(&["config", "check"]);
    assert_eq!(variable.code, Some(2), "{variable:?}");
    assert!(variable.stderr.contains("KASPARRO_SERVER__LISTEN"), "{variable:?}");
}

#[test]
fn i9_a_postgresql_address_that_is_refused_says_what_to_write_and_shows_no_password() {
    let world = World::new().with("DATABASE_URL", "postgresql+asyncpg://u:canary@db:5432");
    let call = world.call(&["serve"]);
    assert_eq!(call.code, Some(2), "{call:?}");
    for part in ["no database", "postgres://USER@HOST/DATABASE", "sqlite:./data/kasparro.db"] {
        assert!(call.stderr.contains(part), "{part}: {call:?}");
    }
    assert!(!call.stderr.contains("canary"), "{call:?}");
    let chosen = world.call(&["config", "check", "--database", "sqlite:x.db"]);
    assert_eq!(chosen.code, Some(0), "a flag is stronger: {chosen:?}");
}

#[test]
fn a_database_without_its_host_is_warned_of_and_sqlite_is_used() {
    let world = World::new().with("POSTGRES_DB", "market").with("POSTGRES_PASSWORD", "canary");
    let words = "POSTGRES_DB is set but POSTGRES_HOST is not: the store is SQLite at";
    let checked = world.call(&["config", "check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains(words) && checked.stderr.is_empty(), "{checked:?}");
    let json = world.call(&["config", "check", "--json"]).json();
    assert!(json["warnings"][0].as_str().unwrap().starts_with(words), "{json}");
    let stopped = world.nothing_by_itself().serve().stop();
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert!(stopped.stderr.contains(words) && !stopped.stderr.contains("canary"), "{stopped:?}");
}

#[test]
fn what_is_one_of_several_refuses_a_file() {
    let world = World::new();
    for command in ["api", "worker"] {
        let call = world.call(&[command, "--json"]);
        assert_eq!(call.code, Some(2), "{call:?}");
        assert_eq!(call.json()["error"]["code"], "one_process");
        assert!(call.stderr.contains("kasparro serve"), "{call:?}");
    }
    assert_eq!(world.call(&["healthcheck", "--worker"]).code, Some(2));
    assert!(!world.folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn the_schema_of_a_file_is_made_and_shown() {
    let world = World::new();
    let status = || world.call(&["db", "status", "--json"]).json();
    assert_eq!((&status()["kind"], &status()["found"]), (&"sqlite".into(), &0.into()));
    let made = world.call(&["db", "migrate", "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(made.json()["from"], 0);
    let version = made.json()["to"].clone();
    let again = world.call(&["db", "migrate", "--json"]).json();
    assert_eq!((&again["from"], &again["to"]), (&version, &version));
    assert_eq!((&status()["found"], &status()["generation"]), (&version, &0.into()));
    let newer = "UPDATE refinery_schema_history SET version = version + 90";
    std::fs::copy(world.database(), world.folder.path().join("newer.db")).unwrap();
    let connection = rusqlite::Connection::open(world.folder.path().join("newer.db")).unwrap();
    connection.execute(newer, []).unwrap();
    drop(connection);
    let shown = world.call(&["db", "status", "--database", "newer.db", "--json"]);
    assert_eq!(shown.code, Some(2), "the configured database is no plain path: {shown:?}");
    let text = world.call(&["db", "status", "--database", "sqlite:newer.db"]);
    assert_eq!(text.code, Some(3), "{text:?}");
    assert!(text.stdout.contains("newer than this program"), "{text:?}");
    let shown = world.call(&["db", "status", "--database", "sqlite:newer.db", "--json"]);
    assert_eq!(shown.code, Some(3), "{shown:?}");
    let shown = shown.json();
    assert_eq!(shown["found"].as_u64(), version.as_u64().map(|version| version + 90), "{shown}");
    assert_eq!((&shown["known"], &shown["generation"]), (&version, &serde_json::Value::Null));
    let refused = world.call(&["db", "migrate", "--database", "sqlite:newer.db", "--json"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "store_newer");
    let server = world.nothing_by_itself();
    let serving = server.serve();
    let held = server.call(&["db", "migrate", "--json"]);
    assert_eq!(held.code, Some(3), "{held:?}");
    assert_eq!(held.json()["error"]["code"], "store_locked");
    assert_eq!(serving.stop().code, Some(0));
}

#[test]
fn what_is_printed_can_be_used_as_a_file() {
    let world = World::new().with("KASPARRO_LABELS__ENVIRONMENT", "staging");
    let printed = world.call(&["config", "print"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(
        printed.stdout.contains("environment = \"staging\"  # from KASPARRO_LABELS__ENVIRONMENT"),
        "{}",
        printed.stdout
    );
    std::fs::write(world.folder.path().join("printed.toml"), &printed.stdout).unwrap();
    let checked = world.call(&["config", "check", "--config", "printed.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let json = world.call(&["config", "print", "--json", "--config", "printed.toml"]).json();
    assert_eq!(json["values"]["server.listen"]["value"], "127.0.0.1:8000");
    assert_eq!(json["values"]["server.listen"]["origin"], "printed.toml");
    assert_eq!(json["values"]["labels.environment"]["origin"], "KASPARRO_LABELS__ENVIRONMENT");
}

#[test]
fn flags_are_taken_before_and_after_the_command() {
    let world = World::new();
    for arguments in [
        ["--database", "sqlite:a.db", "config", "print", "--json"],
        ["config", "print", "--json", "--database", "sqlite:a.db"],
    ] {
        let json = world.call(&arguments).json();
        assert_eq!(json["values"]["store.database"]["value"], "sqlite:a.db");
        assert_eq!(json["values"]["store.database"]["origin"], "--database");
    }
}

#[test]
fn logs_are_json_when_asked_for() {
    let world = World::new().nothing_by_itself();
    let server = world.listen(&["serve", "--listen", "127.0.0.1:0", "--log-format", "json"]);
    let stopped = server.stop();
    assert_eq!(stopped.code, Some(0));
    assert!(!stopped.stderr.is_empty(), "stopping is logged");
    for line in stopped.stderr.lines() {
        let line: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(line["level"].is_string(), "{line}");
    }
}

#[test]
fn i9_a_printed_file_holds_a_set_secret_as_a_comment_and_can_be_used() {
    let world = World::new()
        .with("COINGECKO_API_KEY", "canary")
        .with("KASPARRO_FETCH__CONTACT", "https://example.org/?key=canary");
    let printed = world.call(&["config", "print"]).stdout;
    for line in [
        "# api_key = \"********\"  # set, from COINGECKO_API_KEY",
        "# contact = \"https://example.org/?…\"  # set, from KASPARRO_FETCH__CONTACT",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    let json = world.call(&["config", "print", "--json"]).stdout;
    assert!(!printed.contains("canary") && !json.contains("canary"), "{printed}{json}");
    let plain = World::new();
    std::fs::write(plain.folder.path().join("printed.toml"), &printed).unwrap();
    let checked = plain.call(&["config", "check", "--config", "printed.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let masked = plain.with("COINGECKO_API_KEY", "********").call(&["config", "check"]);
    assert_eq!(masked.code, Some(2), "{masked:?}");
}
