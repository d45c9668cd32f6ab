//! Changing one value; `None` where the change says nothing about such a value.

use kasparro_domain::{Decimal, Timestamp};
use serde_json::Value;

use super::{Instant, MemberChange, Type};
use crate::text::push_instant;

const DAY_MS: i64 = 86_400_000;

/// The JSON text after the change.
pub(super) fn changed(text: &str, change: &MemberChange) -> Option<String> {
    match change {
        MemberChange::Set(new) => Some(new.clone()),
        MemberChange::Retype(kind) => retyped(text, *kind),
        MemberChange::Nest(name) => Some(format!("{{{}:{text}}}", quoted(name))),
        MemberChange::Unit(factor) => number(text, |decimal| times(decimal, *factor)),
        MemberChange::Invert => number(text, |decimal| {
            (!decimal.zero()).then(|| Value::from(1.0 / decimal.to_f64()).to_string())
        }),
        MemberChange::Digits(digits) => number(text, |decimal| {
            let rounded = format!("{:.*e}", digits.saturating_sub(1), decimal.to_f64());
            Decimal::parse(&rounded).ok().map(|rounded| rounded.to_string())
        }),
        MemberChange::Decimals(places) => {
            number(text, |decimal| Some(format!("{:.*}", places, decimal.to_f64())))
        }
        MemberChange::Instant(kind) => instant(text, *kind),
        MemberChange::Rename(_) | MemberChange::Remove | MemberChange::Add(_) => None,
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Changes a number; one that is written as a text stays one.
fn number(text: &str, change: impl Fn(&Decimal) -> Option<String>) -> Option<String> {
    match serde_json::from_str::<String>(text) {
        Ok(inner) => change(&Decimal::parse(&inner).ok()?).map(|changed| quoted(&changed)),
        Err(_) => change(&Decimal::parse(text).ok()?),
    }
}

/// Exactly by a power of ten, else as nearly as `f64` can.
fn times(decimal: &Decimal, factor: f64) -> Option<String> {
    let written = Decimal::parse(&format!("{factor:e}")).ok()?;
    let places =
        (-30..=30).find(|places| Decimal::from(1).shifted(*places).as_ref() == Ok(&written));
    match places {
        Some(places) => decimal.shifted(places).ok().map(|shifted| shifted.to_string()),
        None => {
            let product = Value::from(decimal.to_f64() * factor);
            product.is_number().then(|| product.to_string())
        }
    }
}

fn retyped(text: &str, kind: Type) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    match (kind, &value) {
        (_, Value::Null | Value::Object(_)) | (Type::Text, Value::String(_)) => None,
        (Type::Text, _) => Some(quoted(text)),
        (Type::Array, _) => Some(format!("[{text}]")),
        (Type::Number, Value::String(inner)) => {
            let length = || inner.chars().count().to_string();
            Some(Decimal::parse(inner).map_or_else(|_| length(), |number| number.to_string()))
        }
        (Type::Boolean, Value::String(inner)) => Some((!inner.is_empty()).to_string()),
        (Type::Boolean, Value::Number(inner)) => Some((inner.as_f64() != Some(0.0)).to_string()),
        _ => None,
    }
}

/// Changes an instant that is a text or a number; where it stays an instant it stays written alike.
fn instant(text: &str, kind: Instant) -> Option<String> {
    let inner = serde_json::from_str::<String>(text).ok();
    let written = inner.as_deref().unwrap_or(text);
    let before_ms = Timestamp::parse(written).ok()?.as_millis();
    let is_number = written.bytes().all(|byte| byte.is_ascii_digit());
    // Milliseconds have 12 digits and more since 1973.
    let counts_ms = is_number && written.len() >= 12;
    let after_ms = match kind {
        Instant::Future { days } => {
            let days = i64::try_from(days).unwrap_or(i64::MAX);
            before_ms.saturating_add(days.saturating_mul(DAY_MS))
        }
        Instant::Epoch => 0,
        Instant::SecondsAsMilliseconds => before_ms / 1000,
        Instant::Seconds => return Some((before_ms / 1000).to_string()),
        Instant::Milliseconds => return Some(before_ms.to_string()),
    };
    let after = if counts_ms {
        after_ms.to_string()
    } else if is_number {
        (after_ms / 1000).to_string()
    } else {
        let mut out = Vec::new();
        push_instant(&mut out, after_ms, written.contains('.'));
        String::from_utf8(out).ok()?
    };
    Some(if inner.is_some() { quoted(&after) } else { after })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: &MemberChange, cases: &[(&str, Option<&str>)]) {
        for (before, after) in cases {
            assert_eq!(changed(before, change).as_deref(), *after, "{before} {change:?}");
        }
    }

    #[test]
    fn units_are_changed_exactly_where_that_can_be() {
        check(
            &MemberChange::Unit(100.0),
            &[
                ("3.84e-18", Some("3.84e-16")),
                ("9223372036854775807", Some("922337203685477580700")),
                ("\"1.5\"", Some("\"150\"")),
                ("null", None),
                ("\"BTC\"", None),
            ],
        );
        check(&MemberChange::Unit(1e-6), &[("5", Some("0.000005")), ("0", Some("0"))]);
        check(&MemberChange::Unit(2.5), &[("4", Some("10.0"))]);
    }

    #[test]
    fn numbers_are_inverted_and_rounded() {
        check(
            &MemberChange::Invert,
            &[("4", Some("0.25")), ("0", None), ("\"8\"", Some("\"0.125\""))],
        );
        check(
            &MemberChange::Digits(2),
            &[("44456.5", Some("44000")), ("0.00012345", Some("0.00012")), ("0", Some("0"))],
        );
        check(&MemberChange::Decimals(0), &[("44456.7", Some("44457")), ("0.2", Some("0"))]);
    }

    #[test]
    fn values_become_others_types() {
        check(&MemberChange::Retype(Type::Text), &[("1.50", Some("\"1.50\"")), ("null", None)]);
        check(
            &MemberChange::Retype(Type::Number),
            &[("\"1.50\"", Some("1.5")), ("\"BTC\"", Some("3"))],
        );
        check(&MemberChange::Retype(Type::Boolean), &[("0.0", Some("false")), ("7", Some("true"))]);
        check(&MemberChange::Nest("v".to_owned()), &[("1.50", Some("{\"v\":1.50}"))]);
        check(&MemberChange::Retype(Type::Array), &[("1.50", Some("[1.50]"))]);
    }

    #[test]
    fn instants_stay_written_as_they_were() {
        let text = "\"2026-01-01T00:00:00.000Z\"";
        check(
            &MemberChange::Instant(Instant::Future { days: 1 }),
            &[
                (text, Some("\"2026-01-02T00:00:00.000Z\"")),
                ("\"2026-01-01T00:00:00Z\"", Some("\"2026-01-02T00:00:00Z\"")),
                ("1767225600", Some("1767312000")),
                ("1767225600000", Some("1767312000000")),
                ("null", None),
            ],
        );
        let epoch = MemberChange::Instant(Instant::Epoch);
        check(&epoch, &[(text, Some("\"1970-01-01T00:00:00.000Z\"")), ("1767225600", Some("0"))]);
        check(&MemberChange::Instant(Instant::Seconds), &[(text, Some("1767225600"))]);
        check(&MemberChange::Instant(Instant::Milliseconds), &[(text, Some("1767225600000"))]);
        check(
            &MemberChange::Instant(Instant::SecondsAsMilliseconds),
            &[(text, Some("\"1970-01-21T10:53:45.600Z\""))],
        );
    }
}
