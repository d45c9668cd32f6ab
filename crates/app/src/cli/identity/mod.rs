//! `identity`: how well it is told which listings are one asset.

mod evaluate;
mod generate;

use super::Context;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Score the resolver on two lists of listings and the truth about them. Offline, without a store.
    Evaluate(Box<evaluate::Arguments>),
    /// Write two made-up lists whose truth is known, to evaluate on.
    Generate(generate::Arguments),
}

pub(crate) fn execute(context: &Context, action: &Action) -> Result<Exit, Failure> {
    match action {
        Action::Evaluate(arguments) => evaluate::execute(context, arguments),
        Action::Generate(arguments) => generate::execute(context, arguments),
    }
}
