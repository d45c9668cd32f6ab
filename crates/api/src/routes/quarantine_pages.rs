//! `GET /quarantine/pages`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{PageState, Timestamp};
use kasparro_store::{PageFilter, PageRecord};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::data::Pagination;
use super::params::{PageParams, SourceParam};
use super::run_body::RunErrorBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::paging::Paging;
use crate::problem::Problem;
use crate::query::{Params, run_id};
use crate::{data, respond};

/// Every parameter of `/quarantine/pages`.
pub(crate) const KNOWN: &[&str] =
    &["limit", "per_page", "page_size", "page", "offset", "source", "run_id"];

/// A page of raw pages that were refused as a whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedPages {
    /// The raw pages, by ascending id.
    data: Vec<RefusedPage>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// A raw page that was refused as a whole: it is kept, and `kasparro quarantine retry --page ID` loads it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedPage {
    /// Its number, in the order of landing.
    id: i64,
    /// The source.
    source: String,
    /// The run that asked for it.
    run_id: String,
    /// Its place in that run, from 0.
    sequence: u64,
    /// What was asked for, as the source describes it.
    #[schema(value_type = Object)]
    request: Value,
    /// HTTP status; `null` for files.
    http_status: Option<u16>,
    /// When the answer was complete.
    #[schema(value_type = String, format = DateTime)]
    fetched_at: Timestamp,
    /// Length of the body in bytes.
    body_bytes: u64,
    /// SHA-256 of the body, in hexadecimal digits.
    body_sha256: String,
    /// Why it was refused.
    error: Option<RunErrorBody>,
}

impl From<PageRecord> for RefusedPage {
    fn from(record: PageRecord) -> Self {
        let page = record.page;
        Self {
            id: page.page_id.0,
            source: page.source.to_string(),
            run_id: page.run_id.to_string(),
            sequence: page.sequence,
            request: page.request,
            http_status: page.http_status,
            fetched_at: page.fetched_at,
            body_bytes: page.body_bytes,
            body_sha256: page.body.to_string(),
            error: record.error.as_ref().map(RunErrorBody::from),
        }
    }
}

/// Lists raw pages that were refused as a whole, by ascending id.
#[utoipa::path(
    get, path = "/quarantine/pages", tag = "Operations",
    params(
        PageParams, SourceParam,
        ("run_id" = Option<String>, Query, description = "Only those that this run asked for, a UUID"),
    ),
    responses((status = 200, description = "A page of raw pages", body = Enveloped<RefusedPages>), Problems),
)]
pub(crate) async fn quarantine_pages(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let paging = Paging::read(&mut params);
    let filter = PageFilter {
        sources: data::source_names(&mut params, &shared),
        state: Some(PageState::Refused),
        run_id: params.read_as("run_id", run_id),
        limit: Some(paging.store_limit()),
        offset: paging.store_offset(),
    };
    params.check(())?;
    let counting = shared.store.count_pages(filter.clone());
    let reading = shared.store.pages(filter);
    let (generation, total, pages) = shared.ask_page(counting, reading).await?;
    let body = RefusedPages {
        data: pages.into_iter().map(RefusedPage::from).collect(),
        pagination: Pagination::by_number(&paging, total),
        total,
        page: paging.page(),
        page_size: paging.limit,
    };
    Ok(respond::at_generation(respond::json(&context, body), generation))
}
