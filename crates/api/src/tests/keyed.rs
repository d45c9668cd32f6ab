//! Keys of a world, and requests that bring one.

use std::net::SocketAddr;
use std::time::Duration;

use kasparro_domain::{ApiKey, Clock as _, Scope};
use kasparro_store::{KeyStore as _, NewKey};
use secrecy::ExposeSecret as _;

use super::client::{Reply, parse, send};
use super::world::World;
use crate::limits::LimitSettings;
use crate::{ApiSettings, NewApiKey, Pepper};

/// The pepper of the worlds of these tests.
pub(super) fn pepper() -> Pepper {
    Pepper::of(b"the secret of these tests")
}

/// Settings without limits, for tests that ask often.
pub(super) fn unlimited() -> ApiSettings {
    let limits = LimitSettings {
        anonymous: None,
        keyed: None,
        failed_auth: u32::MAX,
        ..LimitSettings::default()
    };
    ApiSettings {
        pepper: pepper(),
        limits,
        cursor_key: [5; 32],
        shutdown_notice: Duration::ZERO,
        ..ApiSettings::default()
    }
}

impl World {
    /// Keeps a key with a scope and returns its text.
    pub(super) async fn key(&self, scope: Scope) -> String {
        self.key_with(scope, |_| {}).await
    }

    /// Keeps a key that differs from a good one and returns its text.
    pub(super) async fn key_with(&self, scope: Scope, change: impl FnOnce(&mut ApiKey)) -> String {
        let new = NewApiKey::random();
        let text = new.text.expose_secret().to_owned();
        let mut key = ApiKey {
            key_id: new.key_id,
            name: format!("a key that may {scope}"),
            scope,
            hmac: pepper().hmac(&text),
            requests: None,
            created_at: self.clock.now().minus(Duration::from_secs(60)),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        change(&mut key);
        self.kept.add_key(NewKey { key, replaces: None }).await.unwrap();
        text
    }
}

/// The header line for a key.
pub(super) fn with_key(key: &str) -> String {
    format!("x-api-key: {key}\r\n")
}

/// Sends a request with header lines and a body.
pub(super) async fn ask(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Reply {
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    parse(&send(address, text.as_bytes()).await)
}

/// The answer without what differs between two requests for the same.
pub(super) fn essence(reply: &Reply) -> (u16, serde_json::Value) {
    let mut body = reply.json();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
        members.remove("api_latency_ms");
    }
    (reply.status, body)
}
