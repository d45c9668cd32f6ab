//! Redirects, and addresses written in numbers.

use kasparro_extract::Credential;

use super::wire::{Canary, Wire, answer};
use super::*;

const KEY: &str = "CANARY-key";

fn with_key(request: HttpRequest) -> HttpRequest {
    let credential = Credential { header: "x-key", value: KEY.into() };
    HttpRequest { credential: Some(credential), ..request }
}

/// An upstream that answers `/` with a redirect, and everything else with an empty list.
async fn redirecting(status: &'static str, location: String) -> Wire {
    Wire::start(move |head| {
        let place = format!("Location: {location}");
        match head.starts_with("GET / ") {
            true => answer(status, &[&place], b""),
            false => answer("200 OK", &[], b"[]"),
        }
    })
    .await
}

#[tokio::test]
async fn n10_a_redirect_to_another_origin_reaches_nobody() {
    let canary = Canary::new();
    let port = canary.port();
    let places = [
        format!("http://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0177.0.0.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
        format!("http://name:word@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}@localhost:{port}/"),
        "http://[::ffff:10.0.0.1]/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://127.0.0.1:5432/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "data:application/json,[]".to_owned(),
    ];
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        for place in &places {
            let wire = redirecting(status, place.clone()).await;
            let request = with_key(written(&wire.url, "/"));
            let error = error_of(settings(), &request).await;
            assert_stops(&error, "redirect_refused");
            canary.assert_untouched(place);
            assert_eq!(wire.heads().len(), 1, "{place}");
        }
    }
}

#[tokio::test]
async fn n10_redirects_within_the_origin_are_followed_three_times() {
    let wire = Wire::start(|head| {
        let step: u32 = head.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        match step {
            0 => answer("200 OK", &[], b"[]"),
            _ => answer("302 Found", &[&format!("Location: /{}", step - 1)], b""),
        }
    })
    .await;
    let fetched = fetch(settings(), &with_key(written(&wire.url, "/3"))).await.unwrap();
    assert_eq!(bytes_of(&fetched), b"[]");
    assert_eq!(wire.heads().len(), 4);
    assert!(wire.heads().iter().all(|head| head.contains(KEY) && !head.contains("referer")));
    for hops in [4, 20] {
        let before = wire.heads().len();
        let error = error_of(settings(), &written(&wire.url, &format!("/{hops}"))).await;
        assert_stops(&error, "redirect_refused");
        assert_eq!(wire.heads().len() - before, 4);
    }
}

#[tokio::test]
async fn n10_a_loop_and_a_hop_out_of_the_origin_end() {
    let wire = redirecting("302 Found", "/".to_owned()).await;
    assert_stops(&error_of(settings(), &written(&wire.url, "/")).await, "redirect_refused");
    let canary = Canary::new();
    let away = format!("Location: http://127.0.0.1:{}/", canary.port());
    let wire = Wire::start(move |head| match head.starts_with("GET / ") {
        true => answer("302 Found", &["Location: /second"], b""),
        false => answer("302 Found", &[&away], b""),
    })
    .await;
    assert_stops(&error_of(settings(), &written(&wire.url, "/")).await, "redirect_refused");
    canary.assert_untouched("the second hop");
    assert_eq!(wire.heads().len(), 2);
}

#[tokio::test]
async fn u1_a_vendor_is_not_asked_at_an_address_of_this_machine_or_network() {
    let canary = Canary::new();
    let port = canary.port();
    for origin in [
        format!("https://127.0.0.1:{port}"),
        format!("https://0x7f.1:{port}"),
        format!("https://2130706433:{port}"),
        format!("https://[::1]:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        "https://[::ffff:10.0.0.1]".to_owned(),
        "https://169.254.169.254".to_owned(),
        format!("http://127.0.0.1:{port}"),
        "http://api.example".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let error = error_of(settings(), &with_key(vendors(&origin))).await;
        assert_stops(&error, "address_refused");
        canary.assert_untouched(&origin);
    }
}

#[tokio::test]
async fn u1_what_an_operator_writes_is_asked_as_it_stands() {
    let wire = Wire::start(|_| answer("200 OK", &[], b"[]")).await;
    for origin in [wire.url.clone(), format!("http://0x7f.1:{}", wire.port())] {
        assert!(fetch(settings(), &written(&origin, "/")).await.is_ok(), "{origin}");
    }
    let upstream = Some(wire.url.clone());
    let settings_with = FetchSettings { upstream, ..settings() };
    let fetched = fetch(settings_with, &vendors("https://api.example")).await.unwrap();
    assert_eq!(bytes_of(&fetched), b"[]");
    for origin in ["file:///etc/passwd", "ftp://127.0.0.1", "unix:/run/socket"] {
        let error = error_of(settings(), &written(origin, "/")).await;
        assert!(["address_refused", "bad_address"].contains(&error.code), "{error}");
    }
}
