//! Texts as they are compared: symbols, names and ids without what differs between spellings.

use std::borrow::Cow;

use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization as _;
use xxhash_rust::xxh3::xxh3_64;

/// A text's place in an index: equal texts have equal keys. Zero stands for no text and equals nothing.
pub(crate) type Key = u64;

/// Endings that are glued to a name: `digifinextoken`.
const GLUED: &[&str] =
    &["blockchain", "protocol", "network", "finance", "token", "chain", "coin", "dao"];

/// What a text in brackets begins with.
pub(crate) const OPENING: [char; 3] = ['(', '[', '{'];
/// What it ends with.
pub(crate) const CLOSING: [char; 3] = [')', ']', '}'];

/// The fewest letters that a name must keep when an ending is cut off.
const MIN_CORE_CHARS: usize = 3;

/// Letters that stand for others in symbols and that compatibility forms leave alone.
const LOOKALIKES: &[(char, char)] = &[
    ('₮', 't'),
    ('₿', 'b'),
    ('ꜩ', 't'),
    ('ø', 'o'),
    ('đ', 'd'),
    ('ł', 'l'),
    ('₳', 'a'),
    ('Ξ', 'e'),
];

/// Compatibility form, lower case, look-alikes replaced.
pub(crate) fn fold(text: &str) -> CompactString {
    if text.is_ascii() {
        let mut folded = CompactString::from(text);
        folded.make_ascii_lowercase();
        return folded;
    }
    let lower = |letter: char| letter.to_lowercase();
    let replaced = |letter: char| {
        LOOKALIKES.iter().find(|(from, _)| *from == letter).map_or(letter, |(_, to)| *to)
    };
    text.nfkc().flat_map(lower).nfkc().map(replaced).collect()
}

/// The key of a text; zero for none.
pub(crate) fn key(text: &str) -> Key {
    // A text that hashes to zero would equal nothing: less than one in 10^19.
    if text.is_empty() { 0 } else { xxh3_64(text.as_bytes()) }
}

/// A symbol as it is compared: no blanks, no leading `$`. A symbol of nothing else keeps what it has.
pub(crate) fn symbol(text: &str) -> CompactString {
    let mut folded = fold(text);
    folded.retain(|letter| !letter.is_whitespace());
    let bare = folded.trim_start_matches('$');
    if bare.is_empty() || bare.len() == folded.len() { folded } else { bare.into() }
}

/// Letters and digits only; a text without any (signs, pictures) keeps all but its blanks.
pub(crate) fn squash(folded: &str) -> CompactString {
    let mut bare = CompactString::with_capacity(folded.len());
    folded.split(|letter: char| !letter.is_alphanumeric()).for_each(|part| bare.push_str(part));
    if bare.is_empty() { folded.split_whitespace().collect() } else { bare }
}

/// The words of a name, folded: split at signs and where small letters turn to capitals (`MyBitToken`).
pub(crate) fn words(text: &str) -> Vec<CompactString> {
    let plain =
        |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase() && !matches!(byte, b'\'' | b'`');
    if text.bytes().all(plain) {
        return parts(text);
    }
    let mut spaced = CompactString::with_capacity(text.len() + 8);
    let mut letters = text.chars().filter(|letter| !matches!(letter, '\'' | '`' | '’')).peekable();
    let mut before: Option<char> = None;
    while let Some(letter) = letters.next() {
        let turns = before.is_some_and(char::is_lowercase)
            || (before.is_some_and(char::is_uppercase)
                && letters.peek().is_some_and(|after| after.is_lowercase()));
        if letter.is_uppercase() && turns {
            spaced.push(' ');
        }
        spaced.push(letter);
        before = Some(letter);
    }
    parts(&fold(&spaced))
}

fn parts(folded: &str) -> Vec<CompactString> {
    let parts = folded.split(|letter: char| !letter.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).map(CompactString::from).collect()
}

/// True for a word that projects put after or before their name and leave out again: it says nothing about
/// which asset it is.
///
/// From the pairs of docs/IDENTITY.md: words whose presence in one of two names of the same asset says
/// next to nothing. `cash`, `gold`, `classic`, `swap` and the like tell assets apart and are not here.
pub(crate) fn is_generic(word: &str) -> bool {
    matches!(
        word,
        "app"
            | "blockchain"
            | "chain"
            | "co"
            | "coin"
            | "com"
            | "community"
            | "crypto"
            | "cryptocurrency"
            | "currency"
            | "dao"
            | "defi"
            | "dex"
            | "ecosystem"
            | "erc20"
            | "exchange"
            | "fi"
            | "finance"
            | "foundation"
            | "game"
            | "global"
            | "governance"
            | "inc"
            | "io"
            | "lab"
            | "labs"
            | "mainnet"
            | "money"
            | "net"
            | "network"
            | "official"
            | "org"
            | "platform"
            | "project"
            | "protocol"
            | "system"
            | "the"
            | "token"
            | "tokens"
            | "utility"
            | "world"
            | "xyz"
    )
}

/// The version that a word states: `v1` to `v9`.
pub(crate) fn version(word: &str) -> Option<u8> {
    match word.as_bytes() {
        [b'v', digit @ b'1'..=b'9'] => Some(digit - b'0'),
        _ => None,
    }
}

/// What is left of a name without generic words and versions, as one word; the whole name where nothing is left.
pub(crate) fn core(words: &[CompactString]) -> CompactString {
    let telling = words
        .iter()
        .enumerate()
        .filter(|(place, word)| !is_generic(word) && (*place == 0 || version(word).is_none()));
    let kept: CompactString = telling.map(|(_, word)| word.as_str()).collect();
    if kept.is_empty() {
        return glued(words);
    }
    let cut = GLUED.iter().find_map(|ending| kept.strip_suffix(ending));
    match cut {
        Some(cut) if cut.chars().count() >= MIN_CORE_CHARS => cut.into(),
        _ => kept,
    }
}

/// Words as one.
pub(crate) fn glued(words: &[CompactString]) -> CompactString {
    words.iter().map(CompactString::as_str).collect()
}

/// A name without what it says in brackets; the whole where nothing else is left.
pub(crate) fn without_brackets(name: &str) -> Cow<'_, str> {
    if !name.contains(OPENING) && !name.contains(CLOSING) {
        let bare = name.trim();
        return if bare.chars().any(char::is_alphanumeric) { bare } else { name }.into();
    }
    let mut depth = 0_i32;
    let mut bare = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = (depth - 1).max(0),
            _ if depth == 0 => bare.push(letter),
            _ => {}
        }
    }
    let bare = bare.trim();
    if bare.chars().any(char::is_alphanumeric) { bare.to_owned().into() } else { name.into() }
}

/// A name without its listing's symbol in brackets behind it, which repeats what is known: `Uniswap (UNI)`.
pub(crate) fn without_own_symbol<'a>(name: &'a str, own: &str) -> &'a str {
    let bare = name.trim_end().strip_suffix(')').and_then(|open| open.rsplit_once('('));
    match bare {
        Some((before, inner)) if symbol(inner) == own && !before.trim().is_empty() => {
            before.trim_end()
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core_of(name: &str) -> CompactString {
        core(&words(&without_brackets(name)))
    }

    #[test]
    fn i6_symbols_of_other_scripts_compare_and_never_vanish() {
        assert_eq!(symbol(" $MOON "), "moon");
        assert_eq!(symbol("USD₮0"), "usdt0");
        assert_eq!(symbol("e𝕏pb"), "expb");
        assert_eq!(symbol("ＢＴＣ"), "btc");
        assert_eq!(symbol("$"), "$");
        assert_eq!(symbol("⌘"), "⌘");
        assert_eq!(key(&symbol("")), 0);
    }

    #[test]
    fn i6_a_symbol_in_brackets_behind_its_own_name_is_no_part_of_it() {
        assert_eq!(without_own_symbol("Uniswap (UNI)", "uni"), "Uniswap");
        assert_eq!(without_own_symbol("Uniswap (Wormhole)", "uni"), "Uniswap (Wormhole)");
        assert_eq!(without_own_symbol("(UNI)", "uni"), "(UNI)");
        assert_eq!(without_own_symbol("Uniswap UNI)", "uni"), "Uniswap UNI)");
    }

    #[test]
    fn i6_names_of_signs_only_stay_different() {
        let (one, two) = (squash(&fold("༼ つ ◕_◕ ༽つ")), squash(&fold("🦊 🦊")));
        assert!(!one.is_empty() && !two.is_empty());
        assert_ne!(one, two);
        assert_eq!(squash(""), "");
    }

    #[test]
    fn i6_a_name_keeps_what_tells_it_apart() {
        for (name, core) in [
            ("Uniswap Protocol Token", "uniswap"),
            ("BitMEX Token", "bitmex"),
            ("TONToken", "ton"),
            ("digifinextoken", "digifinex"),
            ("Fetch.ai", "fetchai"),
            ("OWL Token (StealthSwap)", "owl"),
            ("Bob's Repair", "bobsrepair"),
            ("Bob`s Repair", "bobsrepair"),
            ("Bitcoin Cash", "bitcoincash"),
            ("Mint Club V2", "mintclub"),
            ("The Coin", "thecoin"),
            ("(Q)", "q"),
        ] {
            assert_eq!(core_of(name), core, "{name}");
        }
    }
}
