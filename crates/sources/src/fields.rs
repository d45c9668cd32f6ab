//! Reading the mapped fields of a JSON row without ever making an `f64`.
//!
//! A row is read into structs of raw JSON texts; fields that no mapping names are skipped, whatever
//! they hold. Absent, null and the empty text mean unknown. Each fault names its field by JSON pointer.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use compact_str::CompactString;
use kasparro_domain::{Decimal, FieldRole, FieldUse, Rejection, RejectionReason, Timestamp};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most characters of an external id.
pub(crate) const MAX_ID_CHARS: usize = 200;
/// The most characters of a symbol.
pub(crate) const MAX_SYMBOL_CHARS: usize = 64;
/// The most characters of a name.
pub(crate) const MAX_NAME_CHARS: usize = 256;
/// The most characters of a contract address.
pub(crate) const MAX_ADDRESS_CHARS: usize = 500;

/// A line of the table of what is read: the API's name of a field, the member that it is read from, and
/// what kind of value that holds.
pub(crate) const fn read_into(
    field: &'static str,
    pointer: &'static str,
    role: FieldRole,
) -> FieldUse {
    FieldUse { pointer, field, role }
}

/// A field as it was sent; `None` for absent and null.
pub(crate) type Field<'a> = Option<&'a RawValue>;

/// A struct that only a JSON object can be read into. A derived struct alone would take an array too,
/// by position.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Reads a row into a struct of fields.
///
/// `nested` names, outermost first, the members that lead to further mapped objects (`quotes`, `USD`);
/// they are needed to say where a fault is.
pub(crate) fn read_row<'a, T: Deserialize<'a>>(
    row: &'a [u8],
    nested: &[&str],
) -> Result<T, Rejection> {
    let text = std::str::from_utf8(row).map_err(|error| {
        let begin = row.get(error.valid_up_to()..).unwrap_or_default();
        reject(RejectionReason::InvalidText, "", &begin.escape_ascii().to_string())
    })?;
    match serde_json::from_str::<Object<T>>(text) {
        Ok(Object(fields)) => Ok(fields),
        Err(error) => Err(diagnose(text, nested, &error)),
    }
}

/// Finds out why a row could not be read; only bad rows come here.
fn diagnose(text: &str, nested: &[&str], error: &serde_json::Error) -> Rejection {
    let message = error.to_string();
    if !error.is_data() {
        let surrogate = message.contains("surrogate") || message.contains("unicode code point");
        let reason =
            if surrogate { RejectionReason::InvalidText } else { RejectionReason::Malformed };
        return reject(reason, "", text);
    }
    // Down the nested objects to the one at fault.
    let mut pointer = String::new();
    let mut at = text;
    let mut deeper = nested.iter();
    loop {
        let Ok(Members(members)) = serde_json::from_str::<Members<'_>>(at) else {
            let reason = if pointer.is_empty() && !at.starts_with('{') {
                RejectionReason::Malformed
            } else {
                RejectionReason::WrongType
            };
            return reject(reason, &pointer, at);
        };
        let twice = members.iter().enumerate().find(|(place, (key, _))| {
            let before = members.get(..*place).unwrap_or_default();
            message.contains(&format!("duplicate field `{key}`"))
                && before.iter().any(|(earlier, _)| earlier == key)
        });
        if let Some((_, (key, value))) = twice {
            return reject(RejectionReason::DuplicateKey, &format!("{pointer}/{key}"), value.get());
        }
        let next = deeper.next().and_then(|name| members.iter().find(|(key, _)| key == name));
        let Some((key, value)) = next else {
            return reject(RejectionReason::Malformed, &pointer, text);
        };
        pointer.push('/');
        pointer.push_str(key);
        at = value.get();
    }
}

/// The members of an object, repeated ones too.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A rejection of `value` at `pointer`.
pub(crate) fn reject(reason: RejectionReason, pointer: &str, value: &str) -> Rejection {
    Rejection::new(reason, pointer, value)
}

/// The characters of a JSON string; `None` when the field holds something else.
fn string<'a>(raw: &'a RawValue, pointer: &str) -> Result<Option<Cow<'a, str>>, Rejection> {
    let token = raw.get();
    let Some(inner) = token.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        return Ok(None);
    };
    if !inner.contains('\\') {
        return Ok(Some(Cow::Borrowed(inner)));
    }
    // The row as a whole was well-formed, so only half of a surrogate pair can be wrong here.
    serde_json::from_str::<String>(token)
        .map(|text| Some(Cow::Owned(text)))
        .map_err(|_| reject(RejectionReason::InvalidText, pointer, token))
}

/// A text of at most `max_chars` characters, as sent; the empty text is unknown.
pub(crate) fn text(
    field: Field<'_>,
    pointer: &str,
    max_chars: usize,
) -> Result<Option<CompactString>, Rejection> {
    let Some(raw) = field else { return Ok(None) };
    let text = string(raw, pointer)?
        .ok_or_else(|| reject(RejectionReason::WrongType, pointer, raw.get()))?;
    check_text(&text, pointer, max_chars)?;
    Ok((!text.is_empty()).then(|| CompactString::from(text)))
}

/// Checks what every stored text must keep to.
pub(crate) fn check_text(text: &str, field: &str, max_chars: usize) -> Result<(), Rejection> {
    if text.contains('\0') {
        return Err(reject(RejectionReason::NulInText, field, text));
    }
    // No character is shorter than a byte, so most texts need no counting.
    if text.len() > max_chars && text.chars().count() > max_chars {
        return Err(reject(RejectionReason::TextTooLong, field, text));
    }
    Ok(())
}

/// The id of the row, which must not be blank.
pub(crate) fn id(field: Field<'_>, pointer: &str) -> Result<CompactString, Rejection> {
    let sent = field.map_or("null", RawValue::get);
    text(field, pointer, MAX_ID_CHARS)?
        .filter(|id| !id.trim().is_empty())
        .ok_or_else(|| reject(RejectionReason::MissingField, pointer, sent))
}

/// The members of an object, each name once.
pub(crate) fn members<'a>(
    field: Field<'a>,
    pointer: &str,
) -> Result<Vec<(Cow<'a, str>, Field<'a>)>, Rejection> {
    let Some(raw) = field else { return Ok(Vec::new()) };
    let wrong = |_| reject(RejectionReason::WrongType, pointer, raw.get());
    let Members(members) = serde_json::from_str(raw.get()).map_err(wrong)?;
    let mut sorted: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    sorted.sort_unstable();
    if let Some([name, _]) = sorted.array_windows().find(|[one, other]| one == other) {
        let pointer = member(pointer, name);
        return Err(reject(RejectionReason::DuplicateKey, &pointer, raw.get()));
    }
    let known = |value: &'a RawValue| (value.get() != "null").then_some(value);
    Ok(members.into_iter().map(|(name, value)| (name, known(value))).collect())
}

/// The pointer to the member `name` of what `pointer` points to.
pub(crate) fn member(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// True or false.
pub(crate) fn flag(field: Field<'_>, pointer: &str) -> Result<Option<bool>, Rejection> {
    match field.map(RawValue::get) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(token) => Err(reject(RejectionReason::WrongType, pointer, token)),
    }
}

/// The address of a contract without the blanks around it; the empty text is unknown.
pub(crate) fn address(field: Field<'_>, pointer: &str) -> Result<Option<CompactString>, Rejection> {
    let address = text(field, pointer, MAX_ADDRESS_CHARS)?;
    let address = address.map(|address| CompactString::from(address.trim()));
    Ok(address.filter(|address| !address.is_empty()))
}

/// A number, also one that was sent as a text.
pub(crate) fn number(field: Field<'_>, pointer: &str) -> Result<Option<Decimal>, Rejection> {
    let Some(raw) = field else { return Ok(None) };
    let token = raw.get();
    let bad = |_| reject(RejectionReason::BadNumber, pointer, token);
    match token.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Decimal::parse(token).map(Some).map_err(bad),
        Some(b'"') => {
            let text = string(raw, pointer)?.unwrap_or_default();
            let text = text.trim();
            if text.is_empty() { Ok(None) } else { Decimal::parse(text).map(Some).map_err(bad) }
        }
        _ => Err(reject(RejectionReason::WrongType, pointer, token)),
    }
}

/// A number of which the source says 0 when it does not know.
pub(crate) fn number_or_zero(
    field: Field<'_>,
    pointer: &str,
) -> Result<Option<Decimal>, Rejection> {
    Ok(number(field, pointer)?.filter(|value| !value.zero()))
}

/// A rank from 1; 0 is unknown.
pub(crate) fn rank(field: Field<'_>, pointer: &str) -> Result<Option<u32>, Rejection> {
    match number_or_zero(field, pointer)? {
        None => Ok(None),
        Some(number) => whole_rank(&number)
            .map(Some)
            .ok_or_else(|| reject(RejectionReason::BadNumber, pointer, number.as_str())),
    }
}

/// A number as a rank; `None` when it is no positive whole number.
pub(crate) fn whole_rank(number: &Decimal) -> Option<u32> {
    number.as_str().parse().ok().filter(|rank| *rank > 0)
}

/// An instant as text or Unix number.
pub(crate) fn instant(field: Field<'_>, pointer: &str) -> Result<Option<Timestamp>, Rejection> {
    let Some(raw) = field else { return Ok(None) };
    let token = raw.get();
    let text = match token.as_bytes().first() {
        Some(b'"') => string(raw, pointer)?.unwrap_or_default(),
        Some(b'-' | b'0'..=b'9') => Cow::Borrowed(token),
        _ => return Err(reject(RejectionReason::WrongType, pointer, token)),
    };
    if text.is_empty() {
        return Ok(None);
    }
    Timestamp::parse(&text)
        .map(Some)
        .map_err(|_| reject(RejectionReason::BadTimestamp, pointer, token))
}
