//! What the source of news asks for, and how it tells feeds from other answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use kasparro_domain::Timestamp;
use kasparro_extract::{Framing, HttpRequest, Limits, Purpose, Request, RunStart, Source, Target};
use serde_json::{Value, json};

fn build(name: &str, options: Value) -> Arc<dyn Source> {
    kasparro_sources::build(name, options).unwrap()
}

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

fn begun(source: &dyn Source) -> Vec<Request> {
    source.first(RunStart { checkpoint: None, now: now(), values: true })
}

fn http(request: &Request) -> &HttpRequest {
    match &request.target {
        Target::Http(http) => http,
        Target::Files { .. } => panic!("a file in place of an address"),
    }
}

#[test]
fn feeds_are_asked_for_each_on_condition_that_they_changed() {
    let source = build(
        "feed",
        json!({"urls": "https://a.example/rss, http://b.example/x?y=1,https://a.example/rss"}),
    );
    let requests = begun(source.as_ref());
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!((request.endpoint, request.purpose), ("feed", Purpose::Values));
        assert!(http(request).conditional && http(request).origin_matters);
        assert!(!request.completes_sweep);
    }
    assert_eq!(source.limits(), Limits::per_minute(60));
    assert!(source.first(RunStart { checkpoint: None, now: now(), values: false }).is_empty());
    for name in ["coingecko", "coinpaprika"] {
        let source = build(name, json!({}));
        assert!(begun(source.as_ref()).iter().all(|request| !http(request).conditional));
    }
    for urls in [
        json!(null),
        json!([]),
        json!(5),
        json!([5]),
        json!("news.csv"),
        json!("ftp://a.example/"),
        json!("https://user:secret@a.example/"),
        json!(["https:///x"]),
    ] {
        let options = json!({"urls": urls.clone()});
        let refusal = kasparro_sources::build("feed", options).unwrap_err();
        assert_eq!(refusal.key, "urls", "{urls}");
    }
    assert_eq!(kasparro_sources::build("feed", json!({})).unwrap_err().key, "urls");
}

#[test]
fn a_feed_is_known_by_what_it_holds() {
    let source = build("feed", json!({"urls": ["https://a.example:8443/feed?x=1&y=z"]}));
    let request = begun(source.as_ref()).remove(0);
    let survey = |body: &str| source.survey(&request, &mut body.as_bytes());
    let framing = |body: &str| source.framing(&request, &survey(body).unwrap());
    let address = "a.example:8443/feed?x=1&y=z";
    for (body, kind, title) in [
        (
            "\u{feff}<?xml version=\"1.0\"?><rss><channel><image><title>No</title></image><title> A &amp;\n<![CDATA[<b>]]></title></channel></rss>",
            "rss",
            json!("A & <b>"),
        ),
        ("<rdf:RDF xmlns:rdf='x'><channel><title>B</title></channel></rdf:RDF>", "rss", json!("B")),
        ("<a:feed xmlns:a='x'><a:title>C</a:title></a:feed>", "atom", json!("C")),
        ("<feed><entry><title>No</title></entry></feed>", "atom", json!(null)),
        ("<rss/>", "rss", json!(null)),
        (" {\"version\":\"x\",\"title\":\"D\",\"items\":[{]}", "json", json!("D")),
        ("{\"items\":[{\"title\":\"No\"}],\"title\":\"E\"}", "json", json!("E")),
        ("{\"title\":5}", "json", json!(null)),
    ] {
        let expected = json!({"kind": kind, "feed": address, "title": title});
        assert_eq!(survey(body).unwrap(), expected, "{body}");
    }
    assert_eq!(framing("<rss/>"), Framing::XmlItems);
    let items = Framing::JsonArray { pointer: "/items".into() };
    assert_eq!(framing("{\"items\":[]}"), items);
    for (body, code) in [
        ("", "empty_body"),
        ("<!DOCTYPE html><html></html>", "not_feed"),
        ("<?xml version=\"1.0\"?><html xmlns='x'/>", "not_feed"),
        ("<opml/>", "not_feed"),
        ("<rs", "not_feed"),
        ("id,price\n", "not_feed"),
        ("[]", "not_feed"),
    ] {
        assert_eq!(survey(body).unwrap_err().code, code, "{body}");
    }
}
