//! What each level is worth, in hundredths of a bit.
//!
//! A weight is the log-odds, to base two, that a pair of equal symbols with that level is one asset, as
//! logistic regression finds them on pairs whose truth is known (after Fellegi and Sunter; names and ids
//! are weighed together, because they repeat each other). The tables down to `OLD_ONE_SIDED` are the output
//! of `cargo run --package kasparro-identity --example learn` on CoinGecko's lists of 2022, 2024 and 2025,
//! CoinPaprika's of 2021 and CoinMarketCap's of 2020: 17,444 right and 15,639 wrong pairs (weighted), a
//! quarter of the counterparts taken away. Pairs are known by common contracts, by CoinGecko's own ids over
//! the years, or by hand. What contracts, ranks and differing symbols are worth is from measurements on full
//! lists of two vendors; `docs/IDENTITY.md` has both.

use crate::compare::{
    Comparison, ContractLevel, NameLevel, RankLevel, SaidLevel, SlugLevel, SymbolLevel,
};

/// Hundredths of a bit.
pub(crate) type Centibits = i32;

/// From here on a pair may be linked.
pub(crate) const ACCEPT: Centibits = 300;
/// The same where a namesake of the other listing stands beside it: its source has two of that symbol and name.
pub(crate) const ACCEPT_BESIDE_A_NAMESAKE: Centibits = 400;
/// From here on a pair with a common contract may be linked: such a contract settles it, however much the
/// names have changed, as long as nothing forbids the pair.
pub(crate) const ACCEPT_BY_CONTRACT: Centibits = 0;
/// From here on a pair is shown to people.
pub(crate) const REVIEW: Centibits = -100;
/// How far the best must be above the next.
pub(crate) const MARGIN: Centibits = 300;
/// Below this a pair is not kept at all.
pub(crate) const FLOOR: Centibits = -400;

/// Rows: name levels from absent to exact; columns: id levels from absent to equal.
pub(crate) const NAME_AND_ID: [[Centibits; 6]; 11] = [
    [-227, -263, -220, -94, 408, 468],
    [-588, -651, -126, -154, 409, 488],
    [-421, -427, -268, 17, 278, 427],
    [-476, -507, -350, -224, 402, 421],
    [-436, -513, -478, -214, 524, 458],
    [-240, -227, -345, -126, 512, 441],
    [-444, -344, -482, -54, 308, 337],
    [141, 37, 126, 204, 710, 701],
    [46, -33, -142, 68, 548, 589],
    [87, 73, -163, -326, 243, 449],
    [75, -32, 43, -91, 287, 522],
];

/// By how many listings share the symbol: one, two, three to four, five to eight, more.
pub(crate) const SYMBOL_EQUAL: [Centibits; 5] = [405, -12, -103, -171, -415];
/// The same where the names say no more than the symbol.
pub(crate) const SYMBOL_ONLY: [Centibits; 5] = [587, 152, 18, -28, -61];
/// The same where the ids are equal: which of the namesakes it is, is told by the id.
pub(crate) const SYMBOL_AND_ID: [Centibits; 5] = [425, 138, 161, 86, 4];
/// Symbols that differ.
pub(crate) const SYMBOL_DIFFERS: Centibits = -350;
/// A symbol that the other had before.
pub(crate) const SYMBOL_FORMER: Centibits = -50;
/// By how many listings share the name, as above.
pub(crate) const NAME_SHARED: [Centibits; 5] = [440, 202, 168, 304, 331];
/// Both are the native coin of one chain, by the reviewed list.
pub(crate) const NATIVE: Centibits = 500;
/// By contract level: unknown, differs, mixed, equal.
pub(crate) const CONTRACT: [Centibits; 4] = [0, -640, 600, 1150];
/// By rank level: unknown, near, apart, far.
pub(crate) const RANK: [Centibits; 4] = [0, 0, -50, -150];
/// What a source says of the two itself: nothing, that one is another listing, that they are the same. No list
/// with such statements and a truth about them is at hand, so this is reasoned: a table that a vendor keeps
/// goes wrong where ids change their meaning (0.6 % of CoinGecko's surviving contracts changed their id within
/// three years) and where contracts lead to something that represents the coin (0.4 %). That is one in a
/// hundred, and the log-odds of that are 6.6 bits, in either direction.
pub(crate) const SAID: [Centibits; 3] = [0, -660, 660];
/// Only one states a version.
pub(crate) const VERSION_ONE_SIDED: Centibits = -240;
/// A name that also a listing with a version or the mark of an old one has, at the same source.
pub(crate) const SUCCEEDED: Centibits = -318;
/// Only one is marked as old.
pub(crate) const OLD_ONE_SIDED: Centibits = -235;

/// The place of a count in the tables above.
pub(crate) const fn bucket(count: u16) -> u8 {
    match count {
        0 | 1 => 0,
        2 => 1,
        3 | 4 => 2,
        5..=8 => 3,
        _ => 4,
    }
}

/// The least count that stands in the same place: all that is kept of a count, so that an outcome does not
/// change with every listing that comes.
pub(crate) fn least(count: u16) -> u16 {
    [1, 2, 3, 5, 9][usize::from(bucket(count))]
}

/// What speaks for and against a pair: name, weight.
pub(crate) fn parts(pair: &Comparison) -> [(&'static str, Centibits); 11] {
    let table = NAME_AND_ID[pair.name as usize];
    // The name is weighed as if the ids said nothing, the id by what it adds.
    let by_name = table[SlugLevel::Absent as usize];
    let only_symbol = matches!(pair.name, NameLevel::CoreSymbol | NameLevel::ExactSymbol);
    let by_id = pair.slug == SlugLevel::Equal;
    let equal = match (by_id, only_symbol) {
        (true, _) => SYMBOL_AND_ID,
        (false, true) => SYMBOL_ONLY,
        (false, false) => SYMBOL_EQUAL,
    };
    let symbol = match pair.symbol {
        SymbolLevel::Equal => equal[usize::from(bucket(pair.symbol_df))],
        SymbolLevel::Former => SYMBOL_FORMER + equal[usize::from(bucket(pair.symbol_df))],
        SymbolLevel::Differs => SYMBOL_DIFFERS,
    };
    let shared = if pair.name >= NameLevel::CoreSymbol && !only_symbol && !by_id {
        NAME_SHARED[usize::from(bucket(pair.name_df))]
    } else {
        0
    };
    [
        (pair.symbol.name(), symbol),
        (pair.name.name(), by_name),
        (pair.slug.name(), table[pair.slug as usize] - by_name),
        ("name_shared_by_others", shared),
        (pair.contract.name(), CONTRACT[pair.contract as usize]),
        (pair.rank.name(), RANK[pair.rank as usize]),
        (pair.said.name(), said(pair)),
        ("version_on_one_side", if pair.version_one_sided { VERSION_ONE_SIDED } else { 0 }),
        ("native_coin", if pair.native { NATIVE } else { 0 }),
        ("name_of_a_successor", if pair.succeeded { SUCCEEDED } else { 0 }),
        ("old_on_one_side", if pair.old_one_sided { OLD_ONE_SIDED } else { 0 }),
    ]
}

/// What it weighs that a source says of the two. That they are the same weighs nothing against contracts:
/// where those of one chain differ, one of the two statements is about something else.
pub(crate) const fn said(pair: &Comparison) -> Centibits {
    if says_same(pair) || matches!(pair.said, SaidLevel::Other) {
        SAID[pair.said as usize]
    } else {
        0
    }
}

/// True where a source says that the two are the same and no contract speaks against it.
pub(crate) const fn says_same(pair: &Comparison) -> bool {
    matches!(pair.said, SaidLevel::Same) && !matches!(pair.contract, ContractLevel::Differs)
}

/// The sum of what speaks for and against a pair.
pub(crate) fn score(pair: &Comparison) -> Centibits {
    parts(pair).iter().map(|(_, weight)| weight).sum()
}

/// True where symbols, contracts, ids and what sources say are such that a pair may be linked at all.
///
/// An id that goes on after the name (`kilt-protocol-2`) says that another listing had the plain one: of
/// such pairs without a contract only four in five are right, however rare the name is.
pub(crate) fn may_link(pair: &Comparison) -> bool {
    let contract = pair.contract >= ContractLevel::Mixed;
    let by_name =
        pair.symbol >= SymbolLevel::Former && (pair.slug != SlugLevel::Numbered || pair.native);
    pair.veto.is_none() && (contract || by_name || says_same(pair))
}

const _: () = assert!(
    RankLevel::Far as usize == RANK.len() - 1
        && ContractLevel::Equal as usize == CONTRACT.len() - 1
        && SaidLevel::Same as usize == SAID.len() - 1
);
