//! The HTTP client against upstreams that send what they should not.

mod addresses;
mod deadlines;
mod encodings;
mod names;
mod secrets;
mod wire;

use std::io::Read;
use std::time::Duration;

use kasparro_domain::{ManualClock, Timestamp};
use kasparro_extract::{Cost, ErrorClass, HttpRequest, PageError, Remedy};

use super::{FetchSettings, Fetched, Fetcher, LONGEST_BACKOFF};

fn clock() -> ManualClock {
    ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

/// Settings under which nothing takes long.
fn settings() -> FetchSettings {
    FetchSettings {
        max_body_bytes: 16 << 20,
        connect_timeout: Duration::from_millis(500),
        idle_timeout: Duration::from_secs(5),
        total_timeout: Duration::from_secs(30),
        ..FetchSettings::default()
    }
}

/// A request for an address that an operator wrote.
fn written(origin: &str, path: &str) -> HttpRequest {
    HttpRequest {
        origin: origin.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        secret_query: Vec::new(),
        origin_matters: true,
        conditional: false,
        cost: Cost::ONE,
        credential: None,
    }
}

/// A request for a vendor's own address.
fn vendors(origin: &str) -> HttpRequest {
    HttpRequest { origin_matters: false, ..written(origin, "/v1/tickers") }
}

async fn send(fetcher: &Fetcher, request: &HttpRequest) -> Result<Fetched, PageError> {
    let folder = tempfile::tempdir().unwrap();
    fetcher.send(request, None, folder.path(), &clock()).await
}

async fn fetch(settings: FetchSettings, request: &HttpRequest) -> Result<Fetched, PageError> {
    send(&Fetcher::new(settings).unwrap(), request).await
}

/// The error of a request that has one.
async fn error_of(settings: FetchSettings, request: &HttpRequest) -> PageError {
    match fetch(settings, request).await {
        Ok(fetched) => panic!("{}: an answer came: {:?}", request.origin, fetched.body.head),
        Err(error) => error,
    }
}

fn bytes_of(fetched: &Fetched) -> Vec<u8> {
    let mut bytes = Vec::new();
    fetched.body.open().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[track_caller]
fn assert_stops(error: &PageError, code: &str) {
    assert_eq!((error.code, error.remedy), (code, Remedy::Stop), "{error}");
    assert_eq!(error.class, ErrorClass::Other, "{error}");
}

#[track_caller]
fn assert_retries(error: &PageError, code: &str) {
    assert_eq!((error.code, error.remedy), (code, Remedy::Retry { after: None }), "{error}");
    assert_eq!(error.class, ErrorClass::Transient, "{error}");
}

#[test]
fn a_wait_of_our_own_doubles_up_to_a_minute_and_the_third_attempt_is_the_last() {
    let error = PageError::retry("timed_out", "", "");
    let wait = |attempt, max_attempts| {
        let settings = FetchSettings { max_attempts, ..FetchSettings::default() };
        Fetcher::new(settings).unwrap().wait_before_retry(&error, attempt)
    };
    for (attempt, most_ms) in [(1, 1_000), (2, 2_000), (5, 16_000), (7, 60_000), (500, 60_000)] {
        let wait_ms = wait(attempt, u32::MAX).unwrap().as_millis();
        assert!((most_ms / 2..=most_ms).contains(&wait_ms), "{attempt}: {wait_ms}");
    }
    assert!(wait(500, u32::MAX).unwrap() <= LONGEST_BACKOFF);
    assert_eq!(wait(3, 3), None);
}
