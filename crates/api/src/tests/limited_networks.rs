//! What the clients of one IPv6 network may ask for together.

use super::client::{ADMIN_KEY, request};
use super::limits::limited;
use super::world::{World, serve};
use crate::ApiSettings;

#[tokio::test]
async fn a9_a_thousand_ipv6_networks_of_one_customer_have_sixteen_limits_together() {
    let world = World::with_many(3).await;
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let served = serve(world.api(ApiSettings { trusted_proxies, ..limited(2) })).await;
    let from = async |line: String, key: &str| {
        let headers = format!("x-forwarded-for: {line}\r\n{key}");
        request(served.address, "GET", "/data", &headers).await
    };
    let mut answered = 0;
    for number in 0..1_000 {
        let reply = from(format!("2001:db8:1:{number:x}::1"), "").await;
        answered += u32::from(reply.status == 200);
        if reply.status != 200 {
            reply.assert_problem(429, "rate_limited");
            assert_eq!(reply.header("ratelimit-policy"), Some("\"network\";q=32;w=900"));
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("32 requests in 900 seconds are allowed to all"), "{detail}");
        }
    }
    assert_eq!(answered, 32);
    assert_eq!(from("2001:db8:2::1".to_owned(), "").await.status, 200, "another network");
    let key = format!("x-api-key: {ADMIN_KEY}\r\n");
    assert_eq!(from("2001:db8:1::1".to_owned(), &key).await.status, 200, "a key has its own");
}
