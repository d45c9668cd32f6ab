//! Captured bodies in place of generated ones: per path in order of capture date, the next one at each
//! step, byte for byte.

mod date;
mod manifest;
pub(crate) mod rows;
mod select;
mod send;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::SimError;
use crate::answer::{Answer, Ask, Content, Rows, Validator};
use crate::http::{Reply, ReplyBody};
use crate::replay::rows::RowsAt;
pub(crate) use crate::replay::send::{send, whole};

const JSON: &str = "application/json; charset=utf-8";

/// One captured answer: what was asked, what came with it, and where its bytes are.
#[derive(Debug)]
pub(crate) struct Capture {
    file: PathBuf,
    /// As [`normal_path`] writes it.
    path: String,
    /// Parameters of the captured request, decoded.
    parameters: Vec<(String, String)>,
    captured_at: Option<Timestamp>,
    status: StatusCode,
    /// An error of the vendor, which never stands in for data.
    is_error: bool,
    headers: HeaderMap,
    /// Of the uncompressed bytes, in hexadecimal.
    sha256: Option<String>,
    rows: RowsAt,
    /// Its bytes were found to be those of the manifest.
    verified: AtomicBool,
}

/// What a replay says to a request.
pub(crate) enum Replayed {
    /// A captured answer.
    Capture(Reply),
    /// What stands in for one that there is not.
    Otherwise(Answer),
}

/// The captures of a folder.
#[derive(Debug)]
pub(crate) struct Replay {
    /// By path, and each in order of capture date.
    paths: BTreeMap<String, Vec<Arc<Capture>>>,
}

impl Replay {
    /// Reads `folder/manifest.json` and looks for every file that it lists.
    pub(crate) fn open(folder: &Path) -> Result<Self, SimError> {
        let captures = manifest::read(folder)?;
        let count = captures.len();
        let mut paths = BTreeMap::<String, Vec<Arc<Capture>>>::new();
        for capture in captures {
            paths.entry(capture.path.clone()).or_default().push(Arc::new(capture));
        }
        for captures in paths.values_mut() {
            captures.sort_by_key(|capture| capture.captured_at);
            if captures.iter().any(|capture| !capture.is_error) {
                captures.retain(|capture| !capture.is_error);
            }
        }
        tracing::info!(folder = %folder.display(), captures = count, paths = paths.len(), "captures are replayed");
        Ok(Self { paths })
    }

    /// The capture that answers, or what to say without one.
    pub(crate) fn answer(&self, ask: &Ask) -> Replayed {
        let path = normal_path(&ask.path);
        let captures = self.paths.get(&path).map(Vec::as_slice);
        let Some(capture) = select::select(captures.unwrap_or_default(), ask) else {
            return Replayed::Otherwise(not_captured(&path, captures));
        };
        if let Err(reason) = capture.verify() {
            tracing::error!(file = %capture.file.display(), reason, "a capture cannot be served");
            let message =
                format!("the capture {} cannot be served: {reason}", capture.file.display());
            return Replayed::Otherwise(Answer::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                JSON,
                &message,
            ));
        }
        Replayed::Capture(Reply {
            status: capture.status,
            headers: capture.headers.clone(),
            by_date: true,
            body: ReplyBody::Capture(Arc::clone(capture)),
        })
    }
}

impl Capture {
    /// Reads the file once from end to end, before the first of its bytes is sent.
    fn verify(&self) -> Result<(), String> {
        if self.verified.load(Ordering::Acquire) {
            return Ok(());
        }
        let found =
            send::sha256(&self.file).map_err(|error| format!("it cannot be read: {error}"))?;
        if let Some(wanted) = self.sha256.as_deref().filter(|wanted| **wanted != found) {
            return Err(format!(
                "its SHA-256 is {found}, the manifest's sha256_uncompressed is {wanted}"
            ));
        }
        self.verified.store(true, Ordering::Release);
        Ok(())
    }
}

/// What a path without a capture for this request answers: of a list a page without rows.
fn not_captured(path: &str, captures: Option<&[Arc<Capture>]>) -> Answer {
    let pages = captures.is_some_and(|captures| captures.iter().any(|capture| !capture.is_error));
    if !path.starts_with("/csv/") && (pages || is_list(path)) {
        return Answer {
            status: StatusCode::OK,
            content_type: JSON,
            cache_control: None,
            validator: Validator::None,
            content: Content::Rows(Rows::json(std::iter::empty(), |_, _, _| {})),
        };
    }
    let message = format!("not found: the replayed folder has no capture of {path}");
    Answer::error(StatusCode::NOT_FOUND, JSON, &message)
}

/// The vendors' lists that a sweep asks for, captured or not.
fn is_list(path: &str) -> bool {
    const LISTS: [&str; 5] =
        ["/api/v3/coins/markets", "/api/v3/coins/list", "/v1/tickers", "/v1/coins", PLATFORM_LIST];
    let platform = path.strip_prefix("/v1/contracts/").is_some_and(|rest| !rest.contains('/'));
    LISTS.contains(&path) || platform
}

/// Lists platform ids, which are no rows.
const PLATFORM_LIST: &str = "/v1/contracts";

/// A decoded path without doubled and trailing slashes, which the vendors overlook too.
fn normal_path(path: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let mut normal = String::with_capacity(decoded.len());
    for part in decoded.split('/').filter(|part| !part.is_empty()) {
        normal.push('/');
        normal.push_str(part);
    }
    normal
}
