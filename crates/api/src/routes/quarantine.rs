//! `GET /quarantine` and `GET /quarantine/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{RejectionReason, Timestamp};
use kasparro_store::{QuarantineFilter, QuarantineRow, QuarantineStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::data::Pagination;
use super::listing::number_id;
use super::params::{PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::paging::Paging;
use crate::problem::{Code, Problem};
use crate::query::{Params, no_params, one_of, run_id};
use crate::{data, respond};

/// Every parameter of `/quarantine`.
pub(crate) const KNOWN: &[&str] =
    &["limit", "per_page", "page_size", "page", "offset", "source", "reason", "status", "run_id"];

/// A page of rows that were not believed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantinePage {
    /// The rows, by ascending id.
    data: Vec<QuarantineBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// A row that was not believed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantinedRow)]
pub(crate) struct QuarantineBody {
    /// Its number, in the order of arrival.
    id: i64,
    /// The source.
    source: String,
    /// The run that met it first.
    run_id: String,
    /// The raw page that brought it first.
    raw_page_id: i64,
    /// Its place on that page, from 0.
    ordinal: u64,
    /// The source's id of the row, where it could be read.
    external_id: Option<String>,
    /// Why it was not believed.
    reason: &'static str,
    /// JSON pointer of the field, or the column name; empty for the whole row.
    field: String,
    /// The offending value as sent, cut to 200 characters.
    value: String,
    /// The rule that refused it, with its version.
    rule: String,
    /// `open`, `loaded` or `discarded`.
    status: &'static str,
    /// When the page that brought it first was fetched.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
}

/// A row that was not believed, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuarantineDetail {
    #[serde(flatten)]
    row: QuarantineBody,
    /// SHA-256 of the body that holds it, in hexadecimal digits.
    body_sha256: String,
}

impl From<&QuarantineRow> for QuarantineBody {
    fn from(row: &QuarantineRow) -> Self {
        Self {
            id: row.quarantine_id,
            source: row.source.to_string(),
            run_id: row.run_id.to_string(),
            raw_page_id: row.page_id.0,
            ordinal: row.ordinal,
            external_id: row.external_id.clone(),
            reason: row.reason.code(),
            field: row.field.clone(),
            value: row.value.clone(),
            rule: row.rule.clone(),
            status: row.status.name(),
            first_seen_at: row.first_seen_at,
        }
    }
}

/// Lists rows that were not believed, by ascending id.
#[utoipa::path(
    get, path = "/quarantine", tag = "Operations",
    params(
        PageParams, SourceParam,
        ("reason" = Option<String>, Query, description = "Only with this reason, for example `bad_number`"),
        ("status" = Option<String>, Query, description = "Only in this status: `open`, `loaded` or `discarded`"),
        ("run_id" = Option<String>, Query, description = "Only of the pages of this run, a UUID"),
    ),
    responses((status = 200, description = "A page of rows", body = Enveloped<QuarantinePage>), Problems),
)]
pub(crate) async fn quarantine(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let paging = Paging::read(&mut params);
    let filter = QuarantineFilter {
        sources: data::source_names(&mut params, &shared),
        reason: params.read_as("reason", |text| {
            one_of(text, &RejectionReason::ALL.map(|reason| (reason.code(), reason)))
        }),
        status: params.read_as("status", |text| {
            one_of(text, &QuarantineStatus::ALL.map(|status| (status.name(), status)))
        }),
        run_id: params.read_as("run_id", run_id),
        after: None,
        limit: Some(paging.store_limit()),
        offset: paging.store_offset(),
    };
    params.check(())?;
    let counting = shared.store.count_quarantined(filter.clone());
    let reading = shared.store.quarantined(filter);
    let (generation, total, rows) = shared.ask_page(counting, reading).await?;
    let pagination = Pagination::by_number(&paging, total);
    let body = QuarantinePage {
        data: rows.iter().map(QuarantineBody::from).collect(),
        pagination,
        total,
        page: paging.page(),
        page_size: paging.limit,
    };
    Ok(respond::at_generation(respond::json(&context, body), generation))
}

/// Shows one row that was not believed.
#[utoipa::path(
    get, path = "/quarantine/{id}", tag = "Operations",
    params(("id" = i64, Path, description = "The row's id")),
    responses((status = 200, description = "The row", body = Enveloped<QuarantineDetail>), Problems),
)]
pub(crate) async fn quarantined(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = number_id(&id)?;
    let after = id.checked_sub(1);
    let filter = QuarantineFilter { after, limit: Some(1), ..QuarantineFilter::default() };
    let asking = async {
        let generation = shared.store.generation().await?;
        Ok((generation, shared.store.quarantined(filter).await?))
    };
    let (generation, rows) = shared.ask(asking).await?;
    let row = rows.first().filter(|row| row.quarantine_id == id).ok_or_else(|| {
        Problem::new(Code::QuarantineNotFound, format!("there is no quarantined row {id}"))
            .at_generation(generation)
    })?;
    let body_sha256 = row.body.to_string();
    let body = QuarantineDetail { row: row.into(), body_sha256 };
    Ok(respond::at_generation(respond::json(&context, body), generation))
}
