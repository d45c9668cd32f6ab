//! Prints how the resolver does on every real case, and on generated lists, for whoever changes its rules:
//!
//! `KASPARRO_REAL_DATA=FOLDER cargo run --package kasparro-identity --example score [CASE] [ERRORS.csv]`
#![expect(clippy::unwrap_used, reason = "a tool that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the tool's own output")]

#[path = "../tests/evaluate/real.rs"]
mod real;

use std::collections::BTreeMap;

use kasparro_identity::evaluate::{InputFile, Inputs, Options, Report, Score, evaluate};
use kasparro_identity::generate::generate;
use real::Shown;

fn shares(score: &Score) -> String {
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.2}", share * 100.0));
    format!("{:>6}/{:<6}", percent(score.precision), percent(score.recall))
}

fn line(name: &str, shown: &str, report: &Report) {
    let all = &report.overall;
    let classes: Vec<String> = report
        .classes
        .iter()
        .map(|(name, score)| format!("{name} {} n={}", shares(score), score.scored))
        .collect();
    println!(
        "{name:26}{shown:>6} n={:<6} {}  tp {:>5} fp {:>4} fn {:>4} abst {:>4}  same symbol {}/{} neg {}/{}  {}",
        all.scored,
        shares(all),
        all.tp,
        all.fp,
        all.missed,
        all.abstained,
        report.same_symbol.linked,
        report.same_symbol.n,
        report.negatives.linked,
        report.negatives.n,
        classes.join("  "),
    );
}

fn inputs<'a>(files: &[(&'a str, &'a [u8]); 6], contracts: bool) -> Inputs<'a> {
    let file = |at: usize| {
        let (name, bytes) = files[at];
        vec![InputFile { name, chain: None, bytes }]
    };
    Inputs {
        universe_a: file(0),
        universe_b: file(1),
        contracts_a: if contracts { file(2) } else { Vec::new() },
        contracts_b: if contracts { file(3) } else { Vec::new() },
        truth: file(4),
        negatives: file(5),
    }
}

fn options(drop_counterparts: f64) -> Options {
    Options { drop_counterparts, seed: 1, ..Options::default() }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (wanted, errors) = (arguments.next(), arguments.next());
    let mut mistakes = Vec::new();
    // How often links are right, by whole bits, without and with a common contract.
    let mut by_bits: BTreeMap<(bool, i32), (usize, usize)> = BTreeMap::new();
    let mut tell = |name: &str, shown: &str, report: Report| {
        line(name, shown, &report);
        for link in &report.links {
            let bits = link.centibits.div_euclid(100);
            let counted = by_bits.entry((link.by_contract, bits)).or_default();
            counted.0 += 1;
            counted.1 += usize::from(link.right);
        }
        mistakes.extend(report.confusions_as_csv());
    };
    if wanted.as_deref().is_none_or(|wanted| "generated".contains(wanted)) {
        for seed in [1, 2] {
            let made = generate(4_000, seed);
            for (contracts, drop) in [(false, 0.25), (true, 0.0), (true, 0.25)] {
                let world = if drop > 0.0 { "open" } else { "closed" };
                let shown = if contracts { "70 %" } else { "0 %" };
                let report = evaluate(&inputs(&made.files(), contracts), &options(drop)).unwrap();
                tell(&format!("generated {seed}"), &format!("{world} {shown}"), report);
            }
        }
    }
    if let Some(folder) = real::folder() {
        for case in real::cases(&folder) {
            if wanted.as_deref().is_some_and(|wanted| !case.name.contains(wanted)) {
                continue;
            }
            for (shown, drop) in [
                (Shown::None, 0.0),
                (Shown::None, 0.25),
                (Shown::Seventy, 0.25),
                (Shown::All, 0.25),
            ] {
                let report = case.evaluate(shown, drop, 1).unwrap();
                let world = if drop > 0.0 { "open" } else { "closed" };
                tell(case.name, &format!("{world} {}", shown.name()), report);
            }
        }
    }
    for ((by_contract, bits), (links, right)) in by_bits {
        let how = if by_contract { "contract" } else { "names" };
        println!("{how:9} {bits:>3} bits: {right:>6} of {links:>6} right");
    }
    if let Some(path) = errors {
        std::fs::write(path, mistakes).unwrap();
    }
}
