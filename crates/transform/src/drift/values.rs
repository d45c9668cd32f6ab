//! Values that were never seen, and values spread otherwise.

use kasparro_domain::{DriftKind, DriftSeverity};

use super::compare::Facing;
use super::event::Finding;
use super::limits::{FEW_VALUES, FEW_VALUES_ROWS, PAGES, PAIRS, SHIFT, SHIFT_VALUES};

pub(super) fn changes(facing: &mut Facing<'_>) {
    let page = facing.page;
    for (pointer, _) in page.iter() {
        if facing.explained(pointer) || facing.in_map(pointer) || facing.profile.pages < PAGES {
            continue;
        }
        new_value(facing, pointer);
        shifted(facing, pointer);
    }
}

/// A value that is none of the few a member had. Values seen once only tell that more are to come.
fn new_value(facing: &mut Facing<'_>, pointer: &str) {
    let page = facing.page;
    let (Some(learned), Some(member)) = (facing.profile.members.get(pointer), page.member(pointer))
    else {
        return;
    };
    let rows: f64 = learned.texts.values().sum();
    let settled = learned.texts.values().all(|rows| *rows >= 2.0);
    let few = !learned.open && learned.texts.len() <= FEW_VALUES;
    if !few || rows < FEW_VALUES_ROWS || !settled || member.open {
        return;
    }
    let reads = page.field(pointer).is_some();
    for (text, rows) in &member.texts {
        if !learned.texts.contains_key(text) {
            facing.say(Finding {
                kind: DriftKind::NewValue,
                pointer: pointer.to_owned(),
                before: "known values".to_owned(),
                after: text.to_string(),
                severity: if reads { DriftSeverity::Warning } else { DriftSeverity::Info },
                rows: *rows,
                confidence: 1.0,
                suggestion:
                    "See what the new value means in the upstream's documentation, then accept it."
                        .to_owned(),
            });
        }
    }
}

/// A median beyond everything seen, where rows do not tell.
fn shifted(facing: &mut Facing<'_>, pointer: &str) {
    let page = facing.page;
    // Members that are followed row by row are judged so: another depth of a ranking is no drift.
    let followed = facing.profile.tracked.iter().any(|tracked| tracked == pointer);
    if followed && facing.pairs.len() >= PAIRS {
        return;
    }
    let range = facing.profile.members.get(pointer).and_then(|learned| learned.medians);
    let median = page.member(pointer).and_then(|member| member.median(SHIFT_VALUES));
    let (Some(range), Some(median)) = (range, median) else { return };
    if median <= range.high + SHIFT && median >= range.low - SHIFT {
        return;
    }
    let larger = median > range.high;
    facing.say(Finding {
        kind: DriftKind::Distribution,
        pointer: pointer.to_owned(),
        before: "usual values".to_owned(),
        after: if larger { "far larger" } else { "far smaller" }.to_owned(),
        severity: DriftSeverity::Warning,
        rows: page.member(pointer).map_or(0, |member| member.logs.len()),
        confidence: 0.7,
        suggestion: "Values are a hundred times beyond all seen: check the unit at the upstream."
            .to_owned(),
    });
}
