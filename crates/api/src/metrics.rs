//! Prometheus metrics: the process-wide recorder, and what the API measures of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use http::{Method, StatusCode};
use kasparro_domain::SourceName;
use metrics::{Counter, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const REQUEST_SECONDS: &str = "kasparro_http_request_duration_seconds";
const LIMITED: &str = "kasparro_http_limited_total";
/// Set when the metrics are shown.
pub(crate) const REQUESTS_IN_FLIGHT: &str = "kasparro_http_requests_in_flight";
const QUARANTINE_ROWS: &str = "kasparro_quarantine_rows";
const PAGES: &str = "kasparro_pages_total";
const ANOMALIES: &str = "kasparro_anomalies";
/// Set when the metrics are shown, to what the store has on record.
pub(crate) const DRIFT_EVENTS: &str = "kasparro_drift_events_total";

pub(crate) const IDENTITY_LISTINGS: &str = "kasparro_identity_listings";
pub(crate) const IDENTITY_ASSETS: &str = "kasparro_identity_assets";
pub(crate) const IDENTITY_EVIDENCE_LAG: &str = "kasparro_identity_evidence_lag";

/// Clients that listen to changes, and what they were told.
pub(crate) const STREAM_CLIENTS: &str = "kasparro_stream_clients";
pub(crate) const STREAM_EVENTS: &str = "kasparro_stream_events_total";

/// Upper bounds of the request histogram, in seconds.
const BUCKETS: [f64; 11] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The process-wide metrics, as Prometheus text.
#[derive(Clone, Debug)]
pub struct MetricsHandle(PrometheusHandle);

impl MetricsHandle {
    /// Every metric of this process in the Prometheus text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds what was measured since the last call, so that memory does not grow; the server calls it
    /// every few seconds.
    pub(crate) fn upkeep(&self) {
        self.0.run_upkeep();
    }
}

/// Installs the recorder of this process, once; later calls return the same handle. Everything that
/// is measured before the first call is lost.
pub fn install_metrics() -> MetricsHandle {
    static INSTALLED: OnceLock<MetricsHandle> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            let builder = PrometheusBuilder::new();
            let builder =
                builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed; /metrics stays empty");
            }
            describe();
            gauge!("kasparro_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            MetricsHandle(handle)
        })
        .clone()
}

fn describe() {
    metrics::describe_histogram!(
        REQUEST_SECONDS,
        "Time to answer a request, by route, method and status"
    );
    metrics::describe_counter!(
        LIMITED,
        "Requests and connections that were refused: rate (a limit was used up), failures (too many keys that are not good), overload (too much at once)"
    );
    metrics::describe_gauge!(
        REQUESTS_IN_FLIGHT,
        "Requests that are being answered, without streams, bodies that still come, health checks and metrics"
    );
    metrics::describe_gauge!(
        "kasparro_generation",
        "Batches committed so far, as the read model has them"
    );
    metrics::describe_gauge!(
        "kasparro_source_lag_seconds",
        "Seconds since the last successful run of a source"
    );
    metrics::describe_counter!(
        "kasparro_runs_total",
        "Runs that ended in this process, by source and how: success, partial, failed or abandoned"
    );
    metrics::describe_counter!(
        "kasparro_rows_total",
        "Rows that this process loaded, by source and what became of them"
    );
    metrics::describe_gauge!(QUARANTINE_ROWS, "Open quarantined rows, by source and reason");
    metrics::describe_gauge!(
        "kasparro_budget_remaining",
        "What is left of a limit of the upstream when the source last ran, where several keys share a source of the one with the least"
    );
    metrics::describe_gauge!(
        "kasparro_breaker_state",
        "0 closed, 1 half open, 2 open: nothing is sent to the upstream, because it failed so often"
    );
    metrics::describe_counter!(
        DRIFT_EVENTS,
        "Changes found in what upstreams send, each counted on every page that shows it, by all processes together: of several take the largest, not the sum"
    );
    metrics::describe_gauge!(
        ANOMALIES,
        "Current quotes in doubt beside those of other sources, by source and kind"
    );
    metrics::describe_gauge!(
        IDENTITY_LISTINGS,
        "Listings by how far it is decided what they are: unresolved, single, linked or ambiguous"
    );
    metrics::describe_gauge!(IDENTITY_ASSETS, "Assets that the listings form");
    metrics::describe_gauge!(
        IDENTITY_EVIDENCE_LAG,
        "How often evidence of identity has changed since it was decided last which listings are one asset"
    );
    metrics::describe_counter!(
        PAGES,
        "Pages of listings that were asked for, by how they were made: rendered, cached, or not at all because the client had them (not_modified)"
    );
    metrics::describe_gauge!(STREAM_CLIENTS, "Clients that listen to changes now");
    metrics::describe_counter!(
        STREAM_EVENTS,
        "Events that clients of the stream of changes were told: quote, hello or reset"
    );
    metrics::describe_gauge!("kasparro_refused_pages", "Raw pages refused as a whole");
    metrics::describe_gauge!("kasparro_build_info", "1, with the version of the program");
}

/// Why a request or a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    /// A limit was used up.
    Rate,
    /// Too many keys were sent that are not good.
    Failures,
    /// There was too much to do, or there were too many connections.
    Overload,
}

impl Limited {
    const ALL: [Self; 3] = [Self::Rate, Self::Failures, Self::Overload];

    const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Failures => "failures",
            Self::Overload => "overload",
        }
    }
}

/// What the API measures.
pub(crate) struct HttpMetrics {
    pub(crate) handle: MetricsHandle,
    /// The label set of nearly every request, looked up once.
    data_ok: Histogram,
    /// Pages of listings by how they were made.
    pub(crate) pages_rendered: Counter,
    pub(crate) pages_cached: Counter,
    pub(crate) pages_not_modified: Counter,
    /// By [`Limited`].
    limited: [Counter; 3],
    quarantine_labels: Labels,
    anomaly_labels: Labels,
}

/// The label sets that a gauge was ever set for: source, and reason or kind.
type Labels = Mutex<BTreeSet<(String, &'static str)>>;

impl HttpMetrics {
    pub(crate) fn new(handle: MetricsHandle) -> Self {
        Self {
            handle,
            data_ok: request_histogram("/data", "GET", StatusCode::OK),
            pages_rendered: counter!(PAGES, "made" => "rendered"),
            pages_cached: counter!(PAGES, "made" => "cached"),
            pages_not_modified: counter!(PAGES, "made" => "not_modified"),
            limited: Limited::ALL.map(|why| counter!(LIMITED, "reason" => why.name())),
            quarantine_labels: Mutex::default(),
            anomaly_labels: Mutex::default(),
        }
    }

    /// Counts a request or a connection that was refused.
    pub(crate) fn count_limited(&self, why: Limited) {
        if let Some(counter) = self.limited.get(why as usize) {
            counter.increment(1);
        }
    }

    /// Records an answer of `/data` with status 200.
    pub(crate) fn record_data_ok(&self, seconds: f64) {
        self.data_ok.record(seconds);
    }

    /// Records an answer. `route` must come from a bounded set.
    pub(crate) fn record(&self, route: &str, method: &Method, status: StatusCode, seconds: f64) {
        request_histogram(route, method_label(method), status).record(seconds);
    }

    /// Sets the quarantine gauges; pairs that are gone go to zero.
    pub(crate) fn set_quarantine(&self, counts: &[kasparro_store::QuarantineCount]) {
        let counts = counts
            .iter()
            .map(|count| ((count.source.to_string(), count.reason.code()), count.rows));
        set_all(
            &self.quarantine_labels,
            counts.collect(),
            |(source, reason)| gauge!(QUARANTINE_ROWS, "source" => source, "reason" => reason),
        );
    }

    /// Sets the gauges of quotes in doubt, given source and kind of each; pairs that are gone go to zero.
    pub(crate) fn set_doubts<'a>(
        &self,
        doubts: impl Iterator<Item = (&'a SourceName, &'static str)>,
    ) {
        let mut counts = BTreeMap::new();
        for (source, kind) in doubts {
            *counts.entry((source.to_string(), kind)).or_insert(0) += 1;
        }
        set_all(
            &self.anomaly_labels,
            counts,
            |(source, kind)| gauge!(ANOMALIES, "source" => source, "kind" => kind),
        );
    }
}

/// Sets a gauge for each pair that is counted, and to zero for those that were counted before.
fn set_all(
    known: &Labels,
    counts: BTreeMap<(String, &'static str), u64>,
    gauge_of: impl Fn((String, &'static str)) -> metrics::Gauge,
) {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    for gone in known.iter().filter(|pair| !counts.contains_key(*pair)) {
        gauge_of(gone.clone()).set(0.0);
    }
    for (pair, count) in counts {
        gauge_of(pair.clone()).set(count as f64);
        known.insert(pair);
    }
}

fn request_histogram(route: &str, method: &'static str, status: StatusCode) -> Histogram {
    histogram!(REQUEST_SECONDS, "route" => route.to_owned(), "method" => method, "status" => status.as_u16().to_string())
}

/// A bounded set of method names: clients may invent others.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}
