//! `GET /data`

use axum::body::Body as RoutedBody;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::answer::{AppState, Body, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::Problem;
use crate::{data, respond};

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
    /// False once the source no longer lists it.
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
    /// Contracts stated with the listing; with `fields` and in `/listings/{id}` only.
    #[schema(value_type = Vec<ContractBody>, required = false)]
    contracts: (),
}

/// A decimal with every digit as it was sent: a number token, or text with `numbers=string`.
pub(super) fn decimal_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Number, Type::String, Type::Null]))
        .build()
}

/// A contract stated with a listing.
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

/// Lists listings with their current quotes.
///
/// The default order is `id` ascending, which never changes: walking its pages or cursors neither
/// repeats nor skips a listing. Conditions are combined with "and". A page past the end is empty.
#[utoipa::path(
    get, path = "/data", tag = "Market data",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Rows on a page; 20 unless given"),
        ("per_page" = Option<u32>, Query, minimum = 1, maximum = 500, description = "The same as `limit`"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 500, description = "The same as `limit`"),
        ("page" = Option<u64>, Query, minimum = 1, description = "The page, from 1; not with `offset` or `cursor`"),
        ("offset" = Option<u64>, Query, description = "Leave out the first so many; not with `page` or `cursor`"),
        ("cursor" = Option<String>, Query, description = "A `next_cursor` of the same query, in the default order"),
        ("symbol" = Option<String>, Query, description = "The symbol, without regard to case"),
        ("name" = Option<String>, Query, description = "Part of the name, without regard to case"),
        ("search" = Option<String>, Query, description = "Part of symbol, name or external id, without regard to case"),
        ("source" = Option<String>, Query, description = "The source; older services' names of it are taken too"),
        ("asset_id" = Option<i64>, Query, minimum = 0, description = "The asset"),
        ("min_price" = Option<String>, Query, description = "Smallest price in US dollars, compared exactly"),
        ("max_price" = Option<String>, Query, description = "Largest price in US dollars, compared exactly"),
        ("include" = Option<String>, Query, description = "`unpriced` also shows listings without a quote"),
        ("sort" = Option<String>, Query, description = "`id`, `symbol`, `name`, `source`, `price_usd` (or `price`), `market_cap`, `volume_24h`, `price_change_24h`, `rank` or `updated_at`; unknown values stand last"),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("fields" = Option<String>, Query, description = "The members of a row, separated by commas; their order is fixed"),
        ("numbers" = Option<String>, Query, description = "`string` writes decimals as strings, `number` as number tokens"),
    ),
    responses((status = 200, description = "A page of listings", body = Enveloped<DataPage>), Problems),
)]
pub(crate) async fn data(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (middle, generation) = data::page(&shared, query.as_deref())?;
    let body = Body::pieces(Bytes::from(context.prefix()), middle);
    let response = respond::text("application/json", RoutedBody::new(body));
    Ok(respond::at_generation(response, generation))
}
