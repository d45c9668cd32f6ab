//! Rows that are remembered by their id, so that pages are compared row by row.

use kasparro_domain::FieldRole;
use serde::{Deserialize, Serialize};

use super::kind::ZERO;
use super::limits::{MASKED, PAIRS, TRACKED};
use super::page::{Anchor, PageSample};
use super::profile::Profile;

/// What is remembered of a row: when it was fetched (Unix minutes), the mapped members that had a
/// value (bits), the digits of its price, a hash of all that is read from it, the tracked values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept(
    pub(super) i64,
    pub(super) u32,
    pub(super) u8,
    pub(super) u16,
    pub(super) Vec<Option<i64>>,
);

impl Kept {
    pub(super) fn of(page: &PageSample, anchor: &Anchor, places: &Places) -> Self {
        let values = places.tracked.iter().map(|place| anchor.value((*place)?));
        let values =
            values.map(|value| value.filter(|value| value.kind.known()).map(|value| value.code));
        Self(
            page.fetched_at.as_millis() / 60_000,
            places.mask(anchor),
            places.digits(anchor),
            anchor.hash,
            values.collect(),
        )
    }
}

/// Where on a page the members are that a profile follows row by row.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) tracked: Vec<Option<usize>>,
    pub(super) masked: Vec<Option<usize>>,
    price: Option<usize>,
}

impl Places {
    pub(super) fn of(profile: &Profile, page: &PageSample) -> Self {
        let price = page.mapped.iter().find(|field| field.role == FieldRole::Price);
        Self {
            tracked: profile.tracked.iter().map(|pointer| page.place(pointer)).collect(),
            masked: profile.masked.iter().map(|pointer| page.place(pointer)).collect(),
            price: price.and_then(|field| page.place(field.pointer)),
        }
    }

    pub(super) fn mask(&self, anchor: &Anchor) -> u32 {
        let known = |place: &Option<usize>| {
            place.and_then(|place| anchor.value(place)).is_some_and(|value| value.kind.known())
        };
        self.masked.iter().enumerate().fold(
            0,
            |mask, (bit, place)| {
                if known(place) { mask | 1 << bit } else { mask }
            },
        )
    }

    pub(super) fn digits(&self, anchor: &Anchor) -> u8 {
        self.price.and_then(|place| anchor.value(place)).map_or(0, |value| value.digits)
    }
}

/// A row of the page that is remembered from an earlier one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) before: &'a Kept,
    pub(super) now: &'a Anchor,
}

pub(super) fn pairs<'a>(profile: &'a Profile, page: &'a PageSample) -> Vec<Pair<'a>> {
    page.anchors
        .iter()
        .filter_map(|(id, now)| Some(Pair { before: profile.anchors.get(id)?, now }))
        .collect()
}

/// Which members to follow: values of numbers first, since markets are judged by them.
pub(super) fn tracked(page: &PageSample) -> Vec<&'static str> {
    let order = |role| match role {
        FieldRole::Price => 0,
        FieldRole::Amount => 1,
        FieldRole::Percent => 2,
        FieldRole::Rank => 3,
        FieldRole::Text => 4,
        FieldRole::Other => 5,
        FieldRole::Id | FieldRole::Instant => 9,
    };
    let mut fields: Vec<_> = page.mapped.iter().filter(|field| order(field.role) < 9).collect();
    fields.sort_by_key(|field| order(field.role));
    fields.iter().take(TRACKED).map(|field| field.pointer).collect()
}

pub(super) fn masked(page: &PageSample) -> Vec<&'static str> {
    page.mapped.iter().take(MASKED).map(|field| field.pointer).collect()
}

/// The magnitudes of one tracked member before and now, of rows that had a value other than zero at
/// both times.
pub(super) fn magnitudes(pairs: &[Pair<'_>], tracked: usize, place: usize) -> Vec<(i64, i64)> {
    pairs
        .iter()
        .filter_map(|pair| {
            let before = pair.before.4.get(tracked).copied().flatten()?;
            let now = pair.now.value(place).filter(|value| value.kind.numeric())?.code;
            (before != ZERO && now != ZERO).then_some((before, now))
        })
        .collect()
}

/// The middle value; 0 for none.
pub(super) fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How far a tracked member usually moves between pages, in thousandths of a decade.
pub(super) fn usual_move(profile: &Profile, tracked: usize) -> i64 {
    median(profile.moves.get(tracked).cloned().unwrap_or_default())
}

/// True when the rows found again were fetched far longer ago than usual.
pub(super) fn far_apart(profile: &Profile, page: &PageSample, pairs: &[Pair<'_>]) -> bool {
    let now = page.fetched_at.as_millis() / 60_000;
    let gap = median(pairs.iter().map(|pair| now - pair.before.0).collect());
    pairs.len() >= PAIRS
        && profile.cadence.usual_gap_s().is_none_or(|usual_s| gap * 60 > 3 * usual_s)
}
