//! Texts that a spreadsheet would take for formulas (OWASP, CSV injection).

use std::fmt::Write as _;

/// How formulas begin, also in full width.
const BEGINNINGS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
/// What also ends a cell, unless it stands in quotes from the start of the cell on: where lists are separated by
/// semicolons (German, French), a cell of ours is no whole cell, so its quotes count for nothing.
const SEPARATORS: [char; 4] = [';', '\t', '\n', '\r'];
/// What moves the rest of a text into another cell when it stands first.
const FIRST: [char; 3] = ['\t', '\n', '\r'];

/// The text with an apostrophe in front of everything that a spreadsheet could take for a formula: at the start
/// and behind whatever may end a cell. A number stays a number.
pub(super) fn in_text(text: String) -> String {
    if !text.contains(BEGINNINGS) && !text.starts_with(FIRST) || is_number(&text) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 1);
    if text.starts_with(FIRST) {
        out.push('\'');
    }
    let mut begins = true;
    for character in text.chars() {
        if begins && BEGINNINGS.contains(&character) {
            out.push('\'');
        }
        begins = goes_on_beginning(begins, character);
        out.push(character);
    }
    out
}

/// The same value as JSON: within its texts, what would begin a formula is written by its number.
pub(super) fn in_json(json: &str) -> String {
    let (mut out, mut begins) = (String::with_capacity(json.len()), false);
    for character in json.chars() {
        if begins && BEGINNINGS.contains(&character) {
            // Writing to a String cannot fail. All of them have four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
        begins = goes_on_beginning(begins, character);
    }
    out
}

/// True where a cell may begin behind this character. Blanks may be left out by whoever reads, and quotes by
/// whoever takes the semicolon for the end of a cell.
fn goes_on_beginning(begins: bool, character: char) -> bool {
    let left_out = || {
        character.is_whitespace() || character.is_control() || matches!(character, '"' | '\u{feff}')
    };
    SEPARATORS.contains(&character) || begins && left_out()
}

/// True for a number as JSON writes it: decimals that were asked for as texts.
fn is_number(text: &str) -> bool {
    let ends = |end: char| end == '-' || end.is_ascii_digit();
    text.starts_with(ends)
        && text.ends_with(ends)
        && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        in_text(text.to_owned())
    }

    #[test]
    fn d7_what_begins_like_a_formula_gets_an_apostrophe() {
        for begin in
            ["=", "+", "-", "@", "\t", "\r", "\n", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}"]
        {
            assert_eq!(of(&format!("{begin}x")), format!("'{begin}x"));
            assert_eq!(of(&format!("a{begin}x")), format!("a{begin}x"));
        }
        assert_eq!(of(" \u{a0}\u{feff}=1"), " \u{a0}\u{feff}'=1");
    }

    #[test]
    fn d7_no_part_of_a_text_is_a_formula_where_semicolons_separate_cells() {
        for (text, expected) in [
            ("a;=1", "a;'=1"),
            ("a; \t=1", "a; \t'=1"),
            ("a\t-b", "a\t'-b"),
            ("a\r\n@b", "a\r\n'@b"),
            ("a;\"=1", "a;\"'=1"),
            ("=1;=2;\u{ff1d}3", "'=1;'=2;'\u{ff1d}3"),
            ("\t=1", "'\t'=1"),
            ("a;b=1", "a;b=1"),
            ("Wrapped-BTC; v2", "Wrapped-BTC; v2"),
        ] {
            assert_eq!(of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn d7_a_number_stays_a_number() {
        for number in ["-1.5", "-0", "-1.50e-18", "-2E+3", "12"] {
            assert_eq!(of(number), number);
        }
        for text in ["-1x", "+1", "-", "-1-1", "--1", "-.5", "-1;-1", "-0x10"] {
            assert!(of(text).starts_with('\''), "{text}");
        }
    }

    #[test]
    fn d7_json_stays_the_same_value_and_holds_no_formula_behind_a_semicolon() {
        let json = r#"[{"a":"x;=1","b":-1.5},"; +2;y","-z","u;\"=1"]"#;
        let written = in_json(json);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&written), read(json));
        assert_eq!(written, r#"[{"a":"x;\u003d1","b":-1.5},"; \u002b2;y","-z","u;\"=1"]"#);
    }
}
