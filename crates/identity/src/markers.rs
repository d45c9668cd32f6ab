//! What a listing says of itself that sets it apart from the asset whose name it carries.

use compact_str::CompactString;
use kasparro_domain::AssetClass;

use crate::natives;
use crate::text;

/// What a name or an id says: stands for something, is a claim, is a game with leverage, is out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// The sorts that were named, as bits.
    pub(crate) sorts: u16,
    /// The version that the name states, from 1; zero where it states none.
    pub(crate) version: u8,
}

impl Marks {
    /// True where the name says that there is another one, before or after it.
    pub(crate) const fn is_dated(self) -> bool {
        self.version != 0 || self.sorts & OLD != 0
    }
}

/// Stands one to one for something that is locked up.
pub(crate) const WRAPPED: u16 = 1;
/// Another chain's representation.
pub(crate) const BRIDGED: u16 = 1 << 1;
/// Issued by an exchange against a reserve.
pub(crate) const PEGGED: u16 = 1 << 2;
/// A claim on something staked.
pub(crate) const STAKED: u16 = 1 << 3;
/// Follows a share or a fund.
pub(crate) const STOCK: u16 = 1 << 4;
/// A share of a pool.
pub(crate) const POOL: u16 = 1 << 5;
/// Gains several times what the price gains.
pub(crate) const LONG: u16 = 1 << 6;
/// Gains when the price falls.
pub(crate) const SHORT: u16 = 1 << 7;
/// Of a test network.
pub(crate) const TESTNET: u16 = 1 << 8;
/// Said to be replaced.
pub(crate) const OLD: u16 = 1 << 9;
/// A claim on something lent.
pub(crate) const LENT: u16 = 1 << 10;

/// What represents another asset on other terms or on another chain.
pub(crate) const DERIVED: u16 = WRAPPED | BRIDGED | PEGGED;

/// Words that mark a sort wherever they stand in a name or id.
const PLAIN: &[(&str, u16)] = &[
    ("wrapped", WRAPPED),
    ("bridged", BRIDGED),
    ("pegged", PEGGED),
    ("peg", PEGGED),
    ("staked", STAKED),
    ("restaked", STAKED),
    ("xstock", STOCK),
    ("xstocks", STOCK),
    ("bstock", STOCK),
    ("dshares", STOCK),
    ("mirrored", STOCK),
    ("stock", STOCK),
    ("testnet", TESTNET),
    ("goerli", TESTNET),
    ("sepolia", TESTNET),
    ("old", OLD),
    ("legacy", OLD),
    ("deprecated", OLD),
];

/// Bridges, whose name in brackets marks a representation.
const BRIDGES: &[&str] = &[
    "allbridge",
    "anyswap",
    "axelar",
    "celer",
    "hashport",
    "multichain",
    "nomad",
    "omnibridge",
    "portal",
    "rainbow",
    "wormhole",
];

/// Words that only mark something in brackets: `Dexlab [Old]` is out of use, `Old Bitcoin` is a name.
const ONLY_IN_BRACKETS: u16 = OLD;

/// Reads the marks of a listing.
#[cfg(test)]
fn marks(name: &str, id: &str, symbol: &str) -> Marks {
    marks_of(name, &text::words(name), id, symbol)
}

/// The same, where the name's words are known already.
pub(crate) fn marks_of(name: &str, words: &[CompactString], id: &str, symbol: &str) -> Marks {
    let mut found = Marks { sorts: by_symbol(symbol), version: version(words) };
    for (word, sort) in PLAIN {
        let counts = match sort {
            sort if sort & ONLY_IN_BRACKETS != 0 => bracketed(name).any(|inner| inner == *word),
            _ => words.iter().any(|found| found == word),
        };
        if counts {
            found.sorts |= sort;
        }
    }
    found.sorts |= by_phrase(words);
    found.sorts |= of_brackets(name);
    found.sorts |= lent(words);
    let id_words = text::words(id);
    let of_id = PLAIN.iter().filter(|(word, sort)| {
        sort & (ONLY_IN_BRACKETS | STOCK) == 0 && id_words.iter().any(|found| found == word)
    });
    found.sorts |= of_id.fold(0, |sorts, (_, sort)| sorts | sort);
    found.sorts |= by_phrase(&id_words);
    found
}

/// The texts in brackets, folded.
pub(crate) fn bracketed(name: &str) -> impl Iterator<Item = CompactString> {
    let parts = name.split(text::OPENING).skip(1);
    parts.filter_map(|part| part.split(text::CLOSING).next()).map(|inner| text::fold(inner.trim()))
}

/// A bridge in brackets: `USDC (Wormhole)`. Outside of them it is the bridge's own token.
fn of_brackets(name: &str) -> u16 {
    let bridge = |inner: CompactString| {
        text::words(&inner).iter().any(|word| BRIDGES.contains(&word.as_str()))
    };
    if bracketed(name).any(bridge) { BRIDGED } else { 0 }
}

/// `Aave USDC`, `Aave v3 WETH`: a claim on what was lent there. `Aave`, `Aave Token` and `Aave [OLD]` are
/// the lender's own.
fn lent(words: &[CompactString]) -> u16 {
    let says_more =
        |word: &CompactString| !text::is_generic(word) && !matches!(word.as_str(), "old" | "new");
    match words.split_first() {
        Some((first, rest)) if first == "aave" && rest.iter().any(says_more) => LENT,
        _ => 0,
    }
}

/// What several words together say.
fn by_phrase(words: &[CompactString]) -> u16 {
    let has = |word: &str| words.iter().any(|found| found == word);
    let mut sorts = 0;
    // `Apple (Ondo Tokenized)`, `Tesla tokenized stock FTX`: a share; `Tokenized Gold` is no share.
    if (has("tokenized") || has("tokenised"))
        && ["stock", "ondo", "share", "shares", "etf", "ftx"].iter().any(|word| has(word))
    {
        sorts |= STOCK;
    }
    if has("lp") || (has("uni") && has("v2")) {
        sorts |= POOL;
    }
    let times = words.iter().any(|word| {
        word.strip_suffix('x').is_some_and(|number| number.parse::<f32>().is_ok_and(|n| n < 11.0))
    });
    if times && has("long") {
        sorts |= LONG;
    }
    if times && has("short") {
        sorts |= SHORT;
    }
    sorts
}

/// What the symbol alone says: `BTC3L`, `ETH5S`, `WETH`.
fn by_symbol(symbol: &str) -> u16 {
    let mut sorts = 0;
    for (ending, sort) in [("l", LONG), ("s", SHORT)] {
        let leveraged = symbol
            .strip_suffix(ending)
            .and_then(|rest| ["2", "3", "4", "5"].iter().find_map(|times| rest.strip_suffix(times)))
            .is_some_and(|rest| rest.len() >= 2);
        if leveraged {
            sorts |= sort;
        }
    }
    if natives::is_wrapper_symbol(symbol) {
        sorts |= WRAPPED;
    }
    sorts
}

/// `v1` to `v9` as the last or a middle word of a name.
fn version(words: &[CompactString]) -> u8 {
    let stated = words.iter().skip(1).rev().find_map(|word| text::version(word));
    stated.unwrap_or(0)
}

/// What sort of thing a listing is.
pub(crate) fn class(
    marks: Marks,
    native: bool,
    kind: Option<&str>,
    words: &[CompactString],
    symbol: &str,
    contracts: usize,
) -> AssetClass {
    let by_mark = [
        (STOCK, AssetClass::TokenisedStock),
        (STAKED, AssetClass::Staked),
        (BRIDGED | PEGGED, AssetClass::Bridged),
        (WRAPPED, AssetClass::Wrapped),
    ];
    if let Some((_, class)) = by_mark.into_iter().find(|(sort, _)| marks.sorts & sort != 0) {
        return class;
    }
    if native {
        return AssetClass::Coin;
    }
    if is_stable(words, symbol) {
        return AssetClass::Stablecoin;
    }
    match kind {
        Some("coin") => AssetClass::Coin,
        Some("token") => AssetClass::Token,
        _ if contracts > 0 => AssetClass::Token,
        _ => AssetClass::Other,
    }
}

/// A currency's code in the symbol, and the name says so too.
fn is_stable(words: &[CompactString], symbol: &str) -> bool {
    const CURRENCIES: &[&str] = &[
        "usd", "eur", "gbp", "jpy", "chf", "cad", "aud", "sgd", "krw", "cny", "try", "brl", "idr",
    ];
    const NAMED: &[&str] = &[
        "usd",
        "dollar",
        "dai",
        "tether",
        "stable",
        "stablecoin",
        "euro",
        "eur",
        "pound",
        "yen",
        "franc",
    ];
    let coded = CURRENCIES.iter().any(|code| {
        (symbol.starts_with(code) || symbol.ends_with(code)) && symbol.len() <= code.len() + 3
    });
    let named = words.iter().any(|word| {
        NAMED.contains(&word.as_str())
            || CURRENCIES.iter().any(|code| word.starts_with(code) || word.ends_with(code))
    });
    named && (coded || symbol == "dai")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorts(name: &str, id: &str, symbol: &str) -> u16 {
        marks(name, id, symbol).sorts
    }

    #[test]
    fn i6_representations_are_told_from_what_they_represent() {
        assert_eq!(sorts("Binance-Peg Cardano", "binance-peg-cardano", "ada"), PEGGED);
        assert_eq!(sorts("Wrapped ApeCoin", "wrapped-apecoin", "wape"), WRAPPED);
        assert_eq!(sorts("WETH", "weth", "weth"), WRAPPED);
        assert_eq!(sorts("USDC (Wormhole)", "usd-coin-wormhole", "usdc"), BRIDGED);
        assert_eq!(sorts("Lido Staked Ether", "staked-ether", "steth"), STAKED);
        assert_eq!(sorts("Tesla xStock", "tesla-xstock", "tslax"), STOCK);
        assert_eq!(sorts("3X Short Bitcoin Token", "3x-short-bitcoin-token", "bear"), SHORT);
        assert_eq!(sorts("BTC 3L", "btc3l", "btc3l"), LONG);
        assert_eq!(sorts("Dexlab [Old]", "dexlab", "dxl"), OLD);
    }

    #[test]
    fn i6_names_that_only_sound_like_a_mark_carry_none() {
        for (name, id, symbol) in [
            ("Wormhole", "wormhole", "w"),
            ("Axelar Network", "axelar", "axl"),
            ("Old Bitcoin", "old-bitcoin", "bc"),
            ("CORE MultiChain", "core", "cmcx"),
            ("Aave Token", "aave-new", "aave"),
            ("Stake DAO", "stake-dao", "sdt"),
            ("Waves", "waves", "waves"),
            ("SOLS", "sols", "sols"),
            ("Tokenized Gold", "tokenized-gold", "tgo"),
        ] {
            assert_eq!(sorts(name, id, symbol), 0, "{name}");
        }
    }

    #[test]
    fn i6_a_version_is_read_from_the_name_only() {
        assert_eq!(marks("Mint Club V2", "mint-club", "mint").version, 2);
        assert_eq!(marks("V2", "x-v3", "v2").version, 0);
    }

    #[test]
    fn i6_a_stablecoin_says_so_in_symbol_and_name() {
        let class_of = |name: &str, symbol: &str| {
            class(Marks::default(), false, None, &text::words(name), symbol, 1)
        };
        assert_eq!(class_of("USDC", "usdc"), AssetClass::Stablecoin);
        assert_eq!(class_of("Dai Stablecoin", "dai"), AssetClass::Stablecoin);
        assert_eq!(class_of("Europa", "crp"), AssetClass::Token);
    }
}
