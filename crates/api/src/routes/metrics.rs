//! `GET /metrics`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use kasparro_domain::{IdentityState, PageState, SourceName, Timestamp};
use kasparro_store::{DriftFilter, PageFilter, StoreResult};
use metrics::{counter, gauge};

use crate::answer::AppState;
use crate::metrics::{
    DRIFT_EVENTS, IDENTITY_ASSETS, IDENTITY_EVIDENCE_LAG, IDENTITY_LISTINGS, REQUESTS_IN_FLIGHT,
};
use crate::openapi::Problems;
use crate::reports::SourceReport;
use crate::settings::PING_TIMEOUT;
use crate::{Shared, doubts, reports, respond};

/// Changes that are read from the store at once.
const DRIFT_PIECE: u32 = 500;
/// Changes that are counted at most; no installation met that many.
const MOST_DRIFT: usize = 10_000;

/// Shows the metrics of this process in the Prometheus text format.
///
/// Gauges that are read from the database keep their last values while it is away.
#[utoipa::path(
    get, path = "/metrics", tag = "Operations",
    responses((status = 200, description = "The metrics", content_type = "text/plain", body = String), Problems),
)]
pub(crate) async fn metrics(State(shared): AppState) -> Response {
    set_shown(&shared).await;
    // Whoever asks at the same time is answered by the same reading, so that a flood takes one connection.
    let reading = {
        let shared = Arc::clone(&shared);
        move || async move {
            set_gauges(&shared).await;
            Some(())
        }
    };
    if shared.gauges.ask(PING_TIMEOUT, reading).await.is_none() {
        shared.contact.lost(&"no answer in time for the metrics");
    }
    respond::text("text/plain; version=0.0.4; charset=utf-8", shared.metrics.handle.render())
}

/// Sets what is known without the database.
async fn set_shown(shared: &Shared) {
    let generation = shared.view.snapshot().generation();
    gauge!("kasparro_generation").set(generation.0 as f64);
    gauge!(REQUESTS_IN_FLIGHT).set(shared.load.under_way() as f64);
    if let Ok(doubts) = doubts::current(shared).await {
        shared.metrics.set_doubts(doubts.all.iter().map(|doubt| (&doubt.source, doubt.kind)));
    }
}

async fn set_gauges(shared: &Shared) {
    let now = shared.clock.now();
    if let Ok(reports) = reports::source_reports(shared.store.as_ref(), &shared.sources).await {
        for report in &reports {
            set_source(report, now);
        }
        let names = reports.iter().map(|report| &report.source);
        // One that fails says that the database is away: the rest would fail too.
        if set_refused_pages(shared, names).await.is_err() {
            return;
        }
    }
    if let Ok(counts) = shared.store.quarantine_counts().await {
        shared.metrics.set_quarantine(&counts);
    }
    // A failure leaves the gauges and counters as they are.
    let _ = set_identity(shared).await;
    let _ = set_drift(shared).await;
}

/// Sets how far it is decided which listings are one asset. What nobody looked at yet is counted as what it
/// is for the time being: an asset of its own.
async fn set_identity(shared: &Shared) -> StoreResult<()> {
    let position = shared.store.identity_position().await?;
    let resolved = position.resolved.as_ref();
    let totals = resolved.map(|resolved| resolved.totals).unwrap_or_default();
    let known = shared.view.snapshot().listings() as u64;
    let unresolved = known.saturating_sub(totals.listings);
    let decided = totals.linked.saturating_add(totals.ambiguous);
    for (state, listings) in [
        (IdentityState::Unresolved, unresolved),
        (IdentityState::Single, totals.listings.saturating_sub(decided)),
        (IdentityState::Linked, totals.linked),
        (IdentityState::Ambiguous, totals.ambiguous),
    ] {
        gauge!(IDENTITY_LISTINGS, "state" => state.name()).set(listings as f64);
    }
    gauge!(IDENTITY_ASSETS).set(totals.assets.saturating_add(unresolved) as f64);
    let resolved_version = resolved.map_or(0, |resolved| resolved.evidence_version);
    let lag = position.evidence_version.saturating_sub(resolved_version);
    gauge!(IDENTITY_EVIDENCE_LAG).set(lag as f64);
    Ok(())
}

fn set_source(report: &SourceReport, now: Timestamp) {
    let source = || report.source.to_string();
    if let Some(lag_seconds) = report.lag_seconds(now) {
        gauge!("kasparro_source_lag_seconds", "source" => source()).set(lag_seconds as f64);
    }
    let budgets = report.budgets(now);
    for window in budgets.tightest() {
        gauge!("kasparro_budget_remaining", "source" => source(), "window" => window.window)
            .set(window.remaining as f64);
    }
    if let Some(breaker) = budgets.breaker() {
        gauge!("kasparro_breaker_state", "source" => source()).set(breaker.gauge());
    }
}

async fn set_refused_pages(
    shared: &Shared,
    sources: impl Iterator<Item = &SourceName>,
) -> StoreResult<()> {
    for source in sources {
        let refused = PageFilter {
            sources: vec![source.clone()],
            state: Some(PageState::Refused),
            ..PageFilter::default()
        };
        let pages = shared.store.count_pages(refused).await?;
        gauge!("kasparro_refused_pages", "source" => source.to_string()).set(pages as f64);
    }
    Ok(())
}

/// Raises the counters of drift to what the store has on record: what every process met, since workers show no
/// metrics. Nothing else counts it, so that all processes show the same.
async fn set_drift(shared: &Shared) -> StoreResult<()> {
    let mut rows = Vec::new();
    while rows.len() < MOST_DRIFT {
        let after = rows.last().map(|row: &kasparro_domain::DriftRow| row.drift_id.0);
        let filter = DriftFilter { after, limit: Some(DRIFT_PIECE), ..DriftFilter::default() };
        let piece = shared.store.drift(filter).await?;
        if piece.is_empty() {
            break;
        }
        rows.extend(piece);
    }
    rows.sort_by_key(|row| (row.source.clone(), row.event.key.kind));
    let kind = |row: &kasparro_domain::DriftRow| row.event.key.kind;
    for of_kind in rows.chunk_by(|a, b| a.source == b.source && kind(a) == kind(b)) {
        let Some(first) = of_kind.first() else { continue };
        let (source, kind) = (first.source.to_string(), kind(first).name());
        counter!(DRIFT_EVENTS, "source" => source, "kind" => kind)
            .absolute(of_kind.iter().map(|row| row.pages_seen).sum());
    }
    Ok(())
}
