//! A running simulator, and an HTTP client small enough to read: one request a connection.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use kasparro_sim::{SimSettings, Simulator};
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A simulator that serves until it is dropped.
pub(crate) struct Running {
    pub(crate) simulator: Arc<Simulator>,
    pub(crate) address: SocketAddr,
    pub(crate) serving: JoinHandle<io::Result<()>>,
    pub(crate) shutdown: CancellationToken,
    _stop_when_dropped: DropGuard,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The elements of a JSON array, byte for byte.
    pub(crate) fn rows(&self) -> Vec<&str> {
        let rows: Vec<&RawValue> = serde_json::from_slice(&self.body).unwrap();
        rows.into_iter().map(RawValue::get).collect()
    }

    /// The elements of a JSON array, parsed.
    pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) async fn start(settings: SimSettings) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = Simulator::open(settings).unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (simulator, shutdown) = (Arc::clone(&simulator), shutdown.clone());
        async move { simulator.serve(listener, shutdown).await }
    });
    let stop = shutdown.clone().drop_guard();
    Running { simulator, address, serving, shutdown, _stop_when_dropped: stop }
}

pub(crate) async fn start_with(seed: u64, coins: u32) -> Running {
    start(SimSettings { seed, coins, ..SimSettings::default() }).await
}

impl Running {
    pub(crate) async fn connect(&self, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{head}host: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Reply {
        let head = format!("{method} {target} HTTP/1.1\r\n{headers}");
        let mut stream = self.connect(&head, body).await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        read_reply(&bytes)
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, "", "").await
    }

    /// Everything that comes before the connection ends, however it ends.
    pub(crate) async fn get_raw(&self, target: &str) -> (Vec<u8>, io::Result<()>) {
        let mut stream = self.connect(&format!("GET {target} HTTP/1.1\r\n"), "").await;
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).await.map(drop);
        (bytes, ended)
    }

    /// Plays a fault plan, which has to be a good one.
    pub(crate) async fn play(&self, plan: serde_json::Value) {
        let reply = self.ask("PUT", "/_sim/faults", "", &plan.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// How often each rule fired, as the simulator tells it.
    pub(crate) async fn fired(&self) -> Vec<u64> {
        let told = self.get("/_sim/faults").await.json();
        let rules = told["rules"].as_array().unwrap();
        rules.iter().map(|rule| rule["fired"].as_u64().unwrap()).collect()
    }

    pub(crate) async fn post_step(&self, body: &str) -> Reply {
        self.ask("POST", "/_sim/step", "", body).await
    }
}

fn read_reply(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let body = if chunked { dechunk(rest) } else { rest.to_vec() };
    Reply { status, headers, body }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(rest.len());
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
