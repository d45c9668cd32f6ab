//! What can be wrong at start: each gets one clear line and its exit code.

use std::net::TcpListener;

use crate::world::World;

#[test]
fn a_second_server_is_told_who_holds_the_store() {
    let world = World::new().nothing_by_itself();
    let first = world.serve();
    let second = world.call(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    assert_eq!(second.code, Some(3), "{second:?}");
    assert_eq!(second.json()["error"]["code"], "store_locked");
    for part in [first.id().to_string(), first.url.clone(), "since".to_owned()] {
        assert!(second.stderr.contains(&part), "{part}: {}", second.stderr);
    }
    assert_eq!(first.stop().code, Some(0));
}

#[test]
fn a_port_in_use_is_named_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let world = World::new().nothing_by_itself();
    for command in ["serve", "sim", "demo"] {
        let call = world.call(&[command, "--listen", &address]);
        assert_eq!(call.code, Some(1), "{call:?}");
        assert!(call.stderr.contains(&address) && call.stderr.contains("--listen"), "{call:?}");
        assert_eq!(call.stdout, "");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_a_remedy() {
    let world = World::new();
    // A file where the folder should be refuses everybody, also the user that may write anywhere.
    std::fs::write(world.folder.path().join("data"), "a file").unwrap();
    for command in [["serve", "--listen=127.0.0.1:0"], ["run", "csv"]] {
        let call = world.call(&command);
        assert_eq!(call.code, Some(3), "{call:?}");
        assert!(call.stderr.contains("./data") && call.stderr.contains("--database"), "{call:?}");
    }
}

#[test]
fn a_file_that_is_no_store_is_left_alone() {
    let world = World::new();
    let path = world.folder.path().join("notes.txt");
    let text =
        "these are notes, and they are long enough to be taken for a file header of something";
    std::fs::write(&path, text.repeat(20)).unwrap();
    for command in [["run", "csv"], ["status", "--json"], ["serve", "--listen=127.0.0.1:0"]] {
        let call = world.call(&[command[0], command[1], "--database", "sqlite:notes.txt"]);
        assert_eq!(call.code, Some(3), "{call:?}");
        assert!(call.stderr.contains("notes.txt"), "{call:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text.repeat(20));
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let world = World::new().damaged();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    raise_schema_version(&world);
    let before = std::fs::read(world.database()).unwrap();
    for command in [vec!["run", "csv"], vec!["serve", "--listen=127.0.0.1:0"], vec!["status"]] {
        let call = world.call(&command);
        assert_eq!(call.code, Some(3), "{call:?}");
        assert!(call.stderr.contains("schema version"), "{call:?}");
    }
    assert_eq!(std::fs::read(world.database()).unwrap(), before);
}

/// Makes the store say that a newer program wrote it.
fn raise_schema_version(world: &World) {
    let connection = rusqlite::Connection::open(world.database()).unwrap();
    let raised = connection
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) \
             VALUES (9999, 'from_the_future', '2100-01-01T00:00:00Z', '0')",
            [],
        )
        .unwrap();
    assert_eq!(raised, 1);
    connection.pragma_update(None, "wal_checkpoint", "truncate").unwrap();
}

#[test]
fn an_unknown_source_is_refused_with_the_known_ones() {
    let world = World::new();
    let call = world.call(&["run", "coinpaprika", "binance", "--json"]);
    assert_eq!(call.code, Some(2), "{call:?}");
    assert_eq!(call.json()["error"]["code"], "unknown_source");
    for name in ["binance", "coingecko", "coinpaprika", "csv"] {
        assert!(call.stderr.contains(name), "{name}: {call:?}");
    }
    assert!(!world.folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn a_misspelt_flag_or_command_is_a_usage_error() {
    let world = World::new();
    for arguments in [&["serv"][..], &["run", "--al"], &["runs", "--limit", "0"], &[]] {
        let call = world.call(arguments);
        assert_eq!(call.code, Some(2), "{call:?}");
        assert_eq!(call.stdout, "");
    }
    let help = world.call(&["run", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("Examples:"), "{}", help.stdout);
}

#[test]
fn a_usage_error_is_a_json_document_where_one_is_asked_for() {
    let world = World::new();
    for arguments in [
        &["run", "--al", "--json"][..],
        &["--json", "serv"],
        &["--json"],
        &["sim", "--listen", "9000", "--json"],
        &["runs", "--limit", "0", "--json"],
    ] {
        let call = world.call(arguments);
        assert_eq!(call.code, Some(2), "{call:?}");
        let error = &call.json()["error"];
        assert_eq!(error["code"], "usage", "{call:?}");
        for part in ["message", "hint"] {
            let text = error[part].as_str().unwrap();
            assert!(!text.is_empty() && !text.contains('\n'), "{call:?}");
        }
        assert!(!call.stderr.is_empty(), "{call:?}");
    }
    let help = world.call(&["--json", "--help"]);
    assert_eq!(help.code, Some(0));
    assert!(help.stdout.contains("Usage:"), "{help:?}");
}

#[test]
fn a_simulator_says_that_it_listens_only_when_its_ledger_is_open() {
    let world = World::new();
    let call = world.call(&["sim", "--listen", "127.0.0.1:0", "--ledger", "no/such/folder/x"]);
    assert_eq!((call.code, call.stdout.as_str()), (Some(1), ""), "{call:?}");
    assert!(call.stderr.contains("no/such/folder/x") && call.stderr.contains("--ledger"));
    let word = world.call(&["sim", "--listen", "here"]);
    assert_eq!(word.code, Some(2), "{word:?}");
    assert!(word.stderr.contains("HOST:PORT"), "{word:?}");
}
