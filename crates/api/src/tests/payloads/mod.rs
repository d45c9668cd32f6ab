//! What attackers send, at every place where something can be sent.
//!
//! `cargo test` asks with a share, in which every text comes at some places and every place gets some texts. With
//! `KASPARRO_ALL_PAYLOADS=1` every text comes at every place: half a million requests.

mod judge;
mod places;
mod texts;
mod twins;

use kasparro_store::AuditStore as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use super::client::{parse, send};
use super::door::Inside;
use super::examples::story::story;
use super::keyed::unlimited;
use super::world::World;
use crate::ApiSettings;
use judge::judge;
use places::{HEADERS, places};
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
    let (mut asked, mut wrong) = (0_usize, Vec::new());
    for place in places() {
        for (kind, text) in next.by_ref().take(share) {
            let Some(request) = place.request(text) else { continue };
            let answer = inside.ask(request).await;
            if let Err(why) = judge(&place, text, &answer, &inside.writes()) {
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
