//! How two listings compare.

use smallvec::SmallVec;

pub(crate) use crate::levels::{
    ContractLevel, NameLevel, RankLevel, SaidLevel, SlugLevel, SymbolLevel, Veto,
};
use crate::markers::{self, Marks};
use crate::profile::{Name, Profile, Slug};
use crate::text::Key;

/// Two listings side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) symbol: SymbolLevel,
    pub(crate) name: NameLevel,
    pub(crate) slug: SlugLevel,
    pub(crate) contract: ContractLevel,
    pub(crate) rank: RankLevel,
    pub(crate) said: SaidLevel,
    /// Only one of the two states a version.
    pub(crate) version_one_sided: bool,
    /// Only one of the two is marked as old.
    pub(crate) old_one_sided: bool,
    pub(crate) veto: Option<Veto>,
    /// One has a namesake at its own source that states a version or is marked as old, which the pair
    /// does not: names move on to the successor.
    pub(crate) succeeded: bool,
    /// Both are the native coin of one chain.
    pub(crate) native: bool,
    /// At least so many listings of one source share the symbol.
    pub(crate) symbol_df: u16,
    /// At least so many listings of one source share the name; zero where the names differ.
    pub(crate) name_df: u16,
}

/// Compares two listings; `symbol_df` and `name_df` count listings of one source by a symbol's and by a
/// name's key.
pub(crate) fn compare(
    a: &Profile,
    b: &Profile,
    symbol_df: impl Fn(Key) -> u16,
    name_df: impl Fn(Key) -> u16,
    has_dated: impl Fn(&Profile) -> bool,
) -> Comparison {
    let (symbol, shared) = symbol_level(a, b);
    let (name, shared_core) = name_level(a, b);
    let contract = contract_level(a, b);
    let slug = slug_level(a, b);
    Comparison {
        symbol,
        name,
        slug,
        contract,
        rank: rank_level(a.rank, b.rank),
        said: said_level(a, b),
        version_one_sided: (a.marks.version == 0) != (b.marks.version == 0),
        old_one_sided: differ(a.marks, b.marks, markers::OLD),
        succeeded: (!a.marks.is_dated() && has_dated(a)) || (!b.marks.is_dated() && has_dated(b)),
        native: a.native.is_some() && a.native == b.native,
        veto: veto(a, b, symbol, contract, slug),
        symbol_df: if shared == 0 { 0 } else { symbol_df(shared) },
        name_df: if shared_core == 0 { 0 } else { name_df(shared_core) },
    }
}

fn symbol_level(a: &Profile, b: &Profile) -> (SymbolLevel, Key) {
    if a.symbol != 0 && a.symbol == b.symbol {
        return (SymbolLevel::Equal, a.symbol);
    }
    let former = (b.symbol != 0 && a.former_symbols.contains(&b.symbol)).then_some(b.symbol);
    match former
        .or_else(|| (a.symbol != 0 && b.former_symbols.contains(&a.symbol)).then_some(a.symbol))
    {
        Some(key) => (SymbolLevel::Former, key),
        None => (SymbolLevel::Differs, 0),
    }
}

fn name_level(a: &Profile, b: &Profile) -> (NameLevel, Key) {
    // The reviewed list says which names a native coin went by.
    if a.native.is_some() && a.native == b.native && a.core_key() != b.core_key() {
        return (NameLevel::Exact, 0);
    }
    let mut best = (NameLevel::Absent, 0);
    for one in &a.names {
        for two in &b.names {
            let level = two_names(one, two, a, b);
            let core = if level >= NameLevel::CoreSymbol { one.core_key } else { 0 };
            if level > best.0 {
                best = (level, core);
            }
        }
    }
    best
}

/// The fewest letters that a common beginning or a contained name must have to say anything.
const MIN_TELLING_CHARS: usize = 4;

fn two_names(a: &Name, b: &Name, of_a: &Profile, of_b: &Profile) -> NameLevel {
    let is_symbol = |name: &Name| name.core_key == of_a.symbol || name.core_key == of_b.symbol;
    if a.squash == b.squash {
        return if is_symbol(a) { NameLevel::ExactSymbol } else { NameLevel::Exact };
    }
    // What stands in brackets is a chain or a version more often than an ornament.
    if a.core_key == b.core_key && a.bracket == b.bracket {
        let bare = a.squash == a.core_key || b.squash == b.core_key;
        return match (is_symbol(a), bare) {
            (true, _) => NameLevel::CoreSymbol,
            (false, true) => NameLevel::Core,
            (false, false) => NameLevel::CoreTwice,
        };
    }
    if a.core_key == b.core_key {
        return NameLevel::Contained;
    }
    let (short, long) = if a.words.len() <= b.words.len() { (a, b) } else { (b, a) };
    let (short_text, long_text) = if a.core.len() <= b.core.len() { (a, b) } else { (b, a) };
    let starts = long_text.core.starts_with(short_text.core.as_str());
    let telling = short_text.core.chars().count() >= MIN_TELLING_CHARS;
    let within = !short.words.is_empty()
        && short.words.iter().all(|word| long.words.binary_search(word).is_ok());
    if (within || starts) && telling && !is_symbol(short_text) {
        return NameLevel::Contained;
    }
    if nearly_equal(&a.core, &b.core) {
        return NameLevel::Fuzzy;
    }
    if is_symbol(a)
        || is_symbol(b)
        || (a.initials != 0 && a.initials == b.core_key)
        || (b.initials != 0 && b.initials == a.core_key)
    {
        return NameLevel::Symbol;
    }
    let common = a.words.iter().any(|word| b.words.binary_search(word).is_ok());
    let start = a.core.chars().zip(b.core.chars()).take_while(|(a, b)| a == b).count();
    if common || start > MIN_TELLING_CHARS { NameLevel::Part } else { NameLevel::Low }
}

/// True where a few letters differ. Most pairs begin and end otherwise and are not looked at closely.
fn nearly_equal(a: &str, b: &str) -> bool {
    let (a_bytes, b_bytes) = (a.as_bytes(), b.as_bytes());
    let begin = a_bytes.iter().zip(b_bytes).take_while(|(a, b)| a == b).count();
    let end = a_bytes.iter().rev().zip(b_bytes.iter().rev()).take_while(|(a, b)| a == b).count();
    2 * (begin + end) >= a.len().max(b.len())
        && (strsim::jaro_winkler(a, b) >= 0.93
            || strsim::normalized_damerau_levenshtein(a, b) >= 0.8)
}

fn slug_level(a: &Profile, b: &Profile) -> SlugLevel {
    let (one, two) = (a.slug, b.slug);
    if one.whole == 0 && two.whole == 0 {
        return SlugLevel::Absent;
    }
    let same = |a: Key, b: Key| a != 0 && a == b;
    let whole = |slug: Slug| if slug.tail_is_name { slug.tail } else { slug.whole };
    if same(one.whole, two.whole)
        || same(one.tail, whole(two))
        || same(whole(one), two.tail)
        || same(one.tail, two.tail)
        || same(one.loose_tail, two.whole)
        || same(one.whole, two.loose_tail)
    {
        return SlugLevel::Equal;
    }
    if same(one.plain, two.plain) {
        return SlugLevel::Numbered;
    }
    let is_name = |slug: Slug, of: &Profile| {
        of.names.iter().any(|name| {
            same(slug.whole, name.squash)
                || same(slug.tail, name.squash)
                || same(slug.loose_tail, name.squash)
        })
    };
    if is_name(one, b) || is_name(two, a) {
        let taken = (is_name(one, b) && two.goes_on) || (is_name(two, a) && one.goes_on);
        return if taken { SlugLevel::Numbered } else { SlugLevel::Name };
    }
    let is_core =
        |slug: Slug, of: &Profile| of.names.iter().any(|name| same(slug.core, name.core_key));
    if same(one.core, two.core) || is_core(one, b) || is_core(two, a) {
        return SlugLevel::Base;
    }
    if one.whole == 0 || two.whole == 0 { SlugLevel::Absent } else { SlugLevel::Differs }
}

fn contract_level(a: &Profile, b: &Profile) -> ContractLevel {
    let equal = a.deployments.iter().filter(|one| b.deployments.contains(one));
    let equal: SmallVec<[Key; 8]> = equal.map(|(chain, _)| *chain).collect();
    let differs = a.deployments.iter().any(|(chain, _)| {
        !equal.contains(chain) && b.deployments.iter().any(|(other, _)| other == chain)
    });
    match (equal.is_empty(), differs) {
        (false, false) => ContractLevel::Equal,
        (false, true) => ContractLevel::Mixed,
        (true, true) => ContractLevel::Differs,
        (true, false) => ContractLevel::Unknown,
    }
}

fn said_level(a: &Profile, b: &Profile) -> SaidLevel {
    let one_way = |one: &Profile, two: &Profile| {
        let named = one.same_as.iter().filter(|named| named.source == two.key.source);
        named.map(|named| if *named == two.key { SaidLevel::Same } else { SaidLevel::Other }).max()
    };
    one_way(a, b).max(one_way(b, a)).unwrap_or(SaidLevel::Nothing)
}

fn rank_level(a: Option<u32>, b: Option<u32>) -> RankLevel {
    let (Some(a), Some(b)) = (a.filter(|rank| *rank > 0), b.filter(|rank| *rank > 0)) else {
        return RankLevel::Unknown;
    };
    let (low, high) = (u64::from(a.min(b)), u64::from(a.max(b)));
    match () {
        () if high <= low * 2 => RankLevel::Near,
        () if high <= low * 8 => RankLevel::Apart,
        () => RankLevel::Far,
    }
}

/// True where a contract is equal.
pub(crate) fn shares_contract(level: ContractLevel) -> bool {
    level >= ContractLevel::Mixed
}

fn veto(
    a: &Profile,
    b: &Profile,
    symbol: SymbolLevel,
    contract: ContractLevel,
    slug: SlugLevel,
) -> Option<Veto> {
    let symbol_equal = symbol >= SymbolLevel::Former;
    let shares = shares_contract(contract);
    let differing = |sorts: u16| differ(a.marks, b.marks, sorts);
    // Names leave out what the symbol says: `wNXM` is `Wrapped NXM`.
    let wrapper_by_symbol = symbol == SymbolLevel::Equal && a.symbol_wraps;
    let only_wrapped = (a.marks.sorts | b.marks.sorts) & markers::DERIVED == markers::WRAPPED;
    if differing(markers::DERIVED) && !(wrapper_by_symbol && only_wrapped) {
        return Some(Veto::Derived);
    }
    let both_derived =
        a.marks.sorts & markers::DERIVED != 0 && b.marks.sorts & markers::DERIVED != 0;
    if both_derived && (a.marks.sorts ^ b.marks.sorts) & markers::DERIVED != 0 && !shares {
        return Some(Veto::Derived);
    }
    if differing(markers::STOCK) && !(symbol_equal && shares) {
        return Some(Veto::Stock);
    }
    if differing(markers::LONG) || differing(markers::SHORT) || differing(markers::TESTNET) {
        return Some(Veto::Sort);
    }
    if (differing(markers::STAKED) || differing(markers::POOL) || differing(markers::LENT))
        && !(symbol_equal && shares)
    {
        return Some(Veto::Sort);
    }
    if !shares && a.marks.version != 0 && b.marks.version != 0 && a.marks.version != b.marks.version
    {
        return Some(Veto::Version);
    }
    // Names are marked when a successor appears, ids stay: an equal id may be the same listing, later.
    if !shares && slug != SlugLevel::Equal && differing(markers::OLD) {
        return Some(Veto::Old);
    }
    native_veto(a, b, symbol_equal, shares)
}

fn differ(a: Marks, b: Marks, sorts: u16) -> bool {
    (a.sorts & sorts != 0) != (b.sorts & sorts != 0)
}

/// A contract that a source states for a native coin is that of something representing it.
fn native_veto(a: &Profile, b: &Profile, symbol_equal: bool, shares: bool) -> Option<Veto> {
    match (a.native, b.native) {
        (Some(one), Some(two)) if one != two => Some(Veto::Native),
        (Some(_), None) | (None, Some(_)) if shares && !symbol_equal => Some(Veto::Native),
        _ => None,
    }
}
