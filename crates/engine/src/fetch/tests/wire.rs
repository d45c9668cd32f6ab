//! An upstream that sends bytes as a test writes them, and a port that nobody may connect to.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done after a request was read.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Sends the same for ever.
    Repeat(Vec<u8>),
    /// Sends the same for ever, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Keeps the connection open and sends nothing.
    Silence,
}

/// An upstream on loopback that closes each connection after its answer.
pub(super) struct Wire {
    pub(super) url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    /// Answers each request by what `answer` makes of its head.
    pub(super) async fn start(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, seen) = (Arc::new(answer), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    let steps = answer(&head);
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
                    let _ = perform(&mut stream, steps).await;
                });
            }
        });
        Self { url, heads }
    }

    /// The heads of the requests so far.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its port.
    pub(super) fn port(&self) -> &str {
        self.url.rsplit(':').next().unwrap()
    }
}

/// Reads to the blank line, or what comes before an end.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(read) if read > 0 => head.extend_from_slice(&piece[..read]),
            _ => break,
        }
        // The first bytes of a handshake are no request.
        if head.first() == Some(&0x16) {
            break;
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

async fn perform(stream: &mut TcpStream, steps: Vec<Step>) -> std::io::Result<()> {
    for step in steps {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::Wait(pause) => tokio::time::sleep(pause).await,
            Step::Repeat(bytes) => loop {
                stream.write_all(&bytes).await?;
            },
            Step::Drip(bytes, pause) => loop {
                stream.write_all(&bytes).await?;
                tokio::time::sleep(pause).await;
            },
            Step::Silence => std::future::pending().await,
        }
    }
    stream.shutdown().await
}

/// A whole answer with these header lines.
pub(super) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<Step> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    for line in headers {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

/// A port on loopback to which nothing may connect.
pub(super) struct Canary(std::net::TcpListener);

impl Canary {
    pub(super) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The system completes connections by itself, so one that was made waits here.
    pub(super) fn assert_untouched(&self, what: &str) {
        let met = self.0.accept().map_err(|error| error.kind()).map(|(_, from)| from);
        assert_eq!(met, Err(ErrorKind::WouldBlock), "{what} reached the canary");
    }
}
