//! `GET /anomalies`

use axum::extract::{RawQuery, State};
use axum::response::Response;
use kasparro_domain::{Anomaly, AnomalySubject, RunAnomalyKind, Timestamp, ValueAnomalyKind};
use kasparro_store::{AnomalyAbout, AnomalyFilter};
use serde::Serialize;
use utoipa::ToSchema;

use super::data::Pagination;
use super::params::{PageParams, SourceParam};
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::doubts::{self, Doubt};
use crate::openapi::Problems;
use crate::paging::{Paging, store_offset};
use crate::problem::Problem;
use crate::query::{Params, one_of, run_id};
use crate::{data, respond};

/// Every parameter of `/anomalies`.
pub(crate) const KNOWN: &[&str] = &[
    "limit",
    "per_page",
    "page_size",
    "page",
    "offset",
    "source",
    "about",
    "kind",
    "external_id",
    "run_id",
];

/// A page of what is possible but unusual.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AnomalyPage {
    /// First current quotes that are in doubt beside those of other sources, by ascending asset; then
    /// what was found while loading and at the ends of runs, newest first.
    data: Vec<AnomalyBody>,
    pagination: Pagination,
    /// The same as `pagination.total_items`.
    total: u64,
    /// The same as `pagination.page`.
    page: u64,
    /// The same as `pagination.per_page`.
    page_size: u64,
}

/// Something possible but unusual. Nothing is dropped for it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Anomaly)]
pub(crate) struct AnomalyBody {
    /// Its number, in the order in which they were found; `null` for a current quote that is in doubt,
    /// which is found anew for each generation.
    id: Option<i64>,
    /// The source.
    source: String,
    /// `values` of a listing or `runs`.
    about: &'static str,
    /// Of values `price_jump`, `cap_mismatch`, `volume_absurd`; of current quotes beside those of other
    /// sources `price_off`, `stale`; of runs `few_rows`, `many_rows`, `no_rows`, `slow`, `fast`,
    /// `many_rejects`, `failed`, `failure_rate`.
    kind: &'static str,
    /// The listing, by the source's own id; `null` for runs.
    external_id: Option<String>,
    /// The listing, by our id; given for current quotes only.
    listing_id: Option<i64>,
    /// Its asset; given for current quotes only.
    asset_id: Option<i64>,
    /// The instant the values hold for; `null` for runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    observed_at: Option<Timestamp>,
    /// The run; `null` for values.
    run_id: Option<String>,
    /// The value as it was sent, or what the run showed.
    value: String,
    /// What would not have been unusual, in words.
    expected: String,
    /// When it was found: the fetch that brought the values, the end of the run, or, for a current quote,
    /// when it was compared.
    #[schema(value_type = String, format = DateTime)]
    found_at: Timestamp,
}

impl AnomalyBody {
    fn stored(anomaly: Anomaly) -> Self {
        let (id, source) = (Some(anomaly.anomaly_id), anomaly.source.to_string());
        let (listing_id, asset_id, found_at) = (None, None, anomaly.found_at);
        match anomaly.subject {
            AnomalySubject::Value(of) => Self {
                id,
                source,
                about: "values",
                kind: of.kind.name(),
                external_id: Some(of.external_id.into_string()),
                listing_id,
                asset_id,
                observed_at: Some(of.observed_at),
                run_id: None,
                value: of.value,
                expected: of.expected,
                found_at,
            },
            AnomalySubject::Run { run_id, anomaly: of } => Self {
                id,
                source,
                about: "runs",
                kind: of.kind.name(),
                external_id: None,
                listing_id,
                asset_id,
                observed_at: None,
                run_id: Some(run_id.to_string()),
                value: of.value,
                expected: of.expected,
                found_at,
            },
        }
    }

    fn current(doubt: &Doubt, found_at: Timestamp) -> Self {
        Self {
            id: None,
            source: doubt.source.to_string(),
            about: "values",
            kind: doubt.kind,
            external_id: Some(doubt.external_id.clone()),
            listing_id: Some(doubt.listing_id.0),
            asset_id: Some(doubt.asset_id.0),
            observed_at: Some(doubt.observed_at),
            run_id: None,
            value: doubt.value.clone(),
            expected: doubt.expected.clone(),
            found_at,
        }
    }
}

/// What anomalies are about.
pub(crate) const ABOUT: [(&str, AnomalyAbout); 2] =
    [("values", AnomalyAbout::Values), ("runs", AnomalyAbout::Runs)];

/// The names of the kinds of anomalies.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    let values = ValueAnomalyKind::ALL.into_iter().map(ValueAnomalyKind::name);
    let runs = RunAnomalyKind::ALL.into_iter().map(RunAnomalyKind::name);
    values.chain(doubts::KINDS).chain(runs)
}

/// The name of a kind of anomaly.
fn kind(text: &str) -> Result<&'static str, String> {
    let names: Vec<_> = kinds().map(|name| (name, name)).collect();
    one_of(text, &names)
}

/// True where a current quote that is in doubt is what was asked for.
fn fits(doubt: &Doubt, filter: &AnomalyFilter) -> bool {
    filter.about != Some(AnomalyAbout::Runs)
        && filter.run_id.is_none()
        && (filter.sources.is_empty() || filter.sources.contains(&doubt.source))
        && filter.kind.as_deref().is_none_or(|kind| kind == doubt.kind)
        && filter.external_id.as_deref().is_none_or(|id| id == doubt.external_id)
}

/// Lists what is possible but unusual, about values and about runs.
///
/// Current quotes are compared with those of other sources of the same asset: they come first, and are no
/// longer listed once the sources agree. The others stay on record.
#[utoipa::path(
    get, path = "/anomalies", tag = "Operations",
    params(
        PageParams, SourceParam,
        ("about" = Option<String>, Query, description = "Only about `values` or `runs`"),
        ("kind" = Option<String>, Query, description = "Only of this kind, for example `price_jump`"),
        ("external_id" = Option<String>, Query, description = "Only about this listing, by the source's own id"),
        ("run_id" = Option<String>, Query, description = "Only about this run, a UUID"),
    ),
    responses((status = 200, description = "A page of anomalies", body = Enveloped<AnomalyPage>), Problems),
)]
pub(crate) async fn anomalies(
    State(shared): AppState,
    context: RequestContext,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let mut params = Params::read(query.as_deref(), KNOWN);
    let paging = Paging::read(&mut params);
    let mut filter = AnomalyFilter {
        sources: data::source_names(&mut params, &shared),
        about: params.read_as("about", |text| one_of(text, &ABOUT)),
        kind: params.read_as("kind", kind).map(str::to_owned),
        external_id: params.get("external_id").map(Into::into),
        run_id: params.read_as("run_id", run_id),
        limit: None,
        offset: 0,
    };
    params.check(())?;
    let doubts = doubts::current(&shared).await?;
    let current: Vec<&Doubt> = doubts.all.iter().filter(|doubt| fits(doubt, &filter)).collect();
    let (limit, offset) = (
        usize::try_from(paging.limit).unwrap_or(usize::MAX),
        usize::try_from(paging.offset).unwrap_or(usize::MAX),
    );
    let mut data: Vec<AnomalyBody> = current
        .iter()
        .skip(offset)
        .take(limit)
        .map(|doubt| AnomalyBody::current(doubt, doubts.found_at))
        .collect();
    let behind = paging.offset.saturating_sub(current.len() as u64);
    filter.offset = store_offset(behind);
    filter.limit = Some(u32::try_from(limit.saturating_sub(data.len())).unwrap_or(u32::MAX));
    let counting = shared.store.count_anomalies(filter.clone());
    let reading = shared.store.anomalies(filter);
    let (generation, stored, rows) = shared.ask_page(counting, reading).await?;
    data.extend(rows.into_iter().map(AnomalyBody::stored));
    let total = stored.saturating_add(current.len() as u64);
    let body = AnomalyPage {
        data,
        pagination: Pagination::by_number(&paging, total),
        total,
        page: paging.page(),
        page_size: paging.limit,
    };
    let generation = generation.min(doubts.generation);
    Ok(respond::at_generation(respond::json(&context, body), generation))
}
