//! The real binary as a child process.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{PATIENCE, wait_for};

/// A program with the folder, environment and arguments of its next call. The environment of the test
/// itself does not reach it.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

/// A call that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

impl Finished {
    /// stdout as the one JSON document it must be.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[expect(clippy::panic, reason = "a test whose output is not JSON has failed")]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Program {
    /// The program at `path`, called in `folder`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, folder: &Path) -> Self {
        Self { path: path.into(), folder: folder.to_owned(), environment: BTreeMap::new() }
    }

    /// The same with one more environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(arguments).current_dir(&self.folder).env_clear().envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Calls it and waits for its end.
    ///
    /// # Panics
    /// When it cannot be started or does not end in time.
    #[must_use]
    pub fn call(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Calls it without waiting.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[expect(clippy::panic, reason = "a test without its program has failed")]
    pub fn start(&self, arguments: &[&str]) -> Server {
        let spawned = self.command(arguments).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let (sender, lines) = mpsc::channel();
        let stdout = child.stdout.take().map(|pipe| {
            std::thread::spawn(move || {
                let mut text = String::new();
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    text.push_str(&line);
                    text.push('\n');
                    // Nobody waiting for lines is fine.
                    let _ = sender.send(line);
                }
                text
            })
        });
        let stderr = child.stderr.take().map(|mut pipe| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = pipe.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Server { child, lines, stdout, stderr, url: String::new() }
    }

    /// Starts a command that listens, and closes the pipes of its output once it has said where: from
    /// then on nobody hears it.
    ///
    /// # Panics
    /// When it cannot be started or says nothing.
    #[must_use]
    #[expect(clippy::panic, reason = "a test without its server has failed")]
    pub fn serve_unheard(&self, arguments: &[&str]) -> Server {
        let spawned = self.command(arguments).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        drop(child.stderr.take());
        let mut line = String::new();
        if let Some(pipe) = child.stdout.take() {
            let _ = BufReader::new(pipe).read_line(&mut line);
        }
        let url = line.trim_end().strip_prefix("listening on ").unwrap_or_default().to_owned();
        let (_, lines) = mpsc::channel();
        let server = Server { child, lines, stdout: None, stderr: None, url };
        assert!(!server.url.is_empty(), "the first line is {line:?}");
        server
    }

    /// Starts a command that listens, and waits until it says where.
    ///
    /// # Panics
    /// When it ends or says nothing in time.
    #[must_use]
    pub fn serve(&self, arguments: &[&str]) -> Server {
        let mut server = self.start(arguments);
        server.url = server.wait_until_listening();
        server
    }
}

/// A running process, killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    /// Where it listens, for example `http://127.0.0.1:40123`; empty for a command that does not.
    pub url: String,
}

impl Server {
    #[expect(clippy::panic, reason = "a test without its server has failed")]
    fn wait_until_listening(&mut self) -> String {
        let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
            let _ = self.child.kill();
            panic!("not listening: {:?}", self.collect(None));
        };
        let json: Option<Value> = serde_json::from_str(&line).ok();
        let url = match &json {
            Some(document) => document.get("listening").and_then(Value::as_str),
            None => line.strip_prefix("listening on "),
        };
        url.unwrap_or_else(|| panic!("the first line is {line:?}")).to_owned()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends SIGSTOP: from now on it does nothing, and its connections stay.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT: it goes on as if no time had passed.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A process that is gone already needs no signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn finish(mut self) -> Finished {
        let status = wait_for("the end of the process", || self.child.try_wait().ok().flatten());
        self.collect(Some(status))
    }

    /// Sends SIGTERM and waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn stop(self) -> Finished {
        self.terminate();
        self.finish()
    }

    fn collect(&mut self, status: Option<ExitStatus>) -> Finished {
        let text = |reader: Option<JoinHandle<String>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        Finished {
            code: status.and_then(|status| status.code()),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
