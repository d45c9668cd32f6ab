//! How a question is answered: which index is walked, and what is tested on the way.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use kasparro_domain::ListingId;

use crate::condition::{Candidates, Condition};
use crate::key::{Field, UNKNOWN};
use crate::rows::slot;
use crate::walk::Span;
use crate::{ListingPage, ListingQuery, Order, Snapshot, SortKey, Start};

/// Up to so many rows are sorted; more are found along the index that has them in order.
pub(crate) const SORT_AT_MOST: usize = 1_500;
/// Collecting and sorting a row costs about as much as testing so many on a walk.
const SORT_COST: usize = 6;
/// Above one row in so many, texts are searched chunk by chunk and not row by row.
const SEARCH_ALL_FRACTION: usize = 16;
/// Above one row in so many, passing over all rows as they lie is quicker than visiting some of them
/// in the order of a range's values.
const PASS_OVER_FRACTION: usize = 8;

/// Which part of the ordered rows an answer holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Rows before this slot are left out, though they count.
    pub(crate) from: u32,
    /// So many are left out of what remains.
    pub(crate) skip: usize,
    /// At most so many are taken.
    pub(crate) take: usize,
}

/// Slots on their way into an answer.
pub(crate) struct Answer {
    window: Window,
    pub(crate) slots: Vec<u32>,
}

impl Answer {
    pub(crate) const fn new(window: Window) -> Self {
        Self { window, slots: Vec::new() }
    }

    /// Takes a slot that is due; stops the walk once the answer is full.
    pub(crate) fn offer(&mut self, slot: u32) -> ControlFlow<()> {
        if self.slots.len() == self.window.take {
            return ControlFlow::Break(());
        }
        if slot < self.window.from {
            return ControlFlow::Continue(());
        }
        if self.window.skip > 0 {
            self.window.skip -= 1;
            return ControlFlow::Continue(());
        }
        self.slots.push(slot);
        if self.slots.len() == self.window.take {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl Snapshot {
    /// Answers a question. [`Start::After`] begins at the front in any order but the default one.
    #[must_use]
    pub fn page(&self, query: &ListingQuery) -> ListingPage {
        // One more than asked for tells whether more follow.
        let mut window = Window { from: 0, skip: 0, take: query.limit.saturating_add(1) };
        match query.start {
            Start::Offset(offset) => window.skip = usize::try_from(offset).unwrap_or(usize::MAX),
            Start::After(id) if query.sort == SortKey::Id && query.order == Order::Ascending => {
                window.from =
                    id.0.checked_add(1)
                        .map_or(slot(self.rows.len()), |next| self.rows.slot_from(ListingId(next)));
            }
            Start::After(_) => {}
        }
        let condition = Condition::new(self, &query.filter);
        let (mut slots, total) = if condition.hopeless() {
            (Vec::new(), 0)
        } else {
            self.answer(&condition, query.sort, query.order, window)
        };
        let more = slots.len() > query.limit;
        slots.truncate(query.limit);
        let rows = slots.iter().filter_map(|slot| self.rows.row(*slot)).map(Arc::clone).collect();
        ListingPage { rows, total: total as u64, more }
    }

    /// The slots of every row that fulfils a condition, by ascending id.
    pub(crate) fn slots(&self, condition: &Condition<'_>) -> Vec<u32> {
        if condition.hopeless() {
            return Vec::new();
        }
        let window = Window { from: 0, skip: 0, take: usize::MAX };
        self.answer(condition, SortKey::Id, Order::Ascending, window).0
    }

    fn answer(
        &self,
        condition: &Condition<'_>,
        sort: SortKey,
        order: Order,
        window: Window,
    ) -> (Vec<u32>, usize) {
        let candidates = condition.candidates(self);
        if !condition.needles.is_empty() || candidates.len() > 1 {
            let matches = self.matches(condition, candidates.first());
            let total = matches.len();
            return (self.ordered(matches, condition.all, sort, order, window), total);
        }
        let Some(candidates) = candidates.first() else {
            let total = if condition.all { self.rows.len() } else { self.rows.priced() };
            return (self.unfiltered(condition.all, sort, order, window, total), total);
        };
        (self.of_one_index(condition, candidates, sort, order, window), candidates.count)
    }

    /// Every row, in order.
    fn unfiltered(
        &self,
        all: bool,
        sort: SortKey,
        order: Order,
        window: Window,
        total: usize,
    ) -> Vec<u32> {
        if window.skip >= total {
            return Vec::new();
        }
        let Some(index) = Field::of(sort).and_then(|field| self.index(field)) else {
            let mut answer = Answer::new(Window { skip: 0, ..window });
            let mut visit = |slot| answer.offer(slot);
            let _ = match order {
                Order::Ascending => {
                    let start = self.rows.select(window.skip, all).max(window.from);
                    self.rows.walk_up(start, all, &mut visit)
                }
                Order::Descending => {
                    let last = self.rows.select(total - 1 - window.skip, all);
                    self.rows.walk_down(last + 1, all, &mut visit)
                }
            };
            return answer.slots;
        };
        let everything = 0..index.len();
        self.along(index, &[everything], all, order, window)
    }

    /// The rows that one index knows to fit.
    fn of_one_index(
        &self,
        condition: &Condition<'_>,
        candidates: &Candidates<'_>,
        sort: SortKey,
        order: Order,
        window: Window,
    ) -> Vec<u32> {
        if window.skip >= candidates.count {
            return Vec::new();
        }
        let (index, all) = (candidates.index, condition.all);
        if Field::of(sort) == Some(index.field) {
            return self.along(index, &candidates.spans, all, order, window);
        }
        if sort == SortKey::Id && candidates.one_value {
            return self.posted(candidates, all, order, window);
        }
        // Along the sort order one row in `rows / count` fits.
        let due = window.skip.saturating_add(window.take).min(candidates.count);
        let rows = if all { self.rows.len() } else { self.rows.priced() };
        let steps = due.saturating_mul(rows) / candidates.count.max(1);
        if candidates.count <= SORT_AT_MOST && candidates.count * SORT_COST <= steps {
            let slots = candidates.slots(all).collect();
            return self.ordered(slots, all, sort, order, window);
        }
        self.sifted(all, sort, order, window, |slot| condition.fits(slot))
    }

    /// The rows that pass a test, found along the sort order.
    fn sifted(
        &self,
        all: bool,
        sort: SortKey,
        order: Order,
        window: Window,
        fits: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let mut answer = Answer::new(window);
        let mut visit = |slot| {
            if fits(slot) { answer.offer(slot) } else { ControlFlow::Continue(()) }
        };
        let _ = match (Field::of(sort).and_then(|field| self.index(field)), order) {
            (Some(index), _) => {
                let span = Span { positions: 0..index.len(), all };
                index.walk(&span, order, 0, &self.rows, &mut visit)
            }
            (None, Order::Ascending) => self.rows.walk_up(window.from, all, &mut visit),
            (None, Order::Descending) => {
                self.rows.walk_down(slot(self.rows.len()), all, &mut visit)
            }
        };
        answer.slots
    }

    /// Slots of all rows that fulfil several conditions: the most selective one says which to test.
    fn matches(&self, condition: &Condition<'_>, fewest: Option<&Candidates<'_>>) -> Vec<u32> {
        let count = fewest.map_or(usize::MAX, |candidates| candidates.count);
        let rows = if condition.all { self.rows.len() } else { self.rows.priced() };
        let search_all = count > rows / SEARCH_ALL_FRACTION;
        if let Some(needle) = condition.needles.first().filter(|_| search_all) {
            let mut matches = Vec::new();
            for (first, chunk) in self.rows.folded(condition.all) {
                chunk.search(needle, |row| {
                    let slot = first + slot(row);
                    if condition.fits(slot) {
                        matches.push(slot);
                    }
                });
            }
            return matches;
        }
        let Some(fewest) = fewest else {
            return Vec::new();
        };
        if !fewest.one_value && count > rows / PASS_OVER_FRACTION {
            let mut matches = Vec::new();
            let _ = self.rows.walk_up(0, condition.all, &mut |slot| {
                if condition.fits(slot) {
                    matches.push(slot);
                }
                ControlFlow::Continue(())
            });
            return matches;
        }
        fewest.slots(condition.all).filter(|slot| condition.fits(*slot)).collect()
    }

    /// The window of slots that are in any order, brought into the one asked for.
    pub(crate) fn ordered(
        &self,
        mut slots: Vec<u32>,
        all: bool,
        sort: SortKey,
        order: Order,
        window: Window,
    ) -> Vec<u32> {
        if window.skip >= slots.len() {
            return Vec::new();
        }
        let Some(field) = Field::of(sort) else {
            slots.sort_unstable();
            if order == Order::Descending {
                slots.reverse();
            }
            let due = slots.into_iter().filter(|slot| *slot >= window.from);
            return due.skip(window.skip).take(window.take).collect();
        };
        if slots.len() > SORT_AT_MOST {
            let mut wanted = vec![0_u64; self.rows.len().div_ceil(64)];
            for slot in slots {
                if let Some(word) = wanted.get_mut(slot as usize / 64) {
                    *word |= 1 << (slot % 64);
                }
            }
            let fits = |slot: u32| {
                wanted.get(slot as usize / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1)
            };
            return self.sifted(all, sort, order, window, fits);
        }
        let mut keyed: Vec<(u64, u32)> =
            slots.into_iter().map(|slot| (self.rows.key(field, slot), slot)).collect();
        let due = window.skip.saturating_add(window.take);
        let compare =
            |left: &(u64, u32), right: &(u64, u32)| self.compare(field, order, *left, *right);
        if due < keyed.len() {
            keyed.select_nth_unstable_by(due, compare);
            keyed.truncate(due);
        }
        keyed.sort_unstable_by(compare);
        keyed.into_iter().skip(window.skip).map(|(_, slot)| slot).collect()
    }

    /// Orders two rows by a field: unknown values last, equal ones by ascending slot.
    fn compare(&self, field: Field, order: Order, left: (u64, u32), right: (u64, u32)) -> Ordering {
        let unknown = (left.0 == UNKNOWN).cmp(&(right.0 == UNKNOWN));
        unknown
            .then_with(|| {
                let values = left.0.cmp(&right.0).then_with(|| {
                    let right = self.rows.exact(field, right.1);
                    self.rows.exact(field, left.1).compare(right)
                });
                if order == Order::Descending { values.reverse() } else { values }
            })
            .then_with(|| left.1.cmp(&right.1))
    }
}
