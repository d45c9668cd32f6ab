//! `GET /runs`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::RunStatus;
use kasparro_store::RunFilter;
use serde::Serialize;
use utoipa::ToSchema;

use super::data::Pagination;
use super::params::{PageParams, SourceParam};
use super::run_body::RunBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::paging::Paging;
use crate::problem::Problem;
use crate::query::{Params, one_of};
use crate::{data, respond};

/// Every parameter of `/runs`.
pub(crate) const KNOWN: &[&str] =
    &["limit", "per_page", "page_size", "page", "offset", "source", "status"];

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunPage {
    /// The runs, newest first.
    data: Vec<RunBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// Lists runs, newest first.
#[utoipa::path(
    get, path = "/runs", tag = "Operations",
    params(
        PageParams, SourceParam,
        ("status" = Option<String>, Query, description = "Only in this status: `queued`, `running`, `success`, `partial`, `failed` or `abandoned`"),
    ),
    responses((status = 200, description = "A page of runs", body = Enveloped<RunPage>), Problems),
)]
pub(crate) async fn runs(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let paging = Paging::read(&mut params);
    let sources = data::source_names(&mut params, &shared);
    let status = params.read_as("status", |text| {
        one_of(text, &RunStatus::ALL.map(|status| (status.name(), status)))
    });
    params.check(())?;
    let filter =
        RunFilter { sources, status, limit: paging.store_limit(), offset: paging.store_offset() };
    let asking = async {
        let total = shared.store.count_runs(filter.clone()).await?;
        Ok((total, shared.store.runs(filter).await?))
    };
    let (total, runs) = shared.ask(asking).await?;
    let pagination = Pagination::by_number(&paging, total);
    let body = RunPage {
        data: runs.iter().map(RunBody::from).collect(),
        pagination,
        total,
        page: paging.page(),
        page_size: paging.limit,
    };
    Ok(respond::json(&context, body))
}
