//! The only place that names everything and puts it together.

mod first_key;
mod holder;
mod private;
mod secret;
mod serving;
mod sources;
mod store;
mod transfer;

pub(crate) use first_key::{FirstKey, first_key};
pub(crate) use holder::{held_sources, holder, live_leases, of_this_machine, release_all};
pub(crate) use secret::{ServerSecret, refuse_without_secret, server_secret};
pub(crate) use serving::Backing;
pub(crate) use sources::{chosen, known_source, lay_out_sample, source_builder, sources};
pub(crate) use store::{
    Locked, Opened, beside, file_versions, make_folder, open_existing, open_store, open_target,
    open_to_read, refuse_upstream, store_exists,
};
pub(crate) use transfer::{open_empty, open_origin};

use std::sync::Arc;
use std::time::Duration;

use kasparro_api::{Api, ApiSettings, SourceInfo, install_metrics};
use kasparro_domain::{Clock, SourceName};
use kasparro_engine::{Engine, EngineParts, EngineSource, FetchSettings, Holding, RealPauses};
use kasparro_store::Store;
use kasparro_view::{View, ViewSettings};

use crate::config::Config;
use crate::failure::Failure;

/// Starts the engine on a store; `holding` says whether others work on it.
///
/// # Errors
/// A [`Failure`] where the engine cannot start.
pub(crate) async fn start_engine(
    config: &Config,
    sources: Vec<EngineSource>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    holding: Holding,
) -> Result<Arc<Engine>, Failure> {
    lay_out_sample(config)?;
    let fetch = &config.fetch;
    let parts = EngineParts {
        store,
        clock,
        sources,
        fetch: FetchSettings {
            user_agent: fetch.user_agent.clone(),
            contact: fetch.contact.clone(),
            upstream: fetch.upstream.clone(),
            max_body_bytes: fetch.max_body_bytes,
            connect_timeout: fetch.connect_timeout,
            idle_timeout: fetch.idle_timeout,
            total_timeout: fetch.total_timeout,
            max_attempts: fetch.max_attempts,
            backoff: fetch.backoff,
        },
        holder: holder().to_owned(),
        holding,
        spool_dir: config.data_dir().join("spool"),
        build: source_builder(),
        pauses: Arc::new(RealPauses),
        webhook: config.webhook.clone(),
    };
    Engine::start(parts).await.map_err(|error| Failure::engine(error, &config.database))
}

/// What answers readers.
pub(crate) struct ReadSide {
    /// The read model.
    pub(crate) view: Arc<View>,
    /// The API on it.
    pub(crate) api: Arc<Api>,
}

/// Age from which quotes of a source that is no longer configured are stale.
const DEFAULT_STALE_AFTER: Duration = Duration::from_secs(3 * 3600);

/// The read model and the API on a store.
pub(crate) fn read_side(
    config: &Config,
    sources: &[EngineSource],
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    secret: &ServerSecret,
) -> ReadSide {
    let stale_after = sources
        .iter()
        .map(|source| (SourceName::new(source.source.spec().name), source.stale_after));
    let settings = ViewSettings {
        stale_after: stale_after.collect(),
        default_stale_after: DEFAULT_STALE_AFTER,
    };
    let view = View::new(Arc::clone(store) as _, Arc::clone(clock), settings);
    let settings = ApiSettings {
        project_name: config.project_name.clone(),
        environment: config.environment.clone(),
        max_staleness: config.max_staleness,
        max_connections: config.server.max_connections,
        header_timeout: config.server.header_timeout,
        idle_timeout: config.server.idle_timeout,
        request_timeout: config.server.request_timeout,
        drain_timeout: config.server.drain_timeout,
        shutdown_notice: config.server.shutdown_notice,
        max_age: config.max_age,
        cors_origins: config.origins.clone(),
        cursor_key: secret.cursor_key(),
        pepper: secret.pepper(),
        admin_key: config.access.admin_key.clone(),
        closed: config.access.closed.clone(),
        loopback_reads: config.access.loopback_reads,
        trusted_proxies: config.server.trusted_proxies.clone(),
        limits: config.request_limits.clone(),
        shared_limits: config.database.path().is_none(),
        max_requests: config.server.max_requests,
        max_connections_per_client: config.server.max_connections_per_client,
        max_streams: config.server.max_streams,
        ..ApiSettings::default()
    };
    let infos = sources.iter().map(|source| {
        let spec = source.source.spec();
        SourceInfo {
            name: SourceName::new(spec.name),
            title: spec.title.to_owned(),
            documentation: spec.documentation.to_owned(),
        }
    });
    let api = Api::new(
        Arc::clone(store),
        Arc::clone(&view),
        Arc::clone(clock),
        install_metrics(),
        settings,
        infos.collect(),
    );
    ReadSide { view, api }
}

/// Says so when every HTTP source is asked without encryption.
pub(crate) fn warn_of_plain_upstream(config: &Config) {
    if let Some(upstream) = config.fetch.upstream.as_deref()
        && upstream.starts_with("http://")
    {
        tracing::warn!(%upstream, "every HTTP source is asked there, without encryption");
    }
}
