//! `GET /news`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use kasparro_domain::Timestamp;
use kasparro_store::{NewsFilter, StoredNews};
use serde::Serialize;
use utoipa::ToSchema;

use super::data::Pagination;
use super::params::{NewsParams, PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::instants::read_span;
use crate::openapi::Problems;
use crate::paging::Paging;
use crate::problem::Problem;
use crate::query::Params;
use crate::represent::{self, NotModified, Tag};
use crate::{Shared, data, respond};

/// Every parameter of `/news`.
pub(crate) const KNOWN: &[&str] =
    &["limit", "per_page", "page_size", "page", "offset", "source", "feed", "search", "from", "to"];

/// A page of news.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewsPage {
    /// The items, newest first by publication, or by first sight where the feed gives no time.
    data: Vec<NewsBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// A piece of news. Its texts are plain text: put them into a page as text, never as markup.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = News)]
pub(crate) struct NewsBody {
    /// Its number, in the order of arrival.
    id: i64,
    /// The source.
    source: String,
    /// The feed that carries it: its address without the scheme.
    feed: String,
    /// The headline.
    title: String,
    /// Where the whole text stands: an `http` or `https` address.
    link: Option<String>,
    /// What it is about.
    summary: Option<String>,
    /// Who wrote it.
    author: Option<String>,
    /// When it was published, as the feed says.
    #[schema(value_type = Option<String>, format = DateTime)]
    published_at: Option<Timestamp>,
    /// When it was fetched first.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
}

impl From<&StoredNews> for NewsBody {
    fn from(news: &StoredNews) -> Self {
        let item = &news.item;
        Self {
            id: news.news_id,
            source: news.source.to_string(),
            feed: news.feed.to_string(),
            title: item.title.clone(),
            link: item.link.clone(),
            summary: item.summary.clone(),
            author: item.author.clone(),
            published_at: item.published_at,
            first_seen_at: news.first_seen_at,
        }
    }
}

/// Lists news, newest first.
#[utoipa::path(
    get, path = "/news", tag = "News",
    params(PageParams, SourceParam, NewsParams),
    responses(
        (status = 200, description = "A page of news", body = Enveloped<NewsPage>, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn news(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let (paging, filter) = read(&mut params, &shared);
    params.check(())?;
    let counting = shared.store.count_news(filter.clone());
    let reading = shared.store.news(filter);
    let (generation, total, found) = shared.ask_page(counting, reading).await?;
    let response = as_json(&headers, &context, page(&paging, &found, total))?;
    let response = represent::kept(response, shared.cache_control(&headers));
    Ok(respond::at_generation(response, generation))
}

/// A page as an answer in JSON. Its tag has no generation: most of them bring no news, and whoever reads a feed
/// asks again and again.
pub(super) fn as_json(
    headers: &HeaderMap,
    context: &RequestContext,
    page: NewsPage,
) -> Result<Response, Problem> {
    let tag = Tag::of_shown(&represent::shown(&page)?);
    Ok(represent::unless_known(headers, &tag, || respond::json(context, page)))
}

/// Reads paging and filters.
pub(super) fn read(params: &mut Params<'_>, shared: &Shared) -> (Paging, NewsFilter) {
    let paging = Paging::read(params);
    let (from, until) = read_span(params);
    let filter = NewsFilter {
        sources: data::source_names(params, shared),
        feed: params.read_as("feed", feed_address),
        search: params.get("search").map(str::to_owned),
        from,
        until,
        limit: Some(paging.store_limit()),
        offset: paging.store_offset(),
    };
    (paging, filter)
}

/// The address of a feed as it is stored, without the scheme, which may be given or left out.
fn feed_address(text: &str) -> Result<String, &'static str> {
    let scheme = |scheme: &str| {
        let (begin, rest) = text.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    match scheme("https://").or_else(|| scheme("http://")).unwrap_or(text) {
        "" => Err("holds a scheme and no address; give the address of a feed"),
        address => Ok(address.to_owned()),
    }
}

/// The body of a page.
pub(super) fn page(paging: &Paging, found: &[StoredNews], total: u64) -> NewsPage {
    NewsPage {
        data: found.iter().map(NewsBody::from).collect(),
        pagination: Pagination::by_number(paging, total),
        total,
        page: paging.page(),
        page_size: paging.limit,
    }
}
