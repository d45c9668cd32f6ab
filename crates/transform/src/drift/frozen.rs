//! Endpoints that stand still.

use kasparro_domain::{DriftEvent, DriftKey, DriftKind, DriftSeverity, FieldRole, Timestamp};

use super::compare::Facing;
use super::event::Finding;
use super::learn::moved;
use super::profile::Profile;

const SUGGESTION: &str = "Nothing has moved for hours: the upstream may serve a stale copy; what is stored stays and \
                          grows old.";
const BEFORE: &str = "moving";
const AFTER: &str = "standing still";

/// A page whose rows all say what they said, instants included.
pub(super) fn changes(facing: &mut Facing<'_>) {
    let page = facing.page;
    let still = moved(page, &facing.pairs) == Some(false);
    if !still || !facing.profile.cadence.frozen(page.fetched_at) {
        return;
    }
    let field = page.mapped.iter().find(|field| field.role == FieldRole::Instant);
    facing.say(Finding {
        kind: DriftKind::Frozen,
        pointer: field.map_or_else(String::new, |field| field.pointer.to_owned()),
        before: BEFORE.to_owned(),
        after: AFTER.to_owned(),
        severity: DriftSeverity::Warning,
        rows: page.rows,
        confidence: 0.9,
        suggestion: SUGGESTION.to_owned(),
    });
}

/// A page that equals one before byte for byte.
pub(super) fn same_bytes(profile: &Profile, fetched_at: Timestamp) -> Option<DriftEvent> {
    profile.cadence.frozen(fetched_at).then(|| DriftEvent {
        key: DriftKey {
            endpoint: profile.endpoint.clone(),
            kind: DriftKind::Frozen,
            pointer: profile.cadence.pointer.clone(),
            before: BEFORE.to_owned(),
            after: AFTER.to_owned(),
        },
        severity: DriftSeverity::Warning,
        rows_affected: 0,
        rows_examined: 0,
        confidence_percent: 90,
        suggestion: SUGGESTION.to_owned(),
        breaks: Vec::new(),
    })
}
