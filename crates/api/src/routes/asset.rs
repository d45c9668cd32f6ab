//! `GET /assets/{id}`

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use kasparro_domain::{AssetId, Decimal, Timestamp};
use kasparro_view::{Row, asset_class, asset_identity, founding_listing};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::asset_details::{self, DeploymentBody, Details, EdgeBody, FormerName};
use super::data::ListingBody;
use super::listing::number_id;
use super::moved::{self, Found, MovedBody};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::price::{AssetPrice, Candidate, asset_price};
use crate::problem::Problem;
use crate::query::no_params;
use crate::represent::{self, Format, NotModified, Tag};
use crate::{data, respond};

/// An asset with its listings.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetBody {
    /// The asset's id.
    id: i64,
    /// The same as `id`.
    asset_id: i64,
    /// The symbol that the listing states which founded it.
    symbol: Option<String>,
    /// The name that the listing states which founded it.
    name: Option<String>,
    /// What sort of thing it is: `coin`, `token`, `stablecoin`, `wrapped`, `bridged`, `staked`,
    /// `tokenised_stock` or `other`, which is what is not known.
    class: &'static str,
    /// How far it is decided which listings it has: `unresolved` (nobody looked yet), `single` (none of
    /// another source is known to be the same), `linked` (it has listings of several sources) or `ambiguous`
    /// (others may be the same; `/assets/{id}/identity` says which).
    identity: &'static str,
    /// The sources of its listings, sorted.
    sources: Vec<String>,
    /// Price of one unit in US dollars: the median of the fresh quotes of active listings; of two the
    /// fresher; of one it. Quotes with unusual values and such as most of the others contradict do not
    /// take part. With an even number from four on it is the exact mean of the middle two,
    /// rounded half to even only where it needs more than 38 digits. `null` when none takes part.
    #[schema(value_type = Option<f64>)]
    price_usd: Option<Decimal>,
    /// Every listing's say in the price.
    price_sources: Vec<PriceSource>,
    /// Largest less smallest quote that may take part in percent of the price, to four decimals; `null`
    /// with fewer than two.
    #[schema(value_type = Option<f64>)]
    spread_percent: Option<Decimal>,
    /// Its listings, by ascending id, those without a quote included, as `/listings` shows them.
    #[schema(value_type = Vec<ListingBody>)]
    listings: Vec<Box<RawValue>>,
    /// Where it lives: the contracts that lists state, by chain and address.
    deployments: Vec<DeploymentBody>,
    /// How it relates to other assets; `null` while the database does not answer.
    edges: Option<Vec<EdgeBody>>,
    /// What sources called it before, newest first; `null` while the database does not answer.
    former_names: Option<Vec<FormerName>>,
}

/// One listing's say in the price of its asset.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PriceSource {
    /// The source.
    source: String,
    /// The listing.
    listing_id: i64,
    /// Its price in US dollars.
    #[schema(value_type = Option<f64>)]
    price_usd: Option<Decimal>,
    /// Age of the price in seconds.
    age_seconds: Option<u64>,
    /// True when it took part.
    used: bool,
    /// Why it did not: `stale`, `inactive`, `no_price`, `older_of_two`, `unusual` (something is unusual
    /// about its values) or `price_off` (most of the others agree on another price); `/anomalies` says
    /// what.
    reason: Option<&'static str>,
}

/// Shows one asset: its price over all its listings, and how that came about.
///
/// An id keeps leading to its asset: where two assets were found to be one, the other id answers 308 with the
/// path of the one that stayed.
#[utoipa::path(
    get, path = "/assets/{id}", tag = "Market data",
    params(("id" = i64, Path, description = "The asset's id")),
    responses(
        (status = 200, description = "The asset", body = Enveloped<AssetBody>, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        (status = 308, description = "It was found to be another asset", body = Enveloped<MovedBody>, headers(("Location" = String, description = "The same path with the id of that asset"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn asset(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(original): OriginalUri,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    let id = AssetId(number_id(&id)?);
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let snapshot = shared.view.snapshot();
    let rows = match moved::find(&snapshot, id)? {
        Found::Here(rows) => rows,
        Found::Moved(present) => {
            return Ok(moved::elsewhere(&context, &original, present, &snapshot));
        }
    };
    let details = asset_details::details(&shared, &snapshot, &rows).await;
    let mut body = asset_body(id, &rows, details);
    // Ages do not count: they grow with every second, and what they lead to does.
    let shown = represent::shown(&body)?;
    let tag = Tag::new(snapshot.generation(), &"asset", &shown, Format::Json);
    let response = represent::unless_known(&headers, &tag, || {
        body.add_ages(&rows, shared.clock.now());
        respond::json(&context, body)
    });
    let response = represent::kept(response, shared.cache_control(&headers));
    Ok(respond::at_generation(response, snapshot.generation()))
}

/// The price that an asset with these listings has.
pub(super) fn price_of(rows: &[Arc<Row>]) -> AssetPrice {
    asset_price(&candidates(rows))
}

fn candidates(rows: &[Arc<Row>]) -> Vec<Candidate> {
    let candidate = |row: &Arc<Row>| Candidate {
        listing_id: row.listing_id(),
        price_usd: row.price_usd().cloned(),
        updated_at: updated_at(row),
        stale: row.stale(),
        active: row.active(),
        unusual: row.unusual(),
    };
    rows.iter().map(candidate).collect()
}

impl AssetBody {
    /// Adds how old the prices of its listings are.
    fn add_ages(&mut self, rows: &[Arc<Row>], now: Timestamp) {
        for (source, row) in self.price_sources.iter_mut().zip(rows) {
            source.age_seconds = updated_at(row).map(|instant| now.since(instant).as_secs());
        }
    }
}

fn updated_at(row: &Row) -> Option<Timestamp> {
    row.observed_at().or(row.fetched_at())
}

/// The asset as it is shown, but for the ages of prices.
fn asset_body(id: AssetId, rows: &[Arc<Row>], details: Option<Details>) -> AssetBody {
    let candidates = candidates(rows);
    let AssetPrice { price_usd, spread_percent, verdicts } = asset_price(&candidates);
    let price_sources = rows
        .iter()
        .zip(candidates)
        .zip(verdicts)
        .map(|((row, candidate), reason)| PriceSource {
            source: row.source().to_string(),
            listing_id: candidate.listing_id.0,
            price_usd: candidate.price_usd,
            age_seconds: None,
            used: reason.is_none(),
            reason,
        })
        .collect();
    let founding = founding_listing(rows);
    let (edges, former_names) =
        details.map(|details| (details.edges, details.former_names)).unzip();
    AssetBody {
        id: id.0,
        asset_id: id.0,
        symbol: founding.and_then(|row| row.symbol().map(str::to_owned)),
        name: founding.and_then(|row| row.name().map(str::to_owned)),
        class: asset_class(rows).name(),
        identity: asset_identity(rows).name(),
        sources: asset_details::sources(rows),
        price_usd,
        price_sources,
        spread_percent,
        listings: rows
            .iter()
            .filter_map(|row| RawValue::from_string(data::listed_row(row)).ok())
            .collect(),
        deployments: asset_details::deployments(rows),
        edges,
        former_names,
    }
}
