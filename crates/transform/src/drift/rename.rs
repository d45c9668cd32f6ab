//! Finds what is gone under another name, by name, kind and values, one to one.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};
use pathfinding::matrix::Matrix;
use pathfinding::prelude::kuhn_munkres;

use super::anchor;
use super::compare::Facing;
use super::event::Finding;
use super::kind::{Kind, ZERO};
use super::learned::Learned;
use super::limits::{NAME_BLIND, PAIRS, POWER_MEDIAN_MOST, POWER_ROW, RENAMED, RENAMED_BLIND};
use super::member::Member;
use super::names::{alike, leaf};
use super::page::within;

/// The most members of a side that are matched; far more means another endpoint.
const MOST: usize = 40;
/// A shared value counts as equal within this, thousandths of a decade: what rounding does.
const EQUAL: i64 = 2;
/// The least tolerance for a move between two pages: 5 %.
const MOVE: i64 = 20;

pub(super) fn changes(
    facing: &mut Facing<'_>,
    gone: &BTreeSet<String>,
    new: &mut BTreeMap<String, usize>,
) {
    objects(facing, gone, new);
    let old: Vec<&String> =
        gone.iter().filter(|pointer| !facing.explained(pointer)).take(MOST).collect();
    let fresh: Vec<String> = new
        .iter()
        .filter(|(pointer, _)| !facing.explained(pointer))
        .map(|(pointer, _)| pointer.clone())
        .take(MOST)
        .collect();
    if old.is_empty() || fresh.is_empty() {
        return;
    }
    // Square, so that everything may also stay without a partner.
    let size = old.len().max(fresh.len());
    let scores =
        Matrix::from_fn(size, size, |(row, column)| match (old.get(row), fresh.get(column)) {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 10,000")]
            (Some(old), Some(new)) => (score(facing, old, new).unwrap_or(0.0) * 10_000.0) as i64,
            _ => 0,
        });
    let (_, partners) = kuhn_munkres(&scores);
    for (row, column) in partners.into_iter().enumerate() {
        let (Some(old), Some(fresh)) = (old.get(row), fresh.get(column)) else { continue };
        let sure = scores[(row, column)];
        if sure > 0 {
            say(facing, old, fresh, sure as f64 / 10_000.0);
            new.remove(fresh);
        }
    }
}

fn say(facing: &mut Facing<'_>, old: &str, fresh: &str, confidence: f64) {
    let reads = !facing.page.breaks(old).is_empty();
    facing.explain(fresh);
    facing.settle(Finding {
        kind: DriftKind::FieldRenamed,
        pointer: old.to_owned(),
        before: old.to_owned(),
        after: fresh.to_owned(),
        severity: if reads { DriftSeverity::Breaking } else { DriftSeverity::Info },
        rows: facing.page.member(fresh).map_or(0, |member| member.present),
        confidence,
        suggestion: format!(
            "{old} seems to be {fresh} now: read that member, then retry the page."
        ),
    });
}

/// Objects that were renamed with all that is inside them: what they hold is called the same.
fn objects(facing: &mut Facing<'_>, gone: &BTreeSet<String>, new: &mut BTreeMap<String, usize>) {
    let keys = |inside: &mut dyn Iterator<Item = &str>, outer: &str| -> BTreeSet<String> {
        inside
            .filter_map(|pointer| pointer.strip_prefix(outer))
            .filter(|rest| rest.starts_with('/'))
            .map(str::to_owned)
            .collect()
    };
    let old: Vec<(String, BTreeSet<String>)> = gone
        .iter()
        .map(|outer| (outer.clone(), keys(&mut gone.iter().map(String::as_str), outer)))
        .filter(|(_, keys)| !keys.is_empty())
        .collect();
    for (outer, inside) in old {
        if facing.explained(&outer) {
            continue;
        }
        let best = new
            .keys()
            .filter(|fresh| !facing.explained(fresh))
            .map(|fresh| {
                let other = keys(&mut new.keys().map(String::as_str), fresh);
                let shared = inside.intersection(&other).count() as f64;
                let all = inside.union(&other).count().max(1) as f64;
                (0.2 * alike(leaf(&outer), leaf(fresh)) + 0.8 * shared / all, fresh.clone())
            })
            .max_by(|(one, _), (other, _)| one.total_cmp(other));
        if let Some((sure, fresh)) = best.filter(|(sure, _)| *sure >= RENAMED) {
            say(facing, &outer, &fresh, sure);
            new.retain(|pointer, _| !within(pointer, &fresh));
        }
    }
}

/// How sure it is that `fresh` is what `old` was, 0 to 1; `None` where it is not sure enough.
fn score(facing: &Facing<'_>, old: &str, fresh: &str) -> Option<f64> {
    let learned = facing.profile.members.get(old)?;
    let member = facing.page.member(fresh)?;
    if member.present * 2 < member.of {
        return None;
    }
    let kind = kinds_alike(learned, member)?;
    let name = alike(leaf(old), leaf(fresh));
    if let Some(values) = rows_alike(facing, old, fresh) {
        let score = 0.35 * name + 0.15 * kind + 0.5 * values;
        return Some(score).filter(|score| *score >= RENAMED && values >= 0.3);
    }
    let values = spread_alike(facing, old, member)?;
    let score = 0.5 * name + 0.2 * kind + 0.3 * values;
    Some(score).filter(|score| *score >= RENAMED_BLIND && name >= NAME_BLIND)
}

/// 1 for the same kind, 0.5 for one that says the same otherwise.
fn kinds_alike(learned: &Learned, member: &Member) -> Option<f64> {
    // Its role is not known under the new name: what was read as a text or instant may look otherwise.
    let Some((before, _)) = learned.usual() else {
        return (member.known() == 0).then_some(1.0);
    };
    let (after, _) = member.usual()?;
    let like = before.numeric() && after.numeric()
        || before.instant() && after.instant()
        || before.unix() && after.numeric()
        || before == Kind::Text && (after.numeric() || after.instant());
    if before == after { Some(1.0) } else { like.then_some(0.5) }
}

/// The share of rows found again in which the new member holds what the old one held; `None` where
/// too few rows were found or the old values are not remembered row by row.
fn rows_alike(facing: &Facing<'_>, old: &str, fresh: &str) -> Option<f64> {
    let tracked = facing.profile.tracked.iter().position(|pointer| pointer == old)?;
    let place = facing.page.place(fresh)?;
    let usual = anchor::usual_move(facing.profile, tracked);
    let most = if facing.far_apart { POWER_MEDIAN_MOST } else { 4 * usual };
    let tolerance = most.clamp(MOVE, POWER_MEDIAN_MOST);
    let (mut had, mut sum) = (0_usize, 0.0);
    for pair in &facing.pairs {
        let Some(before) = pair.before.4.get(tracked).copied().flatten() else { continue };
        let value = pair.now.value(place);
        had += 1;
        let Some(value) = value.filter(|value| value.kind.known()) else { continue };
        let number = value.kind.numeric() && learned_numeric(facing, old);
        sum += match number {
            true if (before == ZERO) != (value.code == ZERO) => 0.0,
            true if (before - value.code).abs() <= EQUAL => 1.0,
            true if (before - value.code).abs() <= tolerance => 0.85,
            // Over a month volumes double and halve.
            true if facing.far_apart && (before - value.code).abs() <= POWER_ROW => 0.6,
            true => 0.0,
            // Texts are remembered by their hash.
            false => f64::from(u8::from(before == i64::from(value.exact))),
        };
    }
    (had >= PAIRS).then(|| sum / had as f64)
}

fn learned_numeric(facing: &Facing<'_>, pointer: &str) -> bool {
    let usual = facing.profile.members.get(pointer).and_then(Learned::usual);
    usual.is_some_and(|(kind, _)| kind.numeric())
}

/// How alike the spreads of values are; `None` where they contradict each other.
fn spread_alike(facing: &Facing<'_>, old: &str, member: &Member) -> Option<f64> {
    let learned = facing.profile.members.get(old)?;
    if facing
        .page
        .mapped
        .iter()
        .any(|field| field.pointer == old && field.role == FieldRole::Instant)
    {
        // The instant of an observation is near the fetch, that of a birth or a record is not.
        return Some(if member.fresh * 2 >= member.known() { 1.0 } else { 0.3 });
    }
    if let (Some(range), Some(median)) = (learned.medians, member.median(1)) {
        let near = median >= range.low - 0.7 && median <= range.high + 0.7;
        return near.then_some(1.0);
    }
    if !learned.texts.is_empty() {
        let shared = member.texts.keys().filter(|text| learned.texts.contains_key(*text)).count();
        let share = shared as f64 / member.texts.len().max(1) as f64;
        return (share > 0.0 || member.texts.is_empty()).then_some(share);
    }
    // Many texts, flags or instants: nothing speaks against it.
    Some(0.7)
}

/// Where inside an object the value went that stood in its place.
pub(super) fn inside(facing: &Facing<'_>, pointer: &str) -> Option<String> {
    let learned = facing.profile.members.get(pointer)?;
    let inner = format!("{pointer}/");
    facing
        .page
        .iter()
        .filter(|(place, _)| place.starts_with(&inner))
        .filter_map(|(place, member)| {
            let kind = kinds_alike(learned, member)?;
            let values = rows_alike(facing, pointer, place)
                .or_else(|| spread_alike(facing, pointer, member))
                .unwrap_or(0.0);
            Some((values + 0.1 * kind, place))
        })
        .filter(|(score, _)| *score >= 0.5)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, place)| place.to_owned())
}
