//! Keys in requests: never kept, only told apart.

use axum::http::{HeaderMap, Uri};
use sha2::{Digest, Sha256};

use crate::limits::KeyKind;

/// The query string with the values of all parameters that can hold a secret taken out.
pub(crate) fn without_secrets(uri: &Uri, pairs: Option<&[(String, String)]>) -> String {
    let Some(raw) = uri.query() else {
        return String::new();
    };
    let parts: Vec<&str> = raw.split('&').filter(|part| !part.is_empty()).collect();
    match pairs {
        Some(pairs) if pairs.len() == parts.len() => {
            let shown = parts.iter().zip(pairs).map(|(part, (name, _))| {
                if secret(name) { format!("{name}=***") } else { (*part).to_owned() }
            });
            shown.collect::<Vec<_>>().join("&")
        }
        _ => "***".to_owned(),
    }
}

/// Whether a parameter or header can hold a secret, judged by its decoded name.
pub(crate) fn secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "auth", "password"].iter().any(|word| name.contains(word))
}

/// A short name for the key that was sent, from which the key cannot be read.
pub(crate) fn key_id(headers: &HeaderMap, query: &[(String, String)]) -> Option<String> {
    let sent = headers.iter().find(|(name, _)| secret(name.as_str()));
    let sent = sent.map(|(_, value)| value.as_bytes());
    let in_query =
        || query.iter().find(|(name, _)| secret(name)).map(|(_, value)| value.as_bytes());
    sent.or_else(in_query).map(name_of_key)
}

/// Which kind of key was sent, told by the header or parameter it came in.
pub(crate) fn key_kind(headers: &HeaderMap, query: &[(String, String)]) -> KeyKind {
    let in_headers = headers.keys().map(|name| name.as_str());
    let mut names =
        in_headers.chain(query.iter().map(|(name, _)| name.as_str())).filter(|name| secret(name));
    match names.next() {
        None => KeyKind::Keyless,
        Some(name) if name.to_ascii_lowercase().replace('_', "-").contains("demo") => KeyKind::Demo,
        Some(_) => KeyKind::Pro,
    }
}

/// The short name under which the ledger shows a key, from which the key cannot be read: 12 hexadecimal
/// digits.
#[must_use]
pub fn name_of_key(key: &[u8]) -> String {
    let digest =
        Sha256::new().chain_update("kasparro simulator key id\0").chain_update(key).finalize();
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_by_the_name_of_its_header_whatever_the_vendor() {
        let id = |name: &'static str, value: &'static str| {
            let value = axum::http::HeaderValue::from_static(value);
            key_id(&HeaderMap::from_iter([(axum::http::HeaderName::from_static(name), value)]), &[])
        };
        let told = id("authorization", "k1");
        assert!(told.is_some());
        for name in ["x-cg-pro-api-key", "x-api-key", "api-token"] {
            assert_eq!(id(name, "k1"), told, "{name}");
            assert_ne!(id(name, "k2"), told, "{name}");
        }
        assert_eq!(id("accept-encoding", "k1"), None);
    }

    #[test]
    fn the_kind_of_a_key_is_told_by_where_it_came() {
        let by_header = |name: &'static str| {
            let value = axum::http::HeaderValue::from_static("k");
            let name = axum::http::HeaderName::from_static(name);
            key_kind(&HeaderMap::from_iter([(name, value)]), &[])
        };
        assert_eq!(by_header("accept"), KeyKind::Keyless);
        assert_eq!(by_header("x-cg-demo-api-key"), KeyKind::Demo);
        assert_eq!(by_header("x-cg-pro-api-key"), KeyKind::Pro);
        assert_eq!(by_header("authorization"), KeyKind::Pro);
        let query = [("x_cg_demo_api_key".to_owned(), "k".to_owned())];
        assert_eq!(key_kind(&HeaderMap::new(), &query), KeyKind::Demo);
    }
}
