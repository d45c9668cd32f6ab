//! What is known of an asset besides its listings: how it relates to others, where it lives, and what it was
//! called.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{Attributes, Decimal, Deployment, IdentityState, ListingId, Timestamp};
use kasparro_store::{IdentityRecord, StoreResult, StoredEdge};
use kasparro_view::{Row, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;

/// How long prices, which are at hand, wait for what the database knows besides.
const WITHIN: Duration = Duration::from_secs(1);

/// How an asset relates to another one that it is not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = AssetEdge)]
pub(crate) struct EdgeBody {
    /// `wrapped_of`, `bridged_of`, `pegged_to`, `migrated_to` or `forked_from`.
    kind: &'static str,
    /// The other asset.
    asset_id: i64,
    /// The listing of the other asset that it is about, as `source:id`.
    listing: String,
    /// What says so.
    why: String,
    /// `out`: this asset is it of the other one; `in`: the other one is it of this asset.
    direction: &'static str,
    /// Units that one unit gives: `out`, of the other asset for one of this one; `in`, of this asset for one
    /// of the other one; `null` where it is not known.
    #[schema(value_type = Option<f64>)]
    ratio: Option<Decimal>,
    /// The day (UTC) from which it holds; `null` where it is not known.
    #[schema(format = Date)]
    effective_on: Option<String>,
}

/// A contract of an asset.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deployment)]
pub(crate) struct DeploymentBody {
    /// The chain: CAIP-2 where it has such a name (`eip155:1`), else a slug of ours.
    chain: String,
    /// The address in the one form that its chain gives it.
    address: String,
    /// The sources that state it, sorted.
    sources: Vec<String>,
}

/// What a source called the asset before.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FormerName {
    /// The source.
    source: String,
    /// The symbol.
    symbol: Option<String>,
    /// The name.
    name: Option<String>,
    /// When a page was fetched that said something else.
    #[schema(value_type = String, format = DateTime)]
    until_at: Timestamp,
}

/// What only the database knows of an asset.
#[derive(Debug, Default)]
pub(super) struct Details {
    pub(super) edges: Vec<EdgeBody>,
    pub(super) former_names: Vec<FormerName>,
}

/// Asks the database; `None` where it does not answer at once: the prices are shown without it. Nothing was
/// decided about an asset that nobody looked at, so nothing is asked of it.
pub(super) async fn details(
    shared: &Shared,
    snapshot: &Snapshot,
    rows: &[Arc<Row>],
) -> Option<Details> {
    if rows.iter().all(|row| row.identity() == IdentityState::Unresolved) {
        return Some(Details::default());
    }
    let ids: Vec<ListingId> = rows.iter().map(|row| row.listing_id()).collect();
    let asking = async {
        let edges = shared.store.asset_edges(&ids).await?;
        Ok((edges, shared.store.identity_records(&ids).await?))
    };
    let answer: StoreResult<_> = match tokio::time::timeout(WITHIN, asking).await {
        Ok(answer) => answer,
        Err(_) => {
            shared.contact.lost(&"no answer in time about an asset");
            return None;
        }
    };
    shared.contact.note(&answer);
    match answer {
        Ok((edges, records)) => Some(Details {
            edges: bodies(&edges, rows, snapshot),
            former_names: former(records, rows),
        }),
        Err(error) => {
            tracing::debug!(%error, "an asset is shown without its edges");
            None
        }
    }
}

fn bodies(edges: &[StoredEdge], rows: &[Arc<Row>], snapshot: &Snapshot) -> Vec<EdgeBody> {
    let own = |id: ListingId| rows.iter().any(|row| row.listing_id() == id);
    let body = |edge: &StoredEdge| {
        let (direction, other) = match (own(edge.from), own(edge.to)) {
            (true, false) => ("out", edge.to),
            (false, true) => ("in", edge.from),
            // Between two listings of one asset there is nothing to tell.
            _ => return None,
        };
        let other = snapshot.listing(other)?;
        Some(EdgeBody {
            kind: edge.kind.name(),
            asset_id: other.asset_id().0,
            listing: format!("{}:{}", other.source(), other.external_id()),
            why: edge.why.to_string(),
            direction,
            ratio: edge.terms.ratio.clone(),
            effective_on: edge.terms.effective_on.map(|day| day.to_string()),
        })
    };
    let mut bodies: Vec<EdgeBody> = edges.iter().filter_map(body).collect();
    bodies.sort();
    bodies.dedup();
    bodies
}

/// What the listings were called that they are not called any more, newest first, each once for a source.
fn former(records: Vec<IdentityRecord>, rows: &[Arc<Row>]) -> Vec<FormerName> {
    let mut names = Vec::new();
    for record in records {
        let Some(row) = rows.iter().find(|row| row.listing_id() == record.listing_id) else {
            continue;
        };
        // Statements of an endpoint may be replaced by others that call it the same.
        let shown = record.past.into_iter().filter(|past| past.endpoint.is_empty());
        for past in shown.filter(|past| another(&past.attributes, row)) {
            let Attributes { symbol, name } = past.attributes;
            names.push(FormerName {
                source: record.key.source.to_string(),
                symbol: symbol.map(Into::into),
                name: name.map(Into::into),
                until_at: past.until_at,
            });
        }
    }
    names.sort_by_key(|it| Reverse(it.until_at));
    let mut told = BTreeSet::new();
    names.retain(|it| told.insert((it.source.clone(), it.symbol.clone(), it.name.clone())));
    names
}

/// True where a symbol or a name was said that is not the present one.
fn another(before: &Attributes, row: &Row) -> bool {
    let differs = |before: Option<&str>, now: Option<&str>| before.is_some() && before != now;
    differs(before.symbol.as_deref(), row.symbol()) || differs(before.name.as_deref(), row.name())
}

/// Every contract that lists state for the listings, by chain and address.
pub(super) fn deployments(rows: &[Arc<Row>]) -> Vec<DeploymentBody> {
    let mut stated: BTreeMap<Deployment, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        for deployment in row.contracts().iter().filter_map(Deployment::of) {
            stated.entry(deployment).or_default().insert(row.source().to_string());
        }
    }
    let body = |(deployment, sources): (Deployment, BTreeSet<String>)| DeploymentBody {
        chain: deployment.chain.into(),
        address: deployment.address.into(),
        sources: sources.into_iter().collect(),
    };
    stated.into_iter().map(body).collect()
}

/// The sources of the listings, sorted, each once.
pub(super) fn sources(rows: &[Arc<Row>]) -> Vec<String> {
    let names: BTreeSet<String> = rows.iter().map(|row| row.source().to_string()).collect();
    names.into_iter().collect()
}
