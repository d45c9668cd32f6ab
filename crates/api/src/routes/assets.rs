//! `GET /assets`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{AssetId, Decimal};
use kasparro_view::{AssetQuery, AssetStart, Filter, Snapshot, fold};
use serde::Serialize;
use utoipa::ToSchema;

use super::asset::price_of;
use super::data::Pagination;
use super::params::{PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::data::{self, cursor};
use crate::openapi::Problems;
use crate::paging::{Paging, total_pages};
use crate::problem::{Code, Problem};
use crate::query::Params;
use crate::{Shared, respond};

/// Every parameter of `/assets`.
pub(crate) const KNOWN: &[&str] = &[
    "limit",
    "per_page",
    "page_size",
    "page",
    "offset",
    "cursor",
    "symbol",
    "name",
    "search",
    "source",
];

/// A page of assets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetList {
    /// The assets, by ascending id.
    data: Vec<AssetRow>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: Option<u64>,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// An asset at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetRow {
    /// The asset's id.
    id: i64,
    /// The same as `id`.
    asset_id: i64,
    /// The symbol that its first listing states.
    symbol: Option<String>,
    /// The name that its first listing states.
    name: Option<String>,
    /// Price of one unit in US dollars as `/assets/{id}` explains it; `null` when no quote is fresh.
    #[schema(value_type = Option<f64>)]
    price_usd: Option<Decimal>,
    /// How many listings it has, those without a quote included.
    listings: u64,
}

/// Lists assets, those without a quote included, by ascending id.
///
/// The order never changes: walking pages or cursors neither repeats nor skips an asset. An asset fits
/// where one of its listings fulfils every condition.
#[utoipa::path(
    get, path = "/assets", tag = "Market data",
    params(
        PageParams, SourceParam,
        ("cursor" = Option<String>, Query, description = "A `next_cursor` of the same query"),
        ("symbol" = Option<String>, Query, description = "The symbol of a listing, without regard to case"),
        ("name" = Option<String>, Query, description = "Part of the name of a listing, without regard to case"),
        ("search" = Option<String>, Query, description = "Part of symbol, name or external id of a listing, without regard to case"),
    ),
    responses((status = 200, description = "A page of assets", body = Enveloped<AssetList>), Problems),
)]
pub(crate) async fn assets(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (asked, page) = read(query.as_deref(), &shared)?;
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let found = snapshot.assets(&asked);
    let next = found.assets.last().filter(|_| found.more);
    let limit = asked.limit as u64;
    let pagination = Pagination {
        page,
        per_page: limit,
        total_items: found.total,
        total_pages: total_pages(found.total, limit),
        next_cursor: next
            .map(|last| cursor::write_asset(*last, &asked.filter, &shared.settings.cursor_key)),
    };
    let body = AssetList {
        data: found.assets.iter().map(|id| asset_row(&snapshot, *id)).collect(),
        pagination,
        total: found.total,
        page,
        page_size: limit,
    };
    Ok(respond::at_generation(respond::json(&context, body), snapshot.generation()))
}

/// What is asked for, and the number of the page; none behind a cursor.
fn read(query: Option<&str>, shared: &Shared) -> Result<(AssetQuery, Option<u64>), Problem> {
    let mut params = Params::read(query, KNOWN);
    let text = |params: &Params<'_>, name| params.get(name).map(fold);
    let filter = Filter {
        symbol: text(&params, "symbol"),
        name: text(&params, "name"),
        search: text(&params, "search"),
        source: params.read_as("source", |text| data::source_name(text, shared)),
        ..Filter::default()
    };
    let paging = Paging::read(&mut params);
    let (mut start, mut page) = (AssetStart::Offset(paging.offset), Some(paging.page()));
    if params.get("page").or(params.get("offset")).is_some() && params.get("cursor").is_some() {
        params.refuse("cursor", "cannot be combined with page or offset");
    } else if let Some(text) = params.get("cursor") {
        match cursor::read_asset(text, &filter, &shared.settings.cursor_key) {
            Ok(after) => (start, page) = (AssetStart::After(after), None),
            Err(message) => params.refuse_as(Code::InvalidCursor, "cursor", message),
        }
    }
    let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
    params.check((AssetQuery { filter, start, limit }, page))
}

fn asset_row(snapshot: &Snapshot, id: AssetId) -> AssetRow {
    let mut rows = snapshot.asset(id);
    rows.sort_by_key(|row| row.listing_id());
    let first = rows.first();
    AssetRow {
        id: id.0,
        asset_id: id.0,
        symbol: first.and_then(|row| row.symbol().map(str::to_owned)),
        name: first.and_then(|row| row.name().map(str::to_owned)),
        price_usd: price_of(&rows).price_usd,
        listings: rows.len() as u64,
    }
}
