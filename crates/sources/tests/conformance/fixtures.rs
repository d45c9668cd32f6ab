//! What a source is checked with: its options, pages with the outcome of each row, and errors.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{
    Evidence, NewsItem, Observation, QuoteField, Rejection, Statement, Timestamp,
};
use kasparro_extract::frame::RowCutter;
use kasparro_extract::{
    ErrorClass, PageError, PageMeta, PageSummary, Request, RunStart, Source, Target,
};
use kasparro_sources::Entry;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The secret in every fixture's options. It must turn up nowhere else.
pub(crate) const CANARY: &str = "CANARY-KEY-0123456789";

pub(crate) type Rows = Vec<Result<Statement, Rejection>>;

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
    pub(crate) class: String,
    pub(crate) remedy: String,
    pub(crate) retry_after_seconds: Option<u64>,
}

impl ErrorCase {
    /// The class by its name in `errors.json`.
    pub(crate) fn class(&self) -> Option<ErrorClass> {
        Some(match self.class.as_str() {
            "transient" => ErrorClass::Transient,
            "rate_limited" => ErrorClass::RateLimited,
            "plan" => ErrorClass::Plan,
            "key" => ErrorClass::Key,
            "gone" => ErrorClass::Gone,
            "other" => ErrorClass::Other,
            _ => return None,
        })
    }

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

/// The files of a fixture folder by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Reads the files of `fixtures/NAME/`.
pub(crate) fn files(name: &str) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let paths = std::fs::read_dir(&folder).unwrap_or_else(|error| {
        panic!("{name}: no fixtures in {}: {error}", folder.display());
    });
    let paths = paths.map(|entry| entry.unwrap().path());
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.map(|path| (named(&path), std::fs::read(&path).unwrap())).collect()
}

/// A page without its request.
struct Body<'a> {
    file: &'a str,
    bytes: &'a [u8],
    expected: Vec<Value>,
}

impl Fixture {
    /// The fixture of a source in the registry.
    pub(crate) fn of(entry: &Entry) -> Self {
        Self::read(entry, &files(entry.name())).unwrap_or_else(|fault| panic!("{fault}"))
    }

    /// Puts a fixture together; a fault says what is missing or too much.
    pub(crate) fn read(entry: &Entry, files: &Files) -> Result<Self, String> {
        let name = entry.name();
        let fault = |fault: String| format!("{name}: {fault}");
        let said = files.get("README.md").map(Vec::as_slice).unwrap_or_default();
        if !said.starts_with(b"Hand-made after ") {
            return Err(fault("README.md does not say where the fixtures come from".to_owned()));
        }
        let options: Value = json(files, "options.json").map_err(fault)?;
        let source = entry.build(&options).map_err(|error| fault(error.to_string()))?;
        let bodies = bodies(files).map_err(fault)?;
        let pages = pages(source.as_ref(), &bodies).map_err(fault)?;
        let errors = json(files, "errors.json").map_err(fault)?;
        Ok(Self { name, source, pages, errors })
    }

    /// Every request that runs over the fixture's pages come to.
    pub(crate) fn reachable(&self) -> Vec<Reached> {
        let body = |endpoint: &str| {
            let page = self.pages.iter().find(|page| page.request.endpoint == endpoint)?;
            Some(page.body.clone())
        };
        reachable(self.source.as_ref(), body)
    }
}

/// A request and what its page would be found to be.
pub(crate) struct Reached {
    pub(crate) request: Request,
    pub(crate) survey: Value,
}

/// The requests of a run without a checkpoint, in order, each answered with a full page.
pub(crate) fn reachable(
    source: &dyn Source,
    body: impl Fn(&str) -> Option<Vec<u8>>,
) -> Vec<Reached> {
    let start = RunStart { checkpoint: None, now: now(), values: true };
    let mut ahead = VecDeque::from(source.first(start));
    let mut reached = Vec::new();
    while let Some(request) = ahead.pop_front().filter(|_| reached.len() < 100) {
        let survey = body(request.endpoint)
            .and_then(|body| source.survey(&request, &mut body.as_slice()).ok())
            .unwrap_or_default();
        let pages = reached.len() as u64 + 1;
        let page = PageSummary { rows: 250, pages, survey: &survey };
        for following in source.next(&request, page).into_iter().rev() {
            ahead.push_front(following);
        }
        reached.push(Reached { request, survey });
    }
    reached
}

fn json<T: DeserializeOwned>(files: &Files, file: &str) -> Result<T, String> {
    let bytes = files.get(file).ok_or_else(|| format!("{file} is missing"))?;
    serde_json::from_slice(bytes).map_err(|error| format!("{file}: {error}"))
}

/// The pages by the first part of their names, each with what is expected of it.
fn bodies(files: &Files) -> Result<BTreeMap<&str, Body<'_>>, String> {
    const EXPECTED: &str = ".expected.json";
    let mut bodies = BTreeMap::new();
    for (file, bytes) in files {
        if ["README.md", "options.json", "errors.json"].contains(&file.as_str()) {
            continue;
        }
        if file.ends_with(EXPECTED) {
            continue;
        }
        let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| stem);
        let expected = json(files, &format!("{stem}{EXPECTED}"))
            .map_err(|fault| format!("page {file} cannot be checked: {fault}"))?;
        if bodies.insert(stem, Body { file, bytes, expected }).is_some() {
            return Err(format!("two pages are called {stem}"));
        }
    }
    let stems = files.keys().filter_map(|file| Some((file, file.strip_suffix(EXPECTED)?)));
    match stems.into_iter().find(|(_, stem)| !bodies.contains_key(stem)) {
        Some((file, _)) => Err(format!("{file} has no page")),
        None if bodies.is_empty() => Err("there is no page".to_owned()),
        None => Ok(bodies),
    }
}

/// The pages with the requests that bring them. They are named after the endpoints that a run reaches,
/// one each; the pages of a source with a single endpoint may have names of their own instead.
fn pages(source: &dyn Source, bodies: &BTreeMap<&str, Body<'_>>) -> Result<Vec<Page>, String> {
    let reached = reachable(source, |endpoint| Some(bodies.get(endpoint)?.bytes.to_vec()));
    let first = reached.first().ok_or_else(|| "a run asks nothing".to_owned())?;
    let own_names = reached.iter().all(|one| one.request.endpoint == first.request.endpoint)
        && !bodies.contains_key(first.request.endpoint);
    let without = reached.iter().find(|one| !bodies.contains_key(one.request.endpoint));
    if let Some(without) = without.filter(|_| !own_names) {
        return Err(format!("endpoint `{}` has no page", without.request.endpoint));
    }
    let page = |(stem, body): (&&str, &Body<'_>)| {
        let own = reached.iter().find(|reached| reached.request.endpoint == *stem);
        let asked = own.or_else(|| own_names.then_some(first));
        let asked =
            asked.ok_or_else(|| format!("page `{stem}` is no endpoint that a run reaches"))?;
        let mut request = asked.request.clone();
        if let Target::Files { pattern } = &mut request.target {
            *pattern = body.file.to_owned();
        }
        let (bytes, expected) = (body.bytes.to_vec(), body.expected.clone());
        Ok(Page { name: (*stem).to_owned(), request, body: bytes, expected })
    };
    bodies.iter().map(page).collect()
}

/// An instant at which fixtures are read.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

/// The first request of a run without a checkpoint.
pub(crate) fn first_request(source: &dyn Source) -> Request {
    let start = RunStart { checkpoint: None, now: now(), values: true };
    source.first(start).into_iter().next().unwrap_or_else(|| panic!("a source must ask something"))
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
    let mut cutter = RowCutter::new(&source.framing(request, &context), &context, body);
    let mut rows = Rows::new();
    while let Some(cut) = cutter.next_row().map_err(|error| error.to_page_error())? {
        rows.push(cut.row.and_then(|row| reader.read(row)));
    }
    Ok(rows)
}

/// What became of a row, in the form of the fixtures: known values only, numbers as text.
pub(crate) fn outcome(row: &Result<Statement, Rejection>) -> Value {
    let told = match row {
        Ok(Statement::Observation(seen)) => observed(seen),
        Ok(Statement::Evidence(evidence)) => stated(evidence),
        Ok(Statement::News(news)) => reported(news),
        Err(rejection) => {
            let mut told = BTreeMap::from([
                ("rejected", rejection.reason.code().to_owned()),
                ("field", rejection.field.clone()),
            ]);
            told.extend(rejection.external_id.clone().map(|id| ("external_id", id)));
            told
        }
    };
    let told = told.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text)));
    Value::Object(told.collect::<Map<_, _>>())
}

type Told = BTreeMap<&'static str, String>;

fn observed(seen: &Observation) -> Told {
    let mut told = Told::from([("external_id", seen.external_id.to_string())]);
    let texts = [("symbol", &seen.attributes.symbol), ("name", &seen.attributes.name)];
    for (name, text) in texts {
        told.extend(text.as_ref().map(|text| (name, text.to_string())));
    }
    for field in QuoteField::ALL {
        told.extend(seen.quote.get(field).map(|value| (field.name(), value.to_string())));
    }
    told.extend(seen.quote.rank.map(|rank| ("rank", rank.to_string())));
    told.extend(seen.observed_at.map(|instant| ("observed_at", instant.to_string())));
    told
}

fn stated(evidence: &Evidence) -> Told {
    let mut told = Told::from([("stated", evidence.external_id.to_string())]);
    let texts = [("symbol", &evidence.attributes.symbol), ("name", &evidence.attributes.name)];
    for (name, text) in texts {
        told.extend(text.as_ref().map(|text| (name, text.to_string())));
    }
    if !evidence.part.is_empty() {
        told.insert("part", evidence.part.to_string());
    }
    let contracts = evidence.contracts.iter();
    let contracts: Vec<String> =
        contracts.map(|contract| format!("{} {}", contract.platform, contract.address)).collect();
    if !contracts.is_empty() {
        told.insert("contracts", contracts.join(", "));
    }
    let others: Vec<String> = evidence.same_as.iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        told.insert("same_as", others.join(", "));
    }
    told.extend(evidence.active.map(|active| ("active", active.to_string())));
    told
}

fn reported(news: &NewsItem) -> Told {
    let mut told =
        Told::from([("item_id", news.item_id.to_string()), ("title", news.title.clone())]);
    let texts = [("link", &news.link), ("summary", &news.summary), ("author", &news.author)];
    for (name, text) in texts {
        told.extend(text.clone().map(|text| (name, text)));
    }
    told.extend(news.published_at.map(|instant| ("published_at", instant.to_string())));
    told
}
