//! The key in a request.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::problem::{Code, Mistakes, Problem};

pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_API_KEY_NAME: &str = "X-API-Key";
const AUTHORIZATION_NAME: &str = "Authorization";
const BEARER: &str = "bearer ";

/// The key that a request brings, in `X-API-Key` or as `Authorization: Bearer`.
///
/// # Errors
/// 400 for a header that is repeated, for two different keys, and for what can be no key.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let own = one(headers, X_API_KEY, X_API_KEY_NAME)?;
    let bearer = one(headers, AUTHORIZATION, AUTHORIZATION_NAME)?;
    let own = own.map(|value| visible(value, X_API_KEY_NAME)).transpose()?;
    let bearer = bearer.map(token).transpose()?;
    match (own, bearer) {
        (Some(own), Some(bearer)) if own != bearer => {
            let mut mistakes = Mistakes::default();
            let message = format!("holds another key than {AUTHORIZATION_NAME}; send one of them");
            mistakes.add(Code::AmbiguousKey, X_API_KEY_NAME, message);
            mistakes.check(None)
        }
        (own, bearer) => Ok(own.or(bearer)),
    }
}

fn one<'a>(
    headers: &'a HeaderMap,
    header: HeaderName,
    name: &str,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(header).iter();
    let (first, second) = (values.next(), values.next());
    let mut mistakes = Mistakes::default();
    if second.is_some() {
        mistakes.add(Code::AmbiguousKey, name, "is given more than once");
    }
    mistakes.check(first)
}

/// The token behind `Bearer`; the scheme ignores case.
fn token(value: &HeaderValue) -> Result<&str, Problem> {
    let text = value.to_str().unwrap_or_default();
    let scheme = text.get(..BEARER.len()).filter(|scheme| scheme.eq_ignore_ascii_case(BEARER));
    let token = scheme.and_then(|_| text.get(BEARER.len()..)).unwrap_or_default().trim();
    readable(token, AUTHORIZATION_NAME, "is not of the form `Bearer KEY`")
}

fn visible<'a>(value: &'a HeaderValue, name: &str) -> Result<&'a str, Problem> {
    let text = value.to_str().unwrap_or_default();
    readable(text, name, "is no key: a key is visible ASCII characters")
}

fn readable<'a>(text: &'a str, name: &str, message: &str) -> Result<&'a str, Problem> {
    let mut mistakes = Mistakes::default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        mistakes.add(Code::InvalidHeader, name, message);
    }
    mistakes.check(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &[(&'static str, &[u8])]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers).map(|key| key.map(str::to_owned)).map_err(|problem| problem.code)
    }

    #[test]
    fn a_key_comes_in_either_header_or_the_same_in_both() {
        assert_eq!(given(&[]), Ok(None));
        for lines in [
            &[("x-api-key", &b"k1"[..])][..],
            &[("authorization", b"Bearer k1")],
            &[("authorization", b"bearer   k1")],
            &[("authorization", b"BEARER k1")],
            &[("authorization", b"Bearer k1"), ("x-api-key", b"k1")],
        ] {
            assert_eq!(given(lines), Ok(Some("k1".to_owned())), "{lines:?}");
        }
    }

    #[test]
    fn k3_what_is_ambiguous_or_can_be_no_key_is_refused() {
        for lines in [
            &[("x-api-key", &b"k1"[..]), ("x-api-key", b"k1")][..],
            &[("authorization", b"Bearer k1"), ("authorization", b"Basic eA==")],
            &[("authorization", b"Bearer k1"), ("x-api-key", b"k2")],
        ] {
            assert_eq!(given(lines), Err(Code::AmbiguousKey), "{lines:?}");
        }
        for lines in [
            &[("x-api-key", &b""[..])][..],
            &[("x-api-key", b"a b")],
            &[("x-api-key", b"a\tb")],
            &[("x-api-key", "é".as_bytes())],
            &[("authorization", b"Bearer")],
            &[("authorization", b"Bearer ")],
            &[("authorization", b"Basic dXNlcjpwYXNz")],
            &[("authorization", b"k1")],
            &[("authorization", b"Bearer k1 k2")],
            &[("authorization", b"Bearer\xa0k1")],
        ] {
            assert_eq!(given(lines), Err(Code::InvalidHeader), "{lines:?}");
        }
    }
}
