//! `sim`: simulated upstreams.

use std::path::PathBuf;
use std::time::Duration;

use kasparro_sim::{HiddenLimits, SimError, SimSettings, Simulator};

use super::serve::{bind, local_url};
use super::{Context, shutdown};
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro sim --listen 127.0.0.1:9000                  then: kasparro run --upstream http://127.0.0.1:9000
  kasparro sim --coins 100000 --seed 7 --step-every 5
  curl -X POST http://127.0.0.1:9000/_sim/step          moves every value by one step
  kasparro sim --replay ./captures                      serves captured bodies, the next ones at each step
  kasparro sim --faults plan.json                       answers some requests wrongly on purpose
  curl -X PUT -d '[]' http://127.0.0.1:9000/_sim/faults ends all faults; GET tells how often each rule fired
  kasparro sim --limits limits.json                     refuses what is over hidden limits
  kasparro sim --lively --step-every 5                  a market with jumps, new coins and coins that vanish

With --replay, DIR/manifest.json names the captures; per path they come in the order of their dates, and a
page that was not captured is an empty list. Otherwise values are a function of seed and step alone, so the
same two always give the same bytes.

A fault plan is {\"seed\": 1, \"rules\": [...]} or the array of rules alone. A rule has a path (a * at its end
stands for anything), may have query, from, times and probability, and has exactly one of status (with
headers and body), delay_ms, truncate_bytes, reset, html, replace {find, with}, empty, drift. For example
[{\"path\": \"/v1/tickers\", \"times\": 2, \"status\": 429, \"headers\": {\"Retry-After\": \"5\"}}].

Limits are {\"rules\": [...]} or the array alone. A rule has a path or vendor, a window (sliding, fixed, month) and a
limit, for example
[{\"vendor\": \"coingecko\", \"window\": \"sliding\", \"span_ms\": 60000, \"limit\": 5}].
GET /_sim/limits tells what each rule allowed and refused.
docs/SIMULATOR.md tells more.")]
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
    /// Serve the captured bodies of this folder, which holds a manifest.json, instead of generated ones.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seed", "coins"])]
    replay: Option<PathBuf>,
    /// Fault plan, a JSON file; PUT /_sim/faults replaces it.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Hidden limits, a JSON file; PUT /_sim/limits replaces them.
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
    /// More of the habits of real markets: prices jump, ranks move, coins come and vanish.
    #[arg(long, conflicts_with = "replay")]
    lively: bool,
    /// File to which every served row is recorded, one JSON line for each request.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
}

fn host_and_port(text: &str) -> Result<String, &'static str> {
    let valid = crate::config::host_and_port(text);
    valid.then(|| text.to_owned()).ok_or("write HOST:PORT, for example 127.0.0.1:9000")
}

/// A flag that names something that cannot be served or played.
fn refused(error: &SimError) -> Failure {
    let (code, hint) = match error {
        SimError::FaultsUnreadable { .. }
        | SimError::FaultsInvalid { .. }
        | SimError::LimitsUnreadable { .. }
        | SimError::LimitsInvalid { .. } => (error.code(), error.hint()),
        _ => (
            "bad_captures",
            "name a folder with a manifest.json that lists its captures with --replay",
        ),
    };
    Failure::new(Exit::Usage, code, error.to_string(), hint)
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
    settings.replay = arguments.replay;
    settings.faults = arguments.faults;
    let limits = arguments.limits.as_deref().map(HiddenLimits::open).transpose();
    settings.limits = limits.map_err(|error| refused(&error))?;
    settings.lively = arguments.lively;
    let simulator = Simulator::open(settings).map_err(|error| refused(&error))?;
    let listener = bind(&arguments.listen).await?;
    // Before anybody is told that it listens: what cannot be recorded is not served.
    simulator.open_ledger().map_err(|error| {
        let hint = "name a file in a folder that this user can write with --ledger";
        Failure::new(Exit::Failed, "ledger_unwritable", error.to_string(), hint)
    })?;
    context.output.listening(&local_url(&listener)?)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_plan_that_is_not_understood_is_a_usage_error_that_names_field_and_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.json");
        let open = |plan: &std::path::Path| {
            let settings = SimSettings { faults: Some(plan.to_owned()), ..SimSettings::default() };
            Simulator::open(settings).map_err(|error| refused(&error))
        };
        let missing = open(&plan).unwrap_err();
        assert_eq!((missing.exit, missing.code), (Exit::Usage, "faults_unreadable"));
        std::fs::write(&plan, r#"[{"path":"/v1/*","status":99}]"#).unwrap();
        let invalid = open(&plan).unwrap_err();
        assert_eq!((invalid.exit, invalid.code), (Exit::Usage, "bad_fault_plan"));
        for part in ["plan.json", "rules[0].status", "from 200 to 599"] {
            assert!(invalid.to_string().contains(part), "{part}: {invalid}");
        }
        std::fs::write(&plan, r#"[{"path":"/v1/*","status":503}]"#).unwrap();
        assert_eq!(open(&plan).unwrap().faults_fired(), [0]);
    }

    #[test]
    fn limits_that_are_not_understood_are_a_usage_error_that_names_file_and_field() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limits.json");
        let open = || HiddenLimits::open(&file).map_err(|error| refused(&error));
        let missing = open().unwrap_err();
        assert_eq!((missing.exit, missing.code), (Exit::Usage, "limits_unreadable"));
        std::fs::write(&file, r#"[{"vendor":"csv","window":"yearly","limit":1}]"#).unwrap();
        let invalid = open().unwrap_err();
        assert_eq!((invalid.exit, invalid.code), (Exit::Usage, "bad_limits"));
        for part in ["limits.json", "rules[0].window"] {
            assert!(invalid.to_string().contains(part), "{part}: {invalid}");
        }
    }
}
