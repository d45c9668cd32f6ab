//! The command line: its grammar, and one file for each command.

mod anomalies;
mod api;
mod assets;
mod beside;
mod budget;
mod config;
mod db;
mod decision;
mod demo;
mod drift;
mod fleet;
mod healthcheck;
mod identity;
mod keys;
mod quarantine;
mod replay;
mod request;
mod run;
mod runs;
mod serve;
mod shutdown;
mod sim;
mod sources;
mod status;
mod usage;
mod verify;
mod withdraw;
mod worker;

pub(crate) use usage::parse;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{Config, Environment, Flags, Origin, colour_welcome, read_environment};
use crate::failure::{Exit, Failure};
use crate::logs;
use crate::output::Output;

/// A self-hosted crypto market-data platform in one binary: pulls from many upstreams, keeps every raw
/// byte, and serves one exact, documented API.
#[derive(Debug, Parser)]
#[command(
    name = "kasparro",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  kasparro demo                          try everything offline, with simulated upstreams
  kasparro serve                         API on http://127.0.0.1:8000, sources on schedule
  kasparro run coinpaprika               one run of one source now
  kasparro status --json                 how every source stands, for scripts
  kasparro quarantine list               rows that were not believed, and why
  kasparro drift list                    what has changed in what upstreams send
  kasparro assets explain coingecko:weth which asset this listing is, and why
  kasparro keys create --name me --scope operate   a key for the API, shown once
  kasparro verify                        does everything stored hold together?
  kasparro config print                  every setting, its value and where it comes from

Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 store locked, unreachable or of a newer
version; 4 some source failed, another did not."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const DEMO_EXPLAINED: &str = "\
Examples:
  kasparro demo                                   then open http://127.0.0.1:8000/docs
  kasparro demo --listen 127.0.0.1:0              on a free port
  kasparro demo --database sqlite:./try/demo.db   with its data elsewhere

Everything is simulated: every upstream is a part of this process, values move every few seconds, and no
vendor is asked. It shows every source on its schedule, quotes that change, and the whole API. Data go to
./data/demo and stay there for the next time; delete that folder to begin anew. Programs on this machine read every
page without a key; ./data/demo/admin.key holds one that may also start runs and decide. Settings of sources that
are meant for real upstreams, keys above all, are not used.

SIGTERM or Ctrl-C finishes open requests and pages, then exits 0.";

/// Options that every command takes.
#[derive(Debug, clap::Args)]
struct Common {
    /// Print exactly one JSON document on stdout; everything else goes to stderr.
    #[arg(long, global = true)]
    json: bool,
    /// Where data are kept: sqlite:PATH, or postgres://USER@HOST/DATABASE. A password does not belong here,
    /// where others of this machine may read it: DATABASE_URL_FILE names a file that holds the whole.
    #[arg(long, global = true, value_name = "DATABASE")]
    database: Option<String>,
    /// Configuration file in TOML; `kasparro config print` shows every key.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask this scheme, host and port instead of the vendors' own (a mirror or the simulator).
    #[arg(long, global = true, value_name = "URL")]
    upstream: Option<String>,
    /// How logs are written to stderr.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API and run the sources on their schedule, until SIGTERM or Ctrl-C.
    Serve(serve::Arguments),
    /// Serve the API alone, on PostgreSQL, beside workers that fetch.
    Api(api::Arguments),
    /// Run the sources on their schedule, without an API, on PostgreSQL.
    #[command(after_help = worker::EXPLAINED)]
    Worker,
    /// Run sources once, now. Beside a running server, the server carries the run out.
    Run(run::Arguments),
    /// Serve simulated upstreams: generated, seeded data at the vendors' paths.
    Sim(sim::Arguments),
    /// Serve the API on simulated upstreams, offline, with a data folder of its own.
    #[command(after_help = DEMO_EXPLAINED)]
    Demo(serve::Arguments),
    /// List the sources: schedule, limits, and what the store holds of them.
    Sources,
    /// Show how every source stands.
    Status,
    /// List past runs, or show one in full.
    Runs(runs::Arguments),
    /// Look at the rows and pages that were not believed; read them again, or give rows up.
    #[command(subcommand)]
    Quarantine(quarantine::Action),
    /// Look at what has changed in what upstreams send, and accept it.
    #[command(subcommand)]
    Drift(drift::Action),
    /// Look at values and runs that are possible but unusual.
    #[command(subcommand)]
    Anomalies(anomalies::Action),
    /// Look at which listings are one asset, why, and decide about it.
    #[command(subcommand)]
    Assets(assets::Action),
    /// Measure how well listings of several sources are known to be one asset.
    #[command(subcommand)]
    Identity(identity::Action),
    /// Look after the keys of the API: make, list, revoke, rotate
    #[command(subcommand)]
    Keys(keys::Action),
    /// Check that everything stored holds together, and print its digest.
    #[command(after_help = verify::EXPLAINED)]
    Verify,
    /// Build a store anew from the raw pages of another, and compare the two.
    Replay(replay::Arguments),
    /// Look after the database: its schema and its roles.
    #[command(subcommand)]
    Db(db::Action),
    /// Check or print the configuration.
    #[command(subcommand)]
    Config(config::Action),
    /// Ask a running server whether it is healthy; for container health checks.
    Healthcheck(healthcheck::Arguments),
}

/// What every command is given.
pub(crate) struct Context {
    /// The checked configuration.
    pub(crate) config: Config,
    /// Where to speak.
    pub(crate) output: Output,
    /// The name of this process's user, where the environment says it.
    pub(crate) user: Option<String>,
}

impl Common {
    fn flags(&self) -> Flags {
        let mut flags = Flags { config: self.config.clone(), ..Flags::default() };
        let format = self.log_format.map(|format| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        for (key, value, flag) in [
            ("store.database", self.database.clone(), "--database"),
            ("fetch.upstream", self.upstream.clone(), "--upstream"),
            ("log.format", format, "--log-format"),
        ] {
            if let Some(value) = value {
                flags.values.push((key, value, Origin::Flag(flag)));
            }
        }
        flags
    }
}

/// Runs a command and returns how the process ends.
pub(crate) fn execute(cli: Cli) -> Exit {
    let environment = read_environment();
    let output = Output::new(cli.common.json, colour_welcome(&environment));
    match dispatch(cli, &environment, output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    }
}

fn dispatch(cli: Cli, environment: &Environment, output: Output) -> Result<Exit, Failure> {
    let mut flags = cli.common.flags();
    match &cli.command {
        Command::Serve(arguments) => arguments.listening.lay(&mut flags),
        Command::Api(arguments) => arguments.listening.lay(&mut flags),
        Command::Demo(arguments) => demo::lay(arguments, &mut flags),
        _ => {}
    }
    let config = Config::load(&flags, environment)?;
    let serving = matches!(
        cli.command,
        Command::Serve(_) | Command::Api(_) | Command::Worker | Command::Sim(_) | Command::Demo(_)
    );
    logs::start(&config.log, !serving, output.colour_errors);
    // `config check` shows them in what it prints.
    if !matches!(cli.command, Command::Config(_)) {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
    }
    let user = environment.get("USER").cloned();
    let context = Context { config, output, user };
    match cli.command {
        Command::Serve(_) => wait_for(serve::execute(context)),
        Command::Api(_) => wait_for(api::execute(context)),
        Command::Worker => wait_for(worker::execute(context)),
        Command::Run(arguments) => wait_for(run::execute(context, arguments)),
        Command::Sim(arguments) => wait_for(sim::execute(context, arguments)),
        Command::Demo(_) => wait_for(demo::execute(context)),
        Command::Sources => wait_for(sources::execute(context)),
        Command::Status => wait_for(status::execute(context)),
        Command::Runs(arguments) => wait_for(runs::execute(context, arguments)),
        Command::Quarantine(action) => wait_for(quarantine::execute(context, action)),
        Command::Drift(action) => wait_for(drift::execute(context, action)),
        Command::Anomalies(action) => wait_for(anomalies::execute(context, action)),
        Command::Assets(action) => wait_for(assets::execute(context, action)),
        Command::Identity(action) => identity::execute(&context, &action),
        Command::Keys(action) => wait_for(keys::execute(context, action)),
        Command::Verify => wait_for(verify::execute(context)),
        Command::Replay(arguments) => wait_for(replay::execute(context, arguments)),
        Command::Db(action) => wait_for(db::execute(context, action)),
        Command::Config(action) => config::execute(&context, &action),
        Command::Healthcheck(arguments) => wait_for(healthcheck::execute(context, arguments)),
    }
}

fn wait_for(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Failure::new(
                Exit::Failed,
                "no_threads",
                format!("threads cannot be started: {error}"),
                "raise the limit of processes for this user",
            )
        })?;
    let outcome = runtime.block_on(command);
    // Blocking work that outlives a drain must not keep the process: the store survives its end.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_explains_itself() {
        let mut cli = Cli::command();
        cli.build();
        let mut commands: Vec<_> = cli.get_subcommands().collect();
        while let Some(command) = commands.pop() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let told = argument.get_help().is_some();
                assert!(told, "{} {}", command.get_name(), argument.get_id());
            }
            commands.extend(command.get_subcommands());
        }
    }
}
