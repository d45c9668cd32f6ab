//! `GET /listings/{id}`

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use kasparro_domain::ListingId;

use super::data::ListingBody;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::query::{no_params, whole_number};
use crate::represent::{self, Format, NotModified, Tag};
use crate::{data, respond};

/// Shows one listing with everything its source says of it, also one without a quote.
#[utoipa::path(
    get, path = "/listings/{id}", tag = "Market data",
    params(("id" = i64, Path, description = "The listing's id")),
    responses(
        (status = 200, description = "The listing", body = Enveloped<ListingBody>, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn listing(
    State(shared): AppState,
    context: RequestContext,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = ListingId(number_id(&id)?);
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let row = snapshot.listing(id).ok_or_else(|| {
        Problem::new(Code::ListingNotFound, format!("there is no listing {id}"))
            .at_generation(snapshot.generation())
    })?;
    let (json, further) = (row.json(), row.extra_json());
    let tag = Tag::new(snapshot.generation(), &"listing", &(&json, &further), Format::Json);
    let members = json.strip_prefix('{').and_then(|json| json.strip_suffix('}'));
    let response = represent::unless_known(&headers, &tag, || {
        let mut body = context.prefix();
        body.extend_from_slice(members.unwrap_or_default().as_bytes());
        body.push(b',');
        body.extend_from_slice(further.as_bytes());
        body.push(b'}');
        respond::text("application/json", body)
    });
    let response = represent::kept(response, shared.cache_control(&headers));
    Ok(respond::at_generation(response, snapshot.generation()))
}

/// Reads an id of ours in a path.
pub(super) fn number_id(text: &str) -> Result<i64, Problem> {
    let id = whole_number(text).ok().and_then(|id| i64::try_from(id).ok());
    id.ok_or_else(|| Problem::new(Code::InvalidId, "an id is a whole number in digits"))
}
