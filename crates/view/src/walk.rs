//! Walking an index in either direction, without sorting anything.

use std::ops::{ControlFlow, Range};

use crate::Order;
use crate::index::{Index, Place};
use crate::key::UNKNOWN;
use crate::rows::Rows;

/// Which entries of an index to visit.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    /// Positions; a group of equal values is never cut by it.
    pub(crate) positions: Range<usize>,
    /// True to visit rows without a quote too.
    pub(crate) all: bool,
}

impl Index {
    /// Visits the slots of a span after leaving out the first `skip`, until told to stop. Whatever the
    /// order, unknown values come last and equal values by ascending slot.
    pub(crate) fn walk(
        &self,
        span: &Span,
        order: Order,
        skip: usize,
        rows: &Rows,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Range { start, end } = span.positions;
        if order == Order::Ascending {
            return self.walk_up(start..end, span.all, skip, visit);
        }
        let known_end = self.position(UNKNOWN, |_| false).clamp(start, end.max(start));
        let known = self.count(&(start..known_end), span.all);
        if skip < known {
            self.walk_groups(start..known_end, span.all, skip, rows, visit)?;
        }
        self.walk_up(known_end..end, span.all, skip.saturating_sub(known), visit)
    }

    fn walk_up(
        &self,
        positions: Range<usize>,
        all: bool,
        skip: usize,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Without a quote nothing is visited, so the walk begins at the first row that has one.
        let from = if skip == 0 && all {
            positions.start
        } else {
            self.select(self.count_before(positions.start, all).saturating_add(skip), all)
        };
        if from >= positions.end {
            return ControlFlow::Continue(());
        }
        let first = self.place(from);
        let mut left = positions.end - from;
        for (at, block) in self.blocks.iter().enumerate().skip(first.block) {
            let offset = if at == first.block { first.offset } else { 0 };
            let len = block.tags.len() - offset.min(block.tags.len());
            if !all && self.priced_within(at) == 0 {
                left = left.saturating_sub(len);
                if left == 0 {
                    break;
                }
                continue;
            }
            for tag in block.tags.iter().skip(offset).take(left) {
                if all || tag.priced() {
                    visit(tag.slot())?;
                }
            }
            left = left.saturating_sub(len);
            if left == 0 {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// Visits known values from the largest, the rows of one value by ascending slot.
    fn walk_groups(
        &self,
        positions: Range<usize>,
        all: bool,
        skip: usize,
        rows: &Rows,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Counted from the end, the entry to begin with; but within its group the order runs upwards.
        let counted = self.count_before(positions.end, all);
        let Some(nth) = counted.checked_sub(skip + 1) else {
            return ControlFlow::Continue(());
        };
        let position = self.select(nth, all);
        let start = self.group_start(position, rows).max(positions.start);
        let end = self.group_end(position, rows).min(positions.end);
        let skipped_above = counted - self.count_before(end, all);
        self.walk_up(start..end, all, skip - skipped_above, visit)?;
        let mut end = start;
        while end > positions.start {
            let place = self.place(end - 1);
            end = self.walk_block(place, positions.start, all, rows, visit)?;
        }
        ControlFlow::Continue(())
    }

    /// Visits downwards from a place to the beginning of its block, or past it where a group begins
    /// before; returns the position of the last entry visited.
    fn walk_block(
        &self,
        place: Place,
        floor: usize,
        all: bool,
        rows: &Rows,
        visit: &mut dyn FnMut(u32) -> ControlFlow<()>,
    ) -> ControlFlow<(), usize> {
        let Some(block) = self.blocks.get(place.block) else {
            return ControlFlow::Continue(floor);
        };
        let mut offset = place.offset;
        loop {
            let position = self.position_at(Place { block: place.block, offset });
            let key = block.keys.get(offset);
            let alone = offset > 0 && block.keys.get(offset - 1) != key;
            if alone {
                if let Some(tag) = block.tags.get(offset).filter(|tag| all || tag.priced()) {
                    visit(tag.slot())?;
                }
            } else {
                let start = self.group_start(position, rows).max(floor);
                self.walk_up(start..position + 1, all, 0, visit)?;
                return ControlFlow::Continue(start);
            }
            if position <= floor || offset == 0 {
                return ControlFlow::Continue(position);
            }
            offset -= 1;
        }
    }

    /// The position behind the last entry with the same value as the one at a position.
    fn group_end(&self, position: usize, rows: &Rows) -> usize {
        let Some(entry) = self.entry(position) else {
            return position;
        };
        self.equal(entry.key, rows.exact(self.field, entry.tag.slot()), rows).end
    }
}
