//! What the API is told at start.

use std::fmt;
use std::time::Duration;

use kasparro_domain::SourceName;

/// The largest request target that is read, in bytes.
pub(crate) const MAX_TARGET_BYTES: usize = 8 * 1024;
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
    /// How long requests under way may go on after shutdown was asked for.
    pub drain_timeout: Duration,
    /// The key under which cursors are signed. It must be the same in every process that answers the
    /// same clients, and survive a restart; the default key is no secret.
    pub cursor_key: [u8; 32],
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
            cursor_key: [0; 32],
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
