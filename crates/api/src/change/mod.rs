//! Requests that change something: who asks, what, and under which name the caller knows the request again.

mod carried_out;
mod handed_in;

use std::sync::Arc;

use axum::extract::{FromRequest, OriginalUri, Request};
use axum::response::Response;
use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

pub(crate) use carried_out::{CommandsPending, pending, refusal, results};
pub(crate) use handed_in::{Decided, HandedIn};

use crate::Shared;
use crate::access::Caller;
use crate::normal_path::prefix;
use crate::problem::{Code, Mistakes, Problem};
use crate::settings::MAX_BODY_BYTES;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header as it is described and named in problems.
pub(crate) const IDEMPOTENCY_KEY_NAME: &str = "Idempotency-Key";
/// The longest one.
pub(crate) const MAX_NAME_BYTES: usize = 255;
/// The longest text that a person gives for the record, in characters.
pub(crate) const MAX_WORDS_CHARS: usize = 500;

/// A request that changes something.
#[derive(Debug)]
pub(crate) struct Change {
    /// Who asks.
    pub(crate) caller: Caller,
    /// The name that the caller gave the request, if any.
    name: Option<String>,
    /// SHA-256 of method, path, query and body.
    asked: [u8; 32],
    body: Bytes,
    /// With what the path began that was asked for.
    prefix: &'static str,
}

impl FromRequest<Arc<Shared>> for Change {
    type Rejection = Problem;

    async fn from_request(request: Request, _shared: &Arc<Shared>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        // Whoever was let in is known.
        let caller = parts.extensions.get::<Caller>().cloned();
        let caller =
            caller.ok_or_else(|| Problem::new(Code::Internal, "nobody was found to ask"))?;
        let name = name(&parts.headers)?;
        let body = axum::body::to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| {
            let detail = format!("the body did not end within {MAX_BODY_BYTES} bytes");
            Problem::new(Code::BodyTooLarge, detail)
        })?;
        let query = parts.uri.query().unwrap_or_default();
        let asked = print(parts.method.as_str(), parts.uri.path(), query, &body);
        let original = parts.extensions.get::<OriginalUri>();
        let prefix = original.map_or("", |original| prefix(original.path()));
        Ok(Self { caller, name, asked, body, prefix })
    }
}

impl Change {
    /// The body as `T`.
    ///
    /// # Errors
    /// 400 that names the member which is wrong.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // An array with the members in their order would be read as well.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(unfit("body", "is no JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let message = error.inner().to_string();
            (field(&error.path().to_string(), &message), message)
        });
        let read = read.and_then(|value| {
            let ended = reader.end().map_err(|error| ("body".to_owned(), error.to_string()));
            ended.map(|()| value)
        });
        read.map_err(|(field, message)| unfit(&field, message))
    }

    /// The answer with the path at which to look for what was started, under the prefix that was asked for.
    pub(crate) fn located(&self, mut response: Response, path: &str) -> Response {
        if let Ok(location) = HeaderValue::try_from(format!("{}{path}", self.prefix)) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    /// Refuses a body; an empty object counts as none.
    ///
    /// # Errors
    /// 400.
    pub(crate) fn no_body(&self) -> Result<(), Problem> {
        if matches!(self.body.trim_ascii(), b"" | b"{}") {
            return Ok(());
        }
        Err(unfit("body", "is not read here; leave it out"))
    }
}

/// A body that cannot be meant, because of one member.
fn unfit(field: &str, message: impl Into<String>) -> Problem {
    let mut mistakes = Mistakes::default();
    mistakes.add(Code::InvalidBody, field, message);
    let unreadable = || Problem::new(Code::InvalidBody, "the body cannot be read");
    mistakes.check(()).err().unwrap_or_else(unreadable)
}

/// SHA-256 of what is asked.
pub(crate) fn print(method: &str, path: &str, query: &str, body: &[u8]) -> [u8; 32] {
    let mut asked = Sha256::new();
    for part in [method, path, query] {
        asked.update((part.len() as u64).to_be_bytes());
        asked.update(part);
    }
    asked.update(body);
    asked.finalize().into()
}

/// The member that an error is about.
fn field(path: &str, message: &str) -> String {
    // The member itself is named by the message only.
    let named = ["missing field `", "unknown field `", "duplicate field `"];
    let rest = named.iter().find_map(|start| message.strip_prefix(start));
    let member = rest.and_then(|rest| rest.split('`').next());
    match (path, member) {
        (_, Some(member)) => member.to_owned(),
        ("." | "?", None) => "body".to_owned(),
        (path, None) => path.to_owned(),
    }
}

fn name(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let mut mistakes = Mistakes::default();
    let name = value.as_bytes();
    let sound = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.iter().all(u8::is_ascii_graphic);
    if values.next().is_some() {
        mistakes.add(Code::InvalidHeader, IDEMPOTENCY_KEY_NAME, "is given more than once");
    } else if !sound {
        let message = format!("is not 1 to {MAX_NAME_BYTES} visible ASCII characters");
        mistakes.add(Code::InvalidHeader, IDEMPOTENCY_KEY_NAME, message);
    }
    mistakes.check(Some(String::from_utf8_lossy(name).into_owned()))
}

/// Reads why a person wants something, for the record.
pub(crate) fn why(mistakes: &mut Mistakes, text: &str) -> String {
    words(mistakes, "why", text, MAX_WORDS_CHARS)
}

/// Reads a text that a person writes: one line that says something, of at most so many characters.
pub(crate) fn words(mistakes: &mut Mistakes, field: &str, text: &str, max_chars: usize) -> String {
    let words = text.trim();
    if words.is_empty() {
        mistakes.add(Code::InvalidBody, field, "is empty; write one line");
    } else if text.chars().any(char::is_control) || text.chars().count() > max_chars {
        let message = format!("is not one line of at most {max_chars} characters");
        mistakes.add(Code::InvalidBody, field, message);
    }
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        rows: Vec<i64>,
        why: String,
    }

    fn change(body: &'static str) -> Change {
        let caller = Caller { key: None };
        let body = Bytes::from_static(body.as_bytes());
        Change { caller, name: None, asked: [0; 32], body, prefix: "" }
    }

    #[test]
    fn a_body_is_read_and_its_wrong_member_named() {
        let read = |body| change(body).body::<Asked>();
        let good = Asked { rows: vec![1], why: "so".to_owned() };
        assert_eq!(read(r#"{"rows":[1],"why":"so"}"#).unwrap(), good);
        for (body, field) in [
            (r#"{"rows":[1]}"#, "why"),
            (r#"{"rows":[1],"why":"so","who":"me"}"#, "who"),
            (r#"{"rows":[1],"why":"so","why":"so"}"#, "why"),
            (r#"{"rows":[1,"2"],"why":"so"}"#, "rows[1]"),
            (r#"{"rows":1,"why":"so"}"#, "rows"),
            (r#"{"rows":[1.5],"why":"so"}"#, "rows[0]"),
            (r#"{"rows":[1],"why":null}"#, "why"),
            (r#"{"rows":[1],"why":"so"} x"#, "body"),
            ("[]", "body"),
            (r#"[[1],"so"]"#, "body"),
            ("7", "body"),
            ("", "body"),
            ("{", "body"),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!(problem.code, Code::InvalidBody, "{body}");
            assert_eq!(problem.errors[0].field, field, "{body}: {problem:?}");
        }
    }

    #[test]
    fn a_text_for_the_record_is_one_line_that_says_something() {
        let read = |text: &str| {
            let mut mistakes = Mistakes::default();
            let words = words(&mut mistakes, "name", text, 4);
            mistakes.check(words).map_err(|problem| problem.errors[0].message.clone())
        };
        assert_eq!(read(" ab "), Ok("ab".to_owned()));
        assert_eq!(read("\u{e9}\u{e9}\u{e9}\u{e9}").map(|text| text.len()), Ok(8));
        for text in ["abcde", "a\nb", "ab\n", "a\0", "   ab"] {
            assert_eq!(read(text), Err("is not one line of at most 4 characters".to_owned()));
        }
        for text in ["", "  ", "\u{3000}"] {
            assert!(read(text).unwrap_err().starts_with("is empty"), "{text:?}");
        }
    }

    #[test]
    fn no_body_may_be_an_empty_object() {
        for body in ["", " \n", "{}", " {} "] {
            assert!(change(body).no_body().is_ok(), "{body:?}");
        }
        assert!(change("{\"a\":1}").no_body().is_err());
    }

    #[test]
    fn a_name_is_visible_ascii_and_comes_once() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value).unwrap());
            }
            name(&headers)
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b"a-1"]), Ok(Some("a-1".to_owned())));
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        for values in
            [&[&b""[..]][..], &[b"a b"], &["é".as_bytes()], &[long.as_bytes()], &[b"a", b"a"]]
        {
            let problem = read(values).unwrap_err();
            assert_eq!(problem.code, Code::InvalidHeader, "{values:?}");
        }
    }
}
