//! How well the resolver does on lists whose truth is known: bytes in, a report out.

mod classes;
mod error;
mod judge;
mod lists;
mod read;
mod report;
mod score;

pub use error::InputError;
pub use report::{Calibration, Confusion, ConfusionKind, ListCount, Negatives, Report, ScoredLink};
pub use score::Score;

use classes::Classes;
use lists::Lists;

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct InputFile<'a> {
    /// What errors call it, for example its path.
    pub name: &'a str,
    /// The chain that all its rows are about, for lists of contracts that do not say it themselves.
    pub chain: Option<&'a str>,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// What to evaluate on.
#[derive(Debug, Clone, Default)]
pub struct Inputs<'a> {
    /// The listings of the first source; those that the truth names are scored.
    pub universe_a: Vec<InputFile<'a>>,
    /// The listings of the second source.
    pub universe_b: Vec<InputFile<'a>>,
    /// Contracts of the first source's listings.
    pub contracts_a: Vec<InputFile<'a>>,
    /// Contracts of the second source's listings.
    pub contracts_b: Vec<InputFile<'a>>,
    /// Pairs that are one asset.
    pub truth: Vec<InputFile<'a>>,
    /// Pairs that are not.
    pub negatives: Vec<InputFile<'a>>,
}

/// How to evaluate.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first source's name.
    pub source_a: String,
    /// The second source's name.
    pub source_b: String,
    /// Which share of the second source's listings that the truth names is taken away first, 0 to 1.
    pub drop_counterparts: f64,
    /// Decides which those are.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source_a: "coingecko".to_owned(),
            source_b: "coinpaprika".to_owned(),
            drop_counterparts: 0.0,
            seed: 0,
        }
    }
}

/// Scores the resolver on two lists and the truth about them. The truth is only compared with, never
/// told to the resolver.
///
/// # Errors
/// An [`InputError`] for a file that cannot be read, or options that make no sense.
pub fn evaluate(inputs: &Inputs<'_>, options: &Options) -> Result<Report, InputError> {
    if options.source_a == options.source_b {
        return Err(InputError::option(
            "source-b",
            format!("both sources are called `{}`", options.source_a),
            "give the two lists different names: one source never lists an asset twice",
        ));
    }
    if !(0.0..=1.0).contains(&options.drop_counterparts) {
        return Err(InputError::option(
            "drop-counterparts",
            format!("{} is no share", options.drop_counterparts),
            "give a number from 0 to 1, for example 0.25",
        ));
    }
    let lists = Lists::read(inputs, options)?;
    let dropped = lists.dropped(options.drop_counterparts, options.seed);
    let classes = Classes::new(&lists);
    Ok(judge::judge(&lists, &dropped, &classes, options))
}
