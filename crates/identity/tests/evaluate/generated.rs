//! Generated lists look like real ones, and are the same every time.

use std::collections::BTreeMap;

use kasparro_identity::evaluate::{InputFile, Inputs, Options, Report, evaluate};
use kasparro_identity::generate::{Generated, generate};

fn rows(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(bytes);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn evaluated(made: &Generated, drop_counterparts: f64) -> Report {
    let files = made.files();
    let file = |at: usize| {
        let (name, bytes) = files[at];
        vec![InputFile { name, chain: None, bytes }]
    };
    let inputs = Inputs {
        universe_a: file(0),
        universe_b: file(1),
        contracts_a: file(2),
        contracts_b: file(3),
        truth: file(4),
        negatives: file(5),
    };
    let options = Options { drop_counterparts, seed: 1, ..Options::default() };
    evaluate(&inputs, &options).unwrap()
}

fn share(part: usize, whole: usize) -> f64 {
    f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(whole).unwrap())
}

#[test]
fn the_same_number_and_seed_make_the_same_bytes() {
    assert_eq!(generate(300, 4), generate(300, 4));
    assert_ne!(generate(300, 4), generate(300, 5));
    assert_eq!(rows(&generate(300, 4).truth).len(), 300);
    assert_eq!(rows(&generate(0, 1).truth).len(), 0);
}

#[test]
fn generated_lists_share_symbols_names_and_contracts_as_real_ones_do() {
    let made = generate(4_000, 9);
    let (a, b) = (rows(&made.universe_a), rows(&made.universe_b));
    let mut bearers: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &a {
        *bearers.entry(&row[1]).or_default() += 1;
    }
    let shared = a.iter().filter(|row| bearers[row[1].as_str()] > 1).count();
    let colliding = share(shared, a.len());
    assert!((0.33..0.42).contains(&colliding), "{colliding} of A share a symbol");

    let by_id = |rows: &[Vec<String>]| -> BTreeMap<String, (String, String)> {
        let row =
            |row: &Vec<String>| (row[0].clone(), (row[1].to_lowercase(), row[2].to_lowercase()));
        rows.iter().map(row).collect()
    };
    let (in_a, in_b) = (by_id(&a), by_id(&b));
    let truth = rows(&made.truth);
    let same = |of: fn(&(String, String)) -> &String| {
        let same = truth.iter().filter(|pair| of(&in_a[&pair[0]]) == of(&in_b[&pair[1]])).count();
        share(same, truth.len())
    };
    let (symbols, names) = (same(|one| &one.0), same(|one| &one.1));
    assert!((0.95..0.985).contains(&symbols), "{symbols} of pairs have one symbol");
    assert!((0.86..0.92).contains(&names), "{names} of pairs have one name");

    let report = evaluated(&made, 0.0);
    assert_eq!((report.truth_pairs, report.truth_pairs_unknown), (4_000, 0));
    let both = share(report.classes["with_contract"].scored, report.overall.scored);
    assert!((0.66..0.74).contains(&both), "{both} of pairs have contracts on both sides");
    assert!(report.negatives.n > 1_000, "{:?}", report.negatives);
    assert!(!a.iter().all(|row| row[2].is_ascii()), "some names are beyond ASCII");
}

#[test]
fn generated_lists_meet_what_is_demanded_in_the_open_world() {
    let report = evaluated(&generate(3_000, 77), 0.25);
    let (all, classes) = (report.overall, &report.classes);
    let at_least = |share: Option<f64>, least: f64| share.is_some_and(|share| share >= least);
    assert!(at_least(all.precision, 0.998) && at_least(all.recall, 0.97), "{all:?}");
    let known = classes["with_contract"];
    assert!(at_least(known.precision, 0.999) && at_least(known.recall, 0.99), "{known:?}");
    let unknown = classes["no_shared_contract"];
    assert!(at_least(unknown.precision, 0.997) && at_least(unknown.recall, 0.9), "{unknown:?}");
    // Copies of symbol and name without a contract cannot be told from what was dropped.
    assert!(report.same_symbol.share.unwrap() <= 0.003, "{:?}", report.same_symbol);
}
