//! Prometheus metrics: the process-wide recorder, and what the API measures of itself.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use http::{Method, StatusCode};
use metrics::{Histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const REQUEST_SECONDS: &str = "kasparro_http_request_duration_seconds";
const QUARANTINE_ROWS: &str = "kasparro_quarantine_rows";

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
    metrics::describe_gauge!(
        "kasparro_generation",
        "Batches committed so far, as the read model has them"
    );
    metrics::describe_gauge!(
        "kasparro_source_lag_seconds",
        "Seconds since the last successful run of a source"
    );
    metrics::describe_gauge!(QUARANTINE_ROWS, "Open quarantined rows, by source and reason");
    metrics::describe_gauge!("kasparro_build_info", "1, with the version of the program");
}

/// What the API measures.
pub(crate) struct HttpMetrics {
    pub(crate) handle: MetricsHandle,
    /// The label set of nearly every request, looked up once.
    data_ok: Histogram,
    quarantine_labels: Mutex<BTreeSet<(String, &'static str)>>,
}

impl HttpMetrics {
    pub(crate) fn new(handle: MetricsHandle) -> Self {
        Self {
            handle,
            data_ok: request_histogram("/data", "GET", StatusCode::OK),
            quarantine_labels: Mutex::default(),
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
        let mut labels = self.quarantine_labels.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, reason) in labels.iter() {
            gauge!(QUARANTINE_ROWS, "source" => source.clone(), "reason" => *reason).set(0.0);
        }
        for count in counts {
            let (source, reason) = (count.source.to_string(), count.reason.code());
            gauge!(QUARANTINE_ROWS, "source" => source.clone(), "reason" => reason)
                .set(count.rows as f64);
            labels.insert((source, reason));
        }
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
