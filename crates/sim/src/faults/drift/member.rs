//! Changing one member of an object; everything else stays as it was written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::MemberChange;
use super::value;
use crate::text::push_json_text;

/// The members of an object in order, each with its JSON text.
#[derive(Debug, Default)]
pub(super) struct Members(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((name, text)) = map.next_entry::<String, &'de RawValue>()? {
                    members.0.push((name, text.get().to_owned()));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Members {
    /// The members of an object; `None` for any other JSON text.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The object without blanks between its members.
    pub(super) fn write(&self) -> String {
        let mut out = vec![b'{'];
        for (number, (name, text)) in self.0.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            push_json_text(&mut out, name);
            out.push(b':');
            out.extend_from_slice(text.as_bytes());
        }
        out.push(b'}');
        String::from_utf8(out).unwrap_or_default()
    }
}

/// The object after the change; `None` where the change does not concern it.
pub(super) fn applied(object: &str, path: &[String], change: &MemberChange) -> Option<String> {
    let (name, below) = path.split_first()?;
    let mut members = Members::read(object)?;
    let found = members.0.iter().position(|(known, _)| known == name);
    if below.is_empty() {
        change_member(&mut members.0, found, name, change)?;
    } else {
        let (_, inner) = members.0.get_mut(found?)?;
        *inner = applied(inner, below, change)?;
    }
    Some(members.write())
}

fn change_member(
    members: &mut Vec<(String, String)>,
    found: Option<usize>,
    name: &str,
    change: &MemberChange,
) -> Option<()> {
    if let MemberChange::Add(text) = change {
        if found.is_some() {
            return None;
        }
        members.push((name.to_owned(), text.clone()));
        return Some(());
    }
    let place = found?;
    match change {
        MemberChange::Remove => {
            members.remove(place);
        }
        MemberChange::Rename(to) => members.get_mut(place)?.0.clone_from(to),
        _ => {
            let (_, text) = members.get_mut(place)?;
            *text = value::changed(text, change)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"id":"a","n":1.50e-7,"in":{"x":9223372036854775807,"y":null}}"#;

    fn changed(pointer: &[&str], change: &MemberChange) -> Option<String> {
        let path: Vec<String> = pointer.iter().map(|name| (*name).to_owned()).collect();
        applied(ROW, &path, change)
    }

    #[test]
    fn what_is_not_meant_keeps_its_place_and_its_digits() {
        let renamed = changed(&["n"], &MemberChange::Rename("m".to_owned())).unwrap();
        assert_eq!(renamed, ROW.replace("\"n\":", "\"m\":"));
        let inner = changed(&["in", "y"], &MemberChange::Set("7".to_owned())).unwrap();
        assert_eq!(inner, ROW.replace("null", "7"));
        assert_eq!(
            changed(&["in", "x"], &MemberChange::Remove).unwrap(),
            ROW.replace("\"x\":9223372036854775807,", "")
        );
        let added = changed(&["in", "z"], &MemberChange::Add("[]".to_owned())).unwrap();
        assert_eq!(added, ROW.replace("null}", "null,\"z\":[]}"));
    }

    #[test]
    fn a_member_that_is_not_there_changes_nothing() {
        assert_eq!(changed(&["x"], &MemberChange::Remove), None);
        assert_eq!(changed(&["n", "x"], &MemberChange::Remove), None);
        assert_eq!(changed(&["id"], &MemberChange::Add("1".to_owned())), None);
        assert_eq!(applied("\"text\"", &["id".to_owned()], &MemberChange::Remove), None);
    }
}
