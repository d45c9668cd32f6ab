//! What an entry of the file says of how `a` relates to `b`.

use kasparro_domain::{AssetRelation, EdgeTerms, ListingKey, OverrideVerdict};

use super::super::relation::read_kind;
use super::file::Entry;

/// Refuses a ratio that is a number of TOML.
///
/// # Errors
/// What to write instead.
pub(super) fn check_ratio(entry: &toml::Value) -> Result<(), String> {
    match entry.get("ratio") {
        // A fraction would have lost digits by now, and one rule for all numbers is easier to keep.
        Some(ratio) if !ratio.is_str() => {
            Err(format!("ratio: write '{ratio}' in quotes, so that every digit counts"))
        }
        _ => Ok(()),
    }
}

/// How `a` relates to `b`, where the verdict says that it does.
///
/// # Errors
/// The key that is wrong, and what to write.
pub(super) fn read(
    entry: &Entry,
    verdict: OverrideVerdict,
    a: &ListingKey,
    b: &ListingKey,
) -> Result<Option<AssetRelation>, String> {
    let Entry { kind, ratio, date, .. } = entry;
    if verdict != OverrideVerdict::Related {
        let given = [("kind", kind), ("ratio", ratio), ("date", date)];
        return match given.into_iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(format!(
                "{name}: only an entry of verdict related has it; leave it out, or write verdict = 'related'"
            )),
            None => Ok(None),
        };
    }
    let kind = read_kind(kind.as_deref().unwrap_or_default());
    let kind = kind.map_err(|what| format!("kind: {what}, for what a is of b"))?;
    let ratio = ratio.as_deref().map(|text| {
        EdgeTerms::read_ratio(text).map_err(|error| format!("ratio: {error}, and not {text}"))
    });
    let day = date.as_deref().map(|text| {
        EdgeTerms::read_day(text).map_err(|error| format!("date: {error}, and not {text}"))
    });
    let terms = EdgeTerms { ratio: ratio.transpose()?, effective_on: day.transpose()? };
    Ok(Some(AssetRelation { from: a.clone(), kind, to: b.clone(), terms }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use kasparro_domain::{EdgeKind, Timestamp};

    use super::super::Word;
    use super::super::file;
    use super::*;

    const ENTRY: &str = "\
[[override]]
a='s:old'
b='r:new'
verdict='related'
kind='migrated_to'
ratio='1000.0000000000000000000001'
date=2024-10-01
why='so'
";

    #[test]
    fn the_one_that_relates_is_a_in_either_order_with_every_digit_and_the_day() {
        for day in ["2024-10-01", "'2024-10-01'"] {
            let read = file::read(Path::new("f"), &ENTRY.replace("2024-10-01", day)).unwrap();
            let relation = read[0].relation.clone().unwrap();
            assert_eq!(read[0].pair, relation.pair(), "sorted");
            assert_eq!(
                (relation.from.to_string().as_str(), relation.kind),
                ("s:old", EdgeKind::MigratedTo)
            );
            let EdgeTerms { ratio, effective_on } = &relation.terms;
            assert_eq!(ratio.as_ref().unwrap().as_str(), "1000.0000000000000000000001");
            assert_eq!(effective_on.unwrap().to_string(), "2024-10-01");
            let turned = AssetRelation {
                from: relation.to.clone(),
                to: relation.from.clone(),
                terms: EdgeTerms::default(),
                ..relation.clone()
            };
            for relation in [relation, turned] {
                let word = Word {
                    verdict: OverrideVerdict::Related,
                    relation: Some(relation.clone()),
                    who: "ada".to_owned(),
                    why: "so".to_owned(),
                    at: Timestamp::EPOCH,
                };
                let in_force = BTreeMap::from([(relation.pair(), word)]);
                let written = file::text(&file::entries(&in_force));
                let again = file::read(Path::new("f"), &written).unwrap();
                assert_eq!(again[0].relation, Some(relation), "{written}");
            }
        }
        let unrelated = ENTRY.replace("'related'", "'unrelated'");
        let unrelated: Vec<_> = unrelated
            .lines()
            .filter(|line| !["kind", "rati", "date"].contains(&&line[..4]))
            .collect();
        let read = file::read(Path::new("f"), &unrelated.join("\n")).unwrap();
        assert_eq!((read[0].verdict, &read[0].relation), (OverrideVerdict::Unrelated, &None));
    }

    #[test]
    fn what_is_wrong_with_a_relation_names_its_key_and_the_remedy() {
        for (from, to, parts) in [
            ("kind='migrated_to'\n", "", ["kind: write one of", "forked_from"]),
            ("migrated_to", "renamed_to", ["kind: write one of", "migrated_to"]),
            ("'1000.0000000000000000000001'", "'0'", ["ratio: write a number above zero", "not 0"]),
            ("'1000.0000000000000000000001'", "1000", ["ratio: write '1000' in quotes", "digit"]),
            ("'1000.0000000000000000000001'", "0.5", ["ratio: write '0.5' in quotes", "digit"]),
            ("2024-10-01", "'1.10.2024'", ["date: write a day", "not 1.10.2024"]),
            ("2024-10-01", "2024-10-01T00:00:00Z", ["date: write a day", "YYYY-MM-DD"]),
            ("'related'", "'separate'", ["kind: only", "verdict = 'related'"]),
            ("'related'", "'withdraw'", ["verdict: withdraw", "unrelated"]),
            ("r:new", "s:old", ["both listings", "s:old"]),
        ] {
            assert!(ENTRY.contains(from), "{from}");
            let failure = file::read(Path::new("team.toml"), &ENTRY.replace(from, to)).unwrap_err();
            let said = failure.message;
            assert!(said.contains("team.toml: entry 1"), "{said}");
            assert!(parts.iter().all(|part| said.contains(part)), "{to}: {said}");
        }
    }
}
