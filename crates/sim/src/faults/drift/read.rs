//! Reading the changes of a rule.

use serde_json::Value;

use super::{Change, Drift, ErrorPage, Instant, MemberChange, Type};
use crate::faults::plan::Effect;
use crate::fields::{Fields, Wrong, wrong};

const MUTATIONS: &str = "write {\"mutation\": NAME} with one of rename, remove, add, retype, nest, unit, null, zero, invert, \
     freeze, instants, precision, error_page, truncate_rows, bad_rows";
const MEMBER: &str =
    "write where the member is in a row, like \"/symbol\" or \"/quotes/USD/price\"";
const NAME: &str = "write the new name as a text that is not empty";
const SHARE: &str = "write a number from 0 (no row) to 1 (every row)";
const FACTOR: &str = "write a number above 0, like 100 or 0.001";
const DIGITS: &str = "give either digits, 1 to 17 in all, or decimals, 0 to 17 after the point";
const TYPES: &str = "write text, number, boolean or array";
const INSTANTS: &str = "write future, epoch, seconds, milliseconds or seconds_as_milliseconds";
const PAGES: &str = "write html or object";
const FIELDS: &str = "take it out; docs/SIMULATOR.md has the fields of each mutation";

/// The rows that `bad_rows` breaks where it is not told.
const BAD_SHARE: f64 = 0.3;
const FUTURE_DAYS: u64 = 30;

/// A change, or an array of changes; `place` is how the field is called in messages.
pub(in crate::faults) fn read(given: Value, place: &str) -> Result<Effect, Wrong> {
    let changes = match given {
        Value::Array(changes) if !changes.is_empty() => changes
            .into_iter()
            .enumerate()
            .map(|(number, change)| read_change(change, &format!("{place}[{number}]")))
            .collect::<Result<_, _>>()?,
        change => vec![read_change(change, place)?],
    };
    Ok(Effect::Drift(Drift::new(changes)))
}

fn read_change(given: Value, place: &str) -> Result<Change, Wrong> {
    let Value::Object(fields) = given else {
        return Err(wrong(place, "is no object", MUTATIONS));
    };
    let mut fields = Fields { place: format!("{place}."), fields };
    let Some(mutation) = fields.text("mutation", MUTATIONS)? else {
        return Err(fields.missing("mutation", MUTATIONS));
    };
    let change = match mutation.as_str() {
        "freeze" => Change::Freeze { step: fields.number("step")? },
        "error_page" => {
            let pages = [("html", ErrorPage::Html), ("object", ErrorPage::Object)];
            Change::ErrorPage(fields.word("as", &pages, PAGES)?.unwrap_or(ErrorPage::Html))
        }
        "truncate_rows" => {
            let keep = fields.part("keep", SHARE)?;
            Change::TruncateRows { keep: keep.ok_or_else(|| fields.missing("keep", SHARE))? }
        }
        _ => {
            let usual_share = if mutation == "bad_rows" { BAD_SHARE } else { 1.0 };
            let change = member_change(&mutation, &mut fields)?;
            let share = fields.part("share", SHARE)?.unwrap_or(usual_share);
            Change::Member { share, member: member(&mut fields)?, change }
        }
    };
    fields.end(FIELDS)?;
    Ok(change)
}

fn member_change(mutation: &str, fields: &mut Fields) -> Result<MemberChange, Wrong> {
    let value = |fields: &mut Fields, usual: &str| {
        fields.take("value").map_or_else(|| usual.to_owned(), |value| value.to_string())
    };
    Ok(match mutation {
        "rename" => match new_name(fields)? {
            Some(name) => MemberChange::Rename(name),
            None => return Err(fields.missing("to", NAME)),
        },
        "remove" => MemberChange::Remove,
        "add" => MemberChange::Add(value(fields, "\"new\"")),
        "null" => MemberChange::Set("null".to_owned()),
        "zero" => MemberChange::Set("0".to_owned()),
        "bad_rows" => MemberChange::Set(value(fields, "\"no such value\"")),
        "retype" => {
            let types = [
                ("text", Type::Text),
                ("number", Type::Number),
                ("boolean", Type::Boolean),
                ("array", Type::Array),
            ];
            MemberChange::Retype(fields.word("to", &types, TYPES)?.unwrap_or(Type::Text))
        }
        "nest" => MemberChange::Nest(new_name(fields)?.unwrap_or_else(|| "value".to_owned())),
        "unit" => {
            let Some(given) = fields.take("factor") else {
                return Err(fields.missing("factor", FACTOR));
            };
            let factor = given.as_f64().filter(|factor| *factor > 0.0);
            let wrong = || wrong(fields.name("factor"), format!("is {given}"), FACTOR);
            MemberChange::Unit(factor.ok_or_else(wrong)?)
        }
        "invert" => MemberChange::Invert,
        "precision" => precision(fields)?,
        "instants" => {
            let days = fields.number("days")?.unwrap_or(FUTURE_DAYS);
            let kinds = [
                ("future", Instant::Future { days }),
                ("epoch", Instant::Epoch),
                ("seconds", Instant::Seconds),
                ("milliseconds", Instant::Milliseconds),
                ("seconds_as_milliseconds", Instant::SecondsAsMilliseconds),
            ];
            match fields.word("to", &kinds, INSTANTS)? {
                Some(kind) => MemberChange::Instant(kind),
                None => return Err(fields.missing("to", INSTANTS)),
            }
        }
        unknown => {
            return Err(wrong(fields.name("mutation"), format!("is {unknown:?}"), MUTATIONS));
        }
    })
}

fn new_name(fields: &mut Fields) -> Result<Option<String>, Wrong> {
    match fields.text("to", NAME)? {
        Some(name) if name.is_empty() => Err(wrong(fields.name("to"), "is empty", NAME)),
        name => Ok(name),
    }
}

fn precision(fields: &mut Fields) -> Result<MemberChange, Wrong> {
    let mut up_to_17 = |field: &str| match fields.number(field)? {
        None => Ok(None),
        Some(number) => match usize::try_from(number).ok().filter(|number| *number <= 17) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(fields.name(field), format!("is {number}"), DIGITS)),
        },
    };
    match (up_to_17("digits")?, up_to_17("decimals")?) {
        (Some(digits), None) if digits > 0 => Ok(MemberChange::Digits(digits)),
        (None, Some(decimals)) => Ok(MemberChange::Decimals(decimals)),
        (None, None) => Err(fields.missing("digits", DIGITS)),
        _ => Err(wrong(fields.name("digits"), "is not understood", DIGITS)),
    }
}

/// A JSON pointer (RFC 6901) to a member of a row.
fn member(fields: &mut Fields) -> Result<Vec<String>, Wrong> {
    let Some(pointer) = fields.text("member", MEMBER)? else {
        return Err(fields.missing("member", MEMBER));
    };
    match pointer.strip_prefix('/').filter(|names| !names.is_empty()) {
        Some(names) => {
            let name = |name: &str| name.replace("~1", "/").replace("~0", "~");
            Ok(names.split('/').map(name).collect())
        }
        None => Err(wrong(fields.name("member"), format!("is {pointer:?}"), MEMBER)),
    }
}
