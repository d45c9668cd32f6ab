//! The default file: the reference of every key, read from the text that is built in.

use std::sync::LazyLock;

/// The commented default file.
pub(crate) const TEXT: &str = include_str!("../../config.default.toml");

/// One key of the reference.
#[derive(Debug, Clone)]
pub(crate) struct KnownKey {
    /// Its dotted path, for example `server.listen`.
    pub(crate) key: String,
    /// Its default, whose type is the type of the key.
    pub(crate) default: toml::Value,
    /// The comment above it.
    pub(crate) comment: String,
}

impl KnownKey {
    /// The part before the last dot.
    pub(crate) fn section(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The part after the last dot.
    pub(crate) fn name(&self) -> &str {
        self.key.rsplit_once('.').map_or(&self.key, |(_, name)| name)
    }
}

static KEYS: LazyLock<Vec<KnownKey>> = LazyLock::new(|| read(TEXT));

/// Every key in the order of the file.
pub(crate) fn keys() -> &'static [KnownKey] {
    &KEYS
}

/// The key with this path.
pub(crate) fn find(key: &str) -> Option<&'static KnownKey> {
    keys().iter().find(|known| known.key == key)
}

/// The known key most like `key`, where one is like it at all.
pub(crate) fn nearest(key: &str) -> Option<&'static str> {
    let likeness = |known: &KnownKey| {
        let whole = strsim::normalized_damerau_levenshtein(key, &known.key);
        // A right name in a wrong section is the commonest slip.
        let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
        if name == known.name() { whole.max(0.7) } else { whole }
    };
    keys()
        .iter()
        .map(|known| (likeness(known), known.key.as_str()))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, key)| key)
}

// The file is read line by line, because a TOML parser drops the comments and the order; a test compares
// the outcome with what the parser finds.
fn read(text: &str) -> Vec<KnownKey> {
    let mut keys = Vec::new();
    let (mut section, mut comment) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(words) = line.strip_prefix('#') {
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(words.trim());
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((name, _)) = line.split_once(" = ")
            && let Ok(table) = line.parse::<toml::Table>()
            && let Some(default) = table.get(name)
        {
            keys.push(KnownKey {
                key: format!("{section}.{name}"),
                default: default.clone(),
                comment: std::mem::take(&mut comment),
            });
        }
        comment.clear();
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn leaves(prefix: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                toml::Value::Table(table) if !table.is_empty() => leaves(&key, table, found),
                _ => {
                    found.insert(key);
                }
            }
        }
    }

    #[test]
    fn every_key_of_the_default_file_is_known_and_documented() {
        let mut expected = BTreeSet::new();
        leaves("", &TEXT.parse().unwrap(), &mut expected);
        let known: BTreeSet<String> = keys().iter().map(|known| known.key.clone()).collect();
        assert_eq!(known, expected);
        for known in keys() {
            assert!(known.comment.len() >= 10, "{} has no comment", known.key);
        }
    }

    #[test]
    fn an_undocumented_key_is_noticed() {
        let keys = read("[server]\nlisten = \"x\"\n# About the port.\nport = 1\n");
        let comments: Vec<_> = keys.iter().map(|known| known.comment.as_str()).collect();
        assert_eq!(comments, ["", "About the port."]);
    }

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        assert_eq!(nearest("server.listn"), Some("server.listen"));
        assert_eq!(nearest("csv.paths"), Some("sources.csv.paths"));
        assert_eq!(nearest("completely.different"), None);
    }
}
