//! `GET /data`

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::HeaderMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::listings::page;
use super::params::{ListingParams, PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::data::Selection;
use crate::openapi::Problems;
use crate::paging::{Paging, total_pages};
use crate::problem::Problem;
use crate::represent::NotModified;

/// A page of listings.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes a body that is written by hand")]
pub(crate) struct DataPage {
    /// The rows.
    data: Vec<ListingBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: Option<u64>,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// A listing with its current quote. Unknown is `null`, never 0. `fields` chooses among the members.
#[derive(Debug, ToSchema)]
#[schema(as = Listing)]
#[expect(dead_code, reason = "describes a body that is written by hand")]
pub(crate) struct ListingBody {
    /// The listing's id: given once and never used again.
    #[schema(required = false)]
    id: i64,
    /// The asset it belongs to.
    #[schema(required = false)]
    asset_id: i64,
    /// The source.
    #[schema(required = false)]
    source: String,
    /// The source's id of it.
    #[schema(required = false)]
    external_id: String,
    /// The symbol as sent; symbols repeat and change.
    symbol: Option<String>,
    /// The name as sent.
    name: Option<String>,
    /// Price of one unit in US dollars, with every digit as it was sent.
    #[schema(schema_with = decimal_schema, required = false)]
    price_usd: (),
    /// Market capitalisation in US dollars.
    #[schema(schema_with = decimal_schema, required = false)]
    market_cap: (),
    /// Volume over 24 hours in US dollars.
    #[schema(schema_with = decimal_schema, required = false)]
    volume_24h: (),
    /// Change of the price over 24 hours in percent.
    #[schema(schema_with = decimal_schema, required = false)]
    price_change_24h: (),
    /// The source's rank by market capitalisation.
    rank: Option<u32>,
    /// False once the source no longer lists it: it was missing from three complete sweeps in a row, or
    /// a list says so.
    #[schema(required = false)]
    active: bool,
    /// True when the values are older than the source's limit.
    #[schema(required = false)]
    stale: bool,
    /// The instant the source gives for the values.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: (),
    /// When the values were fetched.
    #[schema(value_type = Option<String>, format = DateTime)]
    ingested_at: (),
    /// Units in circulation; with `fields` and in `/listings/{id}` only.
    #[schema(schema_with = decimal_schema, required = false)]
    circulating_supply: (),
    /// Units that exist; with `fields` and in `/listings/{id}` only.
    #[schema(schema_with = decimal_schema, required = false)]
    total_supply: (),
    /// Units that can ever exist; with `fields` and in `/listings/{id}` only.
    #[schema(schema_with = decimal_schema, required = false)]
    max_supply: (),
    /// Price times the largest supply; with `fields` and in `/listings/{id}` only.
    #[schema(schema_with = decimal_schema, required = false)]
    fully_diluted_valuation: (),
    /// The contracts that lists state for it; in `/data` with `fields` only.
    #[schema(value_type = Vec<ContractBody>, required = false)]
    contracts: (),
    /// When its source listed it last, where it was missing from the newest sweep of that; `null` while
    /// it is listed. In `/data` with `fields` only.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_seen_at: (),
}

/// A decimal with every digit as it was sent: a number token, or text with `numbers=string`.
pub(super) fn decimal_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Number, Type::String, Type::Null]))
        .build()
}

/// A contract that a list states for a listing.
#[derive(Debug, ToSchema)]
#[schema(as = Contract)]
#[expect(dead_code, reason = "describes a body that is written by hand")]
pub(crate) struct ContractBody {
    /// The chain as the source spells it.
    platform: String,
    /// The address as the source spells it.
    address: String,
}

/// Where a page stands.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Pagination {
    /// The page that the first row stands on, from 1; `null` behind a cursor.
    pub(crate) page: Option<u64>,
    /// At most so many rows.
    pub(crate) per_page: u64,
    /// How many rows fit in all, exactly.
    pub(crate) total_items: u64,
    /// How many pages they fill.
    pub(crate) total_pages: u64,
    /// The cursor of the next page; `null` on the last page and where no cursor is given.
    pub(crate) next_cursor: Option<String>,
}

impl Pagination {
    /// Where a page stands that was asked for by number, of rows that have no cursor.
    pub(crate) const fn by_number(paging: &Paging, total_items: u64) -> Self {
        Self {
            page: Some(paging.page()),
            per_page: paging.limit,
            total_items,
            total_pages: total_pages(total_items, paging.limit),
            next_cursor: None,
        }
    }
}

/// Lists listings with their current quotes.
///
/// The default order is `id` ascending, which never changes: walking its pages or cursors neither
/// repeats nor skips a listing. Conditions are combined with "and". A page past the end is empty.
#[utoipa::path(
    get, path = "/data", tag = "Market data",
    params(
        PageParams, ListingParams, SourceParam,
        ("include" = Option<String>, Query, description = "`unpriced` also shows listings without a quote"),
    ),
    responses((status = 200, description = "A page of listings", content((Enveloped<DataPage> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems),
)]
pub(crate) async fn data(
    State(shared): AppState,
    context: RequestContext,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    page(&shared, &context, Selection::Data, &uri, &headers)
}
