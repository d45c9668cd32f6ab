//! Telling a client that its connection is not served.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kasparro_domain::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::answer::RequestContext;
use crate::problem::Problem;
use crate::respond;

/// How long a client may take to read the refusal and stop sending.
const LINGER: Duration = Duration::from_secs(2);
/// What is read and thrown away meanwhile, at most.
const LINGER_BYTES: usize = 16 << 20;

/// Sends a problem as an HTTP/1.1 answer and closes. What the client still sends is read for a while:
/// closing with unread bytes would reset the connection, and the answer could be lost.
pub(super) async fn refuse(mut stream: TcpStream, problem: &Problem, clock: &dyn Clock) {
    let told = tokio::time::timeout(LINGER, async {
        let bytes = render(problem, clock).await;
        stream.write_all(&bytes).await?;
        stream.shutdown().await?;
        let mut scrap = vec![0; 64 * 1024];
        let mut thrown_away = 0;
        while thrown_away < LINGER_BYTES {
            match stream.read(&mut scrap).await? {
                0 => break,
                read => thrown_away += read,
            }
        }
        std::io::Result::Ok(())
    });
    if !matches!(told.await, Ok(Ok(()))) {
        tracing::debug!("a client left before it was told why it is not served");
    }
}

async fn render(problem: &Problem, clock: &dyn Clock) -> Vec<u8> {
    let context = RequestContext::new(None, clock);
    let (parts, body) = respond::problem(problem, &context).into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let mut out = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    for (name, value) in &parts.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(
        format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes(),
    );
    out.extend_from_slice(&body);
    out
}
