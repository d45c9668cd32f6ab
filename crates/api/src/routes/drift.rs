//! `GET /drift` and `GET /drift/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{DriftKind, DriftRow, DriftSeverity, DriftStatus, Timestamp};
use kasparro_store::DriftFilter;
use serde::Serialize;
use utoipa::ToSchema;

use super::data::Pagination;
use super::listing::number_id;
use super::params::{PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::paging::Paging;
use crate::problem::{Code, Problem};
use crate::query::{Params, no_params, one_of};
use crate::{data, respond};

/// Every parameter of `/drift`.
pub(crate) const KNOWN: &[&str] = &[
    "limit",
    "per_page",
    "page_size",
    "page",
    "offset",
    "source",
    "endpoint",
    "kind",
    "severity",
    "status",
];

/// A page of changes in what upstreams send.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DriftPage {
    /// The changes, by ascending id.
    data: Vec<DriftBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// A change in what an upstream sends. One that is seen again is the same row.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Drift)]
pub(crate) struct DriftBody {
    /// Its number, in the order of first sight.
    id: i64,
    /// The source.
    source: String,
    /// The endpoint whose rows have changed.
    endpoint: String,
    /// `field_added`, `field_removed`, `field_renamed`, `type_changed`, `nested`, `null_rate`,
    /// `new_value`, `distribution`, `unit_flip`, `inverted`, `frozen`, `bad_instants`, `precision` or
    /// `error_page`.
    kind: &'static str,
    /// JSON pointer of the member, `*` for the elements of arrays; empty for the page as a whole.
    pointer: String,
    /// What was there, in a few words.
    before: String,
    /// What is there now.
    after: String,
    /// `info`: nothing that is read is concerned; `warning`: it looks unusual; `breaking`: believing the
    /// page would store wrong values or lose known ones.
    severity: &'static str,
    /// Rows that show it, of those that were looked at.
    rows_affected: u64,
    /// Rows of the page that were looked at.
    rows_examined: u64,
    /// How sure the finding is, 0 to 100.
    confidence_percent: u8,
    /// What an operator can do about it.
    suggestion: String,
    /// Fields of ours that would be wrong or unknown.
    breaks: Vec<String>,
    /// The raw page that showed it first.
    raw_page_id: i64,
    /// True when a page was refused because of it.
    refused: bool,
    /// When the page that showed it first was fetched.
    #[schema(value_type = String, format = DateTime)]
    first_seen_at: Timestamp,
    /// When the page that showed it last was fetched.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// Pages that showed it.
    pages_seen: u64,
    /// `open`, or `accepted`: it refuses no page any more.
    status: &'static str,
}

impl From<&DriftRow> for DriftBody {
    fn from(row: &DriftRow) -> Self {
        let (event, key) = (&row.event, &row.event.key);
        Self {
            id: row.drift_id.0,
            source: row.source.to_string(),
            endpoint: key.endpoint.clone(),
            kind: key.kind.name(),
            pointer: key.pointer.clone(),
            before: key.before.clone(),
            after: key.after.clone(),
            severity: event.severity.name(),
            rows_affected: event.rows_affected,
            rows_examined: event.rows_examined,
            confidence_percent: event.confidence_percent,
            suggestion: event.suggestion.clone(),
            breaks: event.breaks.clone(),
            raw_page_id: row.page_id.0,
            refused: row.refused,
            first_seen_at: row.first_seen_at,
            last_seen_at: row.last_seen_at,
            pages_seen: row.pages_seen,
            status: row.status.name(),
        }
    }
}

/// Lists changes in what upstreams send, by ascending id.
#[utoipa::path(
    get, path = "/drift", tag = "Operations",
    params(
        PageParams, SourceParam,
        ("endpoint" = Option<String>, Query, description = "Only of this endpoint"),
        ("kind" = Option<String>, Query, description = "Only of this kind, for example `field_renamed`"),
        ("severity" = Option<String>, Query, description = "Only of this severity: `info`, `warning` or `breaking`"),
        ("status" = Option<String>, Query, description = "Only in this status: `open` or `accepted`"),
    ),
    responses((status = 200, description = "A page of changes", body = Enveloped<DriftPage>), Problems),
)]
pub(crate) async fn drift(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let paging = Paging::read(&mut params);
    let filter = DriftFilter {
        sources: data::source_names(&mut params, &shared),
        endpoint: params.get("endpoint").map(str::to_owned),
        kind: params
            .read_as("kind", |text| one_of(text, &DriftKind::ALL.map(|kind| (kind.name(), kind)))),
        severity: params.read_as("severity", |text| {
            one_of(text, &DriftSeverity::ALL.map(|severity| (severity.name(), severity)))
        }),
        status: params.read_as("status", |text| {
            one_of(text, &DriftStatus::ALL.map(|status| (status.name(), status)))
        }),
        after: None,
        limit: Some(paging.store_limit()),
        offset: paging.store_offset(),
    };
    params.check(())?;
    let counting = shared.store.count_drift(filter.clone());
    let reading = shared.store.drift(filter);
    let (generation, total, rows) = shared.ask_page(counting, reading).await?;
    let body = DriftPage {
        data: rows.iter().map(DriftBody::from).collect(),
        pagination: Pagination::by_number(&paging, total),
        total,
        page: paging.page(),
        page_size: paging.limit,
    };
    Ok(respond::at_generation(respond::json(&context, body), generation))
}

/// Shows one change in what an upstream sends.
#[utoipa::path(
    get, path = "/drift/{id}", tag = "Operations",
    params(("id" = i64, Path, description = "The id of the change")),
    responses((status = 200, description = "The change", body = Enveloped<DriftBody>), Problems),
)]
pub(crate) async fn one_drift(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = number_id(&id)?;
    let after = id.checked_sub(1);
    let filter = DriftFilter { after, limit: Some(1), ..DriftFilter::default() };
    let asking = async {
        let generation = shared.store.generation().await?;
        Ok((generation, shared.store.drift(filter).await?))
    };
    let (generation, rows) = shared.ask(asking).await?;
    let row = rows.first().filter(|row| row.drift_id.0 == id).ok_or_else(|| {
        Problem::new(Code::DriftNotFound, format!("there is no change {id}"))
            .at_generation(generation)
    })?;
    Ok(respond::at_generation(respond::json(&context, DriftBody::from(row)), generation))
}
