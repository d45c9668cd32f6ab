//! Members that are new, gone, of another kind, or elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};

use super::compare::Facing;
use super::event::Finding;
use super::kind::Kind;
use super::learned::Learned;
use super::limits::{ALWAYS, CHANCE, LEARNED_ROWS, OTHER_KIND, OTHER_KIND_FEW, ROWS, USUAL_KIND};
use super::member::Member;
use super::page::{parent, within};
use super::rename;

pub(super) fn changes(facing: &mut Facing<'_>) {
    kinds(facing);
    let gone = gone(facing);
    let mut new = new(facing);
    rename::changes(facing, &gone, &mut new);
    removed(facing, &gone);
    added(facing, &new);
}

/// The kind nearly all known values had, and the one that many now have in its place.
fn other_kind(learned: &Learned, member: &Member) -> Option<(Kind, Kind, usize)> {
    let (before, share) = learned.usual()?;
    let known = member.known();
    if learned.known() < LEARNED_ROWS || share < USUAL_KIND || known == 0 {
        return None;
    }
    let (after, count) = Kind::ALL
        .into_iter()
        .filter(|kind| kind.known() && *kind != before)
        .map(|kind| (kind, member.kind(kind)))
        .max_by_key(|(_, count)| *count)?;
    let least = if known >= ROWS { OTHER_KIND } else { OTHER_KIND_FEW };
    let share = count as f64 / known as f64;
    let usual = learned.kind(after) / learned.known();
    (share >= least && share >= 10.0 * usual).then_some((before, after, count))
}

fn kinds(facing: &mut Facing<'_>) {
    let (profile, page) = (facing.profile, facing.page);
    for (pointer, member) in page.iter() {
        let Some(learned) = profile.members.get(pointer) else { continue };
        let Some((before, after, rows)) = other_kind(learned, member) else { continue };
        if facing.explained(pointer) || facing.in_map(pointer) && !pointer.ends_with("/*") {
            continue;
        }
        let confidence = rows as f64 / member.known() as f64;
        let reads = !page.breaks(pointer).is_empty();
        if before.container() || after.container() {
            let severity = if reads { DriftSeverity::Breaking } else { DriftSeverity::Info };
            let suggestion = match rename::inside(facing, pointer) {
                Some(inner) => {
                    format!("The value may now be at {inner}: map that member, then accept.")
                }
                None => format!("The member is read as {}: look at the raw page.", before.name()),
            };
            facing.settle(Finding {
                kind: DriftKind::Nested,
                pointer: pointer.to_owned(),
                before: before.name().to_owned(),
                after: after.name().to_owned(),
                severity,
                rows,
                confidence,
                suggestion,
            });
            continue;
        }
        let field = page.field(pointer);
        let readable = field.is_some_and(|field| after.readable(field.role));
        let severity = match field {
            None => DriftSeverity::Info,
            Some(_) if readable => DriftSeverity::Warning,
            Some(_) => DriftSeverity::Breaking,
        };
        let unix = before.unix() && after.unix();
        let suggestion = if severity == DriftSeverity::Breaking {
            "The reader does not take such values: adapt the mapping, or wait for the upstream to repair it."
        } else {
            "Values of this kind are read as well: accept the change."
        };
        let finding = Finding {
            kind: if unix { DriftKind::BadInstants } else { DriftKind::TypeChanged },
            pointer: pointer.to_owned(),
            before: before.name().to_owned(),
            after: after.name().to_owned(),
            severity,
            rows,
            confidence,
            suggestion: suggestion.to_owned(),
        };
        if readable { facing.say(finding) } else { facing.settle(finding) }
    }
}

/// Members that were always there and are not on this page at all; those inside them, too.
fn gone(facing: &Facing<'_>) -> BTreeSet<String> {
    let (profile, page) = (facing.profile, facing.page);
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for (pointer, learned) in &profile.members {
        let Some(outer) = parent(pointer) else { continue };
        if page.place(pointer).is_some() || facing.explained(pointer) || facing.in_map(pointer) {
            continue;
        }
        if gone.contains(outer) {
            gone.insert(pointer.to_string());
            continue;
        }
        let objects = page.member(outer).map_or(0, |member| member.kind(Kind::Object));
        // Laplace's rule: the chance that a row lacks what so many rows had, once for each row.
        let chance = 1.0 - (learned.present + 1.0) / (learned.of + 2.0);
        let rows = i32::try_from(objects).unwrap_or(i32::MAX);
        let always = learned.of >= LEARNED_ROWS
            && learned.present >= ALWAYS * learned.of
            && learned.presence.is_none_or(|seen| f64::from(seen.low) >= 0.5);
        let looked = !page.cut || page.field(pointer).is_some();
        if objects > 0 && looked && always && chance.powi(rows) <= CHANCE {
            gone.insert(pointer.to_string());
        }
    }
    gone
}

/// Members that were never there, with the rows that have them.
fn new(facing: &Facing<'_>) -> BTreeMap<String, usize> {
    let (profile, page) = (facing.profile, facing.page);
    let mut new = BTreeMap::new();
    if profile.cut {
        return new;
    }
    for (pointer, member) in page.iter() {
        let known = profile.members.contains_key(pointer);
        if !known && !facing.explained(pointer) && !facing.in_map(pointer) {
            new.insert(pointer.to_owned(), member.present);
        }
    }
    new
}

fn removed(facing: &mut Facing<'_>, gone: &BTreeSet<String>) {
    let page = facing.page;
    for pointer in gone {
        let outer = parent(pointer).unwrap_or_default();
        if gone.contains(outer) || facing.explained(pointer) {
            continue;
        }
        // What was inside and has been found elsewhere is not lost.
        let fields = page.mapped.iter().filter(|field| within(field.pointer, pointer));
        let lost = fields.filter(|field| !facing.explained(field.pointer)).count();
        let breaking = lost > 0;
        let inner = format!("{pointer}/");
        let found = gone.range(inner.clone()..).take_while(|at| at.starts_with(&inner));
        if !breaking && found.clone().any(|at| facing.explained(at)) {
            facing.explain(pointer);
            continue;
        }
        let suggestion = if breaking {
            "The member is read: look where the upstream sends it now, and adapt the mapping."
        } else {
            "Nothing reads the member: accept the change."
        };
        let before = facing.profile.members.get(pointer.as_str()).and_then(Learned::usual);
        let rows = page.member(outer).map_or(page.rows, |member| member.kind(Kind::Object));
        facing.settle(Finding {
            kind: DriftKind::FieldRemoved,
            pointer: pointer.clone(),
            before: before.map_or("null", |(kind, _)| kind.name()).to_owned(),
            after: "nothing".to_owned(),
            severity: if breaking { DriftSeverity::Breaking } else { DriftSeverity::Info },
            rows,
            confidence: if page.rows >= ROWS { 1.0 } else { 0.9 },
            suggestion: suggestion.to_owned(),
        });
    }
}

fn added(facing: &mut Facing<'_>, new: &BTreeMap<String, usize>) {
    let (profile, page) = (facing.profile, facing.page);
    // Rows of ids that are known did not have it: their gain is one, however small the page.
    let same = facing.pairs.len() * 2 >= page.rows;
    let learned = profile.members.get("").map_or(0.0, |row| row.of);
    let sure = learned >= 10.0 * LEARNED_ROWS || learned >= LEARNED_ROWS && page.rows >= ROWS;
    for (pointer, rows) in new {
        let outer = parent(pointer).unwrap_or_default();
        if new.contains_key(outer) || facing.explained(pointer) || pointer.is_empty() {
            continue;
        }
        let objects = page.member(outer).map_or(0, |member| member.kind(Kind::Object));
        // Inside what was always null nothing could have been before.
        let could = profile.members.get(outer).is_some_and(|known| known.kind(Kind::Object) > 0.0);
        if !could || *rows * 2 < objects || !(sure || same) {
            continue;
        }
        let usual = page.member(pointer).and_then(Member::usual);
        let instant = page.field(pointer).map(|field| field.role) == Some(FieldRole::Instant);
        facing.say(Finding {
            kind: DriftKind::FieldAdded,
            pointer: pointer.clone(),
            before: "nothing".to_owned(),
            after: usual.map_or("null", |(kind, _)| kind.name()).to_owned(),
            severity: DriftSeverity::Info,
            rows: *rows,
            confidence: if same || page.rows >= ROWS { 1.0 } else { 0.9 },
            suggestion: if instant {
                "The member is read from now on: accept the change.".to_owned()
            } else {
                "Nothing reads the member yet: accept the change.".to_owned()
            },
        });
    }
}
