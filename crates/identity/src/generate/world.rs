//! What there is, before anybody lists it.

use super::addresses::{Form, Place, address, form, some_chain};
use super::chance::Chance;
use super::variants::variants;
use super::words::{beyond_ascii, name, slug, symbol, word};

/// Which source lists an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Listed {
    pub(super) a: bool,
    pub(super) b: bool,
}

/// One asset.
#[derive(Debug, Clone, Default)]
pub(super) struct Asset {
    pub(super) symbol: String,
    pub(super) name: String,
    /// In the order in which they came about.
    pub(super) places: Vec<Place>,
    pub(super) listed: Listed,
    /// Another asset that this one is easily taken for.
    pub(super) resembles: Option<usize>,
    /// A pegged form of this coin, whose contract some source states for the coin itself.
    pub(super) pegged_form: Option<usize>,
    /// Sources spell it in one way: the marker in its name is what tells it apart.
    pub(super) marked: bool,
    /// A second spelling of symbol and name in plain letters, which some source prefers.
    pub(super) plain: Option<(String, String)>,
}

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) assets: Vec<Asset>,
}

// In a thousand. 37 % of CoinGecko's listings share a symbol, 6 % symbol and name.
const BORROWS_A_SYMBOL: usize = 70;
const COPIES_A_NAME: usize = 22;
const EXTENDS_A_NAME: usize = 25;
const NATIVE: usize = 80;
const STABLE: usize = 20;
const NOT_ASCII: usize = 12;
// 15 % live on several chains; 12 % of addresses of EVM chains are in use on several of them, some of
// those for different assets.
const SEVERAL_CHAINS: usize = 150;
const SAME_ADDRESS: usize = 500;
const ADDRESS_OF_ANOTHER: usize = 3;

impl World {
    /// A world in which both sources list `pairs` assets.
    pub(super) fn new(pairs: usize, seed: u64) -> Self {
        let mut chance = Chance::new(seed, "world");
        let mut world = Self { assets: Vec::new() };
        let mut left = pairs;
        while left > 0 {
            let base = world.assets.len();
            let mut asset = some_asset(&mut chance, &world.assets);
            asset.listed = some_listed(&mut chance, [450, 450]);
            if asset.resembles.is_some() {
                world.copy(&mut chance, &mut asset);
            }
            world.assets.push(asset);
            variants(&mut world.assets, &mut chance, base);
            for made in world.assets.iter_mut().skip(base) {
                let both = made.listed.a && made.listed.b;
                if both && left == 0 {
                    made.listed.b = false;
                } else if both {
                    left -= 1;
                }
            }
        }
        world
    }

    /// Copies are tokens, and few of them are listed by both sources. A source that lists one lists what it
    /// copies as well: where it does not, nobody could tell the two apart by their names.
    fn copy(&self, chance: &mut Chance, asset: &mut Asset) {
        asset.listed = some_listed(chance, [150, 750]);
        if let Some(original) = asset.resembles.and_then(|original| self.assets.get(original)) {
            asset.listed.a &= original.listed.a;
            asset.listed.b &= original.listed.b;
        }
        if asset.places.is_empty() {
            let chain = some_chain(chance);
            asset.places = places(chance, &self.assets, chain, &asset.symbol);
        }
    }
}

/// Listed by both, else by A alone, so many times in a thousand; else by B alone.
pub(super) fn some_listed(chance: &mut Chance, [both, only_a]: [usize; 2]) -> Listed {
    let drawn = chance.below(1000);
    Listed { a: drawn < both + only_a, b: drawn < both || drawn >= both + only_a }
}

fn some_asset(chance: &mut Chance, earlier: &[Asset]) -> Asset {
    let mut asset = Asset { name: name(chance), ..Asset::default() };
    asset.symbol = symbol(chance, &asset.name);
    // The smaller of two draws: what came first is borrowed from most.
    let other = chance.below(earlier.len()).min(chance.below(earlier.len()));
    if let Some(known) = earlier.get(other) {
        match chance.below(1000) {
            drawn if drawn < COPIES_A_NAME => {
                (asset.symbol, asset.name) = (known.symbol.clone(), known.name.clone());
                asset.resembles = Some(other);
            }
            drawn if drawn < COPIES_A_NAME + EXTENDS_A_NAME => {
                asset.symbol = known.symbol.clone();
                asset.name = extended(chance, &known.name);
                asset.resembles = Some(other);
            }
            drawn if drawn < COPIES_A_NAME + EXTENDS_A_NAME + BORROWS_A_SYMBOL => {
                asset.symbol = known.symbol.clone();
            }
            _ => {}
        }
    }
    if chance.per_mille(STABLE) && asset.resembles.is_none() {
        let issuer = word(chance, 2);
        asset.name = format!("{issuer} USD");
        let head: String = issuer.chars().take(1).collect();
        asset.symbol =
            if chance.per_mille(500) { format!("{head}USD") } else { format!("USD{head}") };
        asset.symbol = asset.symbol.to_uppercase();
    }
    if chance.per_mille(NOT_ASCII) {
        asset.plain = Some((asset.symbol.clone(), asset.name.clone()));
        if chance.per_mille(500) {
            asset.symbol = beyond_ascii(chance, &asset.symbol);
        }
        asset.name = beyond_ascii(chance, &asset.name);
    }
    if !chance.per_mille(NATIVE) {
        let chain = some_chain(chance);
        let symbol = if slug(&asset.symbol).is_empty() { "TOKEN" } else { &asset.symbol.clone() };
        asset.places = places(chance, earlier, chain, symbol);
    }
    asset
}

fn extended(chance: &mut Chance, name: &str) -> String {
    let word = word(chance, 2);
    match chance.below(5) {
        0 => format!("Baby {name}"),
        1 => format!("{name} 2.0"),
        2 => format!("{name} Art"),
        3 => format!("{name} {word}"),
        _ => format!("{word} {name}"),
    }
}

/// The contracts of a token that begins on a chain.
pub(super) fn places(
    chance: &mut Chance,
    earlier: &[Asset],
    chain: usize,
    symbol: &str,
) -> Vec<Place> {
    let mut found = vec![Place { chain, address: address(chance, chain, symbol) }];
    if chance.per_mille(ADDRESS_OF_ANOTHER) && form(chain) == Form::Hex {
        // The same key deployed something else on another chain.
        let other = earlier.get(chance.below(earlier.len())).and_then(|other| other.places.first());
        if let Some(other) =
            other.filter(|other| other.chain != chain && form(other.chain) == Form::Hex)
        {
            found = vec![Place { chain, address: other.address.clone() }];
        }
    }
    if chance.per_mille(SEVERAL_CHAINS) {
        for _ in 0..=chance.below(3) {
            let further = some_chain(chance);
            if found.iter().any(|place| place.chain == further) {
                continue;
            }
            let same = form(chain) == Form::Hex && form(further) == Form::Hex;
            let address = match found.first() {
                Some(first) if same && chance.per_mille(SAME_ADDRESS) => first.address.clone(),
                _ => address(chance, further, symbol),
            };
            found.push(Place { chain: further, address });
        }
    }
    found
}
