//! A receiver of alerts on loopback that keeps what it was sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was sent in one request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case with their values.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Received {
    /// The value of a header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answers each request by its number, beginning with 1: a status line and header lines, each ended by
/// CRLF, or nothing to keep silent with the connection open.
type Answering = dyn Fn(usize) -> String + Send + Sync;

#[derive(Debug)]
pub(crate) struct AlertReceiver {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl AlertReceiver {
    pub(crate) fn start(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (kept, answer): (_, Arc<Answering>) = (Arc::clone(&received), Arc::new(answer));
        // Ends with the test process; a listener that outlives its test disturbs nobody.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &kept, answer.as_ref()));
            }
        });
        Self { url, received }
    }

    /// Answers the first requests with these statuses, and each further one with the last.
    pub(crate) fn script(statuses: &'static [&'static str]) -> Self {
        Self::start(|number| {
            let place = number.min(statuses.len());
            format!("HTTP/1.1 {}\r\nContent-Length: 0\r\n", statuses[place - 1])
        })
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Received>>, answer: &Answering) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let Some(request) = read(&mut stream) else { return };
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(request);
        kept.len()
    };
    let head = answer(number);
    if !head.is_empty() {
        let _ = write!(stream, "{head}\r\n");
    }
    if head.is_empty() || !head.contains("Content-Length: 0\r\n") {
        // Open until the sender hangs up.
        let _ = stream.read(&mut [0]);
    }
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        if !head.starts_with(b"P") {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let target = lines.next()?.strip_prefix("POST ")?.split(' ').next()?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: Vec<_> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    let request = Received { target, headers, body: String::new() };
    let mut body = vec![0; request.header("content-length").parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Received { body: String::from_utf8(body).ok()?, ..request })
}
