//! A tiny upstream that answers whatever a test wants, byte for byte.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What is answered to one path.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status line after `HTTP/1.1 `, for example `200 OK`.
    pub status: &'static str,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// The body as sent.
    pub body: Vec<u8>,
    /// The length that is promised; another one than the body's breaks the answer off.
    pub promised: usize,
    /// Further header lines, for example `Retry-After: 5`.
    pub headers: Vec<String>,
}

impl Reply {
    /// A JSON body with status 200.
    #[must_use]
    pub fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::of("200 OK", "application/json", body)
    }

    /// A whole answer.
    #[must_use]
    pub fn of(status: &'static str, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, content_type, promised: body.len(), body, headers: Vec::new() }
    }

    /// The same answer with one more header line.
    #[must_use]
    pub fn with_header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    /// The same answer, broken off after its first `bytes` bytes of body.
    #[must_use]
    pub fn broken_off(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }
}

type Answering = Box<dyn Fn(&str) -> Reply + Send + Sync>;

/// An HTTP server on loopback that lives as long as the value.
pub struct TinyUpstream {
    /// Where it listens, for example `http://127.0.0.1:40123`.
    pub url: String,
    answer: Arc<Mutex<Answering>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for TinyUpstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TinyUpstream").field("url", &self.url).finish_non_exhaustive()
    }
}

impl TinyUpstream {
    /// Answers every request by what `answer` makes of its target (path and query).
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its upstream has failed")]
    pub fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let upstream = Self {
            url: format!("http://{address}"),
            answer: Arc::new(Mutex::new(Box::new(answer))),
            heads: Arc::default(),
        };
        let (answer, heads) = (Arc::clone(&upstream.answer), Arc::clone(&upstream.heads));
        // Ends with the test process; a listener that outlives its test disturbs nobody.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = serve(stream, &answer, &heads);
            }
        });
        upstream
    }

    /// Answers one request after the other with these replies; the last one is repeated.
    ///
    /// # Panics
    /// When no port is free or the script is empty.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without a script has failed")]
    pub fn script(replies: impl IntoIterator<Item = Reply>) -> Self {
        let script = Mutex::new(VecDeque::from_iter(replies));
        Self::start(move |_| {
            let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
            let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
            next.expect("a reply")
        })
    }

    /// Answers otherwise from now on.
    pub fn answer(&self, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(answer);
    }

    /// The targets asked for so far.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.heads().iter().map(|head| target(head).to_owned()).collect()
    }

    /// The whole heads of the requests so far.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &Mutex<Answering>,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 65_536 {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let reply = {
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer(target(&head))
    };
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    let further: String = reply.headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(
        stream,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n{further}\r\n",
        reply.status, reply.content_type, reply.promised
    )?;
    stream.write_all(&reply.body)?;
    stream.flush()
}

/// Path and query of a request's head.
fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap_or("/")
}

/// An origin at which nothing listens.
///
/// # Panics
/// When no port is free.
#[must_use]
#[expect(clippy::expect_used, reason = "a test without a free port has failed")]
pub fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    format!("http://{address}")
}
