//! `docs/SWITCHING.md` is true: every call and setting of older services that it lists works as it says.

use std::collections::BTreeMap;

use kasparro_testkit::{HttpAnswer, Program, Server, send};
use serde_json::Value;

use crate::keys::{create, seen_within_two_seconds};
use crate::world::{World, get_as, simulator, wait_until_loaded};

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SWITCHING.md");
    std::fs::read_to_string(path).unwrap()
}

/// The rows of every table whose first heading is this one, as their cells.
fn rows(document: &str, heading: &str) -> Vec<Vec<String>> {
    let first = format!("\n| {heading} |");
    let tables = document.split(&first).skip(1);
    let rows =
        tables.flat_map(|table| table.lines().skip(2).take_while(|line| line.starts_with('|')));
    rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().trim_matches('|').trim().to_owned()).collect()
    })
    .collect()
}

/// What stands between backticks.
fn spans(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A call of the document.
#[derive(Debug)]
struct OldCall {
    method: String,
    path: String,
    query: String,
    body: String,
    key: String,
    status: u16,
    members: Vec<String>,
}

impl OldCall {
    fn read(cells: &[String], runs: &[String; 2]) -> Self {
        let filled = |text: &str| text.replace("RUN1", &runs[0]).replace("RUN2", &runs[1]);
        let call = filled(spans(&cells[0])[0]);
        let mut words = call.splitn(3, ' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, format!("?{query}")),
            None => (target, String::new()),
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            body: words.next().unwrap_or_default().to_owned(),
            key: cells[1].clone(),
            status: cells[2].parse().unwrap(),
            members: cells
                .get(3)
                .map(|cell| spans(cell))
                .unwrap_or_default()
                .into_iter()
                .map(filled)
                .collect(),
        }
    }

    /// The target as it may be written: with and without prefix and slash.
    fn targets(&self) -> Vec<String> {
        let Self { path, query, .. } = self;
        let path = path.trim_end_matches('/');
        let paths = [
            path.to_owned(),
            format!("{path}/"),
            format!("/api/v1{path}"),
            format!("/api/v1{path}/"),
        ];
        paths.into_iter().filter(|path| !path.is_empty()).map(|path| path + query).collect()
    }

    fn send(&self, server: &Server, target: &str, keys: &BTreeMap<&str, String>) -> HttpAnswer {
        let mut headers = vec![("Content-Type", "application/json")];
        if self.body.is_empty() {
            headers.clear();
        }
        if self.key != "none" {
            headers.push(("X-API-Key", keys[self.key.as_str()].as_str()));
        }
        send(&self.method, &format!("{}{target}", server.url), &headers, &self.body).unwrap()
    }
}

/// The values at a path: `a.b`, and `a[].b` for those of every entry of a list that is not empty.
fn values<'a>(body: &'a Value, path: &str) -> Result<Vec<&'a Value>, String> {
    let mut found = vec![body];
    for step in path.split('.') {
        let (name, list) = match step.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (step, false),
        };
        let mut next = Vec::new();
        for value in found {
            let member = value.get(name).ok_or_else(|| format!("{name} of {path} is missing"))?;
            match member.as_array().filter(|_| list) {
                Some(entries) if entries.is_empty() => return Err(format!("{name} is empty")),
                Some(entries) => next.extend(entries),
                None if list => return Err(format!("{name} is no list")),
                None => next.push(member),
            }
        }
        found = next;
    }
    Ok(found)
}

/// What is wrong with a member as the document names it: a path, or a path with the value there.
fn fault(body: &Value, member: &str) -> Option<String> {
    let (path, expected) = match member.split_once(" = ") {
        Some((path, expected)) => (path, Some(expected)),
        None => (member, None),
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match values(body, path) {
        Err(fault) => Some(fault),
        Ok(values) => expected.and_then(|expected| {
            let other = values.into_iter().map(text).find(|value| value != expected)?;
            Some(format!("{path} is {other}, not {expected}"))
        }),
    }
}

#[test]
fn every_call_of_older_services_is_answered_as_the_document_says() {
    let upstream = simulator(40);
    let feed = format!("{}/feed/rss.xml", upstream.url);
    let world = World::new()
        .upstream(&upstream.url)
        .with("KASPARRO_SOURCES__FEED__URLS", &feed)
        .nothing_by_itself();
    for source in ["csv", "csv", "coinpaprika", "coingecko", "feed"] {
        assert_eq!(world.call(&["run", source]).code, Some(0), "{source}");
    }
    let server = world.serve();
    wait_until_loaded(&server);
    let mut keys = BTreeMap::new();
    for scope in ["read", "operate", "admin"] {
        let (key, _) = create(&|arguments| world.call(arguments), scope);
        seen_within_two_seconds(&[&server], &key, 200);
        keys.insert(scope, key);
    }
    let listed = get_as(&keys["read"], &format!("{}/runs?source=csv", server.url)).unwrap().json();
    let run = |number: usize| listed["data"][number]["run_id"].as_str().unwrap().to_owned();
    let runs = [run(0), run(1)];

    let document = document();
    let calls: Vec<_> =
        rows(&document, "call").iter().map(|row| OldCall::read(row, &runs)).collect();
    assert!(calls.len() >= 45, "{} calls were found", calls.len());
    let mut wrong = Vec::new();
    for call in &calls {
        for target in call.targets() {
            let answer = call.send(&server, &target, &keys);
            let what = format!("{} {target} {}", call.method, call.body);
            if answer.status != call.status {
                wrong.push(format!("{what}: {} {}", answer.status, answer.text()));
                continue;
            }
            let body = answer.json();
            let faults = call.members.iter().filter_map(|member| fault(&body, member));
            wrong.extend(faults.map(|fault| format!("{what}: {fault}")));
            let own = target.contains("openapi.json") || body.is_null();
            if answer.status < 300 && !own && !body["request_id"].is_string() {
                wrong.push(format!("{what}: no request_id"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn every_setting_of_older_services_is_taken_as_the_document_says() {
    let document = document();
    let rows = rows(&document, "variable");
    let folder = tempfile::tempdir().unwrap();
    assert!(rows.len() >= 12, "{} settings were found", rows.len());
    for row in rows {
        let (name, value) = spans(&row[0])[0].split_once('=').unwrap();
        let setting = spans(&row[1])[0];
        // Alone, since what other stories set is stronger than some of them.
        let program = Program::new(env!("CARGO_BIN_EXE_kasparro"), folder.path()).with(name, value);
        let printed = program.call(&["config", "print", "--json"]);
        assert_eq!(printed.code, Some(0), "{name}: {printed:?}");
        assert_eq!(printed.json()["values"][setting]["origin"], name, "{setting}");
    }
}

#[test]
fn a_call_that_the_document_has_wrong_is_found() {
    let table = "\n| call | key | status | members |\n|---|---|---|---|\n\
                 | `GET /a?b=RUN2` | none | 200 | `data[].x = 1` `y` |\n| `POST /c {\"d\":1}` | read | 202 | |\n\nx";
    let rows = rows(table, "call");
    let runs = ["one".to_owned(), "two".to_owned()];
    let [first, second] = [&rows[0], &rows[1]].map(|row| OldCall::read(row, &runs));
    assert_eq!(first.targets(), ["/a?b=two", "/a/?b=two", "/api/v1/a?b=two", "/api/v1/a/?b=two"]);
    assert_eq!(first.members, ["data[].x = 1", "y"]);
    assert_eq!((second.body.as_str(), second.status, second.members.len()), ("{\"d\":1}", 202, 0));
    let body = serde_json::json!({"data": [{"x": 1}, {"x": 2}], "y": null, "empty": []});
    assert_eq!(fault(&body, "y"), None);
    for member in ["data[].x = 1", "data[].z", "empty[].x", "y[].x", "data.x"] {
        assert!(fault(&body, member).is_some(), "{member}");
    }
}
