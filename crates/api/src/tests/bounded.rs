//! What grows with requests, and where it stops.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::door::Inside;
use super::examples::{document, operations};
use super::keyed::unlimited;
use super::payloads::all;
use super::world::World;
use crate::data::MAX_CACHED_BYTES;
use crate::limits::MAX_CLIENTS;

/// Requests with paths and methods that nobody can foresee: a share, and all.
const REQUESTS: [usize; 2] = [25_000, 100_000];
/// Label sets that they may add.
const SERIES: usize = 200;
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

/// Label sets of the histogram of requests.
fn series(handle: &PrometheusHandle) -> usize {
    let begin = "kasparro_http_request_duration_seconds_count{";
    handle.render().lines().filter(|line| line.starts_with(begin)).count()
}

fn word(random: &mut StdRng) -> String {
    let length = random.random_range(1..12);
    (0..length).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

/// A method: one that is known, or one that is made up.
fn method(random: &mut StdRng) -> Method {
    match METHODS.get(random.random_range(0..METHODS.len() + 2)) {
        Some(known) => known.parse().unwrap(),
        None => word(random).to_ascii_uppercase().parse().unwrap(),
    }
}

/// A path: made up, or nearly one that is there.
fn path(random: &mut StdRng, known: &[String]) -> String {
    match random.random_range(0..4) {
        0 => {
            let known = &known[random.random_range(0..known.len())];
            let one = word(random);
            known.replace("{id}", &one).replace("{file}", &one) + "-" + &word(random)
        }
        1 => format!("/api/v{}/{}", random.random_range(0..1_000_000), word(random)),
        _ => {
            let depth = random.random_range(1..5);
            (0..depth).map(|_| format!("/{}", word(random))).collect()
        }
    }
}

#[tokio::test]
async fn o2_paths_and_methods_that_are_made_up_add_few_series() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _here = metrics::set_default_local_recorder(&recorder);
    let inside = Inside::of(World::with_many(3).await, unlimited(), |_| ());
    let document = document();
    let mut known: Vec<_> =
        operations(&document).into_iter().map(|(_, path, _)| path.to_owned()).collect();
    known.dedup();
    let mut random = StdRng::seed_from_u64(1);
    let before = series(&handle);
    let requests = REQUESTS[usize::from(all())];
    for _ in 0..requests {
        let mut request = Request::new(Full::<Bytes>::default());
        *request.method_mut() = method(&mut random);
        *request.uri_mut() = path(&mut random, &known).parse().unwrap();
        let answer = inside.ask(request).await;
        assert!(answer.status < 500, "{}", answer.status);
    }
    let added = series(&handle) - before;
    println!("{requests} requests added {added} series");
    assert!((2..=SERIES).contains(&added), "{added}");
    let text = handle.render();
    let told = |label: &str| text.contains(label);
    assert!(told("route=\"other\"") && told("method=\"OTHER\""), "{text}");
}

#[tokio::test]
async fn o2_pages_that_are_kept_stay_within_their_bytes() {
    let inside = Inside::of(World::with_many(500).await, unlimited(), |_| ());
    let (mut most, mut rendered) = (0, 0);
    for number in 0..400 {
        let uri = format!("/data?limit=500&min_price=0.{number}");
        let mut request = Request::new(Full::<Bytes>::default());
        *request.uri_mut() = uri.parse().unwrap();
        let answer = inside.ask(request).await;
        assert_eq!(answer.status, 200);
        rendered += answer.body.len();
        let (counted, held) = inside.api.shared.pages.bytes();
        assert_eq!(counted, held);
        most = most.max(held);
    }
    assert!(rendered > MAX_CACHED_BYTES, "only {rendered} bytes were asked for");
    assert!((1..=MAX_CACHED_BYTES).contains(&most), "{most}");
}

#[tokio::test]
async fn o2_clients_that_are_made_up_are_counted_up_to_a_bound() {
    let settings = crate::ApiSettings {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        limits: crate::LimitSettings::default(),
        ..unlimited()
    };
    let inside = Inside::of(World::new(), settings, |_| ());
    let limits = &inside.api.shared.limits;
    let origin = limits.origin(SocketAddr::from(([127, 0, 0, 1], 50_000)));
    let now = Instant::now();
    let clients = u32::try_from(MAX_CLIENTS).unwrap() * 5 / 4;
    let mut headers = HeaderMap::new();
    for number in 0..clients {
        let address = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
        headers.insert("x-forwarded-for", address.to_string().parse().unwrap());
        let caller = limits.caller(&origin, &headers);
        limits.take(caller.client, limits.of_anonymous(caller.network), now);
        limits.note_failure(caller.client, None);
    }
    let known = limits.known();
    let bound = (MAX_CLIENTS + crate::limits::MAX_FAILING) * 101 / 100;
    assert!((MAX_CLIENTS..=bound).contains(&known), "{known} of {clients} clients are known");
}

#[tokio::test]
async fn o2_streams_whose_clients_are_gone_keep_no_place() {
    let settings = crate::ApiSettings { max_streams: 3, ..unlimited() };
    let inside = Inside::of(World::with_many(3).await, settings, |_| ()).tended().await;
    let mut random = StdRng::seed_from_u64(2);
    for number in 0..1_000 {
        let since: u64 = random.random_range(0..1_000_000);
        let mut request = Request::new(Full::<Bytes>::default());
        let uri = format!("/stream?asset_id={number}&last_event_id={since}-0");
        *request.uri_mut() = uri.parse().unwrap();
        let answer = inside.ask(request).await;
        assert_eq!(answer.status, 200, "{uri}: a place is free again");
        assert_eq!(inside.api.shared.stream.clients(), 0);
    }
}
