//! `identity evaluate`.

use std::path::{Path, PathBuf};

use kasparro_identity::evaluate::{
    InputError, InputFile, Inputs, Options, Report, Score, evaluate,
};

use super::Context;
use crate::failure::{Exit, Failure};
use crate::output::Table;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro identity generate --pairs 4000 --seed 1 --into lists       something to try it on
  kasparro identity evaluate --universe-a lists/universe_a.csv --universe-b lists/universe_b.csv \\
    --contracts-a lists/contracts_a.csv --contracts-b lists/contracts_b.csv \\
    --truth lists/truth.csv --negatives lists/negatives.csv --drop-counterparts 0.25 --errors errors.csv

Files are CSV with a header, in any order of columns:
  universe     id,symbol,name       and, where known: rank, type, contracts (chain:address, with spaces between)
  contracts    id,chain,address     the chain as its source writes it
  truth        id_a,id_b            pairs that are one asset; the resolver is never told them
  negatives    id_a,id_b            pairs that are not
Universes and contracts may also be JSON as the vendors' list endpoints answer it. An option may be given several
times. CoinPaprika's /contracts/{platform} does not say its platform; write --contracts-b eth-ethereum=FILE.

Scored are the listings of A that the truth names: tp is a link to what it is, fp a link to anything else, fn no
link although its counterpart is in B. docs/IDENTITY.md defines every class and figure.

Exit codes: 0 scored, whatever the score; 1 the file of errors cannot be written; 2 a file or an option cannot be used.")]
pub(crate) struct Arguments {
    /// Listings of the first source.
    #[arg(long, value_name = "FILE", required = true)]
    universe_a: Vec<PathBuf>,
    /// Listings of the second source.
    #[arg(long, value_name = "FILE", required = true)]
    universe_b: Vec<PathBuf>,
    /// Contracts of the first source's listings.
    #[arg(long, value_name = "[CHAIN=]FILE")]
    contracts_a: Vec<PathBuf>,
    /// Contracts of the second source's listings.
    #[arg(long, value_name = "[CHAIN=]FILE")]
    contracts_b: Vec<PathBuf>,
    /// Pairs that are one asset.
    #[arg(long, value_name = "FILE", required = true)]
    truth: Vec<PathBuf>,
    /// Pairs that are two assets.
    #[arg(long, value_name = "FILE")]
    negatives: Vec<PathBuf>,
    /// Name of the first source.
    #[arg(long, value_name = "NAME", default_value = "coingecko")]
    source_a: String,
    /// Name of the second source.
    #[arg(long, value_name = "NAME", default_value = "coinpaprika")]
    source_b: String,
    /// Take away this share of the listings of B that the truth names, 0 to 1: an open world.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    drop_counterparts: f64,
    /// Decides which listings those are.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Write every mistake to this file, as CSV.
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
}

pub(super) fn execute(context: &Context, arguments: &Arguments) -> Result<Exit, Failure> {
    let files = |paths: &[PathBuf]| paths.iter().map(|path| Read::of(path)).collect();
    let read: Result<Vec<Vec<Read>>, Failure> = [
        &arguments.universe_a,
        &arguments.universe_b,
        &arguments.contracts_a,
        &arguments.contracts_b,
        &arguments.truth,
        &arguments.negatives,
    ]
    .map(|paths| files(paths))
    .into_iter()
    .collect();
    let read = read?;
    let mut read = read.iter().map(|files| files.iter().map(Read::as_input).collect());
    let mut next = || read.next().unwrap_or_default();
    let inputs = Inputs {
        universe_a: next(),
        universe_b: next(),
        contracts_a: next(),
        contracts_b: next(),
        truth: next(),
        negatives: next(),
    };
    let options = Options {
        source_a: arguments.source_a.clone(),
        source_b: arguments.source_b.clone(),
        drop_counterparts: arguments.drop_counterparts,
        seed: arguments.seed,
    };
    let report = evaluate(&inputs, &options).map_err(refused)?;
    if let Some(path) = &arguments.errors {
        std::fs::write(path, report.confusions_as_csv()).map_err(|error| {
            Failure::new(
                Exit::Failed,
                "errors_not_written",
                format!("{}: the mistakes cannot be written: {error}", path.display()),
                "give --errors a path in a folder that exists and can be written",
            )
        })?;
    }
    context.output.result(&report, || text(&report, arguments, context.output.colour))?;
    Ok(Exit::Done)
}

fn refused(error: InputError) -> Failure {
    Failure::new(Exit::Usage, "bad_input", error.to_string(), error.remedy)
}

/// A file that was read.
struct Read {
    name: String,
    chain: Option<String>,
    bytes: Vec<u8>,
}

impl Read {
    /// Reads `FILE` or `CHAIN=FILE`; a file whose name holds an equals sign is taken as it is.
    fn of(stated: &Path) -> Result<Self, Failure> {
        let text = stated.to_string_lossy();
        let (chain, path) = match text.split_once('=') {
            Some((chain, path)) if !chain.is_empty() && !stated.exists() => {
                (Some(chain.to_owned()), Path::new(path))
            }
            _ => (None, stated),
        };
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { name, chain, bytes }),
            Err(error) => Err(Failure::new(
                Exit::Usage,
                "bad_input",
                format!("{name}: the file cannot be read: {error}"),
                "check its path and its permissions",
            )),
        }
    }

    fn as_input(&self) -> InputFile<'_> {
        InputFile { name: &self.name, chain: self.chain.as_deref(), bytes: &self.bytes }
    }
}

/// A share in percent. Cut, not rounded: 100.00 means all of them.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "-".to_owned(),
        |share| format!("{:.2}", (share * 10_000.0).floor() / 100.0),
    )
}

fn within(share: Option<f64>, interval: Option<[f64; 2]>) -> String {
    match interval {
        Some([low, high]) => {
            format!("{} ({} to {})", percent(share), percent(Some(low)), percent(Some(high)))
        }
        None => "-".to_owned(),
    }
}

fn text(report: &Report, arguments: &Arguments, colour: bool) -> String {
    let headings = [
        "class",
        "scored",
        "in B",
        "tp",
        "fp",
        "fn",
        "abstained",
        "precision % (95 %)",
        "recall % (95 %)",
        "F1 %",
    ];
    let mut table = Table::new(&headings, colour);
    let mut row = |name: &str, score: &Score| {
        let counts =
            [score.scored, score.present, score.tp, score.fp, score.missed, score.abstained];
        let mut cells = vec![Table::words(name)];
        cells.extend(counts.map(Table::number));
        cells.push(Table::number(within(score.precision, score.precision_95)));
        cells.push(Table::number(within(score.recall, score.recall_95)));
        cells.push(Table::number(percent(score.f1)));
        table.row(cells);
    };
    row("overall", &report.overall);
    for (name, score) in &report.classes {
        row(name, score);
    }
    let mut lines = vec![table.text(), String::new()];
    let (negatives, same) = (report.negatives, report.same_symbol);
    if negatives.n > 0 {
        let share = percent(negatives.share);
        lines
            .push(format!("negatives: {} of {} linked ({share} %)", negatives.linked, negatives.n));
    }
    lines.push(format!(
        "same symbol, another asset: {} of {} pairs linked ({} %)",
        same.linked,
        same.n,
        percent(same.share)
    ));
    for (name, source) in [("a", &arguments.source_a), ("b", &arguments.source_b)] {
        let Some(list) = report.lists.get(name) else { continue };
        let mut line =
            format!("{source}: {} listings, {} with a contract", list.listings, list.with_contract);
        for (count, what) in [
            (list.rows_without_id, "rows without an id"),
            (list.contracts_of_unknown_ids, "contracts of ids that the list does not have"),
        ] {
            if count > 0 {
                line.push_str(&format!("; left out: {count} {what}"));
            }
        }
        lines.push(line);
    }
    lines.push(format!(
        "truth: {} pairs, {} of them with an id that its list does not have; {} listings of {} dropped, seed {}; rules {}",
        report.truth_pairs,
        report.truth_pairs_unknown,
        report.dropped,
        arguments.source_b,
        report.seed,
        report.rule_version
    ));
    if arguments.errors.is_none() && !report.confusions.is_empty() {
        lines.push("--errors FILE writes every mistake and why it was made".to_owned());
    }
    lines.join("\n")
}
