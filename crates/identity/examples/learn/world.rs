//! Two lists, their contracts and the truth about them, in a folder.

use std::collections::{BTreeMap, HashMap, HashSet};

use kasparro_domain::{Attributes, Contract, ListingKey, Timestamp};
use kasparro_identity::ListingEvidence;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// `a.csv` and `b.csv` (`id,symbol,name`), `truth.csv` (`id_a,id_b`), and if there are any `ca.csv` and
/// `cb.csv` (`id,chain,address`).
pub(crate) struct World {
    pub(crate) a: Vec<Vec<String>>,
    pub(crate) b: Vec<Vec<String>>,
    pub(crate) truth: BTreeMap<String, String>,
    contracts: HashMap<(&'static str, String), Vec<Contract>>,
}

fn rows(folder: &str, file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(format!("{folder}/{file}")).unwrap();
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

impl World {
    pub(crate) fn read(folder: &str) -> Self {
        let mut contracts: HashMap<(&str, String), Vec<Contract>> = HashMap::new();
        for (source, file) in [("a", "ca.csv"), ("b", "cb.csv")] {
            if !std::path::Path::new(&format!("{folder}/{file}")).exists() {
                continue;
            }
            for row in rows(folder, file) {
                let contract =
                    Contract { platform: row[1].as_str().into(), address: row[2].as_str().into() };
                contracts.entry((source, row[0].clone())).or_default().push(contract);
            }
        }
        let truth =
            rows(folder, "truth.csv").into_iter().map(|row| (row[0].clone(), row[1].clone()));
        Self {
            a: rows(folder, "a.csv"),
            b: rows(folder, "b.csv"),
            truth: truth.collect(),
            contracts,
        }
    }

    /// The second list without a quarter of the counterparts.
    pub(crate) fn kept(&self, seed: u64) -> Vec<&Vec<String>> {
        let counterparts: HashSet<&String> = self.truth.values().collect();
        let dropped = |id: &String| xxh3_64_with_seed(id.as_bytes(), seed).is_multiple_of(4);
        self.b.iter().filter(|row| !counterparts.contains(&row[0]) || !dropped(&row[0])).collect()
    }

    /// Rows as listings, so many in a hundred of them with their contracts.
    pub(crate) fn listings(
        &self,
        source: &'static str,
        rows: &[&Vec<String>],
        percent: u64,
    ) -> Vec<ListingEvidence> {
        let listing = |row: &&Vec<String>| {
            let told = xxh3_64_with_seed(row[0].as_bytes(), 7) % 100 < percent;
            let contracts = self.contracts.get(&(source, row[0].clone())).filter(|_| told);
            ListingEvidence {
                key: ListingKey::new(source, &row[0]),
                first_seen_at: Timestamp::EPOCH,
                attributes: Attributes {
                    symbol: Some(row[1].as_str().into()),
                    name: Some(row[2].as_str().into()),
                },
                former: Vec::new(),
                contracts: contracts.cloned().unwrap_or_default(),
                kind: None,
                rank: None,
                same_as: Vec::new(),
            }
        };
        rows.iter().map(listing).collect()
    }
}
