//! Instants that cannot be.

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};

use super::compare::Facing;
use super::event::Finding;
use super::limits::{BAD_INSTANTS, BAD_INSTANTS_SOME};

/// Rows that a share of bad instants needs.
const ROWS: usize = 5;

pub(super) fn changes(facing: &mut Facing<'_>) {
    let page = facing.page;
    for field in page.mapped.iter().filter(|field| field.role == FieldRole::Instant) {
        let Some(member) = page.member(field.pointer) else { continue };
        if facing.explained(field.pointer) || member.known() < ROWS {
            continue;
        }
        let usual = facing.profile.members.get(field.pointer).and_then(|learned| learned.bad);
        let usual = usual.map_or(0.0, |range| f64::from(range.high));
        let bad = member.ahead + member.ancient;
        let share = bad as f64 / member.known() as f64;
        if bad < ROWS || share < BAD_INSTANTS_SOME.max(3.0 * usual) {
            continue;
        }
        let after = if member.ahead >= member.ancient { "future" } else { "epoch" };
        let many = share >= BAD_INSTANTS;
        facing.settle(Finding {
            kind: DriftKind::BadInstants,
            pointer: field.pointer.to_owned(),
            before: "past".to_owned(),
            after: after.to_owned(),
            severity: if many { DriftSeverity::Breaking } else { DriftSeverity::Warning },
            rows: bad,
            confidence: if many { 0.95 } else { 0.8 },
            suggestion:
                "Instants lie where none can be: check the upstream's clock, its zone and its unit."
                    .to_owned(),
        });
    }
}
