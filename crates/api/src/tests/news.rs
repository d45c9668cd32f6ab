//! `/news` and `/rss-feed`.

use serde_json::{Value, json};

use super::client::{get, get_json, request};
use super::world::World;

const EVIL: &str = "<script>alert(\"1\")</script> & \u{1}\"quotes\" ]]>";

/// Three items of one feed and one of another.
async fn news() -> World {
    let mut world = World::new();
    let items = [
        ("a", "Bitcoin rises", Some("2023-12-30T10:00:00Z")),
        ("b", EVIL, Some("2023-12-31T10:00:00Z")),
        ("c", "No time 100%", None),
    ];
    world.news("news.example/rss", &items).await;
    world.news("other.example/feed", &[("a", "Ether", Some("2023-12-31T09:00:00Z"))]).await;
    world
}

fn ids(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn news_come_newest_first_with_their_texts_as_they_are() {
    let served = news().await.serve().await;
    let page = get_json(served.address, "/news").await;
    assert_eq!(ids(&page), [3, 2, 4, 1]);
    assert_eq!(
        page["data"][1],
        json!({
            "id": 2, "source": "feed", "feed": "news.example/rss", "title": EVIL,
            "link": "https://news.example/b?a=1&b=2", "summary": "About <b> & more", "author": null,
            "published_at": "2023-12-31T10:00:00Z", "first_seen_at": "2024-01-01T00:00:01Z",
        })
    );
    assert_eq!(page["data"][0]["published_at"], Value::Null);
    assert_eq!(
        (&page["total"], &page["page"], &page["page_size"]),
        (&json!(4), &json!(1), &json!(20))
    );
    for (query, expected) in [
        ("source=feed", vec![3, 2, 4, 1]),
        ("source=rss", vec![3, 2, 4, 1]),
        ("source=csv", vec![]),
        ("feed=other.example/feed", vec![4]),
        ("feed=https://other.example/feed", vec![4]),
        ("feed=HTTP%3A%2F%2Fother.example%2Ffeed", vec![4]),
        ("feed=ftp://other.example/feed", vec![]),
        ("feed=https://http://other.example/feed", vec![]),
        ("feed=%C3%A9%C3%A9%C3%A9%C3%A9", vec![]),
        ("search=BITCOIN", vec![1]),
        ("search=0%25", vec![3]),
        ("search=%3Ca%3E", vec![4, 1]),
        ("from=2023-12-31&to=2023-12-31T10:00:00Z", vec![4]),
        ("from=1704016800", vec![3, 2]),
        ("to=2023-12-31", vec![1]),
        ("limit=2&page=2", vec![4, 1]),
        ("offset=9223372036854775807", vec![]),
    ] {
        for path in ["/news", "/rss-feed"] {
            let page = get_json(served.address, &format!("{path}?{query}")).await;
            assert_eq!(ids(&page), expected, "{path} {query}");
        }
    }
}

#[tokio::test]
async fn a1_markup_in_titles_arrives_as_text_in_json_and_in_rss() {
    let served = news().await.serve().await;
    let reply = get(served.address, "/news?search=script").await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.json()["data"][0]["title"], EVIL);

    let by_accept =
        request(served.address, "GET", "/rss-feed", "accept: application/rss+xml\r\n").await;
    let by_xml =
        request(served.address, "GET", "/rss-feed", "accept: text/xml, application/xml\r\n").await;
    for reply in [get(served.address, "/api/v1/rss-feed/?format=rss").await, by_accept, by_xml] {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/rss+xml; charset=utf-8"));
        assert_eq!(reply.header("vary"), Some("accept, accept-encoding, x-min-generation"));
        assert!(!reply.body.contains("<script"), "{}", reply.body);
        assert!(reply.body.contains("&lt;script&gt;alert("), "{}", reply.body);
        assert!(reply.body.contains("<link>https://news.example/b?a=1&amp;b=2</link>"));
        assert!(reply.body.contains("<pubDate>Sun, 31 Dec 2023 10:00:00 GMT</pubDate>"));
        let summary = "<description>About &amp;lt;b&amp;gt; &amp;amp; more</description>";
        assert!(reply.body.contains(summary), "{}", reply.body);
        let titles = titles(&reply.body);
        let readable = EVIL.replace('\u{1}', "\u{fffd}");
        assert_eq!(titles, ["Kasparro news", "No time 100%", &readable, "Ether", "Bitcoin rises"]);
    }
    let json =
        request(served.address, "GET", "/rss-feed?format=json", "accept: application/rss+xml\r\n")
            .await;
    assert_eq!(json.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_document_links_here_by_the_scheme_that_the_client_used() {
    let served = news().await.serve().await;
    for (header, expected) in [
        ("", "<link>http://localhost/news</link>"),
        ("x-forwarded-proto: https\r\n", "<link>https://localhost/news</link>"),
        ("x-forwarded-proto: http\r\n", "<link>http://localhost/news</link>"),
        ("x-forwarded-proto: javascript\r\n", "<link>http://localhost/news</link>"),
    ] {
        let reply = request(served.address, "GET", "/rss-feed?format=rss", header).await;
        assert!(reply.body.contains(expected), "{header}: {}", reply.body);
    }
}

/// The titles of a document that must be well formed.
fn titles(document: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut titles, mut open): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) if start.name().as_ref() == "title" => open = Some(String::new()),
            Event::End(end) if end.name().as_ref() == "title" => titles.extend(open.take()),
            Event::Text(text) => {
                if let Some(open) = &mut open {
                    open.push_str(&text);
                }
            }
            Event::GeneralRef(name) => {
                if let Some(open) = &mut open {
                    let name: &str = &name;
                    let character =
                        quick_xml::escape::unescape(&format!("&{name};")).unwrap().into_owned();
                    open.push_str(&character);
                }
            }
            Event::Eof => return titles,
            _ => {}
        }
    }
}

#[tokio::test]
async fn i8_bad_input_to_news_is_named() {
    let served = news().await.serve().await;
    for path in ["/news", "/rss-feed"] {
        for (query, field) in [
            ("source=kraken", "source"),
            ("feed=", "feed"),
            ("feed=https://", "feed"),
            ("search=%00", "search"),
            ("from=soon", "from"),
            ("to=2023-13-01", "to"),
            ("from=2024-01-01&to=2024-01-01", "from"),
            ("limit=501", "limit"),
            ("page=0", "page"),
            ("offset=x", "offset"),
        ] {
            let reply = get(served.address, &format!("{path}?{query}")).await;
            reply.assert_problem(400, "invalid_parameter");
            assert_eq!(reply.json()["errors"][0]["field"], field, "{path} {query}");
        }
        get(served.address, &format!("{path}?cursor=x"))
            .await
            .assert_problem(400, "unknown_parameter");
    }
    get(served.address, "/rss-feed?format=atom").await.assert_problem(400, "invalid_parameter");
    get(served.address, "/news?format=rss").await.assert_problem(400, "unknown_parameter");
}
