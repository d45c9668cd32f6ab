//! The process that runs a cluster, and ends it when the test process is gone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::binaries;

/// A shell that holds the reading end of a pipe whose only writing end is here: it hears of our end even
/// when we are killed, and statics that Rust never drops do not matter. (The standard library opens the
/// pipe so that no other child of the test inherits it.)
const SCRIPT: &str = include_str!("supervisor.sh");

/// One cluster's supervisor. Dropping it ends the server and removes the folder.
pub(super) struct Supervisor {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// The cluster's folder: `data`, `log` and whatever else its owner puts there.
    pub(super) folder: PathBuf,
    /// The user and group that the server runs as, where that is not the test's own.
    user: Option<(u32, u32)>,
}

impl Supervisor {
    /// Starts it and lets it create a cluster.
    pub(super) fn start() -> Result<Self, String> {
        let search_path = variable("PATH").unwrap_or_default();
        Self::of(binaries::find(&search_path), search_path)
    }

    fn of(programs: Option<PathBuf>, search_path: String) -> Result<Self, String> {
        let programs = programs.ok_or(
            "no PostgreSQL server for the tests: apt-get install postgresql, \
             or set KASPARRO_TEST_DATABASE_URL to a server where its user may create databases",
        )?;
        let user = rustix::process::geteuid().is_root().then(unprivileged).transpose()?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "supervisor"]).arg(&programs);
        // A folder that somebody chose comes first. Another user may not reach it, so the usual ones follow.
        command.args(variable("TMPDIR")).args(["/dev/shm", "/tmp", "/var/tmp"]);
        // Variables such as PGPORT would change the server.
        command.env_clear().env("PATH", search_path).env("LC_ALL", "C");
        if let Some(libraries) = variable("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        // Out of the terminal's group, and in a folder that every user can enter.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("sh: {error}"))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("sh has no stdout")?);
        let mut supervisor = Self { child, orders, answers, folder: PathBuf::new(), user };
        let folder = supervisor.answer()?;
        if folder.is_empty() {
            let user = user.map_or(String::new(), |(uid, _)| format!(" by user {uid}"));
            return Err(format!(
                "PostgreSQL for the tests has no folder: neither TMPDIR nor /tmp can be written{user}; \
                 set TMPDIR to one that can"
            ));
        }
        supervisor.folder = PathBuf::from(folder);
        supervisor.order("create")?;
        Ok(supervisor)
    }

    /// Gives an order and waits until it is carried out.
    pub(super) fn order(&mut self, order: &str) -> Result<(), String> {
        let sent = self.orders.as_mut().map(|orders| writeln!(orders, "{order}"));
        match sent {
            Some(Ok(())) if self.answer()? == "ok" => Ok(()),
            _ => Err(format!("PostgreSQL for the tests: {order} failed\n{}", self.log())),
        }
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|error| format!("the supervisor of PostgreSQL does not answer: {error}"))?;
        Ok(line.trim_end().to_owned())
    }

    /// What the server wrote.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Writes a file into the folder that only the server's user can read.
    pub(super) fn write_secret(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        use std::os::unix::fs::{OpenOptionsExt, chown};
        let path = self.folder.join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(text.as_bytes())?;
        if let Some((uid, gid)) = self.user {
            chown(&path, Some(uid), Some(gid))?;
        }
        Ok(path)
    }

    /// Adds lines to the server's settings, read at its next start.
    pub(super) fn configure(&self, lines: &str) -> std::io::Result<()> {
        let path = self.folder.join("data").join("postgresql.conf");
        std::fs::OpenOptions::new().append(true).open(path)?.write_all(lines.as_bytes())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// The user and group for a server started by root, which PostgreSQL refuses to run as.
fn unprivileged() -> Result<(u32, u32), String> {
    let id = |option: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([option, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some((id("-u", name)?, id("-g", name)?)))
        .ok_or_else(|| {
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody: \
             run the tests as another user"
                .to_owned()
        })
}

/// A variable of the test's environment.
#[expect(clippy::disallowed_methods, reason = "the environment of tests, not of the product")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The path as the settings file writes it.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::{Supervisor, quoted};

    #[test]
    fn without_a_server_one_line_says_what_to_do() {
        let Err(message) = Supervisor::of(None, String::new()) else { panic!("a server") };
        assert!(!message.contains('\n'), "{message}");
        for remedy in ["apt-get install postgresql", "KASPARRO_TEST_DATABASE_URL"] {
            assert!(message.contains(remedy), "{message}");
        }
    }

    #[test]
    fn a_quote_in_a_path_is_doubled() {
        assert_eq!(quoted("/a'b".as_ref()), "'/a''b'");
    }
}
