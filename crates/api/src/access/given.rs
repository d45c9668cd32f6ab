//! The key in a request.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::problem::{Code, Mistakes, Problem};

pub(crate) const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_API_KEY_NAME: &str = "X-API-Key";
const AUTHORIZATION_NAME: &str = "Authorization";
const BEARER: &str = "bearer ";

/// Stands for every text that can be no key; nobody has it.
const NOBODYS: &str = "";

/// The key that a request brings, in `X-API-Key` or as `Authorization: Bearer`; empty for what can be no key,
/// which is answered as an unknown one is.
///
/// # Errors
/// 400 for a header that is repeated, and for two different keys.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let own = one(headers, X_API_KEY, X_API_KEY_NAME)?;
    let bearer = one(headers, AUTHORIZATION, AUTHORIZATION_NAME)?;
    let own = own.map(|value| readable(text_of(value)));
    let bearer = bearer.map(token);
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
fn token(value: &HeaderValue) -> &str {
    let text = text_of(value);
    let scheme = text.get(..BEARER.len()).filter(|scheme| scheme.eq_ignore_ascii_case(BEARER));
    readable(scheme.and_then(|_| text.get(BEARER.len()..)).unwrap_or_default())
}

/// Our own keys are ASCII; that of the operator may be any text, which headers carry as UTF-8.
fn text_of(value: &HeaderValue) -> &str {
    std::str::from_utf8(value.as_bytes()).unwrap_or(NOBODYS)
}

/// A text in one line, without the blanks around it; any other is nobody's.
fn readable(text: &str) -> &str {
    let text = text.trim_matches([' ', '\t']);
    if text.contains(char::is_control) { NOBODYS } else { text }
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
        let text = "a key \u{fc}ber all";
        for lines in [
            &[("x-api-key", text.as_bytes())][..],
            &[("authorization", "Bearer a key \u{fc}ber all".as_bytes())],
        ] {
            assert_eq!(given(lines), Ok(Some(text.to_owned())), "{lines:?}");
        }
    }

    #[test]
    fn k3_what_is_ambiguous_is_refused_and_what_can_be_no_key_is_nobodys() {
        for lines in [
            &[("x-api-key", &b"k1"[..]), ("x-api-key", b"k1")][..],
            &[("authorization", b"Bearer k1"), ("authorization", b"Basic eA==")],
            &[("authorization", b"Bearer k1"), ("x-api-key", b"k2")],
            &[("authorization", b"Basic eA=="), ("x-api-key", b"k2")],
        ] {
            assert_eq!(given(lines), Err(Code::AmbiguousKey), "{lines:?}");
        }
        for lines in [
            &[("x-api-key", &b""[..])][..],
            &[("x-api-key", b"a\tb")],
            &[("x-api-key", "a\u{85}b".as_bytes())],
            &[("x-api-key", b"a\xe9")],
            &[("authorization", b"Bearer")],
            &[("authorization", b"Bearer ")],
            &[("authorization", b"Basic dXNlcjpwYXNz")],
            &[("authorization", b"k1")],
            &[("authorization", b"Bearer\xa0k1")],
        ] {
            assert_eq!(given(lines), Ok(Some(NOBODYS.to_owned())), "{lines:?}");
        }
    }
}
