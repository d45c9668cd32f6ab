//! What becomes of a result that nobody can take.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::world::World;

/// The exit code and stderr of a call whose stdout goes to `stdout`.
fn call_into(world: &World, arguments: &[&str], stdout: Stdio) -> (Option<i32>, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_kasparro"))
        .args(arguments)
        .current_dir(world.folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    for arguments in
        [&["status"][..], &["runs", "--json"], &["config", "print"], &["verify"], &["--help"]]
    {
        // Every write to this device fails as on a full disk.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let (code, stderr) = call_into(&world, arguments, full.into());
        assert_eq!(code, Some(1), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_failure() {
    let world = World::new();
    assert_eq!(world.call(&["run", "csv"]).code, Some(0));
    for arguments in [&["status"][..], &["config", "print"], &["verify", "--json"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (code, stderr) = call_into(&world, arguments, writer.into());
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}
