//! A listing as it is compared: folded texts, keys, marks and deployments, read once.

use compact_str::CompactString;
use kasparro_domain::{AssetClass, Attributes, Deployment, ListingKey, Timestamp};
use smallvec::SmallVec;

use crate::ListingEvidence;
use crate::markers::{self, Marks};
use crate::natives;
use crate::text::{self, Key};

/// One name of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// All letters and digits.
    pub(crate) squash: Key,
    /// Without brackets and generic words, as one word.
    pub(crate) core: CompactString,
    /// What it says in brackets; zero where it has none.
    pub(crate) bracket: Key,
    /// The core's key.
    pub(crate) core_key: Key,
    /// Its words that are not generic, sorted.
    pub(crate) words: SmallVec<[Key; 2]>,
    /// The first letters of its words, in their order.
    pub(crate) initials: Key,
}

/// The id of a listing where it is made of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slug {
    /// The whole id without signs; zero where it is a number.
    pub(crate) whole: Key,
    /// What follows the first sign where the part before it is the symbol (`btc-bitcoin`).
    pub(crate) tail: Key,
    /// The tail, else the whole, without a number at its end (`beam-2`).
    pub(crate) plain: Key,
    /// The same without generic words.
    pub(crate) core: Key,
    /// What follows the first sign where a word before it may be a former symbol: it is short and not the
    /// beginning of the name.
    pub(crate) loose_tail: Key,
    /// True where the id goes on after the listing's own name, with a number or a word that tells: the
    /// plain id was taken.
    pub(crate) goes_on: bool,
    /// True where what follows the symbol is the whole name, so that the symbol is no part of the name.
    pub(crate) tail_is_name: bool,
}

/// A listing, ready to be compared.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) key: ListingKey,
    pub(crate) first_seen_at: Timestamp,
    pub(crate) attributes: Attributes,
    /// The source's number in this resolver.
    pub(crate) source: u16,
    pub(crate) symbol: Key,
    pub(crate) former_symbols: Box<[Key]>,
    /// The current name first, then what it was called before.
    pub(crate) names: SmallVec<[Name; 1]>,
    pub(crate) slug: Slug,
    /// Chain and whole deployment as keys, sorted.
    pub(crate) deployments: SmallVec<[(Key, Key); 1]>,
    pub(crate) marks: Marks,
    pub(crate) native: Option<u8>,
    /// True for a symbol that begins like a wrapper's.
    pub(crate) symbol_wraps: bool,
    pub(crate) class: AssetClass,
    pub(crate) rank: Option<u32>,
    /// The listings that its source says are the same.
    pub(crate) same_as: Box<[ListingKey]>,
    /// The name's first words without marks, where the listing stands for another asset: what it stands for.
    pub(crate) underlying: Key,
}

impl Profile {
    /// Reads a listing; `source` is the number of its source.
    pub(crate) fn new(listing: ListingEvidence, source: u16) -> Self {
        let symbol = listing.attributes.symbol.as_deref().map(text::symbol).unwrap_or_default();
        let stated = listing.attributes.name.as_deref().unwrap_or_default();
        let raw_name = text::without_own_symbol(stated, &symbol);
        let words = text::words(raw_name);
        let formers = listing.former.iter().filter_map(|former| former.attributes.name.as_deref());
        let formers = formers.filter_map(|former| name(former, &text::words(former)));
        let names: SmallVec<[Name; 1]> =
            name(raw_name, &words).into_iter().chain(formers).collect();
        let id = without_symbol(&listing.key.external_id, &symbol);
        let marks = markers::marks_of(raw_name, &words, id, &symbol);
        let native = if marks.sorts == 0 && natives::is_symbol(&symbol) {
            natives::native(&symbol, &text::squash(&text::fold(raw_name))).or_else(|| {
                natives::native(&symbol, names.first().map_or("", |name| name.core.as_str()))
            })
        } else {
            None
        };
        let mut deployments: SmallVec<[(Key, Key); 1]> = listing
            .contracts
            .iter()
            .filter_map(Deployment::of)
            .map(|deployment| (text::key(&deployment.chain), deployment_key(&deployment)))
            .collect();
        deployments.sort_unstable();
        deployments.dedup();
        let symbol_key = text::key(&symbol);
        let mut former_symbols: Vec<Key> = listing
            .former
            .iter()
            .filter_map(|former| former.attributes.symbol.as_deref())
            .map(|symbol| text::key(&text::symbol(symbol)))
            .filter(|former| *former != symbol_key && *former != 0)
            .collect();
        former_symbols.sort_unstable();
        former_symbols.dedup();
        let class = markers::class(
            marks,
            native.is_some(),
            listing.kind.as_deref(),
            &words,
            &symbol,
            deployments.len(),
        );
        Self {
            slug: slug(&listing.key.external_id, &symbol, &words),
            key: listing.key,
            first_seen_at: listing.first_seen_at,
            attributes: listing.attributes,
            source,
            symbol: symbol_key,
            former_symbols: former_symbols.into(),
            names,
            deployments,
            symbol_wraps: symbol.len() > 1 && symbol.starts_with('w'),
            underlying: underlying(&words, marks),
            marks,
            native,
            class,
            rank: listing.rank,
            same_as: listing.same_as.into(),
        }
    }

    /// The key of the current name's core.
    pub(crate) fn core_key(&self) -> Key {
        self.names.first().map_or(0, |name| name.core_key)
    }
}

/// The key of a deployment in an index.
pub(crate) fn deployment_key(deployment: &Deployment) -> Key {
    text::key(&[&deployment.chain, "/", &deployment.address].concat())
}

/// Reads a name that consists of `words`.
fn name(raw: &str, words: &[CompactString]) -> Option<Name> {
    let squash = text::squash(&text::fold(raw));
    if squash.is_empty() {
        return None;
    }
    let bare = text::without_brackets(raw);
    let of_bare = if bare == raw { None } else { Some(text::words(&bare)) };
    let words = of_bare.as_deref().unwrap_or(words);
    let core = if words.is_empty() { squash.clone() } else { text::core(words) };
    let initials: CompactString = words.iter().filter_map(|word| word.chars().next()).collect();
    let mut telling: SmallVec<[Key; 2]> =
        words.iter().filter(|word| !text::is_generic(word)).map(|word| text::key(word)).collect();
    telling.sort_unstable();
    telling.dedup();
    // `[OLD]` is a mark of its own and no part of the name.
    let bracket: CompactString = markers::bracketed(raw).filter(|inner| inner != "old").collect();
    Some(Name {
        squash: text::key(&squash),
        bracket: text::key(&text::squash(&bracket)),
        core_key: text::key(&core),
        core,
        words: telling,
        initials: if words.len() > 1 { text::key(&initials) } else { 0 },
    })
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Longer beginnings of an id are words, not symbols.
const MAX_SYMBOL_BYTES: usize = 6;

/// An id without the symbol before it: `peg-pegazus-finance` is pegged to nothing.
fn without_symbol<'a>(id: &'a str, symbol: &str) -> &'a str {
    match id.split_once('-') {
        Some((head, tail)) if text::symbol(head) == symbol => tail,
        _ => id,
    }
}

fn slug(id: &str, symbol: &str, name: &[CompactString]) -> Slug {
    if is_number(id) {
        return Slug::default();
    }
    let folded = text::fold(id);
    // `ink-3` is the third listing called ink, not one of a symbol `ink` called 3.
    let tail = folded.split_once('-').filter(|(_, tail)| !is_number(tail));
    let own_tail =
        tail.filter(|(head, _)| text::squash(head) == text::squash(symbol)).map(|(_, tail)| tail);
    let main = own_tail.unwrap_or(&folded);
    let mut words = text::words(main);
    if words.len() > 1 && words.last().is_some_and(|last| last.len() <= 2 && is_number(last)) {
        words.pop();
    }
    let name = text::glued(name);
    let former =
        tail.filter(|(head, _)| head.len() <= MAX_SYMBOL_BYTES && !name.starts_with(*head));
    let key_of = |text: &str| text::key(&text::squash(text));
    let squashed = text::squash(main);
    let rest =
        squashed.strip_prefix(name.as_str()).filter(|rest| !name.is_empty() && !rest.is_empty());
    Slug {
        goes_on: rest.is_some_and(|rest| !text::is_generic(rest)),
        tail_is_name: own_tail.is_some() && squashed == name,
        whole: key_of(&folded),
        tail: own_tail.map_or(0, key_of),
        plain: text::key(&text::glued(&words)),
        core: text::key(&text::core(&words)),
        loose_tail: former.map_or(0, |(_, tail)| key_of(tail)),
    }
}

/// What a listing that stands for another asset stands for: its name without the words that say so.
fn underlying(words: &[CompactString], marks: Marks) -> Key {
    const SAY_SO: &[&str] = &[
        "wrapped", "bridged", "binance", "peg", "pegged", "staked", "lido", "wormhole", "v1", "v2",
        "old",
    ];
    if marks.sorts & (markers::DERIVED | markers::STAKED | markers::OLD) == 0 {
        return 0;
    }
    let bare: Vec<CompactString> =
        words.iter().filter(|word| !SAY_SO.contains(&word.as_str())).cloned().collect();
    if bare.is_empty() { 0 } else { text::key(&text::core(&bare)) }
}
