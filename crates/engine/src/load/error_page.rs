//! Error and web pages that come with status 200, in place of rows.

use kasparro_domain::RawPage;
use kasparro_store::Examined;
use kasparro_transform::error_page;
use serde_json::{Map, Value};

use super::examine::layout_of;

/// The status of an answer that should have been data.
const OK: u16 = 200;

/// How web pages begin, in lower case: the texts by which browsers recognise them (WHATWG, MIME Sniffing,
/// section 7.1).
const WEB_PAGES: [&str; 17] = [
    "<!doctype html",
    "<html",
    "<head",
    "<script",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a",
    "<style",
    "<title",
    "<b",
    "<body",
    "<br",
    "<p",
    "<!--",
];

/// What an answer shows that was refused as it came: an event where an error or a web page came with status
/// 200. It looks at nothing but the stored page and `head`, the first bytes of its body, so that whoever
/// refuses the page, then or on replay, finds the same.
pub(crate) fn examined(page: &RawPage, head: &[u8]) -> Option<Examined> {
    // Only what was refused as it came has no context. Any other status says by itself that it is no data.
    if page.http_status != Some(OK) || !page.context.is_null() {
        return None;
    }
    let endpoint = layout_of(page);
    let drift = vec![error_page(&endpoint, what_came(head)?, 0)];
    Some(Examined { endpoint, drift, profile: None })
}

/// What came in place of rows; `None` where it may be rows that are damaged or of another shape.
fn what_came(head: &[u8]) -> Option<&'static str> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match head.first()? {
        b'<' if web_page(head) => Some("HTML"),
        b'<' if error_document(head) => Some("error document"),
        b'{' => {
            let object: Map<String, Value> = serde_json::from_slice(head).ok()?;
            tells_an_error(&object).then_some("error object")
        }
        _ => None,
    }
}

fn web_page(head: &[u8]) -> bool {
    WEB_PAGES.iter().any(|begin| {
        begins(head, begin) && {
            // A longer name is another element.
            let behind = head.get(begin.len());
            *begin == "<!--" || behind.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        }
    })
}

/// True for an XML document whose root is called an error.
fn error_document(head: &[u8]) -> bool {
    let declaration = begins(head, "<?xml").then(|| head.windows(2).position(|two| two == b"?>"));
    let root = match declaration.flatten() {
        Some(end) => head.get(end + 2..).unwrap_or_default().trim_ascii_start(),
        None => head,
    };
    begins(root, "<error")
}

/// True where a text begins so, whatever the case of its letters.
fn begins(text: &[u8], lower: &str) -> bool {
    text.get(..lower.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(lower.as_bytes()))
}

/// True for an object that names an error, as vendors do, or has nothing but a message.
fn tells_an_error(object: &Map<String, Value>) -> bool {
    let named = ["error", "errors", "error_code", "error_message"];
    let stated = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Number(code) => code.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(errors) => !errors.is_empty(),
        Value::Object(error) => !error.is_empty(),
        Value::Bool(true) => true,
    };
    let failed = ["success", "ok"].iter().any(|name| object.get(*name) == Some(&false.into()));
    let says = ["message", "msg", "detail"].iter().any(|name| object.contains_key(*name));
    let holds = object.values().any(|value| value.is_array() || value.is_object());
    failed
        || named.iter().filter_map(|name| object.get(*name)).any(stated)
        || object.get("status").and_then(Value::as_object).is_some_and(tells_an_error)
        || (says && !holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_in_place_of_rows_is_told_from_rows_that_are_damaged() {
        for (head, came) in [
            ("<!DOCTYPE html><html>", Some("HTML")),
            ("\u{feff}\r\n <HTML lang=\"en\">", Some("HTML")),
            ("<!-- a portal --><p>", Some("HTML")),
            ("<b>no</b>", Some("HTML")),
            ("<p", Some("HTML")),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
                Some("error document"),
            ),
            (r#"{"status":{"error_code":10005,"error_message":"a plan"}}"#, Some("error object")),
            (r#"{"error":{"status":{"error_code":10012}}}"#, Some("error object")),
            (r#"{"error":"id not found"}"#, Some("error object")),
            (r#"{"success":false,"data":[]}"#, Some("error object")),
            (r#"{"message":"scheduled maintenance"}"#, Some("error object")),
            (r#"{"status":{"error_code":0,"error_message":null},"data":[]}"#, None),
            (r#"{"message":"ok","data":[1]}"#, None),
            (r#"{"error":null,"id":"a"}"#, None),
            (r#"{"error":"cut of"#, None),
            (r#"[{"error":"of a row"}]"#, None),
            ("<?xml version=\"1.0\"?><rss version=\"2.0\">", None),
            ("<feed xmlns=\"http://www.w3.org/2005/Atom\">", None),
            ("<badge>", None),
            ("symbol,price\n", None),
            ("", None),
        ] {
            assert_eq!(what_came(head.as_bytes()), came, "{head}");
        }
    }
}
