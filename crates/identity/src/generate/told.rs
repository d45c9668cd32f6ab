//! What the two sources say of what there is.

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::{CHAINS, Place, address, respelt};
use super::chance::Chance;
use super::words::{GENERIC, name, slug, symbol, word};
use super::world::{Asset, World};

/// One source's listing.
#[derive(Debug, Clone)]
pub(super) struct Listing {
    pub(super) id: String,
    pub(super) symbol: String,
    pub(super) name: String,
    /// Chains in the source's words, and addresses.
    pub(super) contracts: Vec<(&'static str, String)>,
}

/// What a source says, by the asset that it is about.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) listings: BTreeMap<usize, Listing>,
    ids: BTreeSet<String>,
}

impl Told {
    pub(super) fn id_of(&self, asset: usize) -> Option<&str> {
        self.listings.get(&asset).map(|listing| listing.id.as_str())
    }

    /// An id that is not taken: the text, or the text with the first free number.
    fn free_id(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "token" } else { wanted };
        let mut id = wanted.to_owned();
        let mut number = 1;
        while !self.ids.insert(id.clone()) {
            number += 1;
            id = format!("{wanted}-{number}");
        }
        id
    }
}

// In a thousand pairs, from lists of two vendors some months apart: 89 % spell the name in the same way,
// 92 % but for words that say little, 99 % use the same symbol.
const GENERIC_WORD: usize = 40;
const SPACING: usize = 15;
const BRACKET: usize = 7;
const NAME_IS_SYMBOL: usize = 8;
const FURTHER_WORD: usize = 12;
const TYPING_ERROR: usize = 4;
const NEW_NAME: usize = 15;
const NEW_NAME_AND_SYMBOL: usize = 10;
const NEW_SYMBOL: usize = 4;
const TICKER_MOVES: usize = 3;
// Contracts: both sides know one for about 70 % of all pairs.
const CONTRACT_IN_A: usize = 930;
const CONTRACT_IN_B: usize = 820;
const FURTHER_PLACE_IN_A: usize = 900;
const FURTHER_PLACE_IN_B: usize = 700;
const ORIGIN_UNKNOWN: usize = 30;
const CONTRACT_REPLACED: usize = 5;
const CONTRACT_OF_PEGGED_FORM: usize = 350;
const DOLLAR: usize = 30;
const ODD_HEAD: usize = 76;
// Ids follow the first name that a source knew: 85 % of CoinGecko's and 94 % of CoinPaprika's are those of
// the name of now; where the names agree 83 % of both ids do, where they do not 35 %.
const OLDER_ID: usize = 350;
const OTHER_ID_IN_A: usize = 120;
const OTHER_ID_IN_B: usize = 50;

/// What both sources say.
pub(super) fn tell(world: &World, seed: u64) -> (Told, Told) {
    let mut chance = Chance::new(seed, "told");
    let (mut a, mut b) = (Told::default(), Told::default());
    for (at, asset) in world.assets.iter().enumerate() {
        let (plain_symbol, plain_name) =
            asset.plain.clone().unwrap_or_else(|| (asset.symbol.clone(), asset.name.clone()));
        let base_id = slug(&plain_name);
        let (mut in_a, mut in_b) = (
            (asset.symbol.clone(), asset.name.clone()),
            (asset.symbol.clone(), asset.name.clone()),
        );
        if asset.plain.is_some() && (asset.marked || chance.per_mille(500)) {
            in_b = (plain_symbol.clone(), plain_name);
        }
        let late = if chance.per_mille(300) { &mut in_a } else { &mut in_b };
        drift(&mut chance, late, asset.marked);
        if chance.per_mille(DOLLAR) {
            in_a.0 = format!("${}", in_a.0);
            if chance.per_mille(500) {
                in_b.0 = format!("${}", in_b.0);
            }
        }
        if asset.listed.a {
            let id = id_text(&mut chance, &base_id, &in_a.1, OTHER_ID_IN_A);
            let id = a.free_id(&id);
            let contracts = contracts_in_a(&mut chance, asset);
            let listing = Listing { id, symbol: in_a.0.to_lowercase(), name: in_a.1, contracts };
            a.listings.insert(at, listing);
        }
        if asset.listed.b {
            let head = if chance.per_mille(ODD_HEAD) {
                word(&mut chance, 1).to_lowercase()
            } else {
                slug(&plain_symbol)
            };
            let tail = id_text(&mut chance, &base_id, &in_b.1, OTHER_ID_IN_B);
            let id = b.free_id(format!("{head}-{tail}").trim_matches('-'));
            let contracts = contracts_in_b(&mut chance, asset, &world.assets);
            let (symbol, name) = in_b;
            b.listings.insert(at, Listing { id, symbol: symbol.to_uppercase(), name, contracts });
        }
    }
    move_tickers(&mut chance, &mut a);
    (a, b)
}

/// One source is late, or spells it otherwise.
fn drift(chance: &mut Chance, told: &mut (String, String), marked: bool) {
    // A form of something else keeps the marker that tells it apart.
    if marked {
        return;
    }
    let mut drawn = chance.below(1000);
    let mut falls = |times: usize| {
        let hit = drawn < times;
        drawn = drawn.wrapping_sub(times);
        hit
    };
    let (old_symbol, old_name) = told.clone();
    if falls(GENERIC_WORD) {
        let without = GENERIC.iter().find_map(|word| old_name.strip_suffix(&format!(" {word}")));
        told.1 = match without {
            Some(without) => without.to_owned(),
            None => format!("{old_name} {}", chance.pick(GENERIC)),
        };
    } else if falls(SPACING) {
        told.1 = match old_name.contains(' ') {
            true => old_name.replace(' ', chance.pick(&["", "-", "."])),
            false => format!("{old_name}.io"),
        };
    } else if falls(BRACKET) {
        told.1 = format!("{old_name} ({old_symbol})");
    } else if falls(NAME_IS_SYMBOL) {
        told.1 = old_symbol;
    } else if falls(FURTHER_WORD) {
        told.1 = format!("{} {old_name}", word(chance, 2));
    } else if falls(TYPING_ERROR) {
        let letters: Vec<char> = old_name.chars().collect();
        let at = 1 + chance.below(letters.len().saturating_sub(1));
        told.1 = letters
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != at)
            .map(|(_, one)| one)
            .collect();
    } else if falls(NEW_NAME) {
        told.1 = name(chance);
    } else if falls(NEW_NAME_AND_SYMBOL) {
        told.1 = name(chance);
        told.0 = symbol(chance, &told.1);
    } else if falls(NEW_SYMBOL) {
        told.0 = symbol(chance, &old_name);
    }
}

/// What a source makes its id of: the name as it was told first, or now and then something else.
fn id_text(chance: &mut Chance, first: &str, name: &str, other: usize) -> String {
    let own = slug(name);
    let text = if own.is_empty() || chance.per_mille(OLDER_ID) { first.to_owned() } else { own };
    if !chance.per_mille(other) {
        return text;
    }
    match (chance.below(3), text.split_once('-')) {
        (0, Some((head, _))) => head.to_owned(),
        (0 | 1, _) => format!("{text}-{}", slug(chance.pick(GENERIC))),
        _ => slug(&word(chance, 3)),
    }
}

fn stated(chance: &mut Chance, places: &[Place], further: usize) -> Vec<Place> {
    let mut stated: Vec<Place> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let known = if at == 0 {
            places.len() == 1 || !chance.per_mille(ORIGIN_UNKNOWN)
        } else {
            chance.per_mille(further)
        };
        if known {
            stated.push(place.clone());
        }
    }
    stated
}

fn contracts_in_a(chance: &mut Chance, asset: &Asset) -> Vec<(&'static str, String)> {
    if !chance.per_mille(CONTRACT_IN_A) {
        return Vec::new();
    }
    let stated = stated(chance, &asset.places, FURTHER_PLACE_IN_A).into_iter();
    stated.filter_map(|place| Some((CHAINS.get(place.chain)?.in_a, place.address))).collect()
}

fn contracts_in_b(
    chance: &mut Chance,
    asset: &Asset,
    assets: &[Asset],
) -> Vec<(&'static str, String)> {
    let mut stated = match chance.per_mille(CONTRACT_IN_B) {
        true => stated(chance, &asset.places, FURTHER_PLACE_IN_B),
        false => Vec::new(),
    };
    if chance.per_mille(CONTRACT_REPLACED) {
        for place in &mut stated {
            place.address = address(chance, place.chain, "OLD");
        }
    }
    let form = asset.pegged_form.and_then(|form| assets.get(form));
    if let Some(form) = form.filter(|_| chance.per_mille(CONTRACT_OF_PEGGED_FORM)) {
        stated.extend(form.places.first().cloned());
    }
    let spelt = stated
        .iter()
        .filter_map(|place| Some((CHAINS.get(place.chain)?.in_b, respelt(chance, place))));
    spelt.collect()
}

/// Some symbols went from one asset to another, which A knows and B does not yet.
fn move_tickers(chance: &mut Chance, a: &mut Told) {
    let assets: Vec<usize> = a.listings.keys().copied().collect();
    for (at, asset) in assets.iter().enumerate() {
        let heir = assets.get(at + 1 + chance.below(50));
        let (true, Some(heir)) = (chance.per_mille(TICKER_MOVES), heir) else { continue };
        let Some(giver) = a.listings.get_mut(asset) else { continue };
        let moved = giver.symbol.clone();
        giver.symbol = format!("{moved}c");
        if let Some(heir) = a.listings.get_mut(heir) {
            heir.symbol = moved;
        }
    }
}
