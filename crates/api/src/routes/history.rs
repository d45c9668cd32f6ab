//! `GET /listings/{id}/history` and `GET /assets/{id}/history`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use kasparro_domain::{AssetId, Generation, ListingId};
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::number_id;
use super::params::{HistoryParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::history::{self, BUDGET_POINTS, Gap, HistoryQuery, Item, Subject};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::{Shared, data, respond};

/// A page of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryPage {
    /// `raw`, `1h` or `1d`.
    interval: &'static str,
    /// `asc`, oldest first, or `desc`.
    order: &'static str,
    /// Points with `interval=raw`, else intervals: by instant, then by listing.
    data: Vec<Item>,
    /// With an interval other than `raw`: what is missing behind the rows of this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<Vec<Gap>>,
    pagination: HistoryPagination,
}

/// Where a page of a history stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryPagination {
    /// At most so many rows; a page may hold fewer though more follow.
    per_page: u64,
    /// The cursor of the next page; `null` on the last page.
    next_cursor: Option<String>,
}

/// Shows the past of one listing.
///
/// The order is by instant, oldest first unless `order=desc`. Walking by cursor neither repeats nor
/// skips a point, whatever is added meanwhile.
#[utoipa::path(
    get, path = "/listings/{id}/history", tag = "Market data",
    params(("id" = i64, Path, description = "The listing's id"), HistoryParams),
    responses((status = 200, description = "A page of history", body = Enveloped<HistoryPage>), Problems),
)]
pub(crate) async fn listing_history(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = ListingId(number_id(&id)?);
    answer(&shared, &context, Subject::Listing(id), query.as_deref()).await
}

/// Shows the past of every listing of an asset.
///
/// The order is by instant, oldest first unless `order=desc`, then by listing. Walking by cursor
/// neither repeats nor skips a point, whatever is added meanwhile.
#[utoipa::path(
    get, path = "/assets/{id}/history", tag = "Market data",
    params(("id" = i64, Path, description = "The asset's id"), SourceParam, HistoryParams),
    responses((status = 200, description = "A page of history", body = Enveloped<HistoryPage>), Problems),
)]
pub(crate) async fn asset_history(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = AssetId(number_id(&id)?);
    answer(&shared, &context, Subject::Asset(id), query.as_deref()).await
}

async fn answer(
    shared: &Shared,
    context: &RequestContext,
    subject: Subject,
    query: Option<&str>,
) -> Result<Response, Problem> {
    let query = HistoryQuery::read(query, subject, shared)?;
    let (listings, generation) = listings(shared, &query)?;
    let store = shared.store.as_ref();
    let found = shared.ask(history::page(store, &listings, &query, BUDGET_POINTS)).await?;
    let key = &shared.settings.cursor_key;
    let body = HistoryPage {
        interval: query.interval.name(),
        order: if query.newest_first { "desc" } else { "asc" },
        data: found.rows,
        gaps: found.gaps,
        pagination: HistoryPagination {
            per_page: query.limit as u64,
            next_cursor: found.next.map(|place| query.write_cursor(&place, key)),
        },
    };
    Ok(respond::at_generation(respond::json(context, body), generation))
}

/// The listings whose history is asked for, and the generation that they were found in. The history
/// is read after it, so it holds all that the generation holds.
fn listings(
    shared: &Shared,
    query: &HistoryQuery,
) -> Result<(Vec<ListingId>, Generation), Problem> {
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let (rows, missing) = match query.subject {
        Subject::Listing(id) => (
            snapshot.listing(id).into_iter().collect(),
            Problem::new(Code::ListingNotFound, format!("there is no listing {id}")),
        ),
        Subject::Asset(id) => (
            snapshot.asset(id),
            Problem::new(Code::AssetNotFound, format!("there is no asset {id}")),
        ),
    };
    if rows.is_empty() {
        return Err(missing.at_generation(snapshot.generation()));
    }
    let fits = |row: &&std::sync::Arc<kasparro_view::Row>| {
        query.source.as_ref().is_none_or(|source| row.source() == source)
    };
    let listings = rows.iter().filter(fits).map(|row| row.listing_id()).collect();
    Ok((listings, snapshot.generation()))
}
