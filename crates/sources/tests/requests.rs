//! What each configuration makes a source ask, and which configurations are refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Checkpoint, Timestamp};
use kasparro_extract::{
    Cost, HttpRequest, Limits, PageSummary, Purpose, Request, RunStart, Source, Target,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn build(name: &str, options: Value) -> Arc<dyn Source> {
    kasparro_sources::build(name, options).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

fn begun(source: &dyn Source, checkpoint: Option<&Checkpoint>) -> Vec<Request> {
    source.first(RunStart { checkpoint, now: now(), values: true })
}

fn first(source: &dyn Source) -> Request {
    begun(source, None).into_iter().next().unwrap()
}

fn summary(rows: u64, pages: u64) -> PageSummary<'static> {
    PageSummary { rows, pages, survey: &Value::Null }
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
fn the_plan_of_coinpaprika_decides_host_and_limits_and_the_key_goes_bare() {
    let free = first(build("coinpaprika", json!({})).as_ref());
    assert_eq!(http(&free).origin, "https://api.coinpaprika.com");
    assert_eq!(http(&free).path, "/v1/tickers");
    assert_eq!(parameter(&free, "quotes"), "USD");
    assert_eq!(header(&free), None);

    let pro = first(build("coinpaprika", json!({"api_key": "k1"})).as_ref());
    assert_eq!(http(&pro).origin, "https://api-pro.coinpaprika.com");
    assert_eq!(header(&pro), Some(("authorization", "k1".to_owned())));

    for (options, credits) in [(json!({}), 20_000), (json!({"api_key": "k1"}), 400_000)] {
        let limits = Limits { credits_per_month: Some(credits), ..Limits::per_minute(60) };
        assert_eq!(build("coinpaprika", options).limits(), limits);
    }

    let unused = first(build("coinpaprika", json!({"api_key": "k1", "plan": "free"})).as_ref());
    assert_eq!(http(&unused).origin, "https://api.coinpaprika.com");
    assert_eq!(header(&unused), None);

    assert_eq!(refusal("coinpaprika", json!({"plan": "pro"})).key, "plan");
    assert_eq!(refusal("coinpaprika", json!({"plan": "gold"})).remedy, "write \"free\" or \"pro\"");
}

#[test]
fn the_kind_of_a_coingecko_key_decides_host_header_and_limits() {
    for (options, origin, sent, limit, credits) in [
        (json!({}), "https://api.coingecko.com", None, 5, None),
        (json!({"api_key": ""}), "https://api.coingecko.com", None, 5, None),
        (
            json!({"api_key": "k"}),
            "https://api.coingecko.com",
            Some("x-cg-demo-api-key"),
            30,
            Some(10_000),
        ),
        (
            json!({"api_key": "k", "key_kind": "pro"}),
            "https://pro-api.coingecko.com",
            Some("x-cg-pro-api-key"),
            250,
            None,
        ),
    ] {
        let source = build("coingecko", options);
        let request = first(source.as_ref());
        assert_eq!(http(&request).origin, origin);
        assert_eq!(header(&request).map(|(name, _)| name), sent);
        assert_eq!(
            source.limits(),
            Limits { credits_per_month: credits, ..Limits::per_minute(limit) }
        );
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
            let summary = summary(if pages > end { 0 } else { rows }, pages);
            let following = source.next(&current, summary).into_iter().next();
            let position = source.position_after(&current, summary).unwrap();
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
        let requests = begun(source.as_ref(), Some(&checkpoint));
        parameter(&requests[0], "page").to_owned()
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
    assert_eq!(parameter(&begun(source.as_ref(), Some(&ahead))[0], "page"), "1");
}

#[test]
fn csv_asks_for_each_path_once_and_in_order() {
    let source = build(
        "csv",
        json!({"paths": "b.csv, data/*.csv,b.csv,https://example.com:8443/a%20b.csv?x=1%202&y#top"}),
    );
    let requests = begun(source.as_ref(), None);
    assert!(requests.iter().all(|one| source.next(one, summary(1, 1)).is_empty()));
    let complete: Vec<bool> = requests.iter().map(|one| one.completes_sweep).collect();
    assert_eq!(complete, [false, false, true]);
    let described: Vec<Value> = requests.iter().map(Request::describe).collect();
    assert_eq!(
        described,
        [
            json!({"endpoint": "csv", "file": "b.csv"}),
            json!({"endpoint": "csv", "file": "data/*.csv"}),
            json!({"endpoint": "csv", "origin": "https://example.com:8443", "path": "/a%20b.csv", "query": [["x", "1 2"], ["y", ""]]}),
        ]
    );
    assert_eq!(source.limits(), Limits::per_minute(60));
    assert_eq!(build("csv", json!({"paths": ["a.csv"]})).limits(), Limits::default());
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
            json!({"paths": "a.csv", "files": [{"path": "a.csv", "date_in_name": "no"}]}),
            "files[0].date_in_name",
        ),
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
        let request = Request { target, ..first(source.as_ref()) };
        source.survey(&request, &mut { body })
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
fn the_date_in_a_name_is_noted_so_that_the_rows_can_be_read_without_it() {
    let source = build(
        "csv",
        json!({"paths": ["*.csv", "https://example.com/2024-06-01/a%202024%5f06%5f02.csv?d=2024-06-03"],
            "files": [{"path": "plain-*.csv", "date_in_name": false}]}),
    );
    let dated = |target: Target, body: &str| {
        let request = Request { target, ..first(source.as_ref()) };
        source.survey(&request, &mut body.as_bytes()).unwrap().get("dated").cloned()
    };
    let file = |name: &str, body: &str| dated(Target::Files { pattern: name.to_owned() }, body);
    let table = "id,price\n1,2\n";
    assert_eq!(file("2024-06-02/x_2024-06-01.csv", table), Some(json!("2024-06-01T00:00:00Z")));
    assert_eq!(file("2024-06-02/prices.csv", table), None);
    assert_eq!(file("plain-2024-06-01.csv", table), None);
    assert_eq!(file("x_2024-06-01.csv", "id,price,date\n1,2,\n"), None);
    let web = begun(source.as_ref(), None).remove(1).target;
    assert_eq!(dated(web, table), Some(json!("2024-06-02T00:00:00Z")));
}

#[test]
fn lists_of_coingecko_come_after_the_markets_and_alone_where_no_values_are_wanted() {
    let source = build("coingecko", json!({"api_key": "k"}));
    let requests = begun(source.as_ref(), None);
    let list = &requests[1];
    assert_eq!((requests.len(), list.endpoint), (2, "coins_list"));
    assert_eq!(http(list).path, "/api/v3/coins/list");
    assert_eq!(parameter(list, "include_platform"), "true");
    assert_eq!(header(list), Some(("x-cg-demo-api-key", "k".to_owned())));
    assert!(list.purpose == Purpose::List && list.completes_sweep && !requests[0].completes_sweep);
    assert!(source.next(list, summary(17_000, 5)).is_empty());
    assert_eq!(source.position_after(list, summary(17_000, 5)), None);
    let alone = source.first(RunStart { checkpoint: None, now: now(), values: false });
    assert_eq!(alone.len(), 1);
    assert_eq!(alone[0].describe(), list.describe());
}

#[test]
fn coinpaprika_asks_for_the_contracts_of_each_platform_that_it_was_told() {
    let source = build("coinpaprika", json!({}));
    let requests = begun(source.as_ref(), None);
    let endpoints: Vec<&str> = requests.iter().map(|request| request.endpoint).collect();
    assert_eq!(endpoints, ["tickers", "coins", "contract_platforms"]);
    let sweeps: Vec<bool> = requests.iter().map(|request| request.completes_sweep).collect();
    assert_eq!(sweeps, [false, true, false]);
    let platforms = &requests[2];
    let mut body = &b"[\"eth-ethereum\", \"a/b c?\", \"\", \"eth-ethereum\", \"..\"]"[..];
    let survey = source.survey(platforms, &mut body).unwrap();
    assert_eq!(survey, json!({"platforms": ["eth-ethereum", "a/b c?", ".."]}));
    let page = PageSummary { rows: 0, pages: 3, survey: &survey };
    let pages = source.next(platforms, page);
    let paths: Vec<&str> = pages.iter().map(|page| http(page).path.as_str()).collect();
    assert_eq!(paths, ["/v1/contracts/eth-ethereum", "/v1/contracts/a%2Fb%20c%3F"]);
    for page in &pages {
        assert_eq!((page.endpoint, page.purpose), ("contracts", Purpose::List));
        assert!(!page.completes_sweep && source.next(page, summary(9, 4)).is_empty());
    }
    assert!(source.next(&requests[1], page).is_empty());
    for (body, code) in [
        ("", "empty_body"),
        ("[\"a\"", "truncated"),
        ("<html>", "not_json"),
        ("{}", "wrong_shape"),
        ("[1]", "wrong_shape"),
        ("[\"a\"] x", "not_json"),
    ] {
        let error = source.survey(platforms, &mut body.as_bytes()).unwrap_err();
        assert_eq!(error.code, code, "{body}");
    }
}

#[test]
fn coinpaprika_is_asked_which_coins_of_others_its_coins_are_only_with_a_key() {
    let endpoints = |options| -> Vec<&str> {
        let requests = begun(build("coinpaprika", options).as_ref(), None);
        requests.iter().map(|request| request.endpoint).collect()
    };
    let rest = ["tickers", "coins", "contract_platforms"];
    for options in [
        json!({"mappings": true}),
        json!({"api_key": "k1"}),
        json!({"api_key": "k1", "mappings": false}),
        json!({"api_key": "k1", "plan": "free", "mappings": true}),
    ] {
        assert_eq!(endpoints(options.clone()), rest, "{options}");
    }
    let asked = json!({"api_key": "k1", "mappings": true});
    assert_eq!(endpoints(asked.clone()), [&rest[..], &["mappings"]].concat());
    let source = build("coinpaprika", asked);
    let mappings = &begun(source.as_ref(), None)[3];
    assert_eq!(http(mappings).origin, "https://api-pro.coinpaprika.com");
    assert_eq!(http(mappings).path, "/v1/coins/mappings");
    assert!(http(mappings).query.is_empty(), "a filter would name one coin");
    assert_eq!(header(mappings), Some(("authorization", "k1".to_owned())));
    assert!(mappings.purpose == Purpose::List && !mappings.completes_sweep);
    assert_eq!(refusal("coinpaprika", json!({"mappings": "yes"})).key, "mappings");
}

#[test]
fn every_request_costs_one_of_each() {
    for (name, options) in [
        ("coingecko", json!({"api_key": "k"})),
        ("coinpaprika", json!({})),
        ("csv", json!({"paths": "https://example.com/a.csv"})),
        ("feed", json!({"urls": "https://example.com/rss"})),
    ] {
        let requests = begun(build(name, options).as_ref(), None);
        assert!(requests.iter().all(|request| http(request).cost == Cost::ONE), "{name}");
    }
}

#[test]
fn unknown_sources_and_options_are_refused_with_what_is_known() {
    let error = refusal("bloomberg", json!({}));
    assert_eq!(error.remedy, format!("write one of {}", kasparro_sources::names().join(", ")));
    for name in kasparro_sources::names() {
        let error = refusal(name, json!({"no_such_option": 1}));
        assert_eq!(error.key, "no_such_option");
        for key in kasparro_sources::option_keys(name) {
            assert!(error.remedy.contains(key), "{error}");
        }
        assert!(kasparro_sources::build(name, json!([1])).is_err());
    }
}
