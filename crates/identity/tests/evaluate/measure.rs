//! What `docs/evidence/identity.json` holds.

use std::collections::BTreeMap;
use std::path::Path;

use kasparro_identity::evaluate::{
    Calibration, ConfusionKind, InputFile, Inputs, Negatives, Options, Report, Score, evaluate,
};
use kasparro_identity::generate::generate;
use serde_json::{Value, json};

use crate::explained::explained;
use crate::real::{Shown, cases};

/// No rule was chosen by looking at these.
pub(crate) const SEEDS: [u64; 5] = [101, 102, 103, 104, 105];
pub(crate) const PAIRS: usize = 4_000;
const DROPPED: f64 = 0.25;

/// One generated pair of lists, scored.
pub(crate) fn generated(seed: u64, contracts: bool) -> Report {
    let made = generate(PAIRS, seed);
    let files = made.files();
    let file = |at: usize| {
        let (name, bytes) = files[at];
        vec![InputFile { name, chain: None, bytes }]
    };
    let inputs = Inputs {
        universe_a: file(0),
        universe_b: file(1),
        contracts_a: if contracts { file(2) } else { Vec::new() },
        contracts_b: if contracts { file(3) } else { Vec::new() },
        truth: file(4),
        negatives: file(5),
    };
    let options = Options { drop_counterparts: DROPPED, seed, ..Options::default() };
    evaluate(&inputs, &options).unwrap()
}

/// The counts of several reports together.
#[derive(Default)]
struct Pooled {
    overall: Score,
    classes: BTreeMap<&'static str, Score>,
    negatives: Negatives,
    same_symbol: Negatives,
}

impl Pooled {
    fn add(&mut self, report: &Report) {
        self.overall = self.overall.plus(&report.overall);
        for (name, score) in &report.classes {
            let known = self.classes.entry(name).or_default();
            *known = known.plus(score);
        }
        self.negatives = self.negatives.plus(&report.negatives);
        self.same_symbol = self.same_symbol.plus(&report.same_symbol);
    }

    fn figures(&self, contracts: &str) -> Value {
        json!({
            "contracts": contracts,
            "overall": self.overall,
            "classes": self.classes,
            "negatives": self.negatives,
            "same_symbol": self.same_symbol,
        })
    }
}

/// Generated lists, all seeds together, and one seed alone, which a test makes again.
pub(crate) fn of_generated() -> (Value, Vec<Report>) {
    let mut reports = Vec::new();
    let runs: Vec<Value> = [(true, "about 70 %"), (false, "none")]
        .into_iter()
        .map(|(contracts, name)| {
            let mut pooled = Pooled::default();
            for seed in SEEDS {
                let report = generated(seed, contracts);
                pooled.add(&report);
                reports.push(report);
            }
            pooled.figures(name)
        })
        .collect();
    let first = json!(reports.first().map(|report| report.overall));
    let figures = json!({
        "pairs_for_each_seed": PAIRS,
        "seeds": SEEDS,
        "dropped_share": DROPPED,
        "first_seed_alone": first,
        "runs": runs,
    });
    (figures, reports)
}

/// What came of the real cases.
pub(crate) struct Real {
    pub(crate) runs: Vec<Value>,
    pub(crate) false_links: Vec<Value>,
    pub(crate) reports: Vec<Report>,
}

/// The captures of real vendors.
pub(crate) fn of_real(folder: &Path) -> Real {
    let (mut runs, mut false_links, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for case in cases(folder) {
        for (shown, drop, world) in [
            (Shown::All, 0.0, "closed"),
            (Shown::Seventy, DROPPED, "open"),
            (Shown::None, DROPPED, "open"),
        ] {
            let report = case.evaluate(shown, drop, 1).unwrap();
            let mut pooled = Pooled::default();
            pooled.add(&report);
            let mut figures = pooled.figures(shown.name());
            figures["case"] = case.name.into();
            figures["world"] = world.into();
            runs.push(figures);
            // Hidden ids tell a reader nothing.
            let told = report.confusions.iter().filter(|_| !case.name.starts_with("drift"));
            for one in told.filter(|one| one.kind == ConfusionKind::FalseLink) {
                let bits = one
                    .centibits
                    .map_or(String::new(), |bits| format!("{:.1}", f64::from(bits) / 100.0));
                false_links.push(json!({
                    "case": case.name,
                    "contracts": shown.name(),
                    "id_a": one.id_a,
                    "id_b": one.id_b,
                    "expected": one.expected,
                    "bits": bits,
                    "reason": one.reason,
                    "looked_up": explained(&one.id_b).unwrap_or("not looked up yet"),
                }));
            }
            reports.push(report);
        }
    }
    Real { runs, false_links, reports }
}

/// How often links are right by the confidence that they state, over all reports.
pub(crate) fn calibration<'a>(reports: impl Iterator<Item = &'a Report>) -> Vec<Calibration> {
    let mut ranges: BTreeMap<u16, Calibration> = BTreeMap::new();
    for range in reports.flat_map(|report| &report.calibration) {
        let known =
            ranges.entry(range.at_least).or_insert(Calibration { links: 0, right: 0, ..*range });
        known.links += range.links;
        known.right += range.right;
    }
    ranges.into_values().collect()
}
