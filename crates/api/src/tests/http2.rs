//! The same answers over HTTP/2.

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;

use super::client::ADMIN_KEY;
use super::world::World;

#[tokio::test]
async fn requests_are_answered_side_by_side_on_one_connection() {
    let served = World::with_many(30).await.serve().await;
    let stream = TcpStream::connect(served.address).await.unwrap();
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = |target: String| {
        let mut sender = sender.clone();
        async move {
            let uri = format!("http://localhost{target}");
            let request = Request::get(uri).header("x-api-key", ADMIN_KEY);
            let request = request.body(Empty::<Bytes>::new()).unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_2);
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice::<Value>(&body).unwrap())
        }
    };
    let (data, sources, nothing, long) = tokio::join!(
        ask("/data?limit=500".to_owned()),
        ask("/api/v1/sources/".to_owned()),
        ask("/nothing".to_owned()),
        ask(format!("/data?search={}", "x".repeat(9_000))),
    );
    assert_eq!((data.0, data.1["data"].as_array().unwrap().len()), (200, 30));
    assert_eq!((sources.0, sources.1["data"].is_array()), (200, true));
    assert_eq!((nothing.0, nothing.1["code"].as_str()), (404, Some("not_found")));
    assert_eq!((long.0, long.1["code"].as_str()), (414, Some("uri_too_long")));
    drop(sender);
    connection.await.unwrap().unwrap();
}
