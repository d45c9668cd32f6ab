//! How it is told: the read API over HTTP.
//!
//! `/data` is answered from the read model before the router; everything else goes through axum.
//! Both ways end in the same function, which gives an answer its headers. Every body of ours carries
//! the request's id and how long it took, every error is an RFC 9457 problem, and no request can
//! bring more than a documented status.

mod access;
mod admission;
mod answer;
mod awaited;
mod budgets;
mod change;
mod contact;
mod cors;
mod data;
mod doubts;
mod flight;
mod freshness;
mod history;
mod instants;
mod limits;
mod listen;
mod metrics;
mod normal_path;
mod openapi;
mod paging;
mod price;
mod problem;
mod query;
mod reports;
mod represent;
mod respond;
mod routes;
mod rss;
mod settings;
mod signed;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use kasparro_domain::{Clock, Generation, SourceName, Timestamp};
use kasparro_store::{Store, StoreResult};
use kasparro_view::View;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

pub use access::{
    Area, KEY_PREFIX, KEY_RANDOM_BYTES, MAX_KEY_BYTES, NewApiKey, Pepper, cursor_key_of, derive,
    key_id_of,
};
pub use metrics::{MetricsHandle, install_metrics};
pub use openapi::openapi_json;
pub use settings::{ApiSettings, LimitSettings, Network, SourceInfo};

/// How long serving waits for the first reading of the keys.
const FIRST_KEYS: Duration = Duration::from_secs(1);

/// The read API: what it reads from, and its routes.
pub struct Api {
    shared: Arc<Shared>,
    router: Router,
    /// False sends `/data` through the router too; both ways must give the same answer.
    hot: bool,
}

/// What every operation reads from.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) view: Arc<View>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: metrics::HttpMetrics,
    pub(crate) settings: ApiSettings,
    pub(crate) keys: access::KeyRing,
    pub(crate) journal: access::Journal,
    pub(crate) limits: limits::Limits,
    pub(crate) load: Arc<limits::Load>,
    pub(crate) sources: Arc<[SourceInfo]>,
    pub(crate) pages: data::PageCache,
    pub(crate) doubts: doubts::DoubtCache,
    pub(crate) freshness: freshness::Freshness,
    /// Health checks ask the database together: whether it answers, and how the sources are.
    pub(crate) pings: flight::Flight<()>,
    /// What the metrics show of the store.
    pub(crate) gauges: flight::Flight<()>,
    pub(crate) checkups: flight::Flight<Arc<Vec<reports::SourceReport>>>,
    pub(crate) contact: Arc<contact::Contact>,
    pub(crate) stream: Arc<stream::Hub>,
    pub(crate) started_at: Timestamp,
    pub(crate) draining: AtomicBool,
}

impl Api {
    /// An API over a store and its read model. `sources` are the configured sources, in the order in
    /// which they are shown.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        view: Arc<View>,
        clock: Arc<dyn Clock>,
        metrics: MetricsHandle,
        settings: ApiSettings,
        sources: Vec<SourceInfo>,
    ) -> Arc<Self> {
        Arc::new(Self::build(store, view, clock, metrics, settings, sources))
    }

    pub(crate) fn build(
        store: Arc<dyn Store>,
        view: Arc<View>,
        clock: Arc<dyn Clock>,
        metrics: MetricsHandle,
        settings: ApiSettings,
        sources: Vec<SourceInfo>,
    ) -> Self {
        let mut settings = settings;
        let started_at = clock.now();
        // The text is dropped here; the ring keeps what it hashes to.
        let admin = settings.admin_key.take();
        let admin = admin.as_ref().map(ExposeSecret::expose_secret);
        let keys = access::KeyRing::new(settings.pepper, admin, started_at);
        let freshness = freshness::Freshness::new(settings.max_age);
        let limits = limits::Limits::new(
            settings.limits.clone(),
            settings.trusted_proxies.clone(),
            settings.shared_limits,
            &settings.cursor_key,
            (started_at, std::time::Instant::now()),
        );
        let shared = Arc::new(Shared {
            store,
            view,
            keys,
            journal: access::Journal::default(),
            limits,
            load: Arc::new(limits::Load::new(settings.max_requests)),
            started_at,
            clock,
            metrics: metrics::HttpMetrics::new(metrics),
            settings,
            sources: sources.into(),
            pages: data::PageCache::default(),
            doubts: doubts::DoubtCache::default(),
            freshness,
            pings: flight::Flight::default(),
            gauges: flight::Flight::default(),
            checkups: flight::Flight::default(),
            contact: Arc::default(),
            stream: Arc::default(),
            draining: AtomicBool::new(false),
        });
        let router = routes::served(&shared).with_state(Arc::clone(&shared));
        Self { shared, router, hot: true }
    }

    /// Accepts connections until `shutdown`, then turns `/readyz` off, goes on for
    /// [`ApiSettings::shutdown_notice`], stops accepting, lets requests under way end and returns, after
    /// [`ApiSettings::drain_timeout`] at the latest.
    ///
    /// # Errors
    /// When the listener cannot say its address.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        shutdown: CancellationToken,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        // So that good keys, and what was used, are known when the first request comes; a database that hangs does not keep
        // the others waiting.
        let keys = tokio::time::timeout(FIRST_KEYS, access::refresh(&shared));
        let used = limits::learn_at_start(&shared.limits, shared.store.as_ref());
        let _ = tokio::join!(keys, used);
        let end = CancellationToken::new();
        let keeping = tokio::spawn(access::keep_ring(shared, end.clone()));
        let served = listen::serve(self, listener, shutdown).await;
        end.cancel();
        if let Err(error) = keeping.await {
            tracing::error!(%error, "keys were not read to the end");
        }
        served
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl Shared {
    /// What the store answers, at most five seconds from now: one that hangs must not gather requests.
    pub(crate) async fn ask<T>(
        &self,
        asking: impl Future<Output = StoreResult<T>>,
    ) -> Result<T, problem::Problem> {
        let Ok(answer) = tokio::time::timeout(settings::STORE_TIMEOUT, asking).await else {
            self.contact.lost(&"no answer in time");
            return Err(problem::Problem::store_silent());
        };
        self.contact.note(&answer);
        Ok(answer?)
    }

    /// A page of stored rows and how many rows there are, with a generation that both hold: it is asked for
    /// before they are.
    pub(crate) async fn ask_page<T>(
        &self,
        counting: impl Future<Output = StoreResult<u64>>,
        reading: impl Future<Output = StoreResult<T>>,
    ) -> Result<(Generation, u64, T), problem::Problem> {
        self.ask(async {
            let generation = self.store.generation().await?;
            Ok((generation, counting.await?, reading.await?))
        })
        .await
    }

    /// True when the database answers within two seconds.
    pub(crate) async fn database_answers(&self) -> bool {
        let (store, contact) = (Arc::clone(&self.store), Arc::clone(&self.contact));
        let ping = || async move {
            let answer = store.ping().await;
            contact.note(&answer);
            answer.ok().map(drop)
        };
        let answers = self.pings.ask(settings::PING_TIMEOUT, ping).await.is_some();
        if !answers {
            self.contact.lost(&"no answer to a ping");
        }
        answers
    }

    /// How long an answer may be used that is made now.
    pub(crate) fn cache_control(&self, asked: &HeaderMap) -> HeaderValue {
        if asked.contains_key(awaited::NAME) {
            // Whoever names a generation has seen that answers may be older.
            return HeaderValue::from_static("no-cache");
        }
        let keyed = asked.contains_key(AUTHORIZATION) || asked.contains_key("x-api-key");
        self.freshness.cache_control(self.clock.now(), keyed)
    }

    /// True for a source that is configured or has listings.
    pub(crate) fn source_known(&self, name: &str) -> bool {
        self.sources.iter().any(|source| source.name.as_str() == name)
            || self
                .view
                .snapshot()
                .listings_by_source()
                .iter()
                .any(|(known, _)| known.as_str() == name)
    }

    /// The names of every source that is configured or has listings, sorted.
    pub(crate) fn known_sources(&self) -> Vec<SourceName> {
        let stored = self.view.snapshot().listings_by_source();
        let mut names: Vec<_> = self.sources.iter().map(|source| source.name.clone()).collect();
        names.extend(stored.into_iter().map(|(name, _)| name));
        names.sort();
        names.dedup();
        names
    }
}
