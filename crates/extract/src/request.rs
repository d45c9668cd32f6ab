//! What a source asks for, as data.

use secrecy::SecretString;
use serde_json::{Value, json};

/// A secret that goes into one request header. It is never printed, stored or put into a URL.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The header's name, in lower case.
    pub header: &'static str,
    /// The header's value.
    pub value: SecretString,
}

/// A GET request.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Scheme, host and port without a trailing slash, for example `https://api.coinpaprika.com`.
    pub origin: String,
    /// The path, already percent-encoded, with a leading slash.
    pub path: String,
    /// Query parameters in order, not yet percent-encoded.
    pub query: Vec<(String, String)>,
    /// True where another host would hold something else: for texts at addresses that users give, as
    /// opposed to a vendor's API.
    pub origin_matters: bool,
    /// The key, where the source has one.
    pub credential: Option<Credential>,
}

/// Where the bytes come from.
#[derive(Debug, Clone)]
pub enum Target {
    /// One HTTP request.
    Http(HttpRequest),
    /// A file, or every file that a glob pattern names, in name order.
    Files {
        /// A path or glob pattern.
        pattern: String,
    },
}

/// One thing to ask for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The source's own name for what is asked, for example `tickers`.
    pub endpoint: &'static str,
    /// Where the bytes come from.
    pub target: Target,
}

impl Request {
    /// The request without secrets and without the origin, so that the same question asked of another
    /// host is the same question: `{"endpoint","path","query"}` or `{"endpoint","file"}`. Where the origin matters, it is told
    /// too.
    #[must_use]
    pub fn describe(&self) -> Value {
        match &self.target {
            Target::Http(http) => {
                let mut described =
                    json!({"endpoint": self.endpoint, "path": http.path, "query": http.query});
                if http.origin_matters
                    && let Some(members) = described.as_object_mut()
                {
                    members.insert("origin".to_owned(), http.origin.clone().into());
                }
                described
            }
            Target::Files { pattern } => json!({"endpoint": self.endpoint, "file": pattern}),
        }
    }
}
