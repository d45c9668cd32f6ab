//! `GET /listings` and `GET /csv-data`: lists of listings beside `/data`.

use axum::body::Body as RoutedBody;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::{HeaderMap, Uri};

use super::data::DataPage;
use super::params::{ListingParams, PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::data::Selection;
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::represent::{Encoding, NotModified};
use crate::{Shared, data, respond};

/// Lists every listing, also those known only from a list, which have no quote.
///
/// Rows are those of `/data` with `contracts` and `last_seen_at`; paging, filters and orders are the
/// same.
#[utoipa::path(
    get, path = "/listings", tag = "Market data",
    params(
        PageParams, ListingParams, SourceParam,
        ("include" = Option<String>, Query, description = "`unpriced`, as in `/data`; it changes nothing here, where all are listed"),
    ),
    responses((status = 200, description = "A page of listings", content((Enveloped<DataPage> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems),
)]
pub(crate) async fn listings(
    State(shared): AppState,
    context: RequestContext,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    page(&shared, &context, Selection::All, &uri, &headers)
}

/// Lists the listings of the source `csv` with their current quotes: `/data` with `source=csv`.
#[utoipa::path(
    get, path = "/csv-data", tag = "Market data",
    params(
        PageParams, ListingParams,
        ("source" = Option<String>, Query, description = "`csv` or its older name `csv_source`; it changes nothing"),
    ),
    responses((status = 200, description = "A page of listings", content((Enveloped<DataPage> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems),
)]
pub(crate) async fn csv_data(
    State(shared): AppState,
    context: RequestContext,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    page(&shared, &context, Selection::Csv, &uri, &headers)
}

/// A page of listings as an answer of the router.
pub(super) fn page(
    shared: &Shared,
    context: &RequestContext,
    selection: Selection,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let answered = data::answer(shared, selection, uri, headers)?;
    let wanted = Encoding::wanted(headers);
    let (response, generation) = respond::page(shared, answered, uri, headers, wanted, context);
    Ok(respond::at_generation(response.map(RoutedBody::new), generation))
}
