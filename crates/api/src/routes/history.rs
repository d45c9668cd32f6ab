//! `GET /listings/{id}/history` and `GET /assets/{id}/history`

use axum::extract::{OriginalUri, Path, RawQuery, State};
use axum::response::Response;
use http::Uri;
use kasparro_domain::{AssetId, ListingId};
use kasparro_view::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::number_id;
use super::moved::{self, Found, MovedBody};
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
    OriginalUri(original): OriginalUri,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = HistoryQuery::read(
        query.as_deref(),
        Subject::Listing(ListingId(number_id(&id)?)),
        &shared,
    )?;
    answer(&shared, &context, &original, &query).await
}

/// Shows the past of every listing of an asset.
///
/// The order is by instant, oldest first unless `order=desc`, then by listing. Walking by cursor
/// neither repeats nor skips a point, whatever is added meanwhile.
#[utoipa::path(
    get, path = "/assets/{id}/history", tag = "Market data",
    params(("id" = i64, Path, description = "The asset's id"), SourceParam, HistoryParams),
    responses(
        (status = 200, description = "A page of history", body = Enveloped<HistoryPage>),
        (status = 308, description = "It was found to be another asset", body = Enveloped<MovedBody>, headers(("Location" = String, description = "The same path with the id of that asset"))),
        Problems,
    ),
)]
pub(crate) async fn asset_history(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(original): OriginalUri,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query =
        HistoryQuery::read(query.as_deref(), Subject::Asset(AssetId(number_id(&id)?)), &shared)?;
    answer(&shared, &context, &original, &query).await
}

async fn answer(
    shared: &Shared,
    context: &RequestContext,
    original: &Uri,
    query: &HistoryQuery,
) -> Result<Response, Problem> {
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    // The history is read after the snapshot was taken, so it holds all that its generation holds.
    let snapshot = shared.view.snapshot();
    let listings = match listings(&snapshot, query)? {
        Listed::Here(listings) => listings,
        Listed::Moved(present) => {
            return Ok(moved::elsewhere(context, original, present, &snapshot));
        }
    };
    let store = shared.store.as_ref();
    let found = shared.ask(history::page(store, &listings, query, BUDGET_POINTS)).await?;
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
    Ok(respond::at_generation(respond::json(context, body), snapshot.generation()))
}

/// Whose history is asked for.
enum Listed {
    Here(Vec<ListingId>),
    /// That of an asset which was found to be another one.
    Moved(AssetId),
}

fn listings(snapshot: &Snapshot, query: &HistoryQuery) -> Result<Listed, Problem> {
    let rows = match query.subject {
        Subject::Listing(id) => vec![snapshot.listing(id).ok_or_else(|| {
            Problem::new(Code::ListingNotFound, format!("there is no listing {id}"))
                .at_generation(snapshot.generation())
        })?],
        Subject::Asset(id) => match moved::find(snapshot, id)? {
            Found::Here(rows) => rows,
            Found::Moved(present) => return Ok(Listed::Moved(present)),
        },
    };
    let fits = |row: &&std::sync::Arc<kasparro_view::Row>| {
        query.source.as_ref().is_none_or(|source| row.source() == source)
    };
    Ok(Listed::Here(rows.iter().filter(fits).map(|row| row.listing_id()).collect()))
}
