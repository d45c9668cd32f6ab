//! Answers that are compressed: as a client likes, the same from the hot path and from the router, and made once.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use super::client::{Reply, parse, send};
use super::door::Inside;
use super::formats::{both, conditional};
use super::keyed::unlimited;
use super::world::World;
use crate::answer::RequestContext;
use crate::data::{self, MAX_CACHED_BYTES, Selection};
use crate::represent::Encoding;
use crate::respond;

/// What clients ask for, and what they get of a page that is large enough; none where they take nothing.
const ASKED: [(&str, Option<&str>); 14] = [
    ("accept-encoding: gzip\r\n", Some("gzip")),
    ("accept-encoding: zstd\r\n", Some("zstd")),
    ("accept-encoding: br\r\n", Some("br")),
    ("accept-encoding: X-Gzip\r\n", Some("gzip")),
    ("accept-encoding: br;q=0.1, zstd\r\n", Some("zstd")),
    ("accept-encoding: gzip;q=0.5, br\r\n", Some("br")),
    ("accept-encoding: gzip, *;q=0\r\n", Some("gzip")),
    ("accept-encoding: gzip, deflate, br, zstd\r\n", Some("zstd")),
    ("accept-encoding: br;q=0.5\r\naccept-encoding: gzip;q=0.9\r\n", Some("gzip")),
    ("accept-encoding: identity;q=0, gzip;q=0.001\r\n", Some("gzip")),
    ("accept-encoding: gzip;q=0.5, identity\r\n", Some("identity")),
    ("accept-encoding: deflate\r\n", Some("identity")),
    ("accept-encoding: identity;q=0\r\n", None),
    ("accept-encoding: *;q=0\r\n", None),
];

/// Asks in HTTP/1.0, whose bodies are not cut into chunks.
async fn ask(address: SocketAddr, method: &str, target: &str, headers: &str) -> (Reply, Vec<u8>) {
    let text =
        format!("{method} {target} HTTP/1.0\r\nhost: x\r\nx-request-id: same-1\r\n{headers}\r\n");
    let bytes = send(address, text.as_bytes()).await;
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (parse(&bytes), bytes[at + 4..].to_vec())
}

/// A body as it was before it was encoded; none of an encoding that no decoder is at hand for.
fn decoded(encoding: Option<&str>, body: &[u8]) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    match encoding {
        None => read = body.to_vec(),
        Some("gzip") => {
            flate2::read::GzDecoder::new(body).read_to_end(&mut read).unwrap();
        }
        Some("zstd") => {
            let decoder = zstd::stream::read::Decoder::with_buffer(body).unwrap();
            decoder.single_frame().read_to_end(&mut read).unwrap();
        }
        Some(_) => return None,
    }
    Some(read)
}

/// A body without what differs between two requests for the same.
fn essence(body: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut body) if body.get("api_latency_ms").is_some() => {
            body["api_latency_ms"] = json!(0);
            body
        }
        _ => json!(String::from_utf8_lossy(body)),
    }
}

/// Headers without what differs between two requests for the same.
fn headers(reply: &Reply, but: &[&str]) -> Vec<(String, String)> {
    let mut headers = reply.headers.clone();
    headers.retain(|(name, _)| {
        !["date", "server-timing"].contains(&name.as_str()) && !but.contains(&name.as_str())
    });
    headers.sort();
    headers
}

#[tokio::test]
async fn the_hot_path_and_the_router_encode_alike_header_by_header() {
    let world = World::with_many(100).await;
    let served = both(&world).await;
    for (target, large) in [
        ("/data?limit=100", true),
        ("/api/v1/data/?limit=50&sort=name", true),
        ("/data?limit=100&format=csv", true),
        ("/data?limit=100&format=ndjson", true),
        ("/data?limit=1&format=csv", false),
        ("/data?limit=1", false),
        ("/data?limit=0", false),
        ("/listings?limit=100&format=csv", true),
        ("/csv-data?limit=100", false),
    ] {
        let (_, plain) = ask(served[0].address, "GET", target, "").await;
        for (asked, expected) in ASKED {
            let mut replies = Vec::new();
            for served in &served {
                let (reply, body) = ask(served.address, "GET", target, asked).await;
                let encoding = reply.header("content-encoding").unwrap_or("identity");
                match expected.filter(|_| large) {
                    Some(expected) => assert_eq!(encoding, expected, "{target} {asked}"),
                    None => assert_eq!(encoding, "identity", "{target} {asked}"),
                }
                if expected.is_some()
                    && let Some(read) = decoded(reply.header("content-encoding"), &body)
                {
                    assert_eq!(essence(&read), essence(&plain), "{target} {asked}");
                }
                if let Some(length) = reply.header("content-length") {
                    assert_eq!(length, body.len().to_string(), "{target} {asked}");
                }
                let (head, nothing) = ask(served.address, "HEAD", target, asked).await;
                assert_eq!((head.status, nothing.len()), (reply.status, 0), "{target} {asked}");
                // The latency may have one digit more.
                let exact = target.contains("format=") && reply.status == 200;
                let but: &[&str] = if exact { &[] } else { &["content-length"] };
                assert_eq!(headers(&head, but), headers(&reply, but), "{target} {asked}");
                let length = [&head, &reply].map(|it| it.header("content-length").is_some());
                assert_eq!(length, [encoding != "br"; 2], "{target} {asked}");
                replies.push((reply.status, headers(&reply, but)));
            }
            assert_eq!(replies[0], replies[1], "{target} {asked}");
        }
    }
}

#[tokio::test]
async fn a13_an_encoded_answer_is_known_again_in_either_form() {
    let world = World::with_many(100).await;
    for served in both(&world).await {
        for format in ["json", "csv", "ndjson"] {
            let target = format!("/data?limit=100&format={format}");
            let (plain, body) = ask(served.address, "GET", &target, "").await;
            let plain_tag = plain.header("etag").unwrap();
            for (asked, expected) in ASKED {
                let Some(encoding) = expected.filter(|it| *it != "identity") else { continue };
                let (reply, encoded) = ask(served.address, "GET", &target, asked).await;
                assert!(encoded.len() < body.len() / 4, "{} bytes", encoded.len());
                assert_eq!(reply.header("vary"), plain.header("vary"));
                let tag = reply.header("etag").unwrap();
                if format == "json" {
                    assert_eq!(tag, plain_tag, "a weak tag is the same");
                } else {
                    let inner = plain_tag.trim_matches('"');
                    assert_eq!(tag, format!("\"{inner}.{encoding}\""), "other bytes");
                }
                for given in [tag, plain_tag] {
                    assert_eq!(conditional(served.address, &target, given).await.status, 304);
                    let asked = format!("{asked}if-none-match: {given}\r\n");
                    let (again, nothing) = ask(served.address, "GET", &target, &asked).await;
                    assert_eq!((again.status, nothing.len()), (304, 0));
                    assert_eq!(again.header("content-encoding"), None);
                    assert_eq!(again.header("etag"), Some(given));
                    assert_eq!(again.header("vary"), plain.header("vary"));
                }
            }
        }
    }
}

#[tokio::test]
async fn small_pages_stay_as_they_are_to_the_byte_at_which_the_layer_begins() {
    let world = || World::with_many(3);
    let hot = Inside::of(world().await, unlimited(), |_| ());
    let routed = Inside::of(world().await, unlimited(), |api| api.hot = false);
    for inside in [hot, routed] {
        for encoding in ["gzip", "zstd", "br"] {
            // With brotli only those that it is not used for can be measured.
            let most = if encoding == "br" { 859 } else { 860 };
            let (border, mut lengths) = (BTreeSet::from([859, most]), BTreeSet::new());
            // A latency of one digit more may leave a length out.
            for id_bytes in (1..=128).cycle().take(10 * 128) {
                if lengths.is_superset(&border) {
                    break;
                }
                let mut request = Request::new(Full::<Bytes>::default());
                *request.uri_mut() = Uri::from_static("/data?limit=2");
                let headers = request.headers_mut();
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
                headers.insert(respond::X_REQUEST_ID, "x".repeat(id_bytes).parse().unwrap());
                let answer = inside.ask(request).await;
                let given = answer.headers.get("content-encoding").map(|it| it.to_str().unwrap());
                let Some(plain) = decoded(given, &answer.body) else { continue };
                let large = plain.len() >= 860;
                assert_eq!(given, large.then_some(encoding), "{} bytes", plain.len());
                lengths.insert(plain.len());
            }
            assert!(lengths.is_superset(&border), "{lengths:?}");
        }
    }
}

/// The pieces in which a page is answered in an encoding.
fn pieces(inside: &Inside, target: &str, encoding: Encoding) -> Vec<Bytes> {
    let shared = &inside.api.shared;
    let (uri, headers) = (target.parse::<Uri>().unwrap(), HeaderMap::new());
    let context = RequestContext::new(None, shared.clock.as_ref());
    let answered = data::answer(shared, Selection::Data, &uri, &headers).unwrap();
    let (response, _) = respond::page(shared, answered, &uri, &headers, Some(encoding), &context);
    let mut body = response.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().now_or_never().expect("a piece at once") {
        pieces.push(frame.unwrap().into_data().unwrap());
    }
    pieces
}

#[tokio::test]
async fn a_page_is_compressed_once_for_many_requests() {
    let inside = Inside::of(World::with_many(100).await, unlimited(), |_| ());
    for target in ["/data?limit=100", "/data?limit=100&format=csv"] {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let (first, second) =
                (pieces(&inside, target, encoding), pieces(&inside, target, encoding));
            assert_eq!(first[1].as_ptr(), second[1].as_ptr(), "{target} {encoding:?}");
            let counted = inside.api.shared.pages.bytes();
            pieces(&inside, target, encoding);
            assert_eq!(inside.api.shared.pages.bytes(), counted);
        }
    }
}

#[tokio::test]
async fn many_who_ask_at_once_share_what_is_compressed_first() {
    let inside = Arc::new(Inside::of(World::with_many(100).await, unlimited(), |_| ()));
    let begin = Arc::new(std::sync::Barrier::new(8));
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (inside, begin) = (Arc::clone(&inside), Arc::clone(&begin));
            std::thread::spawn(move || {
                begin.wait();
                pieces(&inside, "/data?limit=100", Encoding::Gzip)[1].as_ptr() as usize
            })
        })
        .collect();
    let places: Vec<_> = asking.into_iter().map(|one| one.join().unwrap()).collect();
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[tokio::test]
async fn o2_encoded_pages_that_are_kept_stay_within_their_bytes() {
    let inside = Inside::of(World::with_many(500).await, unlimited(), |_| ());
    let (mut most, mut dropped) = (0, 0);
    for number in 0..400 {
        for encoding in ["gzip", "zstd"] {
            let mut request = Request::new(Full::<Bytes>::default());
            *request.uri_mut() = format!("/data?limit=500&min_price=0.{number}").parse().unwrap();
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
            let answer = inside.ask(request).await;
            assert_eq!(answer.headers.get("content-encoding").unwrap(), encoding);
            let (counted, held) = inside.api.shared.pages.bytes();
            assert_eq!(counted, held);
            dropped += usize::from(held < most / 2);
            most = most.max(held);
        }
    }
    assert!(dropped > 0, "never more than {most} bytes");
    assert!((1..=MAX_CACHED_BYTES).contains(&most), "{most}");
}
