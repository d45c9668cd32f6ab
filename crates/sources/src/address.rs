//! Web addresses as users write them into options.

use kasparro_extract::{Cost, HttpRequest, OptionError};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde_json::Value;

use crate::options::Options;

/// Reads the option `key`: a list of texts, or one text with commas between. Blank ones are left out,
/// and each counts once.
pub(crate) fn list<'a>(
    options: &Options<'a>,
    key: &str,
    wanted: &str,
) -> Result<Vec<&'a str>, OptionError> {
    let refuse = || options.refuse(key, wanted);
    let texts: Vec<&str> = match options.get(key) {
        Some(Value::String(text)) => text.split(',').collect(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().ok_or_else(refuse)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(refuse()),
        None => Vec::new(),
    };
    let mut list: Vec<&str> = Vec::new();
    for text in texts.into_iter().map(str::trim).filter(|text| !text.is_empty()) {
        if text.contains('\0') {
            return Err(refuse());
        }
        if !list.contains(&text) {
            list.push(text);
        }
    }
    if list.is_empty() { Err(refuse()) } else { Ok(list) }
}

/// Scheme, in lower case, and the rest of what has one.
pub(crate) fn split_scheme(text: &str) -> Option<(String, &str)> {
    text.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest))
}

/// What to write in place of an address of another scheme.
pub(crate) const ONLY_WEB: &str = "only http:// and https:// addresses are fetched";

/// Names under which hosts take keys in the query, in lower case and without separators.
const SECRET_NAMES: [&str; 14] = [
    "accesskey",
    "accesstoken",
    "apikey",
    "apitoken",
    "auth",
    "authkey",
    "authtoken",
    "key",
    "passwd",
    "password",
    "secret",
    "sig",
    "signature",
    "token",
];

/// True for a query parameter that carries a key.
fn names_a_secret(parameter: &str) -> bool {
    let plain: String = parameter.to_lowercase().replace(['_', '-', '.'], "");
    SECRET_NAMES.contains(&plain.strip_prefix('x').unwrap_or(&plain))
        || SECRET_NAMES.contains(&plain.as_str())
}

/// A text of options without the keys in the query of the addresses that it names.
pub(crate) fn without_keys(text: &str) -> String {
    let piece = |piece: &str| {
        let Some((before, query)) = piece.split_once('?') else { return piece.to_owned() };
        if split_scheme(before.trim()).is_none_or(|(scheme, _)| !scheme.starts_with("http")) {
            return piece.to_owned();
        }
        let public = query.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !names_a_secret(&percent_decode_str(name).decode_utf8_lossy())
        });
        let public: Vec<&str> = public.collect();
        if public.is_empty() { before.to_owned() } else { format!("{before}?{}", public.join("&")) }
    };
    text.split(',').map(piece).collect::<Vec<_>>().join(",")
}

/// A request for an `http` or `https` address.
///
/// # Errors
/// What to write instead.
pub(crate) fn web(text: &str) -> Result<HttpRequest, &'static str> {
    let Some((scheme, rest)) = split_scheme(text) else {
        return Err("write the address with http:// or https:// before it");
    };
    if !["http", "https"].contains(&scheme.as_str()) {
        return Err(ONLY_WEB);
    }
    if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("percent-encode blanks and special characters in the address");
    }
    let rest = rest.split('#').next().unwrap_or(rest);
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    if host.is_empty() {
        return Err("the address has no host");
    }
    if host.contains('@') {
        return Err("take user and password out of the address: it is stored with each page");
    }
    let decode =
        |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    let (secret, query): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| names_a_secret(name));
    let hidden = |(name, value): (String, String)| (name, SecretString::from(value));
    Ok(HttpRequest {
        origin: format!("{scheme}://{host}"),
        path: format!("/{path}"),
        query,
        secret_query: secret.into_iter().map(hidden).collect(),
        origin_matters: true,
        conditional: false,
        cost: Cost::ONE,
        credential: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i9_a_key_in_the_query_is_no_part_of_what_is_told() {
        let text = "https://news.example/feed?lang=en&apikey=CANARY&X-Api-Token=CANARY";
        let request = web(text).unwrap();
        assert_eq!(request.query, [("lang".to_owned(), "en".to_owned())]);
        assert_eq!(request.secret_query.len(), 2);
        assert!(!format!("{request:?}").contains("CANARY"));
        assert_eq!(without_keys(text), "https://news.example/feed?lang=en");
        let two = format!("{text},./coins?token=1.csv");
        assert_eq!(without_keys(&two), "https://news.example/feed?lang=en,./coins?token=1.csv");
    }
}
