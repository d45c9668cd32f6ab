//! Prices that have lost their digits.

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};

use super::compare::Facing;
use super::event::Finding;
use super::limits::{AGREE, DIGITS_LEFT, DIGITS_LOST, PAIRS};

pub(super) fn changes(facing: &mut Facing<'_>) {
    let price = facing.page.mapped.iter().find(|field| field.role == FieldRole::Price);
    let Some(field) = price.filter(|field| !facing.explained(field.pointer)) else { return };
    // Only rows that had digits to lose.
    let (mut had, mut lost) = (0_usize, 0_usize);
    for pair in facing.pairs.iter().filter(|pair| pair.before.2 > DIGITS_LEFT) {
        let place = facing.page.place(field.pointer).and_then(|place| pair.now.value(place));
        let Some(value) = place.filter(|value| value.kind.numeric()) else { continue };
        had += 1;
        let fewer = value.digits.saturating_add(DIGITS_LOST) <= pair.before.2;
        lost += usize::from(fewer && value.digits <= DIGITS_LEFT);
    }
    let share = lost as f64 / had.max(1) as f64;
    if had < PAIRS || share < AGREE {
        return;
    }
    facing.settle(Finding {
        kind: DriftKind::Precision,
        pointer: field.pointer.to_owned(),
        before: "full digits".to_owned(),
        after: "few digits".to_owned(),
        severity: DriftSeverity::Breaking,
        rows: lost,
        confidence: share,
        suggestion:
            "Prices are rounded: ask the upstream for full precision, if it has an option for it."
                .to_owned(),
    });
}
