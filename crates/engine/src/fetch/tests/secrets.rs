//! Keys appear in no error, whatever goes wrong.

use kasparro_extract::Credential;

use super::wire::{Step, Wire, answer};
use super::*;

const QUERY_KEY: &str = "CANARY-in-query";
const HEADER_KEY: &str = "CANARY-in-header";

fn with_keys(origin: &str) -> HttpRequest {
    let credential = Credential { header: "x-key", value: HEADER_KEY.into() };
    HttpRequest {
        secret_query: vec![("apikey".to_owned(), QUERY_KEY.into())],
        credential: Some(credential),
        ..written(origin, "/feed")
    }
}

#[track_caller]
fn assert_silent(text: &str) {
    assert!(!text.contains("CANARY"), "{text}");
}

#[tokio::test]
async fn u3_no_error_holds_a_key() {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";
    let echo = |place: &str| format!("Location: {place}?apikey={QUERY_KEY}&x={HEADER_KEY}");
    let redirect = |place: &str| answer("302 Found", &[&echo(place)], b"");
    let broken = [
        vec![],
        vec![Step::Silence],
        vec![Step::Send(head.to_vec()), Step::Silence],
        vec![Step::Send(head.to_vec())],
        vec![Step::Send(format!("HTTP/1.1 {QUERY_KEY}\r\n\r\n").into_bytes())],
        answer("200 OK", &["Content-Encoding: gzip, gzip"], b"[]"),
        answer("200 OK", &["Content-Encoding: gzip"], HEADER_KEY.as_bytes()),
        answer("200 OK", &["Content-Encoding: br"], QUERY_KEY.as_bytes()),
        answer("200 OK", &[], &vec![b' '; 2_000]),
        redirect("/feed"),
        redirect("http://127.0.0.1:1/feed"),
        redirect("https://elsewhere.example/feed"),
        redirect("file:///feed"),
        redirect("http://[feed"),
    ];
    for steps in broken {
        let told = format!("{steps:?}");
        let wire = Wire::start(move |_| steps.clone()).await;
        let settings = FetchSettings {
            max_body_bytes: 1_000,
            idle_timeout: Duration::from_millis(200),
            ..settings()
        };
        let fetcher = Fetcher::new(settings).unwrap();
        let error = send(&fetcher, &with_keys(&wire.url)).await.err();
        let error = error.unwrap_or_else(|| panic!("no error after {told}"));
        assert_silent(&format!("{error} {error:?} {fetcher:?}"));
        assert!(wire.heads()[0].contains(QUERY_KEY) && wire.heads()[0].contains(HEADER_KEY));
    }
}

#[tokio::test]
async fn u3_no_error_of_an_address_holds_a_key() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for origin in [
        format!("http://{nobody}"),
        format!("https://{nobody}"),
        "http://[::1".to_owned(),
        "http://a b".to_owned(),
        "http://".to_owned(),
        "file://host".to_owned(),
        "nonsense".to_owned(),
    ] {
        let error = error_of(settings(), &with_keys(&origin)).await;
        assert_silent(&format!("{error} {error:?}"));
        let vendors = HttpRequest { origin_matters: false, ..with_keys(&origin) };
        let error = error_of(settings(), &vendors).await;
        assert_silent(&format!("{error} {error:?} {vendors:?}"));
    }
}

#[tokio::test]
async fn u3_a_key_that_cannot_be_sent_is_a_fault_of_the_key() {
    let credential = Credential { header: "x-key", value: "CANARY\r\nX-More: 1".into() };
    let request =
        HttpRequest { credential: Some(credential), ..written("http://127.0.0.1:1", "/") };
    let error = error_of(settings(), &request).await;
    assert_eq!((error.code, error.class), ("bad_key", ErrorClass::Key));
    assert_eq!(error.remedy, Remedy::Stop);
    assert_silent(&format!("{error} {error:?}"));
}
