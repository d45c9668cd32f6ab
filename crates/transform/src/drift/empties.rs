//! Members that are read and suddenly have no values.

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};

use super::compare::Facing;
use super::event::Finding;
use super::kind::{Kind, ZERO};
use super::limits::{
    EMPTY, EMPTY_BEFORE, LOST, LOST_SOME, LOST_SOME_PAIRS, MASKED, PAGES, PAIRS, ROWS,
};

pub(super) fn changes(facing: &mut Facing<'_>) {
    let page = facing.page;
    for (bit, field) in page.mapped.iter().enumerate() {
        if facing.explained(field.pointer) || facing.in_map(field.pointer) {
            continue;
        }
        let found = match field.role {
            FieldRole::Id => missing_ids(facing, field.pointer),
            _ => lost(facing, bit, field.pointer)
                .or_else(|| zeroed(facing, field.pointer))
                .or_else(|| flood(facing, field.pointer)),
        };
        let Some((severity, after, rows, confidence)) = found else { continue };
        let suggestion = match severity {
            DriftSeverity::Breaking => {
                "Known values would be wiped: wait for the upstream to send them again, or accept \
                 that they are unknown."
            }
            _ => "More rows than usual are without a value: look at a few of them at the upstream.",
        };
        facing.settle(Finding {
            kind: DriftKind::NullRate,
            pointer: field.pointer.to_owned(),
            before: "values".to_owned(),
            after: after.to_owned(),
            severity,
            rows,
            confidence,
            suggestion: suggestion.to_owned(),
        });
    }
}

type Found = (DriftSeverity, &'static str, usize, f64);

/// What most of the rows without a value have in its place.
fn absence(facing: &Facing<'_>, pointer: &str) -> (&'static str, usize) {
    let page = facing.page;
    let Some(member) = page.member(pointer) else { return ("absent", page.rows) };
    let (null, empty) = (member.kind(Kind::Null), member.kind(Kind::Empty));
    let absent = page.rows.saturating_sub(member.present);
    let rows = null + empty + absent;
    if null >= empty.max(absent) {
        ("null", rows)
    } else if empty >= absent {
        ("empty", rows)
    } else {
        ("absent", rows)
    }
}

fn share_empty(facing: &Facing<'_>, pointer: &str) -> f64 {
    let page = facing.page;
    let known = page.member(pointer).map_or(0, |member| member.known().min(page.rows));
    1.0 - known as f64 / page.rows.max(1) as f64
}

/// Rows found again that had a value and have none.
fn lost(facing: &Facing<'_>, bit: usize, pointer: &str) -> Option<Found> {
    if bit >= MASKED {
        return None;
    }
    let had: Vec<_> = facing.pairs.iter().filter(|pair| pair.before.1 >> bit & 1 == 1).collect();
    let lost =
        had.iter().filter(|pair| facing.places.mask(pair.now) >> bit & 1 == 0).count() as f64;
    let share = lost / had.len().max(1) as f64;
    let usual = facing.profile.members.get(pointer).and_then(|learned| learned.lost);
    let usual = usual.map_or(0.0, |range| f64::from(range.high));
    let (after, rows) = absence(facing, pointer);
    if had.len() >= PAIRS && share > LOST.max(usual + 0.25) {
        return Some((DriftSeverity::Breaking, after, rows, share));
    }
    // Of a handful of rows all must be empty, and the whole page with them.
    let few = had.len() >= 3 && had.len() < PAIRS;
    if few && share >= 1.0 && usual < LOST_SOME && share_empty(facing, pointer) >= EMPTY {
        return Some((DriftSeverity::Breaking, after, rows, 0.9));
    }
    let some = LOST_SOME.max(3.0 * usual).max(usual + 0.15);
    (had.len() >= LOST_SOME_PAIRS && share > some).then_some((
        DriftSeverity::Warning,
        after,
        rows,
        share,
    ))
}

/// Rows found again whose number became zero, which means unknown more often than nothing.
fn zeroed(facing: &Facing<'_>, pointer: &str) -> Option<Found> {
    let tracked = facing.profile.tracked.iter().position(|known| known == pointer)?;
    let place = facing.places.tracked.get(tracked).copied().flatten()?;
    let (mut had, mut zero) = (0_usize, 0_usize);
    for pair in &facing.pairs {
        let before = pair.before.4.get(tracked).copied().flatten();
        let Some(now) = pair.now.value(place).filter(|value| value.kind.numeric()) else {
            continue;
        };
        if before.is_some_and(|before| before != ZERO) {
            had += 1;
            zero += usize::from(now.code == ZERO);
        }
    }
    let share = zero as f64 / had.max(1) as f64;
    let rows = facing.page.member(pointer).map_or(0, |member| member.zeros);
    (had >= PAIRS && share > LOST).then_some((DriftSeverity::Breaking, "zero", rows, share))
}

/// A whole page without values where no page was; for rows that cannot be found again.
fn flood(facing: &Facing<'_>, pointer: &str) -> Option<Found> {
    let learned = facing.profile.members.get(pointer)?;
    let before = learned.empty.map_or(1.0, |range| range.high);
    let share = share_empty(facing, pointer);
    let blind = facing.pairs.len() < PAIRS && facing.profile.pages >= PAGES;
    let (after, rows) = absence(facing, pointer);
    (blind && facing.page.rows >= ROWS && share >= EMPTY && before <= EMPTY_BEFORE).then_some((
        DriftSeverity::Breaking,
        after,
        rows,
        share,
    ))
}

/// Rows without an id can be stored nowhere.
fn missing_ids(facing: &Facing<'_>, pointer: &str) -> Option<Found> {
    let before = facing.profile.members.get(pointer)?.empty.map_or(1.0, |range| range.high);
    let share = share_empty(facing, pointer);
    let (after, rows) = absence(facing, pointer);
    (facing.page.rows >= PAIRS && share > LOST && before <= EMPTY_BEFORE).then_some((
        DriftSeverity::Breaking,
        after,
        rows,
        share,
    ))
}
