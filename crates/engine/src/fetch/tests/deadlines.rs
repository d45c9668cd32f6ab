//! Upstreams that take their time, and heads without end.

use std::time::Instant;

use super::wire::{Step, Wire, answer};
use super::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";

/// Far more than every deadline of these tests, and far less than a test may take.
const LATE: Duration = Duration::from_secs(10);

async fn refused(settings: FetchSettings, steps: Vec<Step>) -> PageError {
    let wire = Wire::start(move |_| steps.clone()).await;
    let begun = Instant::now();
    let error = error_of(settings, &written(&wire.url, "/")).await;
    assert!(begun.elapsed() < LATE, "{error}");
    error
}

#[tokio::test]
async fn n6_a_body_that_drips_is_ended_by_the_deadline_of_the_whole() {
    let settings = FetchSettings {
        idle_timeout: Duration::from_secs(60),
        total_timeout: Duration::from_millis(400),
        ..settings()
    };
    let drip = Step::Drip(b"1".to_vec(), Duration::from_millis(20));
    let steps = vec![Step::Send(HEAD.to_vec()), drip];
    assert_retries(&refused(settings, steps).await, "timed_out");
}

#[tokio::test]
async fn n6_a_gap_is_ended_by_the_deadline_of_a_byte() {
    let settings = || FetchSettings {
        idle_timeout: Duration::from_millis(200),
        total_timeout: Duration::from_secs(60),
        ..settings()
    };
    let steps = vec![Step::Send(HEAD.to_vec()), Step::Send(b"[1".to_vec()), Step::Silence];
    assert_retries(&refused(settings(), steps).await, "timed_out");
    // N2: nothing at all.
    assert_retries(&refused(settings(), vec![Step::Silence]).await, "timed_out");
}

#[tokio::test]
async fn n2_a_handshake_without_an_answer_counts_as_connecting() {
    let wire = Wire::start(|_| vec![Step::Silence]).await;
    let origin = wire.url.replace("http:", "https:");
    let settings = FetchSettings { connect_timeout: Duration::from_millis(200), ..settings() };
    let begun = Instant::now();
    assert_retries(&error_of(settings, &written(&origin, "/")).await, "connect_failed");
    assert!(begun.elapsed() < LATE);
    assert_eq!(wire.heads().len(), 1, "the handshake was begun");
}

#[tokio::test]
async fn n3_n4_an_answer_that_breaks_off_is_asked_for_again() {
    for steps in [
        vec![],
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())],
        vec![Step::Send(HEAD.to_vec()), Step::Send(b"[1,2".to_vec())],
        vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n".to_vec(),
        )],
    ] {
        assert_retries(&refused(settings(), steps).await, "transfer_failed");
    }
}

#[tokio::test]
async fn n18_heads_without_end_are_refused_in_bounded_memory() {
    let status = || Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec());
    let many: String = (0..10_000).map(|number| format!("X-{number}: 1\r\n")).collect();
    let huge = format!("X-Huge: {}\r\n", "a".repeat(1 << 20));
    for steps in [
        vec![status(), Step::Send(many.into_bytes()), Step::Send(b"\r\n[]".to_vec())],
        vec![status(), Step::Send(huge.into_bytes()), Step::Send(b"\r\n[]".to_vec())],
        vec![status(), Step::Repeat(b"X-More: 1\r\n".to_vec())],
        vec![status(), Step::Send(b"X-Long: ".to_vec()), Step::Repeat(vec![b'a'; 4096])],
        vec![Step::Send(b"just text, no head".to_vec())],
        vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]".to_vec(),
        )],
    ] {
        assert_retries(&refused(settings(), steps).await, "transfer_failed");
    }
}

#[tokio::test]
async fn n18_an_endless_row_of_provisional_answers_is_ended_by_a_deadline() {
    let settings = FetchSettings {
        idle_timeout: Duration::from_millis(200),
        total_timeout: Duration::from_millis(600),
        ..settings()
    };
    let steps = vec![Step::Repeat(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100))];
    assert_retries(&refused(settings, steps).await, "timed_out");
}

#[tokio::test]
async fn what_an_upstream_says_of_its_limits_comes_with_the_answer() {
    let wire = Wire::start(|_| {
        let headers = [
            "RateLimit-Remaining: 3",
            "X-MBX-USED-WEIGHT-1M: 40",
            "Retry-After: 7",
            "Set-Cookie: a=b",
        ];
        answer("200 OK", &headers, b"[]")
    })
    .await;
    let fetched = fetch(settings(), &written(&wire.url, "/")).await.unwrap();
    let mut limits = fetched.limit_headers;
    limits.sort();
    let of = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        limits,
        [of("ratelimit-remaining", "3"), of("retry-after", "7"), of("x-mbx-used-weight-1m", "40")]
    );
    assert_eq!(fetched.retry_after, Some(Duration::from_secs(7)));
}
