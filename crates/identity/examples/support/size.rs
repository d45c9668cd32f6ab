//! How long it takes and how much memory it needs to decide about very many listings.

use std::collections::BTreeMap;
use std::time::Instant;

use kasparro_domain::{Attributes, Contract, ListingKey, Timestamp};
use kasparro_identity::generate::generate;
use kasparro_identity::{ListingEvidence, Resolver};
use serde_json::{Value, json};

/// Assets that both made-up sources list; together they list more than 160,000.
const PAIRS: usize = 52_000;
const LISTINGS: [usize; 2] = [100_000, 60_000];
const UPDATED: usize = 500;

fn rows(bytes: &[u8]) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(bytes).records().map(Result::unwrap).collect()
}

fn listings(source: &str, universe: &[u8], contracts: &[u8], most: usize) -> Vec<ListingEvidence> {
    let mut by_id: BTreeMap<String, Vec<Contract>> = BTreeMap::new();
    for row in rows(contracts) {
        let contract = Contract { platform: row[1].into(), address: row[2].into() };
        by_id.entry(row[0].to_owned()).or_default().push(contract);
    }
    let listing = |row: csv::StringRecord| ListingEvidence {
        key: ListingKey::new(source, &row[0]),
        first_seen_at: Timestamp::EPOCH,
        attributes: Attributes { symbol: Some(row[1].into()), name: Some(row[2].into()) },
        former: Vec::new(),
        contracts: by_id.remove(&row[0]).unwrap_or_default(),
        kind: None,
        rank: None,
        same_as: Vec::new(),
    };
    rows(universe).into_iter().take(most).map(listing).collect()
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Decides about all listings, then again after some have changed, on the calling thread alone.
pub(crate) fn measure() -> Value {
    let made = generate(PAIRS, 1);
    let a = listings("coingecko", &made.universe_a, &made.contracts_a, LISTINGS[0]);
    let b = listings("coinpaprika", &made.universe_b, &made.contracts_b, LISTINGS[1]);
    drop(made);
    let counts = [a.len(), b.len()];
    let every = a.len() / UPDATED;
    let mut changed: Vec<ListingEvidence> =
        a.iter().step_by(every).take(UPDATED).cloned().collect();
    for listing in &mut changed {
        let name = listing.attributes.name.take().unwrap_or_default();
        listing.attributes.name = Some(format!("{name} Renamed").into());
    }
    let mut resolver = Resolver::new();
    let begun = Instant::now();
    resolver.put(a);
    resolver.put(b);
    let outcomes = resolver.resolve().len();
    let all_seconds = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    resolver.put(changed);
    let moved = resolver.resolve().len();
    let update_seconds = begun.elapsed().as_secs_f64();
    json!({
        "listings": counts,
        "outcomes": outcomes,
        "all_seconds": all_seconds,
        "updated_listings": UPDATED,
        "update_changes_outcomes": moved,
        "update_seconds": update_seconds,
        "peak_rss_kilobytes_with_generating": peak_kilobytes(),
    })
}
