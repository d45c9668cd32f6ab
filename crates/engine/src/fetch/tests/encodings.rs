//! Encoded bodies: undone while they arrive, and bounded.

use async_compression::Level;
use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use tokio::io::AsyncReadExt;

use super::wire::{Step, Wire, answer};
use super::*;

/// How a body is encoded, and what the header calls it.
const ENCODINGS: [(&str, &str); 5] = [
    ("gzip", "gzip"),
    ("zlib", "deflate"),
    ("bare", "deflate"),
    ("brotli", "br"),
    ("zstd", "zstd"),
];

async fn encoded(how: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    match how {
        "gzip" => GzipEncoder::new(body).read_to_end(&mut bytes).await,
        "zlib" => ZlibEncoder::new(body).read_to_end(&mut bytes).await,
        "bare" => DeflateEncoder::new(body).read_to_end(&mut bytes).await,
        "brotli" => BrotliEncoder::with_quality(body, Level::Fastest).read_to_end(&mut bytes).await,
        _ => ZstdEncoder::new(body).read_to_end(&mut bytes).await,
    }
    .unwrap();
    bytes
}

/// An upstream that sends one body with one `Content-Encoding`, and what came of it.
async fn received(encoding: &str, body: Vec<u8>) -> Result<Vec<u8>, PageError> {
    let header = format!("Content-Encoding: {encoding}");
    let wire = Wire::start(move |_| answer("200 OK", &[&header], &body)).await;
    let fetched = fetch(settings(), &written(&wire.url, "/")).await?;
    assert!(wire.heads()[0].contains("accept-encoding: gzip, br, zstd, deflate\r\n"));
    Ok(bytes_of(&fetched))
}

async fn refused(encoding: &str, body: Vec<u8>) -> PageError {
    match received(encoding, body).await {
        Ok(bytes) => panic!("{encoding}: {} bytes were taken", bytes.len()),
        Err(error) => error,
    }
}

/// Rows of a page, no two alike.
fn page() -> Vec<u8> {
    let row = |number: u64| {
        format!(r#"{{"id":"coin-{number}","price":{}}},"#, number.wrapping_mul(0x9e37_79b9_7f4a))
    };
    (0..4_000).map(row).collect::<String>().into_bytes()
}

#[tokio::test]
async fn n8_every_encoding_that_is_asked_for_is_undone() {
    let body = page();
    assert_eq!(received("identity", body.clone()).await.unwrap(), body);
    for (how, name) in ENCODINGS {
        assert!(received(name, encoded(how, &body).await).await.unwrap() == body, "{how}");
    }
    let (first, second) = body.split_at(10_000);
    for (how, name) in [("gzip", "x-gzip"), ("zstd", "ZSTD")] {
        let members = [encoded(how, first).await, encoded(how, second).await].concat();
        assert!(received(name, members).await.unwrap() == body, "{how} in two members");
    }
}

#[tokio::test]
async fn n8_an_encoded_body_that_arrives_byte_by_byte_is_whole() {
    for (how, name) in ENCODINGS {
        let body = encoded(how, br#"[{"id":"btc"}]"#).await;
        let wire = Wire::start(move |_| {
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: {name}\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            let mut steps = vec![Step::Send(head.into_bytes())];
            for byte in &body {
                steps.push(Step::Send([b"1\r\n", [*byte].as_slice(), b"\r\n"].concat()));
                steps.push(Step::Wait(Duration::from_millis(1)));
            }
            steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
            steps
        })
        .await;
        let fetched = fetch(settings(), &written(&wire.url, "/")).await.unwrap();
        assert_eq!(bytes_of(&fetched), br#"[{"id":"btc"}]"#, "{how}");
    }
}

#[tokio::test]
async fn f13_n8_zeros_that_unpack_a_thousandfold_end_the_answer() {
    for (how, name) in ENCODINGS {
        let bomb = encoded(how, &vec![0; 10 << 20]).await;
        assert!(bomb.len() < (10 << 20) / 500, "{how}: {}", bomb.len());
        assert_stops(&refused(name, bomb).await, "bomb");
    }
}

#[tokio::test]
async fn n8_a_short_body_of_equal_rows_may_shrink_to_nothing() {
    for (how, name) in ENCODINGS {
        let body = vec![b' '; 1 << 20];
        assert!(received(name, encoded(how, &body).await).await.unwrap() == body, "{how}");
    }
}

#[tokio::test]
async fn n8_a_body_that_lacks_its_end_or_its_sum_is_asked_for_again() {
    let body = page();
    for (how, name) in ENCODINGS {
        let whole = encoded(how, &body).await;
        for cut in [whole.len() / 2, whole.len() - 1, 2] {
            assert_retries(&refused(name, whole[..cut].to_vec()).await, "transfer_failed");
        }
        let longer = [whole.as_slice(), b"more"].concat();
        assert_retries(&refused(name, longer).await, "transfer_failed");
    }
    for (how, name, from_end) in [("gzip", "gzip", 8), ("gzip", "gzip", 1), ("zlib", "deflate", 1)]
    {
        let mut damaged = encoded(how, &body).await;
        let place = damaged.len() - from_end;
        damaged[place] ^= 1;
        assert_retries(&refused(name, damaged).await, "transfer_failed");
    }
}

#[tokio::test]
async fn n8_a_body_that_is_not_what_its_header_says_is_asked_for_again() {
    for name in ["gzip", "zstd"] {
        let error = refused(name, br#"[{"id":"btc"}]"#.to_vec()).await;
        assert_retries(&error, "encoding_wrong");
        assert!(error.message.contains(&format!("says that it is {name}")), "{error}");
    }
    for name in ["br", "deflate"] {
        assert_retries(&refused(name, br#"[{"id":"btc"}]"#.to_vec()).await, "transfer_failed");
    }
}

#[tokio::test]
async fn n8_nested_and_unknown_encodings_are_refused_with_their_names() {
    let nested = encoded("gzip", &encoded("gzip", b"[]").await).await;
    for (name, body) in [("gzip, gzip", nested), ("compress", b"[]".to_vec())] {
        let error = refused(name, body).await;
        assert_stops(&error, "encoding_unknown");
        assert!(error.message.contains(name), "{error}");
    }
}

#[tokio::test]
async fn n8_an_empty_body_needs_no_frame() {
    assert_eq!(received("gzip", Vec::new()).await.unwrap(), b"");
    let wire = Wire::start(|_| answer("304 Not Modified", &["Content-Encoding: br"], b"")).await;
    let fetched = fetch(settings(), &written(&wire.url, "/")).await.unwrap();
    assert_eq!(fetched.arrival.http_status, Some(304));
}

#[tokio::test]
async fn n7_a_body_is_counted_as_it_unpacks_and_ended_at_the_cap() {
    let capped = || FetchSettings { max_body_bytes: 100_000, ..settings() };
    let long = page();
    assert!(long.len() > 100_000);
    for (how, name) in ENCODINGS {
        let (body, header) = (encoded(how, &long).await, format!("Content-Encoding: {name}"));
        let wire = Wire::start(move |_| answer("200 OK", &[&header], &body)).await;
        assert_stops(&error_of(capped(), &written(&wire.url, "/")).await, "body_too_large");
    }
}

#[tokio::test]
async fn n7_an_endless_body_is_ended_at_the_cap() {
    for (header, piece) in [
        ("Transfer-Encoding: chunked", b"4\r\n1234\r\n".repeat(1_000)),
        ("X-Length: none", b"[1],".repeat(1_000)),
    ] {
        let wire = Wire::start(move |_| {
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{header}\r\n\r\n");
            vec![Step::Send(head.into_bytes()), Step::Repeat(piece.clone())]
        })
        .await;
        let capped = FetchSettings { max_body_bytes: 100_000, ..settings() };
        assert_stops(&error_of(capped, &written(&wire.url, "/")).await, "body_too_large");
    }
}
