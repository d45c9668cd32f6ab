//! What a source is checked with: its options, pages with the outcome of each row, and errors.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Observation, QuoteField, Rejection, Timestamp};
use kasparro_extract::frame::RowCutter;
use kasparro_extract::{Next, PageError, PageMeta, Request, RunStart, Source, Target};
use kasparro_sources::Entry;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The secret in every fixture's options. It must turn up nowhere else.
pub(crate) const CANARY: &str = "CANARY-KEY-0123456789";

pub(crate) type Rows = Vec<Result<Observation, Rejection>>;

/// A page and what becomes of each of its rows.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) request: Request,
    pub(crate) body: Vec<u8>,
    pub(crate) expected: Vec<Value>,
}

/// An answer that is an error.
#[derive(Deserialize)]
pub(crate) struct ErrorCase {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
    pub(crate) code: String,
    pub(crate) remedy: String,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl ErrorCase {
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after_seconds.map(Duration::from_secs)
    }
}

/// All that belongs to one source.
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) pages: Vec<Page>,
    pub(crate) errors: Vec<ErrorCase>,
}

impl Fixture {
    /// Reads `fixtures/NAME/`.
    pub(crate) fn of(entry: &Entry) -> Self {
        let name = entry.name();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
        let said = std::fs::read_to_string(folder.join("README.md")).unwrap();
        assert!(said.starts_with("Hand-made after "), "{name}: say where the fixtures come from");
        let source = entry.build(&json(&folder.join("options.json"))).unwrap();
        let mut pages = Vec::new();
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in &paths {
            let file = path.file_name().unwrap().to_str().unwrap().to_owned();
            let Some(stem) = file.strip_suffix(".expected.json") else {
                continue;
            };
            let body = paths.iter().find(|path| {
                let file = path.file_name().unwrap().to_str().unwrap();
                file.strip_suffix(".json").or_else(|| file.strip_suffix(".csv")) == Some(stem)
            });
            let body = body.unwrap_or_else(|| panic!("{name}: no body for {stem}"));
            let mut request = first_request(source.as_ref());
            if let Target::Files { pattern } = &mut request.target {
                *pattern = body.file_name().unwrap().to_str().unwrap().to_owned();
            }
            pages.push(Page {
                name: stem.to_owned(),
                request,
                body: std::fs::read(body).unwrap(),
                expected: serde_json::from_value(json(path)).unwrap(),
            });
        }
        assert!(!pages.is_empty(), "{name}: no page in its fixtures");
        let errors = serde_json::from_value(json(&folder.join("errors.json"))).unwrap();
        Self { name, source, pages, errors }
    }
}

fn json(path: &Path) -> Value {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An instant at which fixtures are read.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

/// The first request of a run without a checkpoint.
pub(crate) fn first_request(source: &dyn Source) -> Request {
    match source.first(RunStart { checkpoint: None, now: now() }) {
        Next::Ask(request) => *request,
        Next::Done => panic!("a source must ask something"),
    }
}

/// Surveys, cuts and reads a page as the engine does.
pub(crate) fn read_page(
    source: &dyn Source,
    request: &Request,
    body: &[u8],
) -> Result<Rows, PageError> {
    let context = source.survey(request, &mut { body })?;
    let described = request.describe();
    let page = PageMeta { request: &described, context: &context, fetched_at: now() };
    let mut reader = source.reader(page)?;
    let mut cutter = RowCutter::new(&source.framing(request), &context, body);
    let mut rows = Rows::new();
    while let Some(cut) = cutter.next_row().map_err(|error| error.to_page_error())? {
        rows.push(cut.row.and_then(|row| reader.read(row)));
    }
    Ok(rows)
}

/// What became of a row, in the form of the fixtures: known values only, numbers as text.
pub(crate) fn outcome(row: &Result<Observation, Rejection>) -> Value {
    let mut told: BTreeMap<&str, String> = BTreeMap::new();
    match row {
        Ok(seen) => {
            told.insert("external_id", seen.external_id.to_string());
            let texts = [("symbol", &seen.attributes.symbol), ("name", &seen.attributes.name)];
            for (name, text) in texts {
                told.extend(text.as_ref().map(|text| (name, text.to_string())));
            }
            for field in QuoteField::ALL {
                told.extend(seen.quote.get(field).map(|value| (field.name(), value.to_string())));
            }
            told.extend(seen.quote.rank.map(|rank| ("rank", rank.to_string())));
            told.extend(seen.observed_at.map(|instant| ("observed_at", instant.to_string())));
        }
        Err(rejection) => {
            told.insert("rejected", rejection.reason.code().to_owned());
            told.insert("field", rejection.field.clone());
            told.extend(rejection.external_id.clone().map(|id| ("external_id", id)));
        }
    }
    let told = told.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text)));
    Value::Object(told.collect::<Map<_, _>>())
}
