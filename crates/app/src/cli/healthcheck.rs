//! `healthcheck`: one small HTTP request; of a worker, which answers none, one look into the database.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Context;
use crate::clock::SystemClock;
use crate::config::masked_text;
use crate::failure::{Exit, Failure};
use crate::wire;

/// Longest wait for the whole answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most of an answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 << 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro healthcheck                                   is the server at the configured address healthy?
  kasparro healthcheck --ready                           does it serve data that are fresh enough?
  kasparro healthcheck --url http://127.0.0.1:9000
  kasparro healthcheck --worker                          are the sources held, by a worker here or elsewhere?

--worker looks into the database, where a worker renews its leases: healthy is a machine (or container) one of
whose processes holds a source, and one where others hold every enabled source. So it tells a worker that gets at
no source nobody else holds; it cannot tell one that is stuck while others hold everything.

Exit codes: 0 healthy; 1 not healthy, or the server or database not reachable; 2 usage or configuration.")]
pub(crate) struct Arguments {
    /// Ask /readyz (data loaded and fresh) instead of /health.
    #[arg(long)]
    ready: bool,
    /// Ask the database whether a worker of this machine is at work, instead of a server.
    #[arg(long, conflicts_with_all = ["ready", "url"])]
    worker: bool,
    /// Scheme, host and port of the server; the configured address otherwise. Only http.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.worker {
        // A database that is away or has no schema is one more way not to be healthy.
        return at_work(&context).await.map_err(|failure| match failure.exit {
            Exit::Store => Failure { exit: Exit::Failed, ..failure },
            _ => failure,
        });
    }
    let base = arguments.url.unwrap_or_else(|| local_url(&context.config.server.listen));
    let path = if arguments.ready { "/readyz" } else { "/health" };
    let Some(authority) = authority(&base) else {
        return Err(Failure::new(
            Exit::Usage,
            "bad_url",
            format!("--url {} is not an http address", masked_text(&base)),
            "write for example http://127.0.0.1:8000",
        ));
    };
    let asked = tokio::time::timeout(TIMEOUT, get_status(&authority, path)).await;
    let status = match asked {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(unreachable(&base, &error.to_string())),
        Err(_) => return Err(unreachable(&base, "no answer within 5 s")),
    };
    let healthy = status == 200;
    let document = serde_json::json!({
        "ok": healthy, "url": format!("http://{authority}{path}"), "status": status,
    });
    context.output.result(&document, || {
        let word = if healthy { "healthy" } else { "not healthy" };
        format!("{word}: http://{authority}{path} answered {status}")
    })?;
    Ok(if healthy { Exit::Done } else { Exit::Failed })
}

/// Looks whether the sources are held, as this machine or others see to it.
async fn at_work(context: &Context) -> Result<Exit, Failure> {
    let config = &context.config;
    super::serve::needs_postgres("a worker", config)?;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let leases = wire::live_leases(store.as_ref()).await;
    let leases = leases.map_err(|error| Failure::store(&error, &config.database))?;
    let here = leases.values().filter(|lease| wire::of_this_machine(&lease.holder));
    let here: Vec<_> = here.map(|lease| lease.source.as_str()).collect();
    let free = config.sources.iter().filter(|source| source.runs());
    let free = free.filter(|source| !leases.contains_key(source.name.as_str()));
    let free: Vec<_> = free.map(|source| source.name.as_str()).collect();
    let healthy = !here.is_empty() || free.is_empty();
    let document = serde_json::json!({ "ok": healthy, "held_here": here, "held_by_nobody": free });
    context.output.result(&document, || {
        let word = if healthy { "healthy" } else { "not healthy" };
        let told =
            |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("{word}: held here: {}; held by nobody: {}", told(&here), told(&free))
    })?;
    Ok(if healthy { Exit::Done } else { Exit::Failed })
}

fn unreachable(base: &str, problem: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        "unreachable",
        format!("{base}: {problem}"),
        "check that `kasparro serve` runs there",
    )
}

/// The address to ask when the server listens at `listen`: an unspecified one means every interface.
fn local_url(listen: &str) -> String {
    match listen.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            let host = if address.is_ipv4() { "127.0.0.1" } else { "[::1]" };
            format!("http://{host}:{}", address.port())
        }
        _ => format!("http://{listen}"),
    }
}

fn authority(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?.trim_end_matches('/');
    let plain = !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#@\\".contains(&byte));
    let port = rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    plain.then(|| if port { rest.to_owned() } else { format!("{rest}:80") })
}

async fn get_status(authority: &str, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(authority).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\nAccept: application/json\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    let status = answer
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_address_is_asked_on_loopback() {
        assert_eq!(local_url("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(local_url("[::]:8000"), "http://[::1]:8000");
        assert_eq!(local_url("localhost:9"), "http://localhost:9");
    }

    #[test]
    fn only_plain_http_addresses_are_asked() {
        assert_eq!(authority("http://127.0.0.1:8000/").as_deref(), Some("127.0.0.1:8000"));
        assert_eq!(authority("http://example.org").as_deref(), Some("example.org:80"));
        for url in ["https://x", "http://", "http://x/y", "http://x:1\r\nA: b", "x:1"] {
            assert_eq!(authority(url), None, "{url}");
        }
    }
}
