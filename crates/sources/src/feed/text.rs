//! Plain text out of what feeds hold.

use std::borrow::Cow;

use quick_xml::escape::resolve_html5_entity;

/// How far the `>` of a tag is looked for with regard to quotes, in bytes.
const QUOTES_WITHIN: usize = 1 << 10;

/// The longest name of an entity of HTML is shorter.
const MAX_ENTITY_BYTES: usize = 40;

/// Elements that do not part words.
const INLINE: [&str; 22] = [
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins",
    "mark", "s", "small", "span", "strong", "sub", "sup", "u", "wbr",
];

/// One line of at most `max_chars` characters: blanks and line ends become single blanks, control
/// characters go. `None` where nothing is left.
pub(super) fn line(text: &str, max_chars: usize) -> Option<String> {
    let mut line = String::with_capacity(text.len().min(max_chars.saturating_mul(4)));
    let mut chars = 0;
    let mut blank = false;
    for c in text.chars() {
        if c.is_whitespace() {
            blank = !line.is_empty();
        } else if !c.is_control() && c != '\u{feff}' {
            if std::mem::take(&mut blank) {
                line.push(' ');
                chars += 1;
            }
            line.push(c);
            chars += 1;
            if chars > max_chars {
                break;
            }
        }
    }
    if chars > max_chars {
        let kept = line.char_indices().nth(max_chars.saturating_sub(1)).map_or(0, |(at, _)| at);
        line.truncate(kept);
        line.truncate(line.trim_end().len());
        line.push('…');
    }
    (!line.is_empty()).then_some(line)
}

/// The text of a piece of HTML: tags, comments, scripts and styles go, entities are decoded once.
/// What cannot be understood as markup is text.
pub(super) fn from_html(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, markup) = rest.split_at(at);
        text.push_str(before);
        rest = if markup.starts_with('&') {
            entity(markup, &mut text)
        } else {
            after_tag(markup, &mut text)
        };
    }
    text.push_str(rest);
    text
}

/// The value of an attribute, its entities decoded once.
pub(super) fn decoded(value: &str) -> Cow<'_, str> {
    if !value.contains('&') {
        return value.into();
    }
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, _)) = rest.split_once('&') {
        text.push_str(before);
        rest = entity(rest.get(before.len()..).unwrap_or_default(), &mut text);
    }
    text.push_str(rest);
    text.into()
}

/// Appends a text so that it stands for itself in HTML.
pub(super) fn push_escaped(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => html.push_str("&lt;"),
            '&' => html.push_str("&amp;"),
            c => html.push(c),
        }
    }
}

/// Decodes the reference at the beginning; returns what follows it.
fn entity<'a>(markup: &'a str, text: &mut String) -> &'a str {
    let after = markup.get(1..).unwrap_or_default();
    let end = after.bytes().take(MAX_ENTITY_BYTES).position(|byte| byte == b';');
    let found = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)));
    if let Some((name, rest)) = found {
        if let Some(number) = name.strip_prefix('#') {
            if let Some(c) = character(number) {
                text.push(c);
                return rest;
            }
        } else if let Some(meant) = resolve_html5_entity(name) {
            text.push_str(meant);
            return rest;
        }
    }
    text.push('&');
    after
}

/// The character of this number; the numbers of control characters stand for those of Windows-1252,
/// as HTML has it.
fn character(number: &str) -> Option<char> {
    const FROM_80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let code = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let code = code.ok()?;
    let place = code.checked_sub(0x80).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| FROM_80.get(place).copied()).or_else(|| char::from_u32(code))
}

/// Passes over the tag, comment or declaration at the beginning; returns what follows it.
fn after_tag<'a>(markup: &'a str, text: &mut String) -> &'a str {
    let after = markup.get(1..).unwrap_or_default();
    if let Some(comment) = after.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    if let Some(rest) = after.strip_prefix("![CDATA[") {
        return rest;
    }
    let closing = after.starts_with('/');
    let named = after.strip_prefix('/').unwrap_or(after);
    let begins = named.chars().next();
    let markup = begins.is_some_and(|c| c.is_ascii_alphabetic()) || after.starts_with(['!', '?']);
    if !markup {
        text.push('<');
        return after;
    }
    let name: String =
        named.chars().take_while(|c| c.is_ascii_alphanumeric()).take(32).collect::<String>();
    let name = name.to_ascii_lowercase();
    if !INLINE.contains(&name.as_str()) {
        text.push(' ');
    }
    // A text that was cut off inside a tag ends before it.
    let Some(end) = tag_end(after) else { return "" };
    let rest = after.get(end + 1..).unwrap_or_default();
    if !closing && ["script", "style"].contains(&name.as_str()) {
        return behind_raw(rest, &name);
    }
    rest
}

/// Where the `>` of a tag stands: outside of quotes, if there is one near.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = b' ';
    for (at, byte) in tag.bytes().enumerate().take(QUOTES_WITHIN) {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (None, _) => {}
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    tag.find('>')
}

/// What follows the end tag of a script or style.
fn behind_raw<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut from = 0;
    while let Some(at) = rest.get(from..).and_then(|rest| rest.find("</")) {
        let tag = from + at;
        let named = rest.as_bytes().get(tag + 2..tag + 2 + name.len());
        if named.is_some_and(|named| named.eq_ignore_ascii_case(name.as_bytes())) {
            let tag = rest.get(tag..).unwrap_or_default();
            return tag.split_once('>').map_or("", |(_, rest)| rest);
        }
        from = tag + 2;
    }
    ""
}

/// A web address that can be linked to: `http` or `https`, with a host and without blanks.
pub(super) fn web_address(text: &str) -> Option<String> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://")?;
    let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let usable = !host.is_empty()
        && !rest.contains(|c: char| c.is_control() || (c.is_whitespace() && c != ' '))
        && !host.contains(|c: char| c.is_whitespace() || "<>\"'\\".contains(c));
    (web && usable).then(|| text.replace(' ', "%20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(html: &str) -> String {
        line(&from_html(html), 10_000).unwrap_or_default()
    }

    #[test]
    fn html_becomes_text_without_any_tag() {
        for (html, text) in [
            ("<p>One</p><p>two<br/>three</p>", "One two three"),
            ("a<b>b</b><i class='x'>c</i>", "abc"),
            ("x<script type=\"a>b\">alert('</p>')</SCRIPT >y", "x y"),
            ("x<style>p > a {}</style>y<script>never closed", "x y"),
            ("x<!-- <b> -- > -->y<!-- never closed", "xy"),
            ("<a href=\"a>b\" title='c>d'>link</a>", "link"),
            ("<a href=\"never closed>text</a>", "text"),
            ("cut off <a href=\"https://exa", "cut off"),
            ("1 < 2 & 3 > 2 <3", "1 < 2 & 3 > 2 <3"),
            ("AT&amp;T &lt;b&gt; &nbsp; &amp;lt; &eacute;&#233;&#xE9;", "AT&T <b> &lt; ééé"),
            (
                "&#146;&#8217;&nosuch; &; &#0;&#xD800;&#99999999999;",
                "’’&nosuch; &; &#xD800;&#99999999999;",
            ),
            ("<![CDATA[<b>x</b>]]>", "x]]>"),
            ("<?php x ?>y<!DOCTYPE html>z", "y z"),
            ("<img src=x onerror=alert(1)>", ""),
            ("<scr<script>ipt>", "ipt>"),
            ("\u{0}\u{8}a\u{200b}\u{a0}\u{3000}\tb\u{7f}", "a\u{200b} b"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }

    #[test]
    fn hostile_html_takes_linear_time() {
        for piece in ["<p a=\"", "<", "<!--", "&", "</", "<script>", "<a"] {
            let html = piece.repeat((1 << 20) / piece.len());
            assert!(from_html(&html).len() <= html.len());
        }
    }

    #[test]
    fn a_long_line_ends_with_an_ellipsis_at_a_character() {
        assert_eq!(line("éééé", 4).unwrap(), "éééé");
        assert_eq!(line("ééééé", 4).unwrap(), "ééé…");
        assert_eq!(line("ab cd", 4).unwrap(), "ab…");
        assert_eq!(line("abcd   ", 4).unwrap(), "abcd");
        assert_eq!(line(" \n ", 4), None);
    }

    #[test]
    fn only_web_addresses_are_linked_to() {
        for address in ["https://a.example/x?y=1#z", "HTTP://a.example", "http://ä.example/é"] {
            assert_eq!(web_address(address).unwrap(), address);
        }
        assert_eq!(web_address(" https://a.example/a b\n").unwrap(), "https://a.example/a%20b");
        for text in [
            "javascript:alert(1)",
            "javascript://a.example/%0aalert(1)",
            "/relative",
            "https://",
            "https:///x",
            "https://a b/",
            "https://a\u{0}b/",
            "https://a.example/\nx",
            "data:text/html,x",
            "",
        ] {
            assert_eq!(web_address(text), None, "{text}");
        }
    }
}
