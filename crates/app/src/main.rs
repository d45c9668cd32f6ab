//! `kasparro`: a self-hosted crypto market-data platform in one binary.

mod cli;
mod clock;
mod config;
mod failure;
mod logs;
mod output;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    let exit = match cli::parse(std::env::args_os().collect()) {
        Ok(cli) => cli::execute(cli),
        Err(exit) => exit,
    };
    ExitCode::from(exit as u8)
}
