//! The rows that one index knows to fit: found along it, or merged from its values' lists.

use std::ops::{ControlFlow, Range};

use crate::condition::Candidates;
use crate::index::Index;
use crate::plan::{Answer, SORT_AT_MOST, Window};
use crate::rows::slot;
use crate::walk::Span;
use crate::{Order, Snapshot, SortKey};

/// Merging a row costs about as much as collecting and sorting so many.
const MERGE_COST: usize = 16;

impl Candidates<'_> {
    /// Their slots, by ascending value, then slot; `all` includes rows without a quote.
    pub(crate) fn slots(&self, all: bool) -> impl Iterator<Item = u32> {
        let tags = self.spans.iter().flat_map(|span| self.index.tags(span.clone()));
        tags.filter(move |tag| all || tag.priced()).map(|tag| tag.slot())
    }
}

/// The rows of one value: they stand side by side in its index, by ascending slot.
struct Posting<'a> {
    index: &'a Index,
    all: bool,
    positions: Range<usize>,
}

impl Posting<'_> {
    /// The position of the first entry whose slot is this one or a greater one.
    fn position(&self, slot: u32) -> usize {
        let Range { start: mut low, end: mut high } = self.positions;
        // Most ask from the first row on.
        while slot > 0 && low < high {
            let middle = low.midpoint(high);
            match self.index.entry(middle) {
                Some(entry) if entry.tag.slot() < slot => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// How many rows have a smaller slot.
    fn before(&self, slot: u32) -> usize {
        self.index.count(&(self.positions.start..self.position(slot)), self.all)
    }

    /// How many rows of the whole index stand before the first one with this slot or a greater one.
    fn ordinal(&self, slot: u32) -> usize {
        self.index.count_before(self.position(slot), self.all)
    }

    /// How many rows of the whole index stand before these, and before what follows them.
    fn ordinals(&self) -> Range<usize> {
        let before = |position| self.index.count_before(position, self.all);
        before(self.positions.start)..before(self.positions.end)
    }

    /// The slot of the row that so many of the whole index stand before.
    fn slot(&self, ordinal: usize) -> u32 {
        let entry = self.index.entry(self.index.select(ordinal, self.all));
        entry.map_or(u32::MAX, |entry| entry.tag.slot())
    }
}

impl Snapshot {
    /// The rows of some spans of an index, in its order.
    pub(crate) fn along(
        &self,
        index: &Index,
        spans: &[Range<usize>],
        all: bool,
        order: Order,
        window: Window,
    ) -> Vec<u32> {
        let mut answer = Answer::new(Window { skip: 0, ..window });
        let mut skip = window.skip;
        let mut walk = |positions: &Range<usize>| {
            let count = index.count(positions, all);
            if skip >= count {
                skip -= count;
                return ControlFlow::Continue(());
            }
            let span = Span { positions: positions.clone(), all };
            let skipped = std::mem::take(&mut skip);
            index.walk(&span, order, skipped, &self.rows, &mut |slot| answer.offer(slot))
        };
        let _ = match order {
            Order::Ascending => spans.iter().try_for_each(&mut walk),
            Order::Descending => spans.iter().rev().try_for_each(&mut walk),
        };
        answer.slots
    }

    /// The rows of some values, by id.
    pub(crate) fn posted(
        &self,
        candidates: &Candidates<'_>,
        all: bool,
        order: Order,
        window: Window,
    ) -> Vec<u32> {
        let index = candidates.index;
        let posting = |span: &Range<usize>| Posting { index, all, positions: span.clone() };
        let postings: Vec<Posting<'_>> = candidates.spans.iter().map(posting).collect();
        if let ([list], Order::Ascending) = (postings.as_slice(), order) {
            let due = list.position(window.from)..list.positions.end;
            return self.along(index, &[due], all, order, window);
        }
        let few = candidates.count <= SORT_AT_MOST;
        if postings.len() > 1 && (few || window.take >= candidates.count / MERGE_COST) {
            let slots = candidates.slots(all).collect();
            return self.ordered(slots, all, SortKey::Id, order, window);
        }
        match order {
            Order::Ascending => self.merged_up(&postings, window),
            Order::Descending => self.merged_down(&postings, candidates.count, window),
        }
    }

    fn merged_up(&self, postings: &[Posting<'_>], window: Window) -> Vec<u32> {
        let from = if window.skip == 0 {
            window.from
        } else {
            let passed: usize = postings.iter().map(|list| list.before(window.from)).sum();
            self.nth_slot(postings, passed.saturating_add(window.skip))
        };
        let mut lists: Vec<(&Posting<'_>, Range<usize>)> =
            postings.iter().map(|list| (list, list.ordinal(from)..list.ordinals().end)).collect();
        let mut slots = Vec::new();
        while slots.len() < window.take {
            let left = lists.iter_mut().filter(|(_, due)| !due.is_empty());
            let Some((slot, due)) =
                left.map(|(list, due)| (list.slot(due.start), due)).min_by_key(|(slot, _)| *slot)
            else {
                break;
            };
            slots.push(slot);
            due.start += 1;
        }
        slots
    }

    fn merged_down(&self, postings: &[Posting<'_>], count: usize, window: Window) -> Vec<u32> {
        let Some(first) = count.checked_sub(1).and_then(|last| last.checked_sub(window.skip))
        else {
            return Vec::new();
        };
        let behind = self.nth_slot(postings, first).saturating_add(1);
        let mut lists: Vec<(&Posting<'_>, Range<usize>)> = postings
            .iter()
            .map(|list| (list, list.ordinals().start..list.ordinal(behind)))
            .collect();
        let mut slots = Vec::new();
        while slots.len() < window.take {
            let left = lists.iter_mut().filter(|(_, due)| !due.is_empty());
            let Some((slot, due)) =
                left.map(|(list, due)| (list.slot(due.end - 1), due)).max_by_key(|(slot, _)| *slot)
            else {
                break;
            };
            slots.push(slot);
            due.end -= 1;
        }
        slots
    }

    /// The slot of the row that `n` others of these lists stand before; past every slot where there is
    /// none.
    fn nth_slot(&self, postings: &[Posting<'_>], n: usize) -> u32 {
        if let [list] = postings {
            let ordinals = list.ordinals();
            let ordinal = ordinals.start.saturating_add(n);
            return if ordinal < ordinals.end { list.slot(ordinal) } else { u32::MAX };
        }
        let (mut low, mut high) = (0, slot(self.rows.len()));
        while low < high {
            let middle = low.midpoint(high);
            let before: usize = postings.iter().map(|list| list.before(middle + 1)).sum();
            if before <= n { low = middle + 1 } else { high = middle }
        }
        low
    }
}
