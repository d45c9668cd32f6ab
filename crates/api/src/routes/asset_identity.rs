//! `GET /assets/{id}/identity`

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{OriginalUri, Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use kasparro_domain::{AssetId, Generation, ListingId, ListingKey, Timestamp};
use kasparro_store::IdentityRecord;
use kasparro_view::{Row, Snapshot, asset_class, asset_identity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asset_decisions::{self, DecisionBody};
use super::listing::number_id;
use super::moved::{self, Found, MovedBody};
use crate::access::Caller;
use crate::answer::{AppState, Enveloped, RequestContext};
use crate::openapi::Problems;
use crate::problem::{Code, Problem};
use crate::query::no_params;
use crate::represent::{self, Format, NotModified, Tag};
use crate::{awaited, data, respond};

/// How often the store is asked again because identity was resolved in between.
const ATTEMPTS: u32 = 3;

/// Why an asset is what it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AssetIdentity {
    /// The asset's id.
    id: i64,
    /// The same as `id`.
    asset_id: i64,
    /// What sort of thing it is.
    class: &'static str,
    /// How far it is decided which listings it has: `unresolved`, `single`, `linked` or `ambiguous`.
    identity: &'static str,
    /// Name and version of the rules that decided; `null` before the first resolution.
    rule_version: Option<String>,
    /// How often evidence of identity has changed.
    evidence_version: u64,
    /// The evidence that was decided by; smaller than `evidence_version` where newer is not yet looked at.
    resolved_version: Option<u64>,
    /// When it was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
    /// Its listings, by ascending id.
    listings: Vec<ListingIdentity>,
    /// What people decided about these listings, newest first: of several about a pair the newest counts.
    decisions: Vec<DecisionBody>,
}

/// Why a listing belongs to its asset, and to no other one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListingIdentity {
    /// The listing.
    listing_id: i64,
    /// Its source.
    source: String,
    /// The source's id of it.
    external_id: String,
    /// The asset that it founded: the same as this one, or one that was found to be this one.
    founded_asset_id: i64,
    /// What sort of thing it is.
    class: &'static str,
    /// `unresolved`, `single`, `linked` or `ambiguous`.
    identity: &'static str,
    /// How likely the decision is right, from 0 to 1; `null` where nothing was decided.
    confidence: Option<f64>,
    /// The other listings that were looked at, best first, at most eight: those it was linked with, and what
    /// else it might be, with why not that.
    candidates: Vec<CandidateBody>,
}

/// Another listing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityCandidate)]
pub(crate) struct CandidateBody {
    /// Its source.
    source: String,
    /// The source's id of it.
    external_id: String,
    /// Our id of it; `null` where it is not shown yet.
    listing_id: Option<i64>,
    /// The asset it belongs to.
    asset_id: Option<i64>,
    /// `linked`: one asset with this listing; `review`: it may be, and more has to be known; `rejected`: it is
    /// another one.
    verdict: String,
    /// Why, in one sentence.
    why: String,
    /// How much speaks for it, in bits: the sum of the features.
    bits: f64,
    /// What speaks for it and against it.
    features: Vec<FeatureBody>,
}

/// One thing that speaks for or against two listings being one asset.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityFeature)]
pub(crate) struct FeatureBody {
    /// Its name, for example `contract_equal`.
    name: String,
    /// What was compared, in words.
    detail: String,
    /// Its weight in bits; negative speaks against.
    bits: f64,
}

/// A candidate as it is stored.
#[derive(Debug, Deserialize)]
struct StoredCandidate {
    key: ListingKey,
    verdict: String,
    why: String,
    centibits: i32,
    features: Vec<StoredFeature>,
}

#[derive(Debug, Deserialize)]
struct StoredFeature {
    name: String,
    detail: String,
    centibits: i32,
}

/// Explains why an asset has the listings that it has: what speaks for and against each, what else they might
/// be, and what people decided.
#[utoipa::path(
    get, path = "/assets/{id}/identity", tag = "Market data",
    params(("id" = i64, Path, description = "The asset's id")),
    responses(
        (status = 200, description = "The reasons", body = Enveloped<AssetIdentity>, headers(("ETag" = String, description = "By what the answer is known again with `If-None-Match`"))),
        (status = 308, description = "It was found to be another asset", body = Enveloped<MovedBody>, headers(("Location" = String, description = "The same path with the id of that asset"))),
        NotModified, Problems,
    ),
)]
pub(crate) async fn identity(
    State(shared): AppState,
    context: RequestContext,
    OriginalUri(original): OriginalUri,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Problem> {
    no_params(query.as_deref())?;
    // Names of people and public ids of keys are for those who see how the installation is run.
    let shows_who = caller.key.is_some();
    let id = AssetId(number_id(&id)?);
    if !shared.view.loaded() {
        return Err(data::not_loaded());
    }
    let mut snapshot = shared.view.snapshot();
    let mut attempts = 0;
    let (rows, position, records, decisions) = loop {
        let rows = match moved::find(&snapshot, id)? {
            Found::Here(rows) => rows,
            Found::Moved(present) => {
                return Ok(moved::elsewhere(&context, &original, present, &snapshot));
            }
        };
        let ids: Vec<ListingId> = rows.iter().map(|row| row.listing_id()).collect();
        let asking = async {
            let before = shared.store.identity_position().await?;
            let records = shared.store.identity_records(&ids).await?;
            let decisions = shared.store.decisions().await?;
            Ok((before.resolved, records, decisions, shared.store.identity_position().await?))
        };
        let (before, records, decisions, position) = shared.ask(asking).await?;
        attempts += 1;
        // Members and reasons are to be those of one resolution.
        let resolved_at = position.resolved.as_ref().map_or(Generation(0), |row| row.generation);
        let one = before == position.resolved && resolved_at <= snapshot.generation();
        if one || attempts == ATTEMPTS {
            break (rows, position, records, decisions);
        }
        awaited::wait(&shared.view, resolved_at).await?;
        snapshot = shared.view.snapshot();
    };
    let resolved = position.resolved.as_ref();
    let body = AssetIdentity {
        id: id.0,
        asset_id: id.0,
        class: asset_class(&rows).name(),
        identity: asset_identity(&rows).name(),
        rule_version: resolved.map(|resolved| resolved.rule_version.clone()),
        evidence_version: position.evidence_version,
        resolved_version: resolved.map(|resolved| resolved.evidence_version),
        resolved_at: resolved.map(|resolved| resolved.resolved_at),
        decisions: asset_decisions::about(decisions, &rows, shows_who),
        listings: Vec::new(),
    };
    // Finding the candidates' ids reads the names of all listings.
    let generation = snapshot.generation();
    let finding = tokio::task::spawn_blocking(move || listings(&rows, records, &snapshot));
    let listings = finding
        .await
        .map_err(|_| Problem::new(Code::Internal, "the candidates could not be found"))?;
    let body = AssetIdentity { listings, ..body };
    let tag = Tag::new(generation, &"identity", &represent::shown(&body)?, Format::Json);
    let response = represent::unless_known(&headers, &tag, || respond::json(&context, body));
    let response = represent::kept(response, shared.cache_control(&headers));
    Ok(respond::at_generation(response, generation))
}

fn listings(
    rows: &[Arc<Row>],
    records: Vec<IdentityRecord>,
    snapshot: &Snapshot,
) -> Vec<ListingIdentity> {
    let mut records: BTreeMap<ListingId, IdentityRecord> =
        records.into_iter().map(|record| (record.listing_id, record)).collect();
    let listing = |row: &Arc<Row>| {
        let record = records.remove(&row.listing_id());
        let confidence = record.as_ref().and_then(|record| record.confidence);
        ListingIdentity {
            listing_id: row.listing_id().0,
            source: row.source().to_string(),
            external_id: row.external_id().to_owned(),
            founded_asset_id: row.founded_asset_id().0,
            class: record.as_ref().map_or(row.class(), |record| record.class).name(),
            identity: record.as_ref().map_or(row.identity(), |record| record.state).name(),
            confidence: confidence.map(|confidence| f64::from(confidence) / 10_000.0),
            candidates: record.map(|record| candidates(record, snapshot)).unwrap_or_default(),
        }
    };
    rows.iter().map(listing).collect()
}

fn candidates(record: IdentityRecord, snapshot: &Snapshot) -> Vec<CandidateBody> {
    let stored: Vec<StoredCandidate> = match serde_json::from_value(record.candidates) {
        Ok(stored) => stored,
        Err(error) => {
            tracing::error!(%error, listing = %record.key, "stored candidates cannot be read");
            Vec::new()
        }
    };
    let body = |candidate: StoredCandidate| {
        let row = snapshot.named(&candidate.key);
        let features = candidate.features.into_iter().map(|feature| FeatureBody {
            name: feature.name,
            detail: feature.detail,
            bits: bits(feature.centibits),
        });
        CandidateBody {
            source: candidate.key.source.to_string(),
            external_id: candidate.key.external_id.into_string(),
            listing_id: row.as_ref().map(|row| row.listing_id().0),
            asset_id: row.as_ref().map(|row| row.asset_id().0),
            verdict: candidate.verdict,
            why: candidate.why,
            bits: bits(candidate.centibits),
            features: features.collect(),
        }
    };
    stored.into_iter().map(body).collect()
}

/// The nearest number to so many hundredths, which JSON writes with at most two decimals.
fn bits(centibits: i32) -> f64 {
    f64::from(centibits) / 100.0
}
