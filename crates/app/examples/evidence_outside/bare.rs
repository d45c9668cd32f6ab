//! A listener that takes every connection and does nothing with it, as a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// The argument by which this program listens so.
pub(crate) const NAME: &str = "bare-listener";

/// Takes connections until it is killed.
pub(crate) fn listen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut told = std::io::stdout();
    writeln!(told, "http://{}", listener.local_addr().unwrap()).unwrap();
    let mut held = Vec::new();
    for connection in listener.incoming() {
        held.push(connection);
    }
}

/// Such a process.
pub(crate) struct Bare {
    process: Child,
    pub(crate) url: String,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg(NAME)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
