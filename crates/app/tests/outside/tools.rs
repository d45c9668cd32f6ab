//! Programs that nobody here wrote, as `tools/install` puts them below `target/tools`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Tools that `tools/install` leaves out where the machine has them.
const OF_THE_MACHINE: [&str; 2] = ["promtool", "slowhttptest"];

/// Where `tools/install` puts programs.
fn own_folders() -> Vec<PathBuf> {
    let own = root().join("target/tools");
    ["venv/bin", "node/node_modules/.bin", "bin"].map(|folder| own.join(folder)).into()
}

/// Where the machine has programs.
fn folders_of_the_machine() -> Vec<PathBuf> {
    std::env::split_paths(&variable("PATH").unwrap_or_default()).collect()
}

/// The top of the tree.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What the environment says.
#[expect(clippy::disallowed_methods, reason = "the settings of a tool, not of the program")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the tool of this name is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let mut folders = own_folders();
    if OF_THE_MACHINE.contains(&name) {
        folders.extend(folders_of_the_machine());
    }
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A tool that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// True where it ended with 0.
    pub(crate) well: bool,
    /// What it wrote on stdout and stderr.
    pub(crate) said: String,
    pub(crate) seconds: f64,
}

/// Starts a tool in `folder`, which is its home too, with nothing of our environment but `environment` and the
/// path to programs; what it says goes into `log`.
pub(crate) fn start(
    tool: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    folder: &Path,
    log: &Path,
) -> Child {
    let output = File::create(log).unwrap();
    let folders = own_folders().into_iter().chain(folders_of_the_machine());
    Command::new(tool)
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::join_paths(folders).unwrap())
        .env("HOME", folder)
        .env("LANG", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Nothing goes anywhere but to loopback.
        .env("RUNTIME__DLTHUB_TELEMETRY", "false")
        .env("REDOCLY_TELEMETRY", "off")
        .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap()
}

/// Waits for the end of a tool, which is given up after `patience`.
#[expect(clippy::disallowed_methods, reason = "polling another process, with a limit")]
pub(crate) fn wait(mut tool: Child, log: &Path, patience: Duration) -> Ended {
    let begun = Instant::now();
    let well = loop {
        if let Some(status) = tool.try_wait().unwrap() {
            break status.success();
        }
        if begun.elapsed() > patience {
            tool.kill().unwrap();
            tool.wait().unwrap();
            break false;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
    Ended { well, said, seconds: begun.elapsed().as_secs_f64() }
}
