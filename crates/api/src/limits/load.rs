//! How many requests are under way.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Places beyond the bound, for health checks, metrics and keys that may operate: whoever looks after a server
/// that is overrun must be able to.
const RESERVE: usize = 64;

/// Requests under way in this process, and how many may be.
#[derive(Debug)]
pub(crate) struct Load {
    under_way: AtomicUsize,
    most: usize,
}

/// Who may have a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Anybody.
    Free,
    /// Those for whom places are kept.
    Reserved,
    /// Nobody.
    None,
}

impl Load {
    /// No request yet, of so many at most.
    pub(crate) const fn new(most: usize) -> Self {
        Self { under_way: AtomicUsize::new(0), most }
    }

    /// A request begins. It has to [`Load::leave`] in the end, also where there was no room for it.
    pub(crate) fn enter(&self) -> Room {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        if before < self.most {
            Room::Free
        } else if before < self.most.saturating_add(RESERVE) {
            Room::Reserved
        } else {
            Room::None
        }
    }

    /// A request ends.
    pub(crate) fn leave(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// Requests under way.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a10_beyond_the_bound_there_is_a_reserve_and_then_nothing() {
        let load = Load::new(2);
        assert_eq!([load.enter(), load.enter()], [Room::Free, Room::Free]);
        assert!((0..RESERVE).all(|_| load.enter() == Room::Reserved));
        assert_eq!(load.enter(), Room::None);
        load.leave();
        load.leave();
        assert_eq!(load.enter(), Room::Reserved);
        (0..=RESERVE).for_each(|_| load.leave());
        assert_eq!((load.under_way(), load.enter()), (1, Room::Free));
    }
}
