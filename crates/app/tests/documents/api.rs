//! Endpoints, parameters and headers.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_testkit::{SimulatedUpstream, get};
use serde_json::Value;

use crate::{code, documents, product_sources, read, spans};

/// What every program here listens on, in the documents.
const HERE: &str = "http://127.0.0.1:8000";

/// Places of a file system, which look like paths of a server.
const FILES: [&str; 3] = ["/etc/", "/run/", "/var/"];

/// The documents that speak of paths of other servers; what they say of ours is a part of others too.
const OF_UPSTREAMS: [&str; 3] = ["SIMULATOR.md", "IDENTITY.md", "SCALING.md"];

/// The document whose calls are sent one by one by a story.
const SENT: &str = "SWITCHING.md";

/// The query parameters of every path.
struct Described(BTreeMap<String, BTreeSet<String>>);

impl Described {
    fn read() -> Self {
        let described: Value = serde_json::from_str(&read("crates/api/openapi.json")).unwrap();
        let paths = described["paths"].as_object().unwrap().iter().map(|(path, operations)| {
            let parameters = operations
                .as_object()
                .unwrap()
                .values()
                .flat_map(|operation| operation["parameters"].as_array().into_iter().flatten())
                .filter(|parameter| parameter["in"] == "query")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned());
            (path.clone(), parameters.collect())
        });
        Self(paths.collect())
    }

    /// The parameters of a path, as a client or a person writes it.
    fn path(&self, asked: &str) -> Option<&BTreeSet<String>> {
        let asked = asked.strip_prefix("/api/v1").filter(|rest| rest.len() > 1).unwrap_or(asked);
        let asked: Vec<&str> = asked.trim_end_matches('/').split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.trim_end_matches('/').split('/').collect();
            template.len() == asked.len()
                && template
                    .iter()
                    .zip(&asked)
                    .all(|(one, other)| one == other || (one.starts_with('{') && !other.is_empty()))
        };
        self.0.iter().find(|(template, _)| fits(template)).map(|(_, parameters)| parameters)
    }

    /// What is wrong with a path and a query.
    fn fault(&self, target: &str) -> Option<String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if ["", "/api/v1"].contains(&path.trim_end_matches('/')) {
            return None;
        }
        let Some(parameters) = self.path(path) else { return Some(format!("no path {path}")) };
        let mut names = query.split('&').filter_map(|pair| pair.split('=').next());
        let unknown = names.find(|name| !name.is_empty() && !parameters.contains(*name));
        unknown.map(|name| format!("{path} has no parameter {name}"))
    }
}

/// Paths with their queries that stand as code in a text: whole addresses, and spans that are a path.
fn targets(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in code(text) {
        for (at, _) in line.match_indices(HERE) {
            let rest = &line[at + HERE.len()..];
            let end = rest.find(|c: char| c.is_whitespace() || "'\"`)".contains(c));
            let target = &rest[..end.unwrap_or(rest.len())];
            if target.starts_with('/') {
                found.insert(target.to_owned());
            }
        }
    }
    for span in spans(text) {
        let (method, rest) = span.split_once(' ').unwrap_or(("", span));
        let target = if ["GET", "POST", "HEAD", "OPTIONS"].contains(&method) { rest } else { span };
        if target.starts_with('/') {
            found.insert(target.split(' ').next().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn every_path_and_parameter_in_a_document_is_described() {
    let described = Described::read();
    let mut seen = 0;
    for (path, text) in documents() {
        if OF_UPSTREAMS.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for target in targets(&text) {
            let sent = path.ends_with(SENT);
            if sent || FILES.iter().any(|place| target.starts_with(place)) {
                continue;
            }
            seen += 1;
            assert_eq!(described.fault(&target), None, "{path}: {target}");
        }
    }
    assert!(seen >= 50, "{seen} paths were found");
}

#[test]
fn a_path_or_parameter_that_is_not_described_is_found() {
    let text = "Ask `/datas` or `GET /data?limits=5`.\n```sh\ncurl 'http://127.0.0.1:8000/runs/x/y'\n```\n\
                `/listings/17/history?from=1` `/api/v1/data/` `/`";
    let described = Described::read();
    let faults: Vec<_> = targets(text).iter().filter_map(|it| described.fault(it)).collect();
    let expected =
        ["/data has no parameter limits", "no path /datas", "no path /runs/x/y"].map(str::to_owned);
    assert_eq!(faults, expected);
}

#[test]
fn every_path_that_is_described_stands_in_a_document() {
    let texts: Vec<String> = documents().into_values().collect();
    let named: BTreeSet<&str> = texts.iter().flat_map(|text| spans(text)).collect();
    let Described(paths) = Described::read();
    let missing: Vec<_> = paths.keys().filter(|path| !named.contains(path.as_str())).collect();
    assert!(missing.is_empty(), "no document names {missing:?}");
}

#[test]
fn every_path_of_the_simulator_in_its_document_answers() {
    let upstream = SimulatedUpstream::start(1, 20);
    let text = read("docs/SIMULATOR.md");
    let mut asked = 0;
    for span in spans(&text) {
        let path = span.strip_prefix("GET ").unwrap_or(span);
        let known = ["/api/v3/", "/v1/", "/csv/", "/feed/", "/_sim/"];
        if !known.iter().any(|start| path.starts_with(start)) || path.contains('*') {
            continue;
        }
        asked += 1;
        let path = path.replace("PLATFORM", "eth-ethereum");
        let status = get(&format!("{}{path}", upstream.url)).unwrap().status;
        assert_ne!(status, 404, "{path}");
    }
    assert!(asked >= 10, "{asked} paths were found");
}

/// True for a name of a header: words that begin with a capital, joined by hyphens.
fn header(span: &str) -> Option<&str> {
    let name = span.split(": ").next()?;
    let known = name.len() > 3
        && name.contains('-')
        && name.split('-').all(|word| word.starts_with(|c: char| c.is_ascii_uppercase()))
        && name.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
        && name.chars().any(|c| c.is_ascii_lowercase());
    known.then_some(name)
}

/// The first column of the table with this heading.
fn column(text: &str, heading: &str) -> BTreeSet<String> {
    let table = text.split(&format!("\n| {heading} |")).nth(1).unwrap_or_default();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_header_in_a_document_is_known_to_the_program() {
    let sources = product_sources().join("\n");
    let mut seen = 0;
    for (path, text) in documents() {
        // What other servers send stands there.
        let names = spans(&text).into_iter().filter_map(header);
        for name in names.filter(|_| !path.ends_with("SIMULATOR.md")) {
            seen += 1;
            let literal = format!("\"{}\"", name.to_ascii_lowercase());
            let constant = name.to_ascii_uppercase().replace('-', "_");
            let read = sources.contains(&literal)
                || sources.contains(&format!("\"{name}\""))
                || sources
                    .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .any(|word| word == constant);
            assert!(read, "{path}: {name}");
        }
    }
    assert!(seen >= 30, "{seen} headers were found");
}

#[test]
fn every_header_that_requests_may_have_stands_in_the_document() {
    let text = read("docs/API.md");
    let told: BTreeSet<String> =
        column(&text, "request header").iter().map(|name| name.to_ascii_lowercase()).collect();
    assert!(told.len() >= 10, "{told:?}");
    // Pages of other sites may send what is allowed to them, and the description has what belongs to it.
    let cors = read("crates/api/src/cors.rs");
    let allowed = cors.split("REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(").nth(1);
    let allowed = allowed.unwrap().split(')').next().unwrap();
    let allowed = allowed.replace(['"', '\\', '\n', ' '], "");
    let described: Value = serde_json::from_str(&read("crates/api/openapi.json")).unwrap();
    let operations = described["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|path| path.as_object().unwrap().values());
    let parameters = operations.flat_map(|one| one["parameters"].as_array().into_iter().flatten());
    let described = parameters
        .filter(|parameter| parameter["in"] == "header")
        .map(|parameter| parameter["name"].as_str().unwrap().to_ascii_lowercase());
    let read: BTreeSet<String> = allowed
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .chain(described)
        .collect();
    assert!(read.len() >= 8, "{read:?}");
    // What a body is like belongs to every request that has one.
    let missing: Vec<_> =
        read.iter().filter(|name| !told.contains(*name) && *name != "content-type").collect();
    assert!(missing.is_empty(), "docs/API.md does not name {missing:?}");
}
