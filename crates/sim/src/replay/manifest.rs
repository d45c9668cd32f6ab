//! `manifest.json`: which files there are, and at which path each is served.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;

use super::rows::RowsAt;
use super::{Capture, PLATFORM_LIST, date, normal_path};
use crate::SimError;

/// Headers that are sent as captured. Not among them are those of the captured connection, and links to
/// the vendor's own address.
const KEPT_HEADERS: [&str; 8] = [
    "cache-control",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "per-page",
    "retry-after",
    "total",
];

/// One entry; fields that are of no use here are left alone.
#[derive(Debug, Deserialize)]
struct Entry {
    file: String,
    #[serde(default)]
    endpoint: Option<String>,
    #[serde(default)]
    captured: Option<String>,
    #[serde(default)]
    shape: Option<String>,
    #[serde(default)]
    sha256_uncompressed: Option<String>,
    #[serde(default)]
    request_url: Option<String>,
    #[serde(default)]
    http_status: Option<u16>,
    #[serde(default)]
    response_headers: Option<BTreeMap<String, String>>,
}

/// Every capture that has a path, in the order of the manifest.
pub(super) fn read(folder: &Path) -> Result<Vec<Capture>, SimError> {
    let path = folder.join("manifest.json");
    let text = fs::read(&path)
        .map_err(|source| SimError::ManifestUnreadable { path: path.clone(), source })?;
    let entries: Vec<Entry> = serde_json::from_slice(&text)
        .map_err(|source| SimError::ManifestMalformed { path: path.clone(), source })?;
    let mut captures = Vec::with_capacity(entries.len());
    for entry in entries {
        let file = locate(folder, &path, &entry.file)?;
        match capture(&path, file, &entry)? {
            Some(capture) => captures.push(capture),
            None => tracing::debug!(file = entry.file, "a listed file has no path to be served at"),
        }
    }
    if captures.is_empty() {
        return Err(SimError::NothingToServe { path });
    }
    Ok(captures)
}

/// The file of an entry, which is inside the folder and can be opened.
fn locate(folder: &Path, manifest: &Path, file: &str) -> Result<PathBuf, SimError> {
    let inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside || file.is_empty() {
        let (path, file) = (manifest.to_owned(), file.to_owned());
        return Err(SimError::CaptureOutside { path, file });
    }
    let path = folder.join(file);
    let opened = File::open(&path).and_then(|open| open.metadata()).and_then(|metadata| {
        if metadata.is_file() { Ok(()) } else { Err(io::Error::other("it is not a file")) }
    });
    match opened {
        Ok(()) => Ok(path),
        Err(source) => {
            Err(SimError::CaptureMissing { manifest: manifest.to_owned(), path, source })
        }
    }
}

fn capture(manifest: &Path, file: PathBuf, entry: &Entry) -> Result<Option<Capture>, SimError> {
    let invalid = |field, value: &dyn ToString| SimError::EntryInvalid {
        path: manifest.to_owned(),
        file: entry.file.clone(),
        field,
        value: value.to_string(),
    };
    let is_csv = plain_name(&entry.file).to_ascii_lowercase().ends_with(".csv");
    let target = match (&entry.request_url, &entry.endpoint) {
        _ if is_csv => None,
        (_, Some(endpoint)) if !is_get(endpoint) => return Ok(None),
        (Some(url), _) => Some(("request_url", url.as_str())),
        (None, Some(endpoint)) => endpoint_target(endpoint).map(|target| ("endpoint", target)),
        (None, None) => None,
    };
    let (path, parameters) = match target {
        _ if is_csv => (normal_path(&format!("/csv/{}", plain_name(&entry.file))), Vec::new()),
        None => return Ok(None),
        Some((field, target)) => {
            let uri: Uri = target.parse().map_err(|_| invalid(field, &target))?;
            let Query(parameters) =
                Query::try_from_uri(&uri).map_err(|_| invalid(field, &target))?;
            (normal_path(uri.path()), parameters)
        }
    };
    let number = entry.http_status.unwrap_or(200);
    let status = StatusCode::from_u16(number).map_err(|_| invalid("http_status", &number))?;
    let in_errors = Path::new(&entry.file).components().any(|part| part.as_os_str() == "errors");
    let text = |field: &Option<String>| field.as_deref().unwrap_or_default().trim().to_owned();
    let rows = if is_csv {
        RowsAt::Csv
    } else if path == PLATFORM_LIST {
        RowsAt::Nowhere
    } else {
        RowsAt::shape(&text(&entry.shape))
    };
    Ok(Some(Capture {
        path,
        parameters,
        captured_at: date::first_date(&text(&entry.captured)),
        status,
        is_error: in_errors || !status.is_success(),
        headers: headers(entry),
        sha256: Some(text(&entry.sha256_uncompressed).to_ascii_lowercase())
            .filter(|digest| !digest.is_empty()),
        rows,
        verified: AtomicBool::new(false),
        file,
    }))
}

/// Whether a GET gets it; entries whose file is no answer to a request name no method.
fn is_get(endpoint: &str) -> bool {
    let first = endpoint.split_whitespace().next().unwrap_or_default();
    !["POST", "PUT", "PATCH", "DELETE"].contains(&first)
}

/// The path in `GET /v1/tickers?quotes=USD -> 429`; placeholders like `{id}` name no path.
fn endpoint_target(endpoint: &str) -> Option<&str> {
    let mut words = endpoint.split_whitespace();
    words.next().filter(|method| *method == "GET")?;
    let target = words.find(|word| word.starts_with('/') || word.contains("://"))?;
    Some(target.trim_end_matches(',')).filter(|target| !target.contains(['{', '}']))
}

/// A file's own name without `.gz`.
fn plain_name(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".gz").unwrap_or(name)
}

fn headers(entry: &Entry) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in entry.response_headers.iter().flatten() {
        let name = name.to_ascii_lowercase();
        // A redirect to the vendor's own address would lead the client out of the replay.
        let own_place = name == "location" && value.starts_with('/') && !value.starts_with("//");
        let header = name.parse::<HeaderName>().ok().zip(HeaderValue::from_str(value).ok());
        if let Some((name, value)) =
            header.filter(|_| own_place || KEPT_HEADERS.contains(&name.as_str()))
        {
            headers.insert(name, value);
        }
    }
    let usual = match plain_name(&entry.file).rsplit_once('.').map(|(_, kind)| kind) {
        Some("json") => "application/json",
        Some("csv") => "text/csv; charset=utf-8",
        Some("xml" | "rss" | "atom") => "application/xml",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    };
    headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(usual));
    headers
}
