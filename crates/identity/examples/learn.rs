//! Learns `src/weights.rs` from lists whose truth is known, and prints its tables.
//!
//! `cargo run --package kasparro-identity --example learn FOLDER[=WEIGHT]...`, each folder with `a.csv` and
//! `b.csv` (`id,symbol,name`) and `truth.csv` (`id_a,id_b`). A quarter of the counterparts is taken away,
//! four times. Every pair of equal symbols whose first listing occurs in the truth is one observation: right,
//! or known to be wrong. Logistic regression gives the log-odds of each level; sparse cells of the table
//! are drawn towards the sum of their row and column. Each folder is read a second time with numbers in
//! place of the first list's ids, as some sources have them.
#![expect(clippy::unwrap_used, reason = "a tool that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "the tool's own output")]

#[path = "learn/fit.rs"]
mod fit;
#[path = "learn/world.rs"]
mod world;

use std::collections::{BTreeMap, HashMap};

use fit::{IDS, NAMES, Pattern};
use kasparro_domain::ListingKey;
use kasparro_identity::{Candidate, Resolver};
use world::World;

fn level(pair: &Candidate, levels: &[&str]) -> Option<usize> {
    pair.features.iter().find_map(|found| levels.iter().position(|level| found.name == *level))
}

/// The place of how many listings share something, as in the tables.
fn shared_by(pair: &Candidate, feature: &str) -> usize {
    let found = pair.features.iter().find(|found| found.name == feature);
    let detail = found.map_or("", |feature| feature.detail.as_str());
    let count = detail.trim_end_matches(" of one source").rsplit(' ').next().unwrap_or("0");
    match count.parse::<u32>().unwrap_or(0) {
        0 | 1 => 0,
        2 => 1,
        3 | 4 => 2,
        5..=8 => 3,
        _ => 4,
    }
}

/// What is seen of a pair; nothing where it is forbidden anyway.
fn pattern(pair: &Candidate) -> Option<Pattern> {
    let has = |name: &str, not: &str| {
        pair.features
            .iter()
            .any(|found| found.name == name && found.detail != not && found.centibits != 0)
    };
    if pair
        .features
        .iter()
        .any(|found| found.name == "veto" || found.name == "native_coin" && found.centibits != 0)
    {
        return None;
    }
    let (name, id) = (level(pair, NAMES)?, level(pair, IDS)?);
    Some(Pattern {
        name,
        id,
        symbol: shared_by(pair, "symbol_equal"),
        shared: (name >= 6 && id != 5 && !matches!(name, 6 | 9))
            .then(|| shared_by(pair, "name_shared_by_others")),
        version: has("version_on_one_side", ""),
        old: has("old_on_one_side", ""),
        succeeded: has("name_of_a_successor", ""),
    })
}

/// Puts numbers in place of the first list's ids.
fn number_a(world: &mut World) {
    for (number, row) in world.a.iter_mut().enumerate() {
        if let Some(right) = world.truth.remove(&row[0]) {
            world.truth.insert(number.to_string(), right);
        }
        row[0] = number.to_string();
    }
}

fn observe(
    folder: &str,
    seed: u64,
    numbered: bool,
    weight: f64,
    seen: &mut BTreeMap<Pattern, [f64; 2]>,
) {
    let mut world = World::read(folder);
    if numbered {
        number_a(&mut world);
    }
    let kept = world.kept(seed);
    let mut resolver = Resolver::new();
    resolver.put(world.listings("a", &world.a.iter().collect::<Vec<_>>(), 0));
    resolver.put(world.listings("b", &kept, 0));
    let mut by_symbol: HashMap<String, Vec<&str>> = HashMap::new();
    for row in kept {
        by_symbol.entry(row[1].to_lowercase()).or_default().push(&row[0]);
    }
    for row in &world.a {
        let Some(right) = world.truth.get(&row[0]) else { continue };
        for other in by_symbol.get(&row[1].to_lowercase()).into_iter().flatten() {
            let (one, two) = (ListingKey::new("a", &row[0]), ListingKey::new("b", other));
            let pair = resolver.explain(&one, Some(&two)).pair.unwrap();
            if let Some(pattern) = pattern(&pair) {
                seen.entry(pattern).or_default()[usize::from(other != right)] += weight;
            }
        }
    }
}

fn main() {
    let mut seen = BTreeMap::new();
    for argument in std::env::args().skip(1) {
        let (folder, weight) = argument.split_once('=').unwrap_or((&argument, "1"));
        let weight: f64 = weight.parse().unwrap();
        for seed in 0..4 {
            observe(folder, seed, false, weight, &mut seen);
        }
        observe(folder, 9, true, weight, &mut seen);
    }
    let total = |side: usize| -> f64 { seen.values().map(|count| count[side]).sum() };
    println!("// {:.0} right and {:.0} wrong pairs", total(0), total(1));
    fit::Model::fit(&seen).print();
}
