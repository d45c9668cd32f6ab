//! A client that listens, and reads what it is told as the standard says.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tests::client::{Reply, parse};

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// One block of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    pub(super) event: String,
    pub(super) id: String,
    pub(super) data: String,
    pub(super) comment: String,
}

impl Event {
    fn read(block: &str) -> Self {
        let mut event = Self::default();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap();
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "event" => event.event = value,
                "id" => event.id = value,
                "data" => event.data += &value,
                "" => event.comment = value,
                "retry" => assert_eq!(value, "2000"),
                other => panic!("{other} in {block}"),
            }
        }
        event
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    /// The generation that it ends the changes of, where it is the end of a swap.
    pub(super) fn ends(&self) -> Option<u64> {
        let generation = self.id.strip_suffix("-0").filter(|_| self.event.is_empty())?;
        Some(generation.parse().unwrap())
    }
}

/// A stream that is being read.
pub(super) struct Listener {
    stream: TcpStream,
    pub(super) head: Reply,
    /// As it came, without how it was cut into chunks.
    pub(super) text: String,
    /// How much of that was returned.
    returned: usize,
    raw: Vec<u8>,
    ended: bool,
    /// Where it would come back.
    pub(super) last_id: String,
}

impl Listener {
    /// Asks for a target with these header lines, and reads the head.
    pub(super) async fn ask(address: SocketAddr, target: &str, headers: &str) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), target, headers).await
    }

    /// The same over a connection that is there.
    async fn over(stream: TcpStream, target: &str, headers: &str) -> Self {
        Self::try_over(stream, target, headers).await.expect("a head")
    }

    /// The same; `None` where the connection ends before it has come.
    pub(super) async fn try_over(
        mut stream: TcpStream,
        target: &str,
        headers: &str,
    ) -> Option<Self> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut raw = Vec::new();
        let end = loop {
            if let Some(at) = raw.windows(4).position(|part| part == b"\r\n\r\n") {
                break at + 4;
            }
            read(&mut stream, &mut raw).await?;
        };
        let head = parse(&raw[..end]);
        raw.drain(..end);
        let (text, last_id) = (String::new(), String::new());
        Some(Self { stream, head, text, returned: 0, raw, ended: false, last_id })
    }

    /// Listens from now on: behind the greeting.
    pub(super) async fn new(address: SocketAddr, target: &str) -> Self {
        let mut listener = Self::ask(address, target, "").await;
        assert_eq!(listener.head.status, 200);
        assert_eq!(listener.next().await.event, "hello");
        listener
    }

    /// Comes back with an id.
    pub(super) async fn back(address: SocketAddr, id: &str) -> Self {
        let listener = Self::ask(address, "/stream", &format!("last-event-id: {id}\r\n")).await;
        assert_eq!(listener.head.status, 200);
        Self { last_id: id.to_owned(), ..listener }
    }

    /// The next block; `None` at the end, which has to be a clean one.
    pub(super) async fn try_next(&mut self) -> Option<Event> {
        let event = self.next_or_cut().await;
        assert!(event.is_some() || self.ended, "the connection ended within the answer");
        event
    }

    /// The next block; `None` at the end, however that came.
    pub(super) async fn next_or_cut(&mut self) -> Option<Event> {
        loop {
            let rest = &self.text[self.returned..];
            if let Some(at) = rest.find("\n\n") {
                let event = Event::read(&rest[..at]);
                self.returned += at + 2;
                if event == Event::default() {
                    continue;
                }
                if !event.id.is_empty() {
                    self.last_id.clone_from(&event.id);
                }
                return Some(event);
            }
            if self.ended {
                assert_eq!(rest, "", "an end in the middle");
                return None;
            }
            if !self.take_chunk() {
                read(&mut self.stream, &mut self.raw).await?;
            }
        }
    }

    pub(super) async fn next(&mut self) -> Event {
        self.try_next().await.expect("the stream goes on")
    }

    /// The rows that are told up to the end of a swap, by external id and price, and what the swap ends.
    pub(super) async fn swap(&mut self) -> (Vec<(String, Value)>, u64) {
        let mut rows = Vec::new();
        loop {
            let event = self.next().await;
            if let Some(generation) = event.ends() {
                return (rows, generation);
            }
            assert_eq!(event.event, "quote", "{event:?}");
            let row = event.json();
            rows.push((row["external_id"].as_str().unwrap().to_owned(), row["price_usd"].clone()));
        }
    }

    fn take_chunk(&mut self) -> bool {
        let Some(at) = self.raw.windows(2).position(|part| part == b"\r\n") else {
            return false;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..at]).unwrap(), 16);
        let (from, size) = (at + 2, size.unwrap());
        if self.raw.len() < from + size + 2 {
            return false;
        }
        self.text += std::str::from_utf8(&self.raw[from..from + size]).unwrap();
        self.raw.drain(..from + size + 2);
        self.ended = size == 0;
        true
    }
}

/// Reads something; `None` where the connection ended.
async fn read(stream: &mut TcpStream, raw: &mut Vec<u8>) -> Option<()> {
    let reading = tokio::time::timeout(PATIENCE, stream.read_buf(raw));
    let bytes = reading.await.expect("something in time").ok()?;
    (bytes > 0).then_some(())
}
