//! What a source asks for, as data.

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::Cost;

/// A secret that goes into one request header. It is never printed or stored.
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
    /// Query parameters that are secrets, for addresses of users whose host takes keys nowhere else: sent
    /// behind `query`, and never told, printed or stored.
    pub secret_query: Vec<(String, SecretString)>,
    /// True where another host would hold something else: for texts at addresses that users give, as
    /// opposed to a vendor's API.
    pub origin_matters: bool,
    /// True where the upstream is asked for the answer only if it has changed since the last one that
    /// was loaded (`ETag`, `Last-Modified`), and one that has not changed leaves nothing to load, as for
    /// feeds. Lists are asked by their `ETag` in any case, and one that has not changed is loaded as the
    /// same page again.
    pub conditional: bool,
    /// What the request costs.
    pub cost: Cost,
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

/// What a request is for, which says how often it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Values or news: asked in every run.
    Values,
    /// What listings are: asked on the interval of the source's lists, and when a person starts the run.
    List,
}

/// One thing to ask for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The source's own name for what is asked, for example `tickers`.
    pub endpoint: &'static str,
    /// What it is for.
    pub purpose: Purpose,
    /// True where everything that the source lists has been seen once this page is loaded, after the
    /// pages before it in the run: a listing that was on none of them is missing.
    pub completes_sweep: bool,
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
