//! Names and symbols, out of syllables.

use super::chance::Chance;

const HEADS: &[&str] = &[
    "b", "br", "c", "ch", "d", "dr", "f", "fl", "g", "gl", "h", "j", "k", "kr", "l", "m", "n", "p",
    "pl", "qu", "r", "s", "sh", "st", "t", "tr", "v", "w", "x", "y", "z",
];
const HEARTS: &[&str] = &["a", "e", "i", "o", "u", "ai", "ea", "io", "oo", "y"];
const TAILS: &[&str] = &["", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "rk"];

/// Words that say little about what something is.
pub(super) const GENERIC: &[&str] = &[
    "Token",
    "Protocol",
    "Network",
    "Finance",
    "Coin",
    "DAO",
    "Chain",
    "Labs",
    "Governance Token",
];
/// Words that are a part of many names, and of what they mean.
const COMMON: &[&str] = &[
    "Art", "Swap", "Inu", "Game", "Pay", "World", "Cash", "Cat", "Dog", "Moon", "Verse", "Gold",
    "Baby", "Meta", "Green", "Data",
];

fn syllable(chance: &mut Chance) -> String {
    [HEADS, HEARTS, TAILS].map(|parts| chance.pick(parts)).concat()
}

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// A made-up word of some syllables.
pub(super) fn word(chance: &mut Chance, syllables: usize) -> String {
    capital(&(0..syllables).map(|_| syllable(chance)).collect::<String>())
}

/// A name of an asset.
pub(super) fn name(chance: &mut Chance) -> String {
    let syllables = 2 + chance.below(2);
    let first = word(chance, syllables);
    match chance.below(100) {
        0..30 => first,
        30..50 => {
            let second = word(chance, 2);
            format!("{first} {second}")
        }
        50..72 => format!("{first} {}", chance.pick(COMMON)),
        72..76 => format!("{} {first}", chance.pick(COMMON)),
        _ => format!("{first} {}", chance.pick(GENERIC)),
    }
}

/// A symbol as one makes it from a name: its first letters, its initials, or its consonants.
pub(super) fn symbol(chance: &mut Chance, name: &str) -> String {
    let letters: Vec<char> = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let initials: String = name.split(' ').filter_map(|word| word.chars().next()).collect();
    let first = |from: &mut dyn Iterator<Item = char>, count: usize| -> String {
        from.take(count).collect()
    };
    let length = 3 + chance.below(3).max(chance.below(3));
    let symbol = match chance.below(10) {
        0..5 => first(&mut letters.iter().copied(), length),
        5..8 => {
            let mut hard = letters
                .iter()
                .copied()
                .enumerate()
                .filter(|(at, letter)| *at == 0 || !"aeiouAEIOU".contains(*letter));
            first(&mut hard.by_ref().map(|(_, letter)| letter), length)
        }
        _ if initials.len() >= 2 => initials + &first(&mut letters.iter().copied().skip(1), 2),
        _ => first(&mut letters.iter().copied(), length + 1),
    };
    symbol.to_uppercase()
}

/// A text as ids are made of it.
pub(super) fn slug(text: &str) -> String {
    let folded = text.to_lowercase();
    let words = folded.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// The same text in letters beyond ASCII that a reader takes for it.
pub(super) fn beyond_ascii(chance: &mut Chance, text: &str) -> String {
    let shifted = |letter: char, from: char, to: u32| {
        char::from_u32(u32::from(letter) - u32::from(from) + to).unwrap_or(letter)
    };
    match chance.below(4) {
        // Full width.
        0 => text
            .chars()
            .map(
                |letter| {
                    if letter.is_ascii_graphic() { shifted(letter, '!', 0xff01) } else { letter }
                },
            )
            .collect(),
        // Bold letters of mathematics.
        1 => text
            .chars()
            .map(|letter| match letter {
                'A'..='Z' => shifted(letter, 'A', 0x1d400),
                'a'..='z' => shifted(letter, 'a', 0x1d41a),
                _ => letter,
            })
            .collect(),
        2 => text.replace(['T', 't'], "\u{20ae}"),
        _ => text.replace('o', "\u{f3}").replace('O', "\u{d3}"),
    }
}
