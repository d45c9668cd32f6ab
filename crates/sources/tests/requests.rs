//! What each configuration makes a source ask, and which configurations are refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Checkpoint, Timestamp};
use kasparro_extract::{HttpRequest, Next, PageSummary, Request, RunStart, Source, Target};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn build(name: &str, options: Value) -> Arc<dyn Source> {
    kasparro_sources::build(name, options).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

fn asked(next: Next) -> Option<Request> {
    match next {
        Next::Ask(request) => Some(*request),
        Next::Done => None,
    }
}

fn first(source: &dyn Source) -> Request {
    asked(source.first(RunStart { checkpoint: None, now: now() })).unwrap()
}

fn http(request: &Request) -> &HttpRequest {
    match &request.target {
        Target::Http(http) => http,
        Target::Files { .. } => panic!("a file in place of an address"),
    }
}

fn parameter<'a>(request: &'a Request, name: &str) -> &'a str {
    &http(request).query.iter().find(|(key, _)| key == name).unwrap().1
}

fn header(request: &Request) -> Option<(&'static str, String)> {
    let credential = http(request).credential.as_ref()?;
    Some((credential.header, credential.value.expose_secret().to_owned()))
}

fn refusal(name: &str, options: Value) -> kasparro_extract::OptionError {
    kasparro_sources::build(name, options).unwrap_err()
}

#[test]
fn the_plan_of_coinpaprika_decides_the_host_and_the_key_goes_bare() {
    let free = first(build("coinpaprika", json!({})).as_ref());
    assert_eq!(http(&free).origin, "https://api.coinpaprika.com");
    assert_eq!(http(&free).path, "/v1/tickers");
    assert_eq!(parameter(&free, "quotes"), "USD");
    assert_eq!(header(&free), None);

    let pro = first(build("coinpaprika", json!({"api_key": "k1"})).as_ref());
    assert_eq!(http(&pro).origin, "https://api-pro.coinpaprika.com");
    assert_eq!(header(&pro), Some(("authorization", "k1".to_owned())));

    let unused = first(build("coinpaprika", json!({"api_key": "k1", "plan": "free"})).as_ref());
    assert_eq!(http(&unused).origin, "https://api.coinpaprika.com");
    assert_eq!(header(&unused), None);

    assert_eq!(refusal("coinpaprika", json!({"plan": "pro"})).key, "plan");
    assert_eq!(refusal("coinpaprika", json!({"plan": "gold"})).remedy, "write \"free\" or \"pro\"");
}

#[test]
fn the_kind_of_a_coingecko_key_decides_host_header_and_limit() {
    for (options, origin, sent, limit) in [
        (json!({}), "https://api.coingecko.com", None, 5),
        (json!({"api_key": ""}), "https://api.coingecko.com", None, 5),
        (json!({"api_key": "k"}), "https://api.coingecko.com", Some("x-cg-demo-api-key"), 30),
        (
            json!({"api_key": "k", "key_kind": "pro"}),
            "https://pro-api.coingecko.com",
            Some("x-cg-pro-api-key"),
            250,
        ),
    ] {
        let source = build("coingecko", options);
        let request = first(source.as_ref());
        assert_eq!(http(&request).origin, origin);
        assert_eq!(header(&request).map(|(name, _)| name), sent);
        assert_eq!(source.requests_per_minute(), Some(limit));
    }
    assert_eq!(refusal("coingecko", json!({"key_kind": "pro"})).key, "key_kind");
}

#[test]
fn coingecko_is_paged_to_the_depth_or_to_the_first_empty_page() {
    let pages = |options: Value, end: u64, rows: u64| -> Vec<String> {
        let source = build("coingecko", options);
        let mut request = Some(first(source.as_ref()));
        let mut asked_for = Vec::new();
        while let Some(current) = request {
            asked_for.push(parameter(&current, "page").to_owned());
            let pages = asked_for.len() as u64;
            let summary = PageSummary { rows: if pages > end { 0 } else { rows }, pages };
            let following = asked(source.next(&current, summary));
            let position = source.position_after(&current, summary);
            let expected = following.as_ref().map_or(1, |_| pages + 1);
            assert_eq!(position["next_page"], expected);
            request = following;
        }
        asked_for
    };
    assert_eq!(pages(json!({}), 99, 250), ["1", "2", "3", "4"]);
    assert_eq!(pages(json!({"pages": 6}), 1, 250), ["1", "2"]);
    // A page may be short in the middle: only an empty one is the end.
    assert_eq!(pages(json!({"pages": "all"}), 6, 249).len(), 7);
    assert_eq!(pages(json!({"pages": 0}), 2_000, 250).len(), 1_000);

    let request = first(build("coingecko", json!({"pages": 2})).as_ref());
    assert_eq!(parameter(&request, "order"), "market_cap_desc");
    assert_eq!(parameter(&request, "per_page"), "250");
    assert_eq!(parameter(&request, "vs_currency"), "usd");
    let request = first(build("coingecko", json!({"pages": "all"})).as_ref());
    assert_eq!(parameter(&request, "order"), "id_asc");

    for pages in [json!(1_001), json!(-1), json!(1.5), json!("many"), json!([4])] {
        assert_eq!(refusal("coingecko", json!({"pages": pages})).key, "pages");
    }
}

#[test]
fn a_broken_coingecko_run_goes_on_where_it_stopped_for_a_quarter_of_an_hour() {
    let source = build("coingecko", json!({}));
    let begins_at = |position: Value, age: Duration| {
        let checkpoint = Checkpoint { position, moved_at: now().minus(age) };
        let request = asked(source.first(RunStart { checkpoint: Some(&checkpoint), now: now() }));
        parameter(&request.unwrap(), "page").to_owned()
    };
    let third = json!({"next_page": 3, "order": "market_cap_desc"});
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(begins_at(third.clone(), minutes(0)), "3");
    assert_eq!(begins_at(third.clone(), minutes(14)), "3");
    assert_eq!(begins_at(third, minutes(15)), "1");
    assert_eq!(begins_at(json!({"next_page": 3, "order": "id_asc"}), minutes(1)), "1");
    for odd in [json!(5), json!(0), json!("3"), json!(null)] {
        let position = json!({"next_page": odd, "order": "market_cap_desc"});
        assert_eq!(begins_at(position, minutes(1)), "1");
    }
    assert_eq!(begins_at(json!(null), minutes(1)), "1");

    let ahead = Checkpoint {
        position: json!({"next_page": 3, "order": "market_cap_desc"}),
        moved_at: now().plus(minutes(1)),
    };
    let request = asked(source.first(RunStart { checkpoint: Some(&ahead), now: now() }));
    assert_eq!(parameter(&request.unwrap(), "page"), "1");
}

#[test]
fn csv_asks_for_each_path_once_and_in_order() {
    let source = build(
        "csv",
        json!({"paths": "b.csv, data/*.csv,b.csv,https://example.com:8443/a%20b.csv?x=1%202&y#top"}),
    );
    let mut request = Some(first(source.as_ref()));
    let mut described = Vec::new();
    while let Some(current) = request {
        described.push(current.describe());
        let summary = PageSummary { rows: 1, pages: described.len() as u64 };
        request = asked(source.next(&current, summary));
    }
    assert_eq!(
        described,
        [
            json!({"endpoint": "csv", "file": "b.csv"}),
            json!({"endpoint": "csv", "file": "data/*.csv"}),
            json!({"endpoint": "csv", "origin": "https://example.com:8443", "path": "/a%20b.csv", "query": [["x", "1 2"], ["y", ""]]}),
        ]
    );
    assert_eq!(source.requests_per_minute(), Some(60));
    assert_eq!(build("csv", json!({"paths": ["a.csv"]})).requests_per_minute(), None);
}

#[test]
fn options_of_csv_that_cannot_be_used_are_refused_by_key() {
    for (options, key) in [
        (json!({}), "paths"),
        (json!({"paths": []}), "paths"),
        (json!({"paths": 5}), "paths"),
        (json!({"paths": ["a.csv", 5]}), "paths"),
        (json!({"paths": "ftp://example.com/a.csv"}), "paths"),
        (json!({"paths": "https://user:secret@example.com/a.csv"}), "paths"),
        (json!({"paths": "https:///a.csv"}), "paths"),
        (json!({"paths": "[a.csv"}), "paths"),
        (json!({"paths": "a.csv", "path": "b.csv"}), "path"),
        (json!({"paths": "a.csv", "files": {}}), "files"),
        (json!({"paths": "a.csv", "files": ["a.csv"]}), "files[0]"),
        (json!({"paths": "a.csv", "files": [{"change": "percent"}]}), "files[0].path"),
        (json!({"paths": "a.csv", "files": [{"path": "a.csv", "change": "x"}]}), "files[0].change"),
        (json!({"paths": "a.csv", "files": [{"path": "a.csv", "unit": "x"}]}), "files[0].unit"),
        (
            json!({"paths": "a.csv", "files": [{"path": "a", "columns": {"cost": "x"}}]}),
            "files[0].columns.cost",
        ),
        (
            json!({"paths": "a.csv", "files": [{"path": "a", "delimiter": "::"}]}),
            "files[0].delimiter",
        ),
    ] {
        assert_eq!(refusal("csv", options.clone()).key, key, "{options}");
    }
}

#[test]
fn what_is_no_table_is_refused_by_the_survey() {
    let source = build(
        "csv",
        json!({"paths": "a.csv", "files": [{"path": "b.csv", "columns": {"price_usd": "cost"}}]}),
    );
    let survey = |file: &str, body: &[u8]| {
        let target = Target::Files { pattern: format!("./data/{file}") };
        source.survey(&Request { endpoint: "csv", target }, &mut { body })
    };
    for (file, body, code) in [
        ("a.csv", &b""[..], "not_csv"),
        ("a.csv", b"\n\n", "not_csv"),
        ("a.csv", b"<html>", "not_csv"),
        ("a.csv", b"[{}]", "not_csv"),
        ("a.csv", b"\xff\xfei\0d\0", "not_csv"),
        ("a.csv", b"\x7fELF\0\0", "not_csv"),
        ("a.csv", b"price,volume\n1,2\n", "no_key_column"),
        ("b.csv", b"id,price\n1,2\n", "column_missing"),
    ] {
        assert_eq!(survey(file, body).unwrap_err().code, code, "{}", body.escape_ascii());
    }
    assert_eq!(survey("a.csv", b"id,price\n").unwrap()["key"], "id");
    let mut many = b"symbol\n".to_vec();
    for number in 0..20_002 {
        many.extend_from_slice(format!("s{}\n", number / 2).as_bytes());
    }
    assert_eq!(survey("a.csv", &many).unwrap_err().code, "ambiguous_keys");
}

#[test]
fn unknown_sources_and_options_are_refused_with_what_is_known() {
    let error = refusal("bloomberg", json!({}));
    assert_eq!(error.remedy, "write one of coingecko, coinpaprika, csv");
    for name in kasparro_sources::names() {
        let error = refusal(name, json!({"no_such_option": 1}));
        assert_eq!(error.key, "no_such_option");
        for key in kasparro_sources::option_keys(name) {
            assert!(error.remedy.contains(key), "{error}");
        }
        assert!(kasparro_sources::build(name, json!([1])).is_err());
    }
}
