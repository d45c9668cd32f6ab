//! The file: one `[[override]]` for each pair of listings.

use std::collections::BTreeMap;
use std::path::Path;

use kasparro_domain::{AssetRelation, ListingKey, OverrideVerdict, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::decide::{Pair, check_pair};
use super::{Word, related};
use crate::cli::decision::read_words;
use crate::failure::{Exit, Failure};
use crate::output::one_line;

const HEAD: &str = "\
# What people decided about listings: `link` makes them one asset, `separate` keeps them apart. So does `related`, and
# says what a is of b, where `ratio` counts units of b for one unit of a; and `unrelated`, which says that neither is.
# `kasparro assets overrides import FILE` decides what is not in force yet.
";

/// One entry as it is written. Where one listing relates to the other, `a` is the one that does.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) a: String,
    pub(super) b: String,
    pub(super) verdict: String,
    /// How `a` relates to `b`; there exactly where the verdict is `related`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// Units of `b` that one unit of `a` gives, as text with every digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<String>,
    /// The day from which it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    /// Who decided; whoever imports it where it is left out.
    pub(super) who: Option<String>,
    pub(super) why: String,
    /// When it was decided, for readers of the file.
    pub(super) at: Option<String>,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(rename = "override")]
    entries: &'a [Entry],
}

/// An entry that can be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    /// How errors name it: file and place.
    pub(super) place: String,
    pub(super) pair: Pair,
    pub(super) verdict: OverrideVerdict,
    /// How one relates to the other; there exactly where the verdict says that it does.
    pub(super) relation: Option<AssetRelation>,
    pub(super) who: Option<String>,
    pub(super) why: String,
}

/// What is in force, as entries in the order of the pairs.
pub(super) fn entries(in_force: &BTreeMap<Pair, Word>) -> Vec<Entry> {
    let entry = |(pair, word): (&Pair, &Word)| {
        let relation = word.relation.as_ref();
        let terms = relation.map(|relation| &relation.terms);
        let (a, b) = relation.map_or((&pair.0, &pair.1), |relation| (&relation.from, &relation.to));
        Entry {
            a: a.to_string(),
            b: b.to_string(),
            verdict: word.verdict.name().to_owned(),
            kind: relation.map(|relation| relation.kind.name().to_owned()),
            ratio: terms.and_then(|terms| Some(terms.ratio.as_ref()?.to_string())),
            date: terms.and_then(|terms| Some(terms.effective_on?.to_string())),
            who: Some(word.who.clone()),
            why: word.why.clone(),
            at: Some(word.at.to_string()),
        }
    };
    in_force.iter().map(entry).collect()
}

/// The text of a file with these entries.
pub(super) fn text(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return HEAD.to_owned();
    }
    // Texts in a table can always be written.
    let tables = toml::to_string(&Document { entries }).unwrap_or_default();
    format!("{HEAD}\n{tables}")
}

/// Reads the text of a file.
///
/// # Errors
/// A [`Failure`] with exit code 2 that names the file and the entry.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Override>, Failure> {
    let file = path.display();
    let wrong = |place: &str, what: &str| {
        Failure::new(
            Exit::Usage,
            "bad_overrides",
            one_line(&format!("{place}: {}", what.trim())),
            "`kasparro assets overrides import --help` shows how an entry is written; nothing was decided",
        )
    };
    let document: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| wrong(&file.to_string(), &error.to_string()))?;
    if let Some(stranger) = document.keys().find(|key| *key != "override") {
        return Err(wrong(
            &file.to_string(),
            &format!("`{stranger}` is not known; write [[override]]"),
        ));
    }
    let tables = match document.get("override") {
        None => &[][..],
        Some(toml::Value::Array(tables)) => tables,
        Some(_) => return Err(wrong(&file.to_string(), "write [[override]] in double brackets")),
    };
    let mut read: Vec<Override> = Vec::new();
    for (number, table) in (1..).zip(tables) {
        let place = format!("{file}: entry {number}{}", pair_words(table));
        let found = one(table, &place).map_err(|what| wrong(&place, &what))?;
        if let Some(before) = read.iter().find(|before| before.pair == found.pair) {
            return Err(wrong(&place, &format!("{} is about the same two listings", before.place)));
        }
        read.push(found);
    }
    Ok(read)
}

/// The listings of an entry as far as they can be read, for whoever looks for it.
fn pair_words(table: &toml::Value) -> String {
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str);
    match (text("a"), text("b")) {
        (Some(a), Some(b)) => format!(" ({a}, {b})"),
        (Some(one), None) | (None, Some(one)) => format!(" ({one})"),
        (None, None) => String::new(),
    }
}

fn one(table: &toml::Value, place: &str) -> Result<Override, String> {
    let mut table = table.clone();
    // An instant and a day may be written as TOML's own or as a text.
    for name in ["at", "date"] {
        if let Some(time) = table.get_mut(name).filter(|time| time.is_datetime()) {
            *time = toml::Value::String(time.to_string());
        }
    }
    related::check_ratio(&table)?;
    let entry: Entry =
        table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let key = |name: &str, text: &str| -> Result<ListingKey, String> {
        text.parse().map_err(|error| format!("{name}: {error}"))
    };
    let (a, b) = (key("a", &entry.a)?, key("b", &entry.b)?);
    let verdict = match OverrideVerdict::from_name(&entry.verdict) {
        None | Some(OverrideVerdict::Withdraw) => {
            return Err(format!(
                "verdict: {} is none of link, separate, related, unrelated",
                entry.verdict
            ));
        }
        Some(verdict) => verdict,
    };
    check_pair(Some(verdict), &a, &b).map_err(|failure| failure.message)?;
    let words =
        |name: &str, text: &str| read_words(text).map_err(|error| format!("{name}: {error}"));
    if let Some(at) = &entry.at {
        Timestamp::parse(at)
            .map_err(|_| format!("at: {at} is no instant such as 2026-01-02T03:04:05Z"))?;
    }
    let relation = related::read(&entry, verdict, &a, &b)?;
    Ok(Override {
        place: place.to_owned(),
        pair: if a <= b { (a, b) } else { (b, a) },
        verdict,
        relation,
        who: entry.who.as_deref().map(|who| words("who", who)).transpose()?,
        why: words("why", &entry.why)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let failure = read(Path::new("team.toml"), text).unwrap_err();
        assert_eq!((failure.exit, failure.code), (Exit::Usage, "bad_overrides"));
        failure.message
    }

    #[test]
    fn what_is_written_is_read_again() {
        let pair = (ListingKey::new("coingecko", "a:b"), ListingKey::new("csv", "x \"y\""));
        let word = Word {
            verdict: OverrideVerdict::Separate,
            relation: None,
            who: "ada".to_owned(),
            why: "they say \u{201e}no\u{201c} \\ twice".to_owned(),
            at: Timestamp::EPOCH,
        };
        let written = text(&entries(&BTreeMap::from([(pair.clone(), word.clone())])));
        assert!(written.contains("[[override]]"), "{written}");
        let read = read(Path::new("f"), &written).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!((&read[0].pair, read[0].verdict), (&pair, word.verdict));
        assert_eq!((read[0].who.as_deref(), &read[0].why), (Some("ada"), &word.why));
        assert!(super::read(Path::new("f"), &text(&[])).unwrap().is_empty());
    }

    #[test]
    fn an_instant_may_be_of_toml_and_who_and_when_may_be_left_out() {
        let entry = "[[override]]\na='s:x'\nb='r:x'\nverdict='link'\nwhy='so'\n";
        for more in ["", "at = 2026-01-02T03:04:05Z", "at = '2026-01-02T03:04:05Z'"] {
            let read = read(Path::new("f"), &format!("{entry}{more}")).unwrap();
            assert_eq!(read[0].pair.0, ListingKey::new("r", "x"), "sorted");
            assert_eq!(read[0].who, None);
        }
    }

    #[test]
    fn what_is_wrong_names_file_entry_and_field() {
        let entry = "[[override]]\na='s:x'\nb='r:x'\nverdict='link'\nwhy='so'\n";
        for (text, parts) in [
            ("[[override]\n".to_owned(), ["team.toml", "line 1"]),
            ("[other]\n".to_owned(), ["team.toml", "[[override]]"]),
            ("[override]\n".to_owned(), ["team.toml", "double brackets"]),
            (format!("{entry}{}", entry.replace("a='s:x'", "a='x'")), ["entry 2", "source:id"]),
            (format!("{entry}{entry}"), ["entry 2 (s:x, r:x)", "the same two"]),
            (entry.replace("link", "merge"), ["entry 1 (s:x, r:x)", "merge is none of"]),
            (entry.replace("r:x", "s:y"), ["entry 1", "two listings of s"]),
            (entry.replace("r:x", "s:x"), ["entry 1", "both listings"]),
            (entry.replace("why='so'", ""), ["entry 1", "`why`"]),
            (entry.replace("why='so'", "why=' '"), ["entry 1", "why: write"]),
            (format!("{entry}by='me'\n"), ["entry 1", "`by`"]),
            (format!("{entry}at='monday'\n"), ["entry 1", "at: monday"]),
        ] {
            let said = refused(&text);
            assert!(parts.iter().all(|part| said.contains(part)), "{text}: {said}");
        }
    }
}
