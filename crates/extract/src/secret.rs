//! Our own keys in what an upstream sends back.

use secrecy::{ExposeSecret, SecretString};

/// True where a text holds a secret, or its last word where a scheme stands before it, as it is or encoded
/// as addresses, JSON and HTML encode.
#[must_use]
pub fn holds_secret(text: &[u8], secret: &SecretString) -> bool {
    let whole = secret.expose_secret().trim();
    let last = whole.split_whitespace().last().unwrap_or_default();
    // Forms write a blank as a plus.
    let written = [whole.to_owned(), whole.replace(' ', "+"), last.to_owned()];
    let once = unescaped(text);
    let twice = unescaped(&once);
    [text, &once, &twice].iter().any(|text| written.iter().any(|secret| holds(text, secret)))
}

fn holds(text: &[u8], secret: &str) -> bool {
    !secret.is_empty() && text.windows(secret.len()).any(|part| part == secret.as_bytes())
}

/// A text without its escapes: `%2F`, `\u002f`, `\/` and `&amp;`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let (character, bytes) = match first {
            b'%' => (hex(behind.get(..2)), 2),
            b'\\' if behind.first() == Some(&b'u') => (hex(behind.get(1..5)), 5),
            b'\\' => (behind.first().map(|byte| char::from(*byte)), 1),
            b'&' if behind.starts_with(b"amp;") => (Some('&'), 4),
            _ => (None, 0),
        };
        match character {
            Some(character) if character.is_ascii() => {
                plain.push(u8::try_from(character).unwrap_or(first));
                rest = behind.get(bytes..).unwrap_or_default();
            }
            _ => {
                plain.push(first);
                rest = behind;
            }
        }
    }
    plain
}

fn hex(digits: Option<&[u8]>) -> Option<char> {
    let digits = std::str::from_utf8(digits?).ok()?;
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i9_a_key_is_found_however_it_is_encoded() {
        let secrets = ["Bearer k/e+y&9", "k/e+y&9", " k/e+y&9\n"].map(SecretString::from);
        for (text, held) in [
            (r#"{"error":"no such key: k/e+y&9"}"#, true),
            (r#"{"error":"no such key: k\/e+y\u00269"}"#, true),
            ("<a href=\"/?k=k%2Fe%2By%269\">", true),
            ("<a href=\"/?k=k%2fe%2by%269\">", true),
            ("<a href=\"/?back=%3Fk%3Dk%252Fe%252By%25269\">", true),
            ("<a href=\"/?k=k/e+y&amp;9\">", true),
            ("{\"error\":\"no such key: k/e+y&8, 100% sure\"}", false),
            ("Bearer", false),
            ("%", false),
            ("\\", false),
            ("", false),
        ] {
            for secret in &secrets {
                assert_eq!(holds_secret(text.as_bytes(), secret), held, "{text}");
            }
            assert!(!holds_secret(text.as_bytes(), &SecretString::from("")), "{text}");
        }
        assert!(holds_secret(b"?k=two+words", &SecretString::from("two words")));
    }
}
