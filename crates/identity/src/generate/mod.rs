//! Lists of two made-up sources whose truth is known, for measuring on more pairs than anybody has checked.
//!
//! The shares below are those of real lists where they were measured: how many listings share a symbol, how
//! often two sources spell a name differently, how often one of them is late with a rename.

mod addresses;
mod chance;
mod told;
mod variants;
mod words;
mod world;

use std::collections::BTreeSet;

use told::{Told, tell};
use world::World;

/// Two lists and the truth about them, each file as CSV with a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// `id,symbol,name` of the first source, which writes as CoinGecko does.
    pub universe_a: Vec<u8>,
    /// `id,symbol,name` of the second source, which writes as CoinPaprika does.
    pub universe_b: Vec<u8>,
    /// `id,chain,address` of the first source.
    pub contracts_a: Vec<u8>,
    /// `id,chain,address` of the second source.
    pub contracts_b: Vec<u8>,
    /// `id_a,id_b`: one asset.
    pub truth: Vec<u8>,
    /// `id_a,id_b`: two assets that look alike, such as one and its wrapped form.
    pub negatives: Vec<u8>,
}

impl Generated {
    /// The files by the names that they are saved under.
    #[must_use]
    pub fn files(&self) -> [(&'static str, &[u8]); 6] {
        [
            ("universe_a.csv", &self.universe_a),
            ("universe_b.csv", &self.universe_b),
            ("contracts_a.csv", &self.contracts_a),
            ("contracts_b.csv", &self.contracts_b),
            ("truth.csv", &self.truth),
            ("negatives.csv", &self.negatives),
        ]
    }
}

/// Makes lists in which so many assets are in both. The same number and seed make the same bytes.
#[must_use]
pub fn generate(pairs: usize, seed: u64) -> Generated {
    let world = World::new(pairs, seed);
    let (a, b) = tell(&world, seed);
    let mut truth = BTreeSet::new();
    let mut negatives = BTreeSet::new();
    for (at, asset) in world.assets.iter().enumerate() {
        if let (Some(a), Some(b)) = (a.id_of(at), b.id_of(at)) {
            truth.insert([a.to_owned(), b.to_owned()]);
        }
        let Some(base) = asset.resembles else { continue };
        for (of_a, of_b) in [(at, base), (base, at)] {
            if let (Some(a), Some(b)) = (a.id_of(of_a), b.id_of(of_b)) {
                negatives.insert([a.to_owned(), b.to_owned()]);
            }
        }
    }
    Generated {
        universe_a: universe(&a),
        universe_b: universe(&b),
        contracts_a: contracts(&a),
        contracts_b: contracts(&b),
        truth: table(["id_a", "id_b"], truth),
        negatives: table(["id_a", "id_b"], negatives),
    }
}

fn universe(told: &Told) -> Vec<u8> {
    let rows = told.listings.values();
    table(
        ["id", "symbol", "name"],
        rows.map(|one| [&one.id, &one.symbol, &one.name].map(Clone::clone)),
    )
}

fn contracts(told: &Told) -> Vec<u8> {
    let rows = told.listings.values().flat_map(|one| {
        one.contracts
            .iter()
            .map(|(chain, address)| [one.id.clone(), (*chain).to_owned(), address.clone()])
    });
    table(["id", "chain", "address"], rows)
}

fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Vec<u8> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    // The order of making would tell which belong together.
    rows.sort();
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header.map(str::to_owned)).chain(rows) {
        // A writer into memory takes everything.
        let _ = writer.write_record(&row);
    }
    writer.into_inner().unwrap_or_default()
}
