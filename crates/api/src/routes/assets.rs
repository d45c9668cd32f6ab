//! `GET /assets`

use axum::extract::{OriginalUri, State};
use axum::response::Response;
use http::HeaderMap;
use kasparro_domain::{AssetClass, AssetId, Decimal, IdentityState};
use kasparro_view::{
    AssetQuery, AssetStart, Filter, Snapshot, WantedContract, asset_class, asset_identity, fold,
    founding_listing,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::asset::price_of;
use super::asset_details::sources;
use super::asset_reason::Lookup;
use super::data::Pagination;
use super::params::{FormatParam, PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::data::{self, cursor};
use crate::openapi::Problems;
use crate::paging::{Paging, total_pages};
use crate::problem::{Code, Problem};
use crate::query::{Params, asset_id, one_of};
use crate::represent::{self, Asked, Format, NotModified};
use crate::{Shared, respond};

/// Every parameter of `/assets`.
pub(crate) const KNOWN: &[&str] = &[
    "limit",
    "per_page",
    "page_size",
    "page",
    "offset",
    "cursor",
    "id",
    "asset_id",
    "symbol",
    "name",
    "search",
    "contract",
    "class",
    "state",
    "source",
    "format",
];

/// The members of a row, in their order.
const COLUMNS: [&str; 10] = [
    "id",
    "asset_id",
    "symbol",
    "name",
    "class",
    "identity",
    "sources",
    "price_usd",
    "listings",
    "reason",
];

/// A page of assets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetList<'a> {
    /// The assets: by ascending id, or, where a symbol or a contract was looked for, best first.
    data: &'a [AssetRow],
    pagination: Pagination,
    /// True where a symbol, name or contract was looked for and several assets have it: which one is meant
    /// only the reader can say; each row gives the reason for its place.
    ambiguous: bool,
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
    /// The symbol that the listing states which founded it.
    symbol: Option<String>,
    /// The name that the listing states which founded it.
    name: Option<String>,
    /// What sort of thing it is: `coin`, `token`, `stablecoin`, `wrapped`, `bridged`, `staked`,
    /// `tokenised_stock` or `other`.
    class: &'static str,
    /// How far it is decided what it is: `unresolved`, `single`, `linked` or `ambiguous`.
    identity: &'static str,
    /// The sources of its listings, sorted.
    sources: Vec<String>,
    /// Price of one unit in US dollars as `/assets/{id}` explains it; `null` when no quote is fresh.
    #[schema(value_type = Option<f64>)]
    price_usd: Option<Decimal>,
    /// How many listings it has, those without a quote included.
    listings: u64,
    /// Where a symbol, name or contract was looked for: why it stands where it stands, in words.
    reason: Option<String>,
}

/// Lists assets, those without a quote included, by ascending id.
///
/// That order never changes: walking pages or cursors neither repeats nor skips an asset. Where a symbol or a
/// contract is looked for, the best comes first: by the best rank that a source gives, then the largest market
/// capitalisation, then the id; `ambiguous` says that several assets have it. An asset fits where one of its
/// listings fulfils every condition; class and state are those of the asset. An id of before a merge finds the
/// asset that it belongs to now.
#[utoipa::path(
    get, path = "/assets", tag = "Market data",
    params(
        PageParams, SourceParam,
        ("cursor" = Option<String>, Query, description = "A `next_cursor` of the same query; not with `symbol` or `contract`"),
        ("id" = Option<String>, Query, description = "Only these assets, by their ids, separated by commas"),
        ("asset_id" = Option<String>, Query, description = "The same as `id`"),
        ("symbol" = Option<String>, Query, description = "The symbol of a listing, without regard to case; several are separated by commas"),
        ("name" = Option<String>, Query, description = "Part of the name of a listing, without regard to case"),
        ("search" = Option<String>, Query, description = "Part of symbol, name or external id of a listing, without regard to case"),
        ("contract" = Option<String>, Query, description = "A contract of a listing: its address on any chain, or `chain:address` with the chain in the words of any source or as CAIP-2, for example `eip155:1:0xa0b8…eb48`"),
        ("class" = Option<String>, Query, description = "Only of this sort: `coin`, `token`, `stablecoin`, `wrapped`, `bridged`, `staked`, `tokenised_stock` or `other`"),
        FormatParam,
        ("state" = Option<String>, Query, description = "Only decided so far: `unresolved`, `single`, `linked` or `ambiguous`"),
    ),
    responses((status = 200, description = "A page of assets", content((Enveloped<AssetList<'static>> = "application/json"), (String = "text/csv"), (String = "application/x-ndjson")), headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        NotModified, Problems),
)]
pub(crate) async fn assets(
    State(shared): AppState,
    context: RequestContext,
    uri: OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (asked, page, format) = read(uri.query(), represent::accepted(&headers), &shared)?;
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let question = Asked::new(&shared, &snapshot, &uri, &headers, format);
    if let Some(known) = question.known() {
        return Ok(known);
    }
    let found = snapshot.assets(&asked);
    let next = found.assets.last().filter(|_| found.more && !asked.best_first);
    let limit = asked.limit as u64;
    let pagination = Pagination {
        page,
        per_page: limit,
        total_items: found.total,
        total_pages: total_pages(found.total, limit),
        next_cursor: next
            .map(|last| cursor::write_asset(*last, &asked, &shared.settings.cursor_key)),
    };
    let lookup = Lookup::of(&asked, &snapshot);
    let rows: Vec<_> =
        found.assets.iter().map(|id| asset_row(&snapshot, *id, lookup.as_ref())).collect();
    let next = pagination.next_cursor.clone();
    Ok(question.answer(&COLUMNS, &rows, Some(found.total), next.as_deref(), || {
        let body = AssetList {
            data: &rows,
            pagination,
            ambiguous: lookup.as_ref().is_some_and(|lookup| lookup.ambiguous(found.total)),
            total: found.total,
            page,
            page_size: limit,
        };
        respond::json(&context, body)
    }))
}

/// What is asked for, and the number of the page; none behind a cursor.
fn read(
    query: Option<&str>,
    accepted: Format,
    shared: &Shared,
) -> Result<(AssetQuery, Option<u64>, Format), Problem> {
    let mut params = Params::read(query, KNOWN);
    let text = |params: &Params<'_>, name| params.get(name).map(fold);
    let symbols = |text: &str| data::several(text, |one| Ok::<_, String>(fold(one)));
    let filter = Filter {
        symbols: params.read_as("symbol", symbols).unwrap_or_default(),
        name: text(&params, "name"),
        search: text(&params, "search"),
        sources: data::source_names(&mut params, shared),
        asset_ids: read_ids(&mut params),
        ..Filter::default()
    };
    let contract = params.read_as("contract", |text| {
        WantedContract::read(text).ok_or(
            "is no contract; write its address, or chain:address as in eip155:1:0xa0b8...eb48",
        )
    });
    let class =
        params.read_as("class", |text| one_of(text, &named(AssetClass::ALL, |class| class.name())));
    let identity = params
        .read_as("state", |text| one_of(text, &named(IdentityState::ALL, |state| state.name())));
    let paging = Paging::read(&mut params);
    let best_first = !filter.symbols.is_empty() || contract.is_some();
    let limit = usize::try_from(paging.limit).unwrap_or(usize::MAX);
    let start = AssetStart::Offset(paging.offset);
    let mut asked = AssetQuery { filter, contract, class, identity, best_first, start, limit };
    let mut page = Some(paging.page());
    if let Some(text) = params.get("cursor") {
        if params.get("page").or(params.get("offset")).is_some() {
            params.refuse("cursor", "cannot be combined with page or offset");
        } else if params.get("symbol").or(params.get("contract")).is_some() {
            let message = "goes with the order by id only, and a symbol or contract brings the best \
                           first; walk by page, or leave symbol and contract out";
            params.refuse("cursor", message);
        } else {
            match cursor::read_asset(text, &asked, &shared.settings.cursor_key) {
                Ok(after) => (asked.start, page) = (AssetStart::After(after), None),
                Err(message) => params.refuse_as(Code::InvalidCursor, "cursor", message),
            }
        }
    }
    let format = Format::read(&mut params, accepted);
    params.check((asked, page, format))
}

/// The assets that `id` or `asset_id` name.
fn read_ids(params: &mut Params<'_>) -> Vec<AssetId> {
    let ids = |text: &str| data::several(text, asset_id);
    let (short, long) = (params.read_as("id", ids), params.read_as("asset_id", ids));
    if let (Some(short), Some(long)) = (&short, &long)
        && short != long
    {
        params.refuse("asset_id", "differs from id; give one of the two");
    }
    short.or(long).unwrap_or_default()
}

/// Values with their names.
fn named<T: Copy>(values: &[T], name: impl Fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    values.iter().map(|value| (name(*value), *value)).collect()
}

fn asset_row(snapshot: &Snapshot, id: AssetId, lookup: Option<&Lookup<'_>>) -> AssetRow {
    let mut rows = snapshot.asset(id);
    rows.sort_by_key(|row| row.listing_id());
    let founding = founding_listing(&rows);
    AssetRow {
        id: id.0,
        asset_id: id.0,
        symbol: founding.and_then(|row| row.symbol().map(str::to_owned)),
        name: founding.and_then(|row| row.name().map(str::to_owned)),
        class: asset_class(&rows).name(),
        identity: asset_identity(&rows).name(),
        sources: sources(&rows),
        price_usd: price_of(&rows).price_usd,
        listings: rows.len() as u64,
        reason: lookup.map(|lookup| lookup.reason(&rows)),
    }
}
