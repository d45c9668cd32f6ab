//! What the API is told at start.

use std::fmt;
use std::time::Duration;

use kasparro_domain::SourceName;
use secrecy::SecretString;

use crate::access::{Area, Pepper};

pub use crate::limits::{LimitSettings, Network};

/// The largest request target that is read, in bytes.
pub(crate) const MAX_TARGET_BYTES: usize = 8 * 1024;
/// The most lines of headers that a request may have.
pub(crate) const MAX_HEADERS: usize = 64;
/// The largest head of a request, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The largest request body that is read, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// The longest a health check waits for the database.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest an operation waits for the database: one that hangs must not gather requests.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest a request waits for the generation that it names.
pub(crate) const GENERATION_TIMEOUT: Duration = Duration::from_secs(2);

/// Settings of the API.
#[derive(Clone)]
pub struct ApiSettings {
    /// The name in the welcome.
    pub project_name: String,
    /// The label of this installation, for example `production`.
    pub environment: String,
    /// `/readyz` answers 503 once nothing was fetched for longer than this.
    pub max_staleness: Duration,
    /// Connections held open at once; more are told 503 and closed.
    pub max_connections: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long a connection is kept open between requests.
    pub idle_timeout: Duration,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// How long ending may take after shutdown was asked for, with requests under way.
    pub drain_timeout: Duration,
    /// How much of that connections are still taken for, so that those who send requests notice; at most half of it.
    pub shutdown_notice: Duration,
    /// How long answers may be used without asking again, but never beyond the next scheduled run; zero: ask
    /// each time.
    pub max_age: Duration,
    /// Origins whose pages may read answers, for example `https://wallet.example`; `*` for all.
    pub cors_origins: Vec<String>,
    /// The key under which cursors are signed. It must be the same in every process that answers the
    /// same clients, and survive a restart; the default key is no secret.
    pub cursor_key: [u8; 32],
    /// Under what keys are hashed: the same in every process that answers the same clients, as above.
    pub pepper: Pepper,
    /// A key with the scope `admin` that is in no store; only its HMAC stays in memory.
    pub admin_key: Option<SecretString>,
    /// Areas that need a key, though they are open unless told otherwise.
    pub closed: Vec<Area>,
    /// True to let requests from this machine itself read the pages of the scope `read` without a key.
    pub loopback_reads: bool,
    /// Peers that are believed when they say, in `X-Forwarded-For` or `Forwarded`, for whom they ask.
    pub trusted_proxies: Vec<Network>,
    /// How many requests clients may make.
    pub limits: LimitSettings,
    /// True where other processes may serve from the same store: all of them share the limits.
    pub shared_limits: bool,
    /// Requests under way at once; more are told 503. Health checks, metrics and keys that may operate have a few
    /// places more.
    pub max_requests: usize,
    /// Connections that one client may hold at once; 0 for no bound of its own. Trusted proxies have none.
    pub max_connections_per_client: usize,
    /// How long a stream of changes is silent at most; then it sends a comment, so that nobody on the way takes
    /// the connection for dead.
    pub stream_heartbeat: Duration,
    /// A stream whose client takes nothing for so long is closed.
    pub stream_stalled_after: Duration,
    /// Streams of changes at once; more are told 503.
    pub max_streams: usize,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            project_name: "Kasparro".to_owned(),
            environment: "development".to_owned(),
            max_staleness: Duration::from_secs(24 * 3600),
            max_connections: 8_192,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            request_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(10),
            shutdown_notice: Duration::from_secs(1),
            max_age: Duration::ZERO,
            cors_origins: Vec::new(),
            cursor_key: [0; 32],
            pepper: Pepper::of(&[]),
            admin_key: None,
            closed: Vec::new(),
            loopback_reads: false,
            trusted_proxies: Vec::new(),
            limits: LimitSettings::default(),
            shared_limits: false,
            max_requests: 1_024,
            max_connections_per_client: 512,
            stream_heartbeat: Duration::from_secs(15),
            stream_stalled_after: Duration::from_secs(30),
            max_streams: 1_024,
        }
    }
}

impl fmt::Debug for ApiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSettings")
            .field("project_name", &self.project_name)
            .field("environment", &self.environment)
            .field("max_staleness", &self.max_staleness)
            .field("max_connections", &self.max_connections)
            .field("header_timeout", &self.header_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("drain_timeout", &self.drain_timeout)
            .field("shutdown_notice", &self.shutdown_notice)
            .field("max_age", &self.max_age)
            .field("cors_origins", &self.cors_origins)
            .field("closed", &self.closed)
            .field("loopback_reads", &self.loopback_reads)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("limits", &self.limits)
            .field("shared_limits", &self.shared_limits)
            .field("max_requests", &self.max_requests)
            .field("max_connections_per_client", &self.max_connections_per_client)
            .field("stream_heartbeat", &self.stream_heartbeat)
            .field("stream_stalled_after", &self.stream_stalled_after)
            .field("max_streams", &self.max_streams)
            .finish_non_exhaustive()
    }
}

/// What the API shows of a configured source; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its name, for example `coinpaprika`.
    pub name: SourceName,
    /// Its title for people, for example `CoinPaprika`.
    pub title: String,
    /// Where its vendor documents it.
    pub documentation: String,
}
