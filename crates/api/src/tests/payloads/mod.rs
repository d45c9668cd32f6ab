//! What attackers send, at every place where something can be sent.
//!
//! `cargo test` asks with a share, in which every text comes at some places and every place gets some texts. With
//! `KASPARRO_ALL_PAYLOADS=1` every text comes at every place: half a million requests. Texts, places and what is
//! judged are also those of the tests that ask the program over the stores that it has.

mod judge;
mod places;
mod texts;
mod twins;

use std::collections::BTreeSet;

use http::Method;
use kasparro_store::AuditStore as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::client::{ADMIN_KEY, parse, send};
use super::door::{Answer, Inside};
use super::examples::story::story;
use super::examples::{document, operations};
use super::keyed::unlimited;
use super::world::World;
use crate::ApiSettings;
use crate::problem::Code;
use judge::{Codes, ensure, judge};
use places::{HEADERS, Part, Place, places};
use texts::texts;

/// The order of the texts in a share; another one asks other texts at other places.
const SEED: u64 = 20_240_101;
/// Texts at each place in a share.
const SHARE: usize = 8;
/// After so many requests the next world is begun: what valid requests leave behind makes the store slow.
const REQUESTS_PER_WORLD: usize = 600;

/// Settings under which every header that is sent is also looked at.
fn settings() -> ApiSettings {
    ApiSettings {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        cors_origins: vec!["https://wallet.example".to_owned()],
        ..unlimited()
    }
}

async fn inside() -> (Inside, String) {
    let inside = Inside::of(story().await.world, settings(), |_| ()).tended().await;
    let digest = digest(&inside.world).await;
    (inside, digest)
}

async fn digest(world: &World) -> String {
    world.kept.verify().await.unwrap().digest
}

fn codes() -> Codes {
    Code::ALL.iter().map(|code| (code.name().to_owned(), code.status().as_u16())).collect()
}

/// Only who may change something has made the store write, by these calls.
fn written(place: &Place, answer: &Answer, writes: &BTreeSet<&'static str>) -> Result<(), String> {
    let operation = &place.operation;
    let changes = operation.method == Method::POST || operation.path == "/trigger-etl";
    let done = answer.status < 300;
    // What was found under a name is kept for as long as the name is.
    let named = place.part == Part::Header("Idempotency-Key".to_owned())
        && [404, 409, 422].contains(&answer.status)
        && writes.iter().all(|call| *call == "submit_once");
    let allowed = writes.is_empty() || (changes && (done || named));
    ensure(allowed, format!("the store was written to: {writes:?}"))
}

#[expect(clippy::disallowed_methods, reason = "how much a test asks is for whoever runs it")]
pub(super) fn all() -> bool {
    std::env::var_os("KASPARRO_ALL_PAYLOADS").is_some_and(|it| it == "1")
}

// Waiting takes no time here: some requests wait for a generation or for somebody who works on their commands.
#[tokio::test(start_paused = true)]
async fn i8_no_payload_at_any_place_breaks_an_answer_or_changes_what_is_stored() {
    let mut texts = texts();
    texts.shuffle(&mut StdRng::seed_from_u64(SEED));
    let share = if all() { texts.len() } else { SHARE };
    let mut next = texts.iter().cycle();
    let (mut inside, mut before) = inside().await;
    let codes = codes();
    let (mut asked, mut wrong) = (0_usize, Vec::new());
    for place in places(&document()) {
        for (kind, text) in next.by_ref().take(share) {
            let Some(request) = place.request(text, ADMIN_KEY) else { continue };
            let answer = inside.ask(request).await;
            if let Err(why) = judge(&place, text, &answer, &codes)
                .and_then(|()| written(&place, &answer, &inside.writes()))
            {
                let body = String::from_utf8_lossy(&answer.body);
                let body: String = body.chars().take(300).collect();
                let operation = &place.operation;
                wrong.push(format!(
                    "{} {} {:?} {kind:?} {text:?}: {} {why}\n  {body}",
                    operation.method, operation.path, place.part, answer.status
                ));
            }
            asked += 1;
            if asked.is_multiple_of(REQUESTS_PER_WORLD) {
                assert_eq!(digest(&inside.world).await, before, "what is known of the market");
                (inside, before) = self::inside().await;
            }
        }
    }
    assert_eq!(digest(&inside.world).await, before, "what is known of the market");
    println!("{asked} requests, {} answers that may not be given", wrong.len());
    wrong.truncate(40);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 4_000, "{asked}");
}

/// What no HTTP library sends stands in the bytes of a connection.
#[tokio::test]
async fn i8_payloads_that_end_a_line_are_told_so_and_write_no_line_of_an_answer() {
    let served = super::world::serve(story().await.world.api(settings())).await;
    let ends_lines = |text: &String| text.contains(|it: char| it.is_ascii_control());
    let texts: Vec<_> = texts().into_iter().map(|(_, text)| text).filter(ends_lines).collect();
    assert!(texts.len() > 20, "{}", texts.len());
    for text in &texts {
        let headers =
            HEADERS.map(|name| format!("GET /data HTTP/1.1\r\nhost: a\r\n{name}: {text}"));
        let target = format!("GET /data?search={text} HTTP/1.1\r\nhost: a");
        for head in headers.into_iter().chain([target]) {
            let bytes = format!("{head}\r\nconnection: close\r\n\r\n");
            let reply = parse(&send(served.address, bytes.as_bytes()).await);
            assert!((200..500).contains(&reply.status), "{head:?}: {}", reply.body);
            for name in ["set-cookie", "x-injected", "location"] {
                assert_eq!(reply.header(name), None, "{head:?}");
            }
            if reply.status >= 400 {
                let code = reply.json()["code"].as_str().unwrap().to_owned();
                reply.assert_problem(reply.status, &code);
            }
        }
    }
}

#[test]
fn every_operation_of_the_description_is_asked_at_all_its_places() {
    let document = document();
    let places = places(&document);
    let operations = operations(&document);
    for (method, path, described) in &operations {
        let of = |part: &Part| {
            places.iter().any(|place| {
                place.operation.path == **path
                    && place.operation.method.as_str().eq_ignore_ascii_case(method)
                    && place.part == *part
            })
        };
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap().to_owned();
            let part = match parameter["in"].as_str().unwrap() {
                "query" => Part::Query(name),
                "path" => Part::Path(name),
                _ => Part::Header(name),
            };
            assert!(of(&part), "{method} {path} {part:?}");
        }
        for header in HEADERS {
            assert!(of(&Part::Header(header.to_owned())), "{method} {path} {header}");
        }
    }
    let has = |path: &str, pointer: &str| {
        let part = Part::Member(pointer.to_owned());
        places.iter().any(|place| place.operation.path == path && place.part == part)
    };
    assert!(
        has("/keys", "/name") && has("/keys", "/requests") && has("/assets/link", "/listings/1")
    );
}
