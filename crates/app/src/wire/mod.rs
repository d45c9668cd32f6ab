//! The only place that names everything and puts it together.

mod sources;
mod store;

pub(crate) use sources::{chosen, known_source, lay_out_sample, source_builder, sources};
pub(crate) use store::{
    Locked, beside, held, make_folder, open_beside, open_existing, open_store, open_to_read,
};

use std::sync::Arc;
use std::time::Duration;

use kasparro_api::{Api, ApiSettings, SourceInfo, install_metrics};
use kasparro_domain::{Clock, SourceName};
use kasparro_engine::{Engine, EngineParts, EngineSource, FetchSettings};
use kasparro_store::Store;
use kasparro_view::{View, ViewSettings};

use crate::config::Config;
use crate::failure::Failure;

/// Starts the engine on a store that this process holds.
///
/// # Errors
/// A [`Failure`] where the engine cannot start.
pub(crate) async fn start_engine(
    config: &Config,
    sources: Vec<EngineSource>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Engine>, Failure> {
    lay_out_sample(config)?;
    let fetch = &config.fetch;
    let parts = EngineParts {
        store,
        clock,
        sources,
        fetch: FetchSettings {
            user_agent: fetch.user_agent.clone(),
            upstream: fetch.upstream.clone(),
            max_body_bytes: fetch.max_body_bytes,
            connect_timeout: fetch.connect_timeout,
            idle_timeout: fetch.idle_timeout,
            total_timeout: fetch.total_timeout,
            max_attempts: fetch.max_attempts,
            backoff: fetch.backoff,
        },
        holder: format!("pid {}", std::process::id()),
        spool_dir: config.data_dir().join("spool"),
        build: source_builder(),
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
///
/// # Errors
/// A [`Failure`] with exit code 3 where the key for cursors cannot be kept.
pub(crate) fn read_side(
    config: &Config,
    sources: &[EngineSource],
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
) -> Result<ReadSide, Failure> {
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
        cursor_key: cursor_key(config)?,
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
    Ok(ReadSide { view, api })
}

/// The key that signs cursors: made once and kept beside the database, so that a cursor outlives a
/// restart.
fn cursor_key(config: &Config) -> Result<[u8; 32], Failure> {
    let path = beside(&config.database, ".cursor-key");
    if let Ok(bytes) = std::fs::read(&path)
        && let Ok(key) = <[u8; 32]>::try_from(bytes)
    {
        return Ok(key);
    }
    let key: [u8; 32] = rand::random();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written =
        options.open(&path).and_then(|mut file| std::io::Write::write_all(&mut file, &key));
    written.map_err(|error| store::unwritable(&path, &error))?;
    Ok(key)
}

/// Says so when every HTTP source is asked without encryption.
pub(crate) fn warn_of_plain_upstream(config: &Config) {
    if let Some(upstream) = config.fetch.upstream.as_deref()
        && upstream.starts_with("http://")
    {
        tracing::warn!(%upstream, "every HTTP source is asked there, without encryption");
    }
}
