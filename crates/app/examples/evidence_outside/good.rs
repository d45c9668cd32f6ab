//! Clients that behave: one connection each, one request after the other.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How many there are.
const CLIENTS: usize = 4;

/// Time that each lets pass between two requests: they are to feel the load of others, not to make their own.
const PAUSE: Duration = Duration::from_millis(4);

/// What they ask in turn.
const PATHS: [&str; 4] =
    ["/data?limit=20", "/listings/1", "/assets/1", "/data?limit=20&sort=market_cap&order=desc"];

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
}

/// Sends one request and reads its answer to the end, over a connection that stays.
pub(crate) fn ask(connection: &mut BufReader<TcpStream>, path: &str) -> std::io::Result<u16> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: kasparro\r\n\r\n");
    connection.get_mut().write_all(head.as_bytes())?;
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(std::io::Error::other("the connection was closed"));
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        } else if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().unwrap_or_default().parse().unwrap_or(0);
        } else if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap_or(0);
        }
    }
    std::io::copy(&mut connection.take(length), &mut std::io::sink())?;
    Ok(status)
}

/// A connection of a client.
pub(crate) fn connect(address: &str) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(BufReader::new(stream))
}

/// Good clients at work.
pub(crate) struct Good {
    threads: Vec<JoinHandle<Vec<Answered>>>,
    done: Arc<AtomicBool>,
}

impl Good {
    pub(crate) fn start(address: &str) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (address, done) = (address.to_owned(), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut connection = connect(&address).unwrap();
                let mut answered = Vec::new();
                for path in PATHS.iter().cycle().skip(number) {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let at = Instant::now();
                    let status = ask(&mut connection, path).unwrap();
                    answered.push(Answered { at, took: at.elapsed() });
                    assert_eq!(status, 200, "{path}");
                    std::thread::park_timeout(PAUSE);
                }
                answered
            })
        };
        Self { threads: (0..CLIENTS).map(client).collect(), done }
    }

    /// Everything that was answered, all clients together.
    pub(crate) fn finish(self) -> Vec<Answered> {
        self.done.store(true, Ordering::SeqCst);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

/// What good clients felt.
#[derive(Debug)]
pub(crate) struct Felt {
    pub(crate) requests: usize,
    p50_ms: f64,
    pub(crate) p99_ms: f64,
    max_ms: f64,
}

impl Felt {
    pub(crate) fn of(answered: impl IntoIterator<Item = Answered>) -> Self {
        let mut took: Vec<_> = answered.into_iter().map(|answer| answer.took).collect();
        took.sort_unstable();
        let at = |share: f64| {
            let index = ((took.len().saturating_sub(1)) as f64 * share).round() as usize;
            took.get(index).map_or(f64::NAN, |took| took.as_secs_f64() * 1_000.0)
        };
        Self { requests: took.len(), p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }

    pub(crate) fn figures(&self) -> Value {
        json!({
            "requests": self.requests,
            "p50_ms": self.p50_ms,
            "p99_ms": self.p99_ms,
            "max_ms": self.max_ms,
        })
    }
}
