//! What there is besides an asset: its wrapped, bridged, pegged, staked and older forms. None of them is it.

use super::addresses::some_chain;
use super::chance::Chance;
use super::words::word;
use super::world::{Asset, Listed, places, some_listed};

// In a thousand: what is early in the list is known and has more forms.
const KNOWN: usize = 350;
const UNKNOWN: usize = 25;
// 1 % of all ids had another contract a year later; a source that is a quarter late has not seen 0.2 %.
const REPLACED: usize = 15;
const SECOND_IS_LATE: usize = 150;
const STOCK: usize = 15;

/// Adds the forms of the asset at `base`.
pub(super) fn variants(assets: &mut Vec<Asset>, chance: &mut Chance, base: usize) {
    let often = if base.is_multiple_of(12) { KNOWN } else { UNKNOWN };
    let makes: [Make; 4] = [pegged, bridged, wrapped, staked];
    for (at, make) in makes.into_iter().enumerate() {
        let Some(of) = assets.get(base).filter(|_| chance.per_mille(often)).cloned() else {
            continue;
        };
        let (symbol, name, listed) = make(chance, &of);
        add(assets, chance, base, symbol, name, listed);
        let form = assets.len() - 1;
        if let Some(coin) = assets.get_mut(base).filter(|_| at == 0 && of.places.is_empty()) {
            coin.pegged_form = Some(form);
        }
    }
    if chance.per_mille(REPLACED) {
        replaced(assets, chance, base);
    }
    if chance.per_mille(STOCK) {
        stock(assets, chance);
    }
}

type Make = fn(&mut Chance, &Asset) -> (String, String, Listed);

fn add(
    assets: &mut Vec<Asset>,
    chance: &mut Chance,
    base: usize,
    symbol: String,
    name: String,
    listed: Listed,
) {
    let chain = some_chain(chance);
    let places = places(chance, assets, chain, "FORM");
    let resembles = Some(base);
    assets.push(Asset {
        symbol,
        name,
        places,
        listed,
        resembles,
        marked: true,
        ..Asset::default()
    });
}

fn bridged(chance: &mut Chance, of: &Asset) -> (String, String, Listed) {
    let bridge = word(chance, 2);
    let name = match chance.below(3) {
        0 => format!("Bridged {} ({bridge})", of.name),
        1 => format!("{bridge} Bridged {}", of.name),
        _ => format!("{} ({bridge} Bridge)", of.name),
    };
    let symbol = match chance.below(4) {
        0 => format!("{}.E", of.symbol),
        1 => format!("X{}", of.symbol),
        _ => of.symbol.clone(),
    };
    (symbol, name, some_listed(chance, [80, 880]))
}

fn wrapped(chance: &mut Chance, of: &Asset) -> (String, String, Listed) {
    let symbol = if chance.per_mille(850) { format!("W{}", of.symbol) } else { of.symbol.clone() };
    (symbol, format!("Wrapped {}", of.name), some_listed(chance, [250, 650]))
}

fn pegged(chance: &mut Chance, of: &Asset) -> (String, String, Listed) {
    let venue = word(chance, 2);
    (of.symbol.clone(), format!("{venue}-Peg {}", of.name), some_listed(chance, [30, 950]))
}

fn staked(chance: &mut Chance, of: &Asset) -> (String, String, Listed) {
    let issuer = word(chance, 2);
    let name = if chance.per_mille(500) {
        format!("Staked {}", of.name)
    } else {
        format!("{issuer} Staked {}", of.name)
    };
    (format!("ST{}", of.symbol), name, some_listed(chance, [200, 700]))
}

/// An older contract that was replaced: A lists both, B the new one or, late, the old one without saying so.
fn replaced(assets: &mut Vec<Asset>, chance: &mut Chance, base: usize) {
    let Some(new) = assets.get(base).cloned().filter(|new| !new.places.is_empty()) else { return };
    let marker = chance.pick(&["[OLD]", "(OLD)", "Old", "V1", "[OLD]"]);
    let b_is_late = chance.per_mille(SECOND_IS_LATE);
    let listed = Listed { a: true, b: b_is_late };
    let name = format!("{} {marker}", new.name);
    add(assets, chance, base, new.symbol.clone(), name, listed);
    if let Some(old) = assets.last_mut() {
        // B goes on calling it by its old name.
        old.plain = b_is_late.then(|| (new.symbol.clone(), new.name.clone()));
    }
    if let Some(new) = assets.get_mut(base) {
        new.listed = Listed { a: true, b: !b_is_late };
    }
}

/// A company's share as several issuers sell it.
fn stock(assets: &mut Vec<Asset>, chance: &mut Chance) {
    let company = word(chance, 2);
    let symbol: String = company.chars().take(4).collect::<String>().to_uppercase();
    let mut first = None;
    for suffix in ["X", "ON"] {
        let issuer = word(chance, 2);
        let chain = some_chain(chance);
        let places = places(chance, assets, chain, &symbol);
        let name = format!("{company} Tokenized Stock ({issuer})");
        let listed = some_listed(chance, [300, 650]);
        let symbol = format!("{symbol}{suffix}");
        assets.push(Asset {
            symbol,
            name,
            places,
            listed,
            resembles: first,
            marked: true,
            ..Asset::default()
        });
        first = first.or(Some(assets.len() - 1));
    }
}
