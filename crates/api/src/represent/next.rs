//! Where the next page is, for forms that have no place for it in the body.

use http::{HeaderValue, Uri};

/// The parameters by which a page is asked for.
const PLACES: [&str; 3] = ["page", "offset", "cursor"];

/// A header `Link` (RFC 8288) to the same query behind a cursor.
pub(crate) fn next_link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let target = without_place(uri);
    let mark = if target.contains('?') { '&' } else { '?' };
    HeaderValue::from_str(&format!("<{target}{mark}cursor={cursor}>; rel=\"next\"")).ok()
}

/// Path and query without the parameters that name a page: where a walk begins.
pub(crate) fn without_place(uri: &Uri) -> String {
    let kept: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !pair.is_empty() && !PLACES.contains(&name)
        })
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{}{mark}{}", uri.path(), kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_the_question_and_changes_the_place() {
        for (uri, link) in [
            ("/data", "</data?cursor=abc>; rel=\"next\""),
            ("/data?limit=5&cursor=old", "</data?limit=5&cursor=abc>; rel=\"next\""),
            (
                "/api/v1/data/?page=2&name=a%20b",
                "</api/v1/data/?name=a%20b&cursor=abc>; rel=\"next\"",
            ),
        ] {
            let made = next_link(&uri.parse().unwrap(), "abc").unwrap();
            assert_eq!(made, link, "{uri}");
        }
    }
}
