//! Input that cannot be meant: each gets a clear answer, none a panic or a 500.

use super::client::{get, get_json, parse, request, send};
use super::world::{Served, World};

async fn served() -> Served {
    World::with_many(45).await.serve().await
}

#[tokio::test]
async fn i8_every_bad_parameter_of_data_is_named() {
    let served = served().await;
    for (query, code, field) in [
        ("page=-1", "invalid_parameter", "page"),
        ("page=0", "invalid_parameter", "page"),
        ("page=1.0", "invalid_parameter", "page"),
        ("limit=1e9", "invalid_parameter", "limit"),
        ("limit=1000000000", "invalid_parameter", "limit"),
        ("limit=501", "invalid_parameter", "limit"),
        ("per_page=0", "invalid_parameter", "per_page"),
        ("page_size=-5", "invalid_parameter", "page_size"),
        ("limit=5&per_page=6", "invalid_parameter", "per_page"),
        ("page=2&offset=5", "invalid_parameter", "offset"),
        ("offset=99999999999999999999", "invalid_parameter", "offset"),
        ("min_price=abc", "invalid_parameter", "min_price"),
        ("min_price=NaN", "invalid_parameter", "min_price"),
        ("max_price=1e400", "invalid_parameter", "max_price"),
        ("min_price=2&max_price=1", "invalid_parameter", "min_price"),
        ("asset_id=-1", "invalid_parameter", "asset_id"),
        ("asset_id=99999999999999999999", "invalid_parameter", "asset_id"),
        ("source=kraken", "invalid_parameter", "source"),
        ("sort=secret", "invalid_parameter", "sort"),
        ("order=down", "invalid_parameter", "order"),
        ("include=everything", "invalid_parameter", "include"),
        ("fields=id,secret", "invalid_parameter", "fields"),
        ("numbers=float", "invalid_parameter", "numbers"),
        ("symbol=", "invalid_parameter", "symbol"),
        ("symbol=%00", "invalid_parameter", "symbol"),
        ("symbol=BTC%00", "invalid_parameter", "symbol"),
        ("name=%ff%fe", "invalid_parameter", "name"),
        ("search=%GG", "invalid_parameter", "search"),
        ("search=a%0d%0ax-injected:%201", "invalid_parameter", "search"),
        ("symbol=a&symbol=a", "repeated_parameter", "symbol"),
        ("limit=5&limit=5", "repeated_parameter", "limit"),
        ("nonsense=1", "unknown_parameter", "nonsense"),
        ("Limit=1", "unknown_parameter", "Limit"),
        ("symbol[]=a", "unknown_parameter", "symbol[]"),
        ("cursor=", "invalid_parameter", "cursor"),
        ("cursor=abc", "invalid_cursor", "cursor"),
        ("cursor=abc&page=1", "invalid_parameter", "cursor"),
        ("cursor=abc&offset=1", "invalid_parameter", "cursor"),
        ("cursor=abc&sort=name", "invalid_cursor", "cursor"),
    ] {
        let reply = get(served.address, &format!("/data?{query}")).await;
        reply.assert_problem(400, code);
        let problem = reply.json();
        let named =
            problem["errors"].as_array().unwrap().iter().any(|error| error["field"] == field);
        assert!(named, "{query}: {problem}");
    }
    let problem = get(served.address, "/data?page=-1&limit=x&who=1").await.json();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 3, "all mistakes at once: {problem}");
    assert!(problem["detail"].as_str().unwrap().contains("per_page"), "the known names: {problem}");
    let known = get(served.address, "/data?source=kraken").await.json();
    assert!(known["detail"].as_str().unwrap().contains("coingecko, coinpaprika, csv"), "{known}");
}

#[tokio::test]
async fn a11_a_cursor_that_was_changed_shortened_or_moved_is_refused() {
    let served = served().await;
    let page = get_json(served.address, "/data?limit=10&symbol=sym").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    get_json(served.address, &format!("/data?symbol=sym&cursor={cursor}")).await;
    let mut forged = Vec::new();
    for place in [0, 5, 12, 20, cursor.len() - 1] {
        let mut bytes = cursor.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        forged.push(format!("symbol=sym&cursor={}", String::from_utf8(bytes).unwrap()));
    }
    forged.push(format!("symbol=sym&cursor={}", &cursor[..cursor.len() - 4]));
    forged.push(format!("symbol=sym&cursor={cursor}AAAA"));
    forged.push(format!("cursor={cursor}"));
    forged.push(format!("symbol=other&cursor={cursor}"));
    for query in forged {
        get(served.address, &format!("/data?{query}")).await.assert_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn i8_bad_ids_paths_and_methods_have_their_answers() {
    let served = served().await;
    for path in [
        "/listings/x",
        "/listings/-1",
        "/assets/1e3",
        "/assets/%00",
        "/listings/99999999999999999999",
    ] {
        get(served.address, path).await.assert_problem(400, "invalid_id");
    }
    get(served.address, "/runs/not-a-uuid").await.assert_problem(400, "invalid_id");
    get(served.address, "/listings/%ff").await.assert_problem(400, "bad_request");
    for path in [
        "/nothing",
        "/data/1",
        "//data",
        "/data//",
        "/api/v2/data",
        "/DATA",
        "/..%2f..%2fetc/passwd",
    ] {
        get(served.address, path).await.assert_problem(404, "not_found");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
        let reply = request(served.address, method, "/data", "").await;
        reply.assert_problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("GET,HEAD,OPTIONS"), "{method}");
    }
    for path in ["/", "/api", "/stats", "/runs", "/sources", "/assets/1", "/listings/1"] {
        get(served.address, &format!("{path}?nonsense=1"))
            .await
            .assert_problem(400, "unknown_parameter");
    }
    get(served.address, "/runs?status=done&source=x")
        .await
        .assert_problem(400, "invalid_parameter");
}

#[tokio::test]
async fn a3_what_is_too_large_is_refused_and_not_reset() {
    let served = served().await;
    let target = |bytes: usize| format!("/data?search={}", "x".repeat(bytes));
    get(served.address, &target(2_100)).await.assert_problem(400, "invalid_parameter");
    get(served.address, &target(9_000)).await.assert_problem(414, "uri_too_long");
    get(served.address, &target(1 << 20)).await.assert_problem(414, "uri_too_long");
    let header = format!("x-large: {}\r\n", "y".repeat(64 * 1024));
    request(served.address, "GET", "/data", &header).await.assert_problem(431, "headers_too_large");
    let many = "a: b\r\n".repeat(3_000);
    request(served.address, "GET", "/data", &many).await.assert_problem(431, "headers_too_large");
    for length in ["1000000000", "65537", "99999999999999999999"] {
        let reply =
            request(served.address, "GET", "/data", &format!("content-length: {length}\r\n")).await;
        assert!([400, 413].contains(&reply.status), "{length}: {}", reply.body);
    }
    let flood: String = (0..1_000).map(|number| format!("p{number}=&")).collect();
    get(served.address, &format!("/data?{flood}")).await.assert_problem(400, "unknown_parameter");
    get_json(served.address, "/data").await;
}

#[tokio::test]
async fn a6_what_is_not_http_is_told_so() {
    let served = served().await;
    for bytes in [
        &b"\x00\x01\x02\r\n\r\n"[..],
        b"GET /da\x00ta HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n",
    ] {
        let reply = parse(&send(served.address, bytes).await);
        assert_eq!(reply.status, 400, "{bytes:?}: {}", reply.body);
        reply.assert_problem(400, "bad_request");
    }
    get_json(served.address, "/data").await;
}
