//! `GET /rss-feed`

use axum::extract::{OriginalUri, RawQuery, State};
use axum::response::Response;
use http::header::{ACCEPT, HOST};
use http::{HeaderMap, HeaderName};

use super::news::{self, NewsPage};
use super::params::{NewsParams, PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::query::{Params, one_of};
use crate::represent::{self, NotModified, Tag};
use crate::{respond, rss};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Every parameter of `/rss-feed`.
pub(crate) const KNOWN: &[&str] = &[
    "limit",
    "per_page",
    "page_size",
    "page",
    "offset",
    "source",
    "feed",
    "search",
    "from",
    "to",
    "format",
];

/// The forms of the answer; true for RSS.
pub(crate) const FORMATS: [(&str, bool); 2] = [("json", false), ("rss", true)];

/// Lists news, newest first: as `/news` does, or as an RSS 2.0 document.
#[utoipa::path(
    get, path = "/rss-feed", tag = "News",
    params(
        PageParams, SourceParam, NewsParams,
        ("format" = Option<String>, Query, description = "`json` or `rss`; unless given, `rss` where the header `Accept` prefers `application/rss+xml` to `application/json`, or names `application/xml` or `text/xml` and no JSON"),
    ),
    responses(
        (status = 200, description = "A page of news", content(
            (Enveloped<NewsPage> = "application/json"),
            (String = "application/rss+xml"),
        ), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn rss_feed(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let (paging, filter) = news::read(&mut params, &shared);
    let format = params.read_as("format", |text| one_of(text, &FORMATS));
    params.check(())?;
    let as_rss = format.unwrap_or_else(|| prefers_rss(&headers));
    let asking = async {
        // Taken before the items are: they hold at least what it holds.
        let generation = shared.store.generation().await?;
        // A document in RSS does not say how many there are.
        let total = if as_rss { 0 } else { shared.store.count_news(filter.clone()).await? };
        Ok((generation, total, shared.store.news(filter).await?))
    };
    let (generation, total, found) = shared.ask(asking).await?;
    let response = if as_rss {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
        let server = rss::Server { https: by_https(&headers), host };
        let document = rss::document(&shared.settings.project_name, server, &found)?;
        // The document says nothing of the instant at which it is made.
        let tag = Tag::of_bytes(&document);
        let make = || respond::text("application/rss+xml; charset=utf-8", document);
        represent::unless_known(&headers, &tag, make)
    } else {
        news::as_json(&headers, &context, news::page(&paging, &found, total))?
    };
    let response = represent::kept(response, shared.cache_control(&headers));
    Ok(respond::at_generation(response, generation))
}

/// True where a proxy says that the client reached it by `https`.
fn by_https(headers: &HeaderMap) -> bool {
    let said = headers.get(X_FORWARDED_PROTO).and_then(|value| value.to_str().ok());
    // Each proxy on the way may add its own; the first one met the client.
    let first = said.and_then(|said| said.split(',').next());
    first.is_some_and(|first| first.trim().eq_ignore_ascii_case("https"))
}

/// True where the client names RSS and does not like JSON better, or names XML and not JSON.
fn prefers_rss(headers: &HeaderMap) -> bool {
    let accepted = || {
        let texts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        texts.flat_map(|text| text.split(','))
    };
    let quality = |wanted: &[&str]| {
        accepted()
            .filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let range = parts.next()?;
                let named = wanted.iter().any(|wanted| range.eq_ignore_ascii_case(wanted));
                let quality = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
                named.then(|| quality.parse::<f32>().unwrap_or(0.0))
            })
            .reduce(f32::max)
    };
    let json = quality(&["application/json"]).unwrap_or(0.0);
    match quality(&["application/rss+xml"]) {
        Some(rss) => rss > 0.0 && rss >= json,
        // An RSS document is XML too, but those who name JSON as well mean data.
        None => {
            let xml = quality(&["application/xml", "text/xml"]);
            json == 0.0 && xml.is_some_and(|xml| xml > 0.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn rss_is_sent_to_those_who_name_it_or_xml_and_do_not_prefer_json() {
        for (accept, expected) in [
            ("application/rss+xml", true),
            ("text/html, Application/RSS+XML;q=0.9, */*;q=0.1", true),
            ("application/rss+xml;q=0.5, application/json", false),
            ("application/rss+xml;q=0", false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
            ("application/xml", true),
            ("text/xml; charset=utf-8", true),
            ("text/html, application/xml;q=0.9, */*;q=0.8", true),
            ("application/json;q=0, text/xml", true),
            ("application/json;q=0.1, application/xml", false),
            ("text/xml, application/json", false),
            ("application/xml;q=0", false),
            ("application/rss+xml;q=0, application/xml", false),
            ("application/atom+xml", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(prefers_rss(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn the_first_proxy_says_how_the_client_came() {
        for (said, expected) in [
            ("https", true),
            ("HTTPS , http", true),
            ("http, https", false),
            ("http", false),
            ("httpsx", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(said));
            assert_eq!(by_https(&headers), expected, "{said}");
        }
        assert!(!by_https(&HeaderMap::new()));
    }
}
