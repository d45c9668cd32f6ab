//! `demo`: `serve` on simulated upstreams, offline.

use std::time::Duration;

use kasparro_sim::{SimSettings, Simulator};

use super::serve::{self, Arguments, bind, local_url, serve};
use super::{Context, shutdown};
use crate::clock::SystemClock;
use crate::config::{Flags, Origin};
use crate::failure::{Exit, Failure};

/// Where the demo keeps its data, apart from real ones.
const DATABASE: &str = "sqlite:./data/demo/kasparro.db";

/// How often simulated values move.
const STEP_EVERY: Duration = Duration::from_secs(5);

const ORIGIN: Origin = Origin::Command("demo");

/// Settings that only simulated upstreams allow, and a data folder that real data never share: a
/// database or key of the configuration is not taken, one of `--database` is.
pub(super) fn lay(arguments: &Arguments, flags: &mut Flags) {
    arguments.lay(flags);
    for source in ["coinpaprika", "coingecko"] {
        flags.defaults.push((format!("sources.{source}.schedule"), "10s".to_owned(), ORIGIN));
        let limit_key = format!("sources.{source}.requests_per_minute");
        flags.defaults.push((limit_key, "6000".to_owned(), ORIGIN));
    }
    let forced = [
        ("store.database", DATABASE),
        ("sources.coinpaprika.api_key", ""),
        ("sources.coinpaprika.plan", ""),
        ("sources.coingecko.api_key", ""),
        ("sources.coingecko.key_kind", ""),
    ];
    for (index, (key, value)) in forced.into_iter().enumerate() {
        flags.values.insert(index, (key, value.to_owned(), ORIGIN));
    }
}

pub(crate) async fn execute(mut context: Context) -> Result<Exit, Failure> {
    let shutdown = shutdown::token();
    let listener = bind("127.0.0.1:0").await?;
    let upstream = local_url(&listener)?;
    let simulator = Simulator::new(SimSettings {
        step_every: Some(STEP_EVERY),
        // Simulated time keeps pace with real time, or instants would come from the future.
        step_span: STEP_EVERY,
        base_at: SystemClock::shared().now(),
        ..SimSettings::default()
    });
    let stopping = shutdown.clone();
    let simulated = tokio::spawn(async move { simulator.serve(listener, stopping).await });
    tracing::info!(%upstream, "simulated upstreams are served there");
    context.config.fetch.upstream = Some(upstream);
    let outcome = serve(&context, shutdown.clone()).await;
    shutdown.cancel();
    let _ = tokio::time::timeout(serve::GRACE, simulated).await;
    outcome
}
