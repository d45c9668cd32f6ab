//! Answers that may not be given, each told from a good one: by what is wrong with it.

use std::collections::BTreeSet;

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};

use super::judge::judge;
use super::places::{Part, Place, places};
use super::{codes, settings, written};
use crate::tests::client::ADMIN_KEY;
use crate::tests::door::{Answer, Inside};
use crate::tests::examples::document;
use crate::tests::world::World;

const ID: &str = "018cc251-f400-7abc-8def-0123456789ab";
const TEXT: &str = "<b>'; DROP TABLE listing;--";

fn place(method: &str, path: &str, part: &Part) -> Place {
    let fits = |place: &Place| {
        place.operation.method == method && place.operation.path == path && place.part == *part
    };
    places(&document()).into_iter().find(fits).unwrap()
}

fn search() -> Place {
    place("GET", "/data", &Part::Query("search".to_owned()))
}

fn answer(status: u16, kind: &str, body: &Value) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", HeaderValue::from_static(ID));
    headers.insert("content-type", HeaderValue::from_str(kind).unwrap());
    Answer { status, headers, body: Bytes::from(body.to_string()) }
}

fn refused(change: impl FnOnce(&mut Value)) -> Answer {
    let mut problem = json!({
        "type": "/docs/problems#invalid_parameter", "title": "t", "status": 400, "code": "invalid_parameter",
        "detail": "d", "hint": "h", "request_id": ID, "api_latency_ms": 0.1, "errors": [],
    });
    change(&mut problem);
    answer(400, "application/problem+json", &problem)
}

fn with_header(name: &'static str, value: &'static str) -> Answer {
    let mut answer = refused(|_| ());
    answer.headers.insert(name, HeaderValue::from_static(value));
    answer
}

#[test]
fn good_answers_are_let_pass() {
    let codes = codes();
    for good in [refused(|_| ()), answer(200, "application/json", &json!({"data": [TEXT]}))] {
        judge(&search(), TEXT, &good, &codes).unwrap();
    }
    let wrote = BTreeSet::from(["submit"]);
    let runs = place("POST", "/runs", &Part::Member("/source".to_owned()));
    let taken = answer(202, "application/json", &json!({}));
    judge(&runs, TEXT, &taken, &codes).unwrap();
    written(&runs, &taken, &wrote).unwrap();
    let waits = place("GET", "/data", &Part::Header("X-Min-Generation".to_owned()));
    let late = |problem: &mut Value| {
        problem["status"] = json!(503);
        problem["code"] = json!("generation_not_reached");
    };
    judge(&waits, "99", &Answer { status: 503, ..refused(late) }, &codes).unwrap();
}

#[test]
fn each_answer_that_may_not_be_given_is_found_out() {
    let without = |member: &'static str| {
        refused(move |problem| {
            problem.as_object_mut().unwrap().remove(member);
        })
    };
    let status = |status: u16| Answer { status, ..answer(400, "text/plain", &json!("no")) };
    let failed = |code: &'static str, status: u16| {
        let told = refused(move |problem| {
            problem["status"] = json!(status);
            problem["code"] = json!(code);
        });
        Answer { status, ..told }
    };
    let mut nameless = refused(|_| ());
    nameless.headers.remove("x-request-id");
    let page =
        Answer { body: Bytes::from_static(TEXT.as_bytes()), ..answer(200, "text/html", &json!(0)) };
    let cut =
        Answer { body: Bytes::from_static(b"{"), ..answer(200, "application/json", &json!(0)) };
    let speaking = refused(|problem| problem["detail"] = json!("syntax error at or near \"DROP\""));
    for (broken, why) in [
        (status(206), "not described"),
        (status(400), "no problem+json"),
        (without("hint"), "no hint"),
        (without("errors"), "no errors"),
        (without("request_id"), "no request_id"),
        (refused(|problem| problem["status"] = json!(404)), "another status"),
        (refused(|problem| problem["code"] = json!("made_up")), "code of the problem"),
        (failed("internal_error", 500), "the server failed"),
        (failed("store_unavailable", 503), "the server failed"),
        (failed("generation_not_reached", 503), "the server failed"),
        (nameless, "another request id"),
        (with_header("location", TEXT), "tells what was sent"),
        (with_header("x-injected", "1"), "there is a header"),
        (speaking, "speaks of the inside"),
        (page, "holds what was sent"),
        (cut, "not the JSON"),
    ] {
        let told = judge(&search(), TEXT, &broken, &codes()).unwrap_err();
        assert!(told.contains(why), "{told} is not {why}");
    }
    let wrote = BTreeSet::from(["submit"]);
    let told = written(&search(), &answer(200, "application/json", &json!({})), &wrote);
    assert!(told.unwrap_err().contains("written to"));
    let runs = place("POST", "/runs", &Part::Member("/source".to_owned()));
    assert!(written(&runs, &refused(|_| ()), &wrote).unwrap_err().contains("written to"));
    let own = place("GET", "/data", &Part::Header("X-Request-ID".to_owned()));
    let told = judge(&own, "mine", &refused(|_| ()), &codes());
    assert!(told.unwrap_err().contains("not the one that was sent"));
}

/// An operation that trusts what it is sent.
async fn trusting(uri: Uri) -> axum::response::Response {
    let sent = uri.query().unwrap_or_default().to_owned();
    assert!(!sent.contains("%27"), "the text of a statement ended early");
    let mut response = StatusCode::OK.into_response();
    response.headers_mut().insert("x-search", sent.parse().unwrap());
    response
}

#[tokio::test]
async fn a_broken_operation_does_not_get_past_the_check() {
    let world = World::with_many(3).await;
    let broken = Inside::of(world, settings(), |api| {
        api.hot = false;
        api.router = Router::new().route("/data", get(trusting));
    });
    let place = Place { as_is: true, ..search() };
    for (text, why) in
        [("%27%20OR%201=1", "the server failed"), ("..%c0%af..", "tells what was sent")]
    {
        let answer = broken.ask(place.request(text, ADMIN_KEY).unwrap()).await;
        let told = judge(&place, text, &answer, &codes()).unwrap_err();
        assert!(told.contains(why), "{told} is not {why}");
    }
}
