//! `GET /listings/{id}/history` and `GET /assets/{id}/history`

use axum::extract::{OriginalUri, Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use kasparro_domain::{AssetId, ListingId};
use kasparro_view::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::number_id;
use super::moved::{self, Found, MovedBody};
use super::params::{HistoryParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::history::{self, BUDGET_POINTS, Gap, HistoryQuery, Interval, Item, Subject};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::represent::{self, Asked, NotModified};
use crate::{Shared, data, respond};

/// The members of points and intervals, in their order.
const POINT_COLUMNS: [&str; 6] =
    ["source", "external_id", "observed_at", "price_usd", "market_cap", "volume_24h"];
const REVISION_COLUMNS: [&str; 7] =
    ["source", "external_id", "observed_at", "revision", "price_usd", "market_cap", "volume_24h"];
const INTERVAL_COLUMNS: [&str; 9] =
    ["source", "external_id", "from", "to", "open", "high", "low", "close", "points"];

/// A page of a history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryPage<'a> {
    /// `raw`, `1h` or `1d`.
    interval: &'static str,
    /// `asc`, oldest first, or `desc`.
    order: &'static str,
    /// Points with `interval=raw`, else intervals: by instant, then by listing.
    data: &'a [Item],
    /// With an interval other than `raw`: what is missing behind the rows of this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    gaps: Option<&'a [Gap]>,
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
    responses((status = 200, description = "A page of history", content((Enveloped<HistoryPage<'static>> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems),
)]
pub(crate) async fn listing_history(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(original): OriginalUri,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let subject = Subject::Listing(ListingId(number_id(&id)?));
    answer(&shared, &context, &original, &headers, subject).await
}

/// Shows the past of every listing of an asset.
///
/// The order is by instant, oldest first unless `order=desc`, then by listing. Walking by cursor
/// neither repeats nor skips a point, whatever is added meanwhile.
#[utoipa::path(
    get, path = "/assets/{id}/history", tag = "Market data",
    params(("id" = i64, Path, description = "The asset's id"), SourceParam, HistoryParams),
    responses(
        (status = 200, description = "A page of history", content((Enveloped<HistoryPage<'static>> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified,
        (status = 308, description = "It was found to be another asset", body = Enveloped<MovedBody>, headers(("Location" = String, description = "The same path with the id of that asset"))),
        Problems,
    ),
)]
pub(crate) async fn asset_history(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(original): OriginalUri,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let subject = Subject::Asset(AssetId(number_id(&id)?));
    answer(&shared, &context, &original, &headers, subject).await
}

async fn answer(
    shared: &Shared,
    context: &RequestContext,
    original: &Uri,
    headers: &HeaderMap,
    subject: Subject,
) -> Result<Response, Problem> {
    let accepted = represent::accepted(headers);
    let query = &HistoryQuery::read(original.query(), subject, accepted, shared)?;
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
    let question = Asked::new(shared, &snapshot, original, headers, query.format);
    if let Some(known) = question.known() {
        return Ok(known);
    }
    let store = shared.store.as_ref();
    let found = shared.ask(history::page(store, &listings, query, BUDGET_POINTS)).await?;
    let key = &shared.settings.cursor_key;
    let next_cursor = found.next.map(|place| query.write_cursor(&place, key));
    let columns: &[&str] = match (query.interval, query.every_revision) {
        (Interval::Raw, false) => &POINT_COLUMNS,
        (Interval::Raw, true) => &REVISION_COLUMNS,
        _ => &INTERVAL_COLUMNS,
    };
    Ok(question.answer(columns, &found.rows, None, next_cursor.as_deref(), || {
        let body = HistoryPage {
            interval: query.interval.name(),
            order: if query.newest_first { "desc" } else { "asc" },
            data: &found.rows,
            gaps: found.gaps.as_deref(),
            pagination: HistoryPagination {
                per_page: query.limit as u64,
                next_cursor: next_cursor.clone(),
            },
        };
        respond::json(context, body)
    }))
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
        query.sources.is_empty() || query.sources.contains(row.source())
    };
    Ok(Listed::Here(rows.iter().filter(fits).map(|row| row.listing_id()).collect()))
}
