//! Captured lists of real vendors with a truth that is known: curated pairs, equal contracts, and ids that
//! one vendor kept over the years.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use kasparro_identity::evaluate::{InputError, InputFile, Inputs, Options, Report, evaluate};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

const GECKO_2022: &str = "coingecko/coins_list/2022-01-29.json.gz";
const GECKO_2024: &str = "coingecko/coins_list/2024-02-24_committed.json.gz";
const GECKO_2025: &str = "coingecko/coins_list/2025-07-05.json.gz";
const PAPRIKA_2021: &str = "coinpaprika/coins/2021-08-12.json.gz";
const PAPRIKA_CONTRACTS: &str = "coinpaprika/contracts/eth-ethereum_2021-08-12.json.gz";
const CAP_2020: &str = "coinmarketcap/map/2020-12-02.json.gz";
const BRAVE_2024: &str = "crosswalk/brave_coingecko-universe_2024-11-05.json.gz";
const BRAVE_2025: &str = "crosswalk/brave_coingecko-ids_2025-04-04.json.gz";
const BRAVE_2026: &str = "crosswalk/brave_coingecko-ids_2026-05-06.json.gz";

/// The folder of captures; `None`, said aloud, where this machine has none.
#[expect(
    clippy::disallowed_methods,
    reason = "tells the tests, not the program, where captures lie"
)]
#[expect(clippy::print_stdout, reason = "a test says that it was skipped")]
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = std::env::var("KASPARRO_REAL_DATA").ok().map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: KASPARRO_REAL_DATA names no folder of captured bodies");
    }
    folder
}

/// A list, as CSV would say it.
type Rows = Vec<Vec<String>>;

/// One source's list with what is known of contracts.
#[derive(Clone, Default)]
struct Side {
    /// `id,symbol,name`.
    rows: Rows,
    /// `id,chain,address`, the chain as its source writes it.
    contracts: Rows,
}

/// Two lists whose truth is known.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) source_a: &'static str,
    pub(crate) source_b: &'static str,
    a: Side,
    b: Side,
    truth: Rows,
}

/// Which contracts the resolver is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    None,
    /// Of seven listings of B in ten.
    Seventy,
    All,
}

impl Shown {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "0 %",
            Self::Seventy => "70 %",
            Self::All => "100 %",
        }
    }
}

impl Case {
    pub(crate) fn evaluate(
        &self,
        shown: Shown,
        drop_counterparts: f64,
        seed: u64,
    ) -> Result<Report, InputError> {
        let kept = |row: &&Vec<String>| match shown {
            Shown::None => false,
            Shown::Seventy => xxh3_64(row[0].as_bytes()) % 10 < 7,
            Shown::All => true,
        };
        let universe = |side: &Side| csv(&["id", "symbol", "name"], side.rows.iter());
        let contracts =
            |rows: Vec<&Vec<String>>| csv(&["id", "chain", "address"], rows.into_iter());
        let of_a =
            if shown == Shown::None { Vec::new() } else { self.a.contracts.iter().collect() };
        let texts = [
            universe(&self.a),
            universe(&self.b),
            contracts(of_a),
            contracts(self.b.contracts.iter().filter(kept).collect()),
            csv(&["id_a", "id_b"], self.truth.iter()),
        ];
        let file = |at: usize| vec![InputFile { name: self.name, chain: None, bytes: &texts[at] }];
        let inputs = Inputs {
            universe_a: file(0),
            universe_b: file(1),
            contracts_a: file(2),
            contracts_b: file(3),
            truth: file(4),
            negatives: Vec::new(),
        };
        let options = Options {
            source_a: self.source_a.to_owned(),
            source_b: self.source_b.to_owned(),
            drop_counterparts,
            seed,
        };
        evaluate(&inputs, &options)
    }

    /// The same case where B's names are known from its ids alone: `Some Coin` of `sc-some-coin`.
    fn with_names_from_ids(mut self, name: &'static str) -> Self {
        self.name = name;
        for row in &mut self.b.rows {
            let words = row[0].split_once('-').map_or(row[0].as_str(), |(_, tail)| tail);
            row[2] = words.replace('-', " ");
        }
        self
    }

    /// The same case under ids that say nothing.
    fn with_hidden_ids(mut self) -> Self {
        let hide = |side: &str, id: &str| format!("{}", xxh3_64(format!("{side}{id}").as_bytes()));
        for (name, side) in [("a", &mut self.a), ("b", &mut self.b)] {
            for row in side.rows.iter_mut().chain(&mut side.contracts) {
                row[0] = hide(name, &row[0]);
            }
        }
        for row in &mut self.truth {
            *row = vec![hide("a", &row[0]), hide("b", &row[1])];
        }
        self
    }
}

fn csv<'a>(header: &[&str], rows: impl Iterator<Item = &'a Vec<String>>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

fn load(folder: &Path, path: &str) -> Value {
    let bytes = std::fs::read(folder.join(path)).unwrap();
    let mut text = Vec::new();
    if path.ends_with(".gz") {
        flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
    } else {
        text = bytes;
    }
    serde_json::from_slice(&text).unwrap()
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows(list: &Value) -> Rows {
    let rows = list.as_array().or_else(|| list["data"].as_array()).unwrap();
    let row = |row: &Value| ["id", "symbol", "name"].map(|field| word(&row[field])).to_vec();
    rows.iter().map(row).filter(|row| !row[0].is_empty()).collect()
}

/// `{chain: {address: id}}` of Brave; the later lists name the id in an object.
fn brave(list: &Value) -> Rows {
    let chains = list.as_object().unwrap().iter();
    let rows = chains.flat_map(|(chain, addresses)| {
        addresses.as_object().unwrap().iter().map(move |(address, owner)| {
            let id = owner.get("coingeckoId").unwrap_or(owner);
            vec![word(id), chain.clone(), address.clone()]
        })
    });
    rows.collect()
}

fn paprika(folder: &Path) -> Side {
    let contracts = load(folder, PAPRIKA_CONTRACTS);
    let contract =
        |row: &Value| vec![word(&row["id"]), "eth-ethereum".to_owned(), word(&row["address"])];
    Side {
        rows: rows(&load(folder, PAPRIKA_2021)),
        contracts: contracts.as_array().unwrap().iter().map(contract).collect(),
    }
}

fn cap(folder: &Path) -> Side {
    let list = load(folder, CAP_2020);
    let contract = |row: &Value| {
        let platform = &row["platform"];
        let address = platform["token_address"].as_str()?.trim();
        let contract = [word(&row["id"]), word(&platform["slug"]), address.to_owned()];
        (!address.is_empty()).then(|| contract.to_vec())
    };
    let contracts = list["data"].as_array().unwrap().iter().filter_map(contract).collect();
    Side { rows: rows(&list), contracts }
}

/// CoinGecko's list of a day, with the contracts that other lists of that vendor's data know.
fn gecko(folder: &Path, list: &str, contracts: &[&str]) -> Side {
    let contracts: BTreeSet<_> =
        contracts.iter().flat_map(|path| brave(&load(folder, path))).collect();
    Side { rows: rows(&load(folder, list)), contracts: contracts.into_iter().collect() }
}

/// Pairs of listings that state one and the same address on Ethereum, unless it is stated by several
/// listings of one source.
fn by_contract(a: &Side, b: &Side) -> Rows {
    let owners = |side: &Side| {
        let listed: BTreeSet<&String> = side.rows.iter().map(|row| &row[0]).collect();
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in &side.contracts {
            let ethereum = ["0x1", "eth-ethereum", "ethereum"].contains(&row[1].as_str());
            if ethereum && listed.contains(&row[0]) {
                owners.entry(row[2].to_lowercase()).or_default().insert(row[0].clone());
            }
        }
        owners
    };
    let (of_a, of_b) = (owners(a), owners(b));
    let single = |owners: &BTreeSet<String>| match owners.len() {
        1 => owners.first().cloned(),
        _ => None,
    };
    let pairs: BTreeSet<Vec<String>> = of_a
        .iter()
        .filter_map(|(address, owners)| Some(vec![single(owners)?, single(of_b.get(address)?)?]))
        .collect();
    pairs.into_iter().collect()
}

/// What people wrote down of both vendors' ids, ticker by ticker.
fn curated(folder: &Path, a: &Side, b: &Side) -> Rows {
    let gecko = load(folder, "crosswalk/komodo_coingecko_ids_2025-12.json");
    let paprika = load(folder, "crosswalk/komodo_coinpaprika_ids_2025-12.json");
    let listed = |side: &Side, id: &str| side.rows.iter().any(|row| row[0] == id);
    let pairs: BTreeSet<Vec<String>> = gecko
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(ticker, id)| Some(vec![word(id), paprika.get(ticker)?.as_str()?.to_owned()]))
        .filter(|pair| listed(a, &pair[0]) && listed(b, &pair[1]))
        .collect();
    pairs.into_iter().collect()
}

fn same_ids(a: &Side, b: &Side) -> Rows {
    let later: BTreeSet<&String> = b.rows.iter().map(|row| &row[0]).collect();
    let kept = a.rows.iter().map(|row| &row[0]).filter(|id| later.contains(id));
    kept.map(|id| vec![id.clone(), id.clone()]).collect()
}

/// Every case that the captures allow.
pub(crate) fn cases(folder: &Path) -> Vec<Case> {
    let case = |name, sources: [&'static str; 2], a: &Side, b: &Side, truth| {
        let [source_a, source_b] = sources;
        Case { name, source_a, source_b, a: a.clone(), b: b.clone(), truth }
    };
    let (paprika, cap) = (paprika(folder), cap(folder));
    let gecko_22 = gecko(folder, GECKO_2022, &[BRAVE_2024, BRAVE_2025]);
    let gecko_25 = gecko(folder, GECKO_2025, &[BRAVE_2025]);
    let vendors = ["coingecko", "coinpaprika"];
    let years = ["coingecko", "coingecko_later"];
    let early = gecko(folder, GECKO_2024, &[BRAVE_2024]);
    let late = gecko(folder, GECKO_2025, &[BRAVE_2026]);
    let curated_25 =
        case("curated_2025", vendors, &gecko_25, &paprika, curated(folder, &gecko_25, &paprika));
    let ethereum_25 =
        case("ethereum_2025", vendors, &gecko_25, &paprika, by_contract(&gecko_25, &paprika));
    vec![
        case("curated_2022", vendors, &gecko_22, &paprika, curated(folder, &gecko_22, &paprika)),
        curated_25.clone(),
        curated_25.with_names_from_ids("curated_2025_slugs"),
        case("ethereum_2022", vendors, &gecko_22, &paprika, by_contract(&gecko_22, &paprika)),
        ethereum_25.clone(),
        ethereum_25.with_names_from_ids("ethereum_2025_slugs"),
        case(
            "coinmarketcap_coinpaprika",
            ["coinmarketcap", "coinpaprika"],
            &cap,
            &paprika,
            by_contract(&cap, &paprika),
        ),
        case(
            "coingecko_coinmarketcap",
            ["coingecko", "coinmarketcap"],
            &gecko_22,
            &cap,
            by_contract(&gecko_22, &cap),
        ),
        case("drift_2022_2025", years, &gecko_22, &late, same_ids(&gecko_22, &late))
            .with_hidden_ids(),
        case("drift_2024_2025", years, &early, &late, same_ids(&early, &late)).with_hidden_ids(),
    ]
}
