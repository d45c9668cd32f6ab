//! `sim`: simulated upstreams.

use std::path::PathBuf;
use std::time::Duration;

use kasparro_sim::{SimSettings, Simulator};

use super::serve::{bind, local_url};
use super::{Context, shutdown};
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro sim --listen 127.0.0.1:9000                  then: kasparro run --upstream http://127.0.0.1:9000
  kasparro sim --coins 100000 --seed 7 --step-every 5
  curl -X POST http://127.0.0.1:9000/_sim/step          moves every value by one step

Values are a function of seed and step alone, so the same two always give the same bytes.")]
pub(crate) struct Arguments {
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000", value_parser = host_and_port)]
    listen: String,
    /// Decides every value.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many coins there are.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=i64::from(SimSettings::MAX_COINS)))]
    coins: Option<u32>,
    /// Seconds between steps; without it values stand still until POST /_sim/step.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    step_every: Option<u64>,
    /// File to which every served row is recorded, one JSON line for each request.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    let valid = crate::config::host_and_port(text);
    valid.then(|| text.to_owned()).ok_or("write HOST:PORT, for example 127.0.0.1:9000")
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let shutdown = shutdown::token();
    let mut settings = SimSettings::default();
    if let Some(seed) = arguments.seed {
        settings.seed = seed;
    }
    if let Some(coins) = arguments.coins {
        settings.coins = coins;
    }
    settings.step_every = arguments.step_every.map(Duration::from_secs);
    settings.ledger = arguments.ledger;
    let simulator = Simulator::new(settings);
    let listener = bind(&arguments.listen).await?;
    // Before anybody is told that it listens: what cannot be recorded is not served.
    simulator.open_ledger().map_err(|error| {
        let hint = "name a file in a folder that this user can write with --ledger";
        Failure::new(Exit::Failed, "ledger_unwritable", error.to_string(), hint)
    })?;
    context.output.listening(&local_url(&listener)?);
    simulator.serve(listener, shutdown).await.map_err(|error| {
        Failure::new(
            Exit::Failed,
            "simulator_failed",
            format!("the simulator ended: {error}"),
            "check the ledger file's folder and the free space",
        )
    })?;
    Ok(Exit::Done)
}
