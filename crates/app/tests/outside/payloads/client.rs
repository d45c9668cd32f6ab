//! A client that sends a request as it is given, over a connection that stays.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// An answer, whole unless it goes on for ever.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) struct Client {
    address: String,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// For a server at `http://HOST:PORT`.
    pub(super) fn new(url: &str) -> Self {
        Self { address: url.trim_start_matches("http://").to_owned(), connection: None }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        // Ends with the sender; what went wrong there shows in the request.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Asks, and reads the answer to its end.
    pub(super) async fn ask(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, String> {
        let host = HeaderValue::from_str(&self.address).map_err(|error| error.to_string())?;
        request.headers_mut().insert(HOST, host);
        let kept = match self.connection.take() {
            // One that the server closed meanwhile is told by this.
            Some(mut kept) => kept.ready().await.is_ok().then_some(kept),
            None => None,
        };
        let mut connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        let response = connection
            .send_request(request)
            .await
            .map_err(|error| format!("no answer: {error}"))?;
        let (parts, body) = response.into_parts();
        let goes_on = parts.headers.get(CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        let body = match goes_on {
            true => Bytes::new(),
            false => {
                let whole = body.collect().await.map_err(|error| format!("cut off: {error}"))?;
                self.connection = Some(connection);
                whole.to_bytes()
            }
        };
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}
