//! `kasparro`: a self-hosted crypto market-data platform in one binary.

mod cli;
mod clock;
mod config;
mod failure;
mod logs;
mod output;
mod wire;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    ExitCode::from(cli::execute(cli) as u8)
}
