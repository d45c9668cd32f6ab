//! A store that its reader may not write.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use kasparro_testkit::{Program, closed_port};

use crate::world::World;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kasparro");

/// Somebody who owns nothing: `nobody` on most systems.
const STRANGER: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

fn setpriv() -> Option<&'static str> {
    ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| Path::new(path).is_file())
}

fn allow(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_store_in_a_folder_that_may_not_be_written_is_read_by_every_command_that_reads() {
    let world =
        World::new().upstream(&closed_port()).with("KASPARRO_SOURCES__CSV__PATHS", "mine.csv");
    let rows = "id,price_usd\nmine-a,1.10\nmine-b,abc\n";
    std::fs::write(world.folder.path().join("mine.csv"), rows).unwrap();
    let run = world.call(&["run", "csv"]);
    assert_eq!(run.code, Some(0), "{run:?}");

    let data = world.folder.path().join("data");
    let own = world.folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    allow(world.folder.path(), 0o755);
    allow(&own, 0o777);
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            allow(&path, 0o444);
        }
    }
    allow(&data, 0o555);
    // Root may write everywhere.
    let root = std::fs::metadata(&data).unwrap().uid() == 0;
    let (path, before) = match (root, setpriv()) {
        (false, _) => (PROGRAM, Vec::new()),
        (true, Some(setpriv)) => (setpriv, [&STRANGER[..], &[PROGRAM]].concat()),
        (true, None) => {
            println!("skipped: there is no setpriv to be somebody else with");
            return;
        }
    };
    let program = Program::new(path, world.folder.path());
    let from = ["replay", "--from", "data/kasparro.db", "--into", "own/anew.db"];
    for command in [
        &["verify"][..],
        &["status"],
        &["runs"],
        &["sources"],
        &["quarantine", "list"],
        &["quarantine", "show", "1"],
        &from,
    ] {
        let call = program.call(&[&before[..], command].concat());
        assert_eq!(call.code, Some(0), "{command:?}: {call:?}");
        assert!(call.stdout.contains("csv") || call.stdout.contains("digest"), "{call:?}");
    }
    let written = program.call(&[&before[..], &["run", "csv"]].concat());
    assert_eq!(written.code, Some(3), "{written:?}");
    assert!(written.stderr.contains("writ"), "it says what to do: {written:?}");
    allow(&data, 0o755);
    for file in ["kasparro.db", "kasparro.db.lock"] {
        allow(&data.join(file), 0o644);
    }
}
