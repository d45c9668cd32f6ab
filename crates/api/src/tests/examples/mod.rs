//! Examples in the description of the API: they are what is answered, and they are right.

mod asked;
mod described;
mod recorder;
pub(super) mod story;

use serde_json::{Map, Value};

use super::client::ADMIN_KEY;
use super::keyed::{ask, unlimited, with_key};
use super::world::serve;
use crate::key_id_of;
use crate::openapi::{self, examples};

/// Where the examples are kept.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/openapi/examples.json");

pub(super) fn document() -> Value {
    serde_json::from_str(&openapi::openapi_json()).unwrap()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

/// Every operation of the document: `get`, `/data`, and what is said of it.
pub(super) fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = members(&document["paths"]);
    paths
        .flat_map(|(path, item)| members(item).map(move |(method, it)| (method, path, it)))
        .collect()
}

/// Every body that the document describes: where it stands, and what is said of it.
fn bodies(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (method, path, operation) in operations(document) {
        found.push((format!("{method} {path}"), &operation["requestBody"]));
        let answers = members(&operation["responses"]);
        found.extend(answers.map(|(status, answer)| (format!("{method} {path} {status}"), answer)));
    }
    let shared = members(&document["components"]["responses"]);
    found.extend(shared.map(|(name, answer)| (name.to_owned(), answer)));
    let contents = found.into_iter().flat_map(|(place, body)| {
        let contents = members(&body["content"]);
        contents.map(move |(media, content)| (format!("{place} {media}"), content))
    });
    contents.collect()
}

#[tokio::test]
async fn examples_are_what_is_answered() {
    let made = recorder::record().await;
    let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
    #[expect(
        clippy::disallowed_methods,
        reason = "a test may be asked to write its expectation anew"
    )]
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap();
    let differs = kept.lines().zip(text.lines()).enumerate().find(|(_, (kept, made))| kept != made);
    assert!(
        kept == text,
        "examples.json is out of date ({differs:?}): run this test with UPDATE_OPENAPI=1, then the one of \
         openapi.json, in which they stand"
    );
}

#[test]
fn every_body_and_parameter_of_the_description_has_an_example() {
    let document = document();
    for (place, content) in bodies(&document) {
        assert!(content.get("example").is_some(), "{place}");
    }
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let has_one = parameter.get("example").is_some() || parameter["in"] == "header";
            assert!(has_one, "{method} {path} {parameter}");
        }
    }
}

#[test]
fn every_example_is_as_its_schema_describes_it() {
    let document = document();
    let mut wrong = Vec::new();
    for (place, content) in bodies(&document) {
        let fits = described::fits(&document, &content["schema"], &content["example"]);
        wrong.extend(fits.err().map(|why| format!("{place}: {why}")));
    }
    for (method, path, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let Some(example) = parameter.get("example") else { continue };
            let fits = described::fits(&document, &parameter["schema"], example);
            wrong.extend(
                fits.err().map(|why| format!("{method} {path} {}: {why}", parameter["name"])),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_example_of_a_query_is_taken_by_its_operation() {
    let story = story::story().await;
    let served = serve(story.world.api(unlimited())).await;
    let document = document();
    for (_, path, operation) in operations(&document).iter().filter(|(method, ..)| *method == "get")
    {
        let of = |kind: &str| {
            let all = operation["parameters"].as_array().into_iter().flatten();
            let chosen: Vec<_> = all.filter(|it| it["in"] == kind).cloned().collect();
            chosen
                .into_iter()
                .map(|it| (it["name"].as_str().unwrap().to_owned(), plain(&it["example"])))
        };
        let path = of("path").fold((*path).to_owned(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), &value)
        });
        for (name, value) in of("query") {
            let rest = match name.as_str() {
                "run1_id" | "run_id_1" => format!("&run2_id={}", story.second_run),
                "run2_id" | "run_id_2" => format!("&run1_id={}", story.first_run),
                _ => String::new(),
            };
            let value =
                percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
            let target = format!("{path}?{name}={value}{rest}");
            let reply = ask(served.address, "GET", &target, &with_key(ADMIN_KEY), "").await;
            assert!([200, 202].contains(&reply.status), "{target}: {}", reply.body);
        }
    }
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[test]
fn no_example_holds_a_key() {
    let recorded = serde_json::to_value(examples::recorded()).unwrap();
    let made =
        recorded.pointer("/operations/POST ~1keys/answers/201/application~1json/key").unwrap();
    assert_eq!(made, recorder::NO_KEY, "one that no server takes");
    assert_eq!(key_id_of(recorder::NO_KEY), None);
    let text = recorded.to_string().replace(recorder::NO_KEY, "");
    assert!(!text.contains(crate::KEY_PREFIX) && !text.contains(ADMIN_KEY));
}
