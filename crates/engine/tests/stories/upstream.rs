//! A tiny upstream that answers from a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers one request after the other with the bytes of its script; the last one is repeated.
pub(crate) struct Upstream {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub(crate) async fn start(script: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let heads = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&heads), Arc::clone(&script)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Heads of the requests that came in, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<VecDeque<Vec<u8>>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        head.push(byte);
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    let bytes = {
        let mut script = script.lock().unwrap();
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    // A client that hangs up early is part of some stories.
    let _ = stream.write_all(&bytes.unwrap_or_default()).await;
    let _ = stream.shutdown().await;
}

/// An answer with status, further header lines and body; its length is stated rightly.
pub(crate) fn answer_with(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// A JSON answer with status 200.
pub(crate) fn json(body: &str) -> Vec<u8> {
    answer_with("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

/// One CoinPaprika ticker, after the vendor's description, with a price given as text.
pub(crate) fn ticker(id: &str, rank: u32, price: &str, last_updated: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"{id} name","symbol":"{}","rank":{rank},"circulating_supply":0,"total_supply":9223372036854775807,"max_supply":0,"beta_value":0,"last_updated":"{last_updated}","quotes":{{"USD":{{"price":{price},"volume_24h":10.5,"market_cap":0,"percent_change_24h":-1.25}}}}}}"#,
        id.to_uppercase()
    )
}

/// A JSON array of rows.
pub(crate) fn page(rows: &[String]) -> String {
    format!("[{}]", rows.join(","))
}
