//! Requests of one client over a window, in slots of time.

/// Slots that count: the present one and the fifteen before it, each a fifteenth of a window or longer. So
/// whatever two requests lie within one window, the first is still counted when the second comes.
pub(super) const SLOTS: u64 = 16;
/// Slots in a window.
pub(super) const SLOTS_PER_WINDOW: u64 = SLOTS - 1;

/// What was counted of one client.
#[derive(Debug, Clone, Default)]
pub(super) struct Slots {
    /// The newest slot that was looked at.
    newest: u64,
    /// By slot: what is known of all processes.
    counted: [u32; SLOTS as usize],
    /// By slot: what the store was not told yet.
    untold: [u32; SLOTS as usize],
    /// Of those in `untold`, and of those that the store is being told, how many there are.
    unconfirmed: u32,
}

/// Requests of one slot, as they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) slot: u64,
    pub(super) requests: u32,
}

const fn place(slot: u64) -> usize {
    (slot % SLOTS) as usize
}

impl Slots {
    /// Brings the slots to the present one; time that goes back a little stays where it was.
    pub(super) fn advance(&mut self, slot: u64) {
        let passed = slot.saturating_sub(self.newest).min(SLOTS);
        for step in 0..passed {
            // Those that begin now take the places of those that are over.
            let place = place(slot - step);
            if let Some(counted) = self.counted.get_mut(place) {
                *counted = 0;
            }
            if let Some(untold) = self.untold.get_mut(place) {
                self.unconfirmed = self.unconfirmed.saturating_sub(*untold);
                *untold = 0;
            }
        }
        self.newest = self.newest.max(slot);
    }

    /// Requests that count.
    pub(super) fn total(&self) -> u64 {
        self.counted.iter().map(|requests| u64::from(*requests)).sum()
    }

    /// Requests that the store has not confirmed.
    pub(super) const fn unconfirmed(&self) -> u32 {
        self.unconfirmed
    }

    /// Counts a request in the newest slot.
    pub(super) fn count(&mut self) {
        let place = place(self.newest);
        if let Some(counted) = self.counted.get_mut(place) {
            *counted = counted.saturating_add(1);
        }
        if let Some(untold) = self.untold.get_mut(place) {
            *untold = untold.saturating_add(1);
        }
        self.unconfirmed = self.unconfirmed.saturating_add(1);
    }

    /// In which slot the oldest request that counts is not counted any more.
    pub(super) fn free_from(&self) -> u64 {
        let oldest = (0..SLOTS).rev().find(|age| {
            let slot = self.newest.checked_sub(*age);
            let counted = slot.and_then(|slot| self.counted.get(place(slot)));
            counted.is_some_and(|requests| *requests > 0)
        });
        self.newest.saturating_sub(oldest.unwrap_or_default()) + SLOTS
    }

    /// True where nothing counts any more at a slot.
    pub(super) const fn over(&self, slot: u64) -> bool {
        slot >= self.newest.saturating_add(SLOTS)
    }

    /// What the store is to be told now. It stays unconfirmed until [`Slots::confirm`].
    pub(super) fn tell(&mut self) -> impl Iterator<Item = Told> + use<> {
        let untold = std::mem::take(&mut self.untold);
        let newest = self.newest;
        (0..SLOTS).filter_map(move |age| {
            let slot = newest.checked_sub(age)?;
            let requests = *untold.get(place(slot))?;
            (requests > 0).then_some(Told { slot, requests })
        })
    }

    /// The store was told this.
    pub(super) const fn confirm(&mut self, told: Told) {
        self.unconfirmed = self.unconfirmed.saturating_sub(told.requests);
    }

    /// The store could not be told this: it is to be told later.
    pub(super) fn untell(&mut self, told: Told) {
        match self.untold.get_mut(place(told.slot)) {
            Some(untold) if self.newest.saturating_sub(told.slot) < SLOTS => {
                *untold = untold.saturating_add(told.requests);
            }
            // It counts no more, so nobody needs to know.
            _ => self.confirm(told),
        }
    }

    /// Learns what all processes together made in a slot, as far as the store was told.
    pub(super) fn learn(&mut self, slot: u64, requests: u64) {
        self.advance(slot);
        if !self.kept(slot) {
            return;
        }
        let untold = self.untold.get(place(slot)).copied().unwrap_or_default();
        let all = u32::try_from(requests).unwrap_or(u32::MAX).saturating_add(untold);
        if let Some(counted) = self.counted.get_mut(place(slot)) {
            // A count only grows: an answer that is older than what is known changes nothing.
            *counted = all.max(*counted);
        }
    }

    const fn kept(&self, slot: u64) -> bool {
        slot <= self.newest && self.newest - slot < SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(slot: u64, requests: u32) -> Slots {
        let mut slots = Slots::default();
        slots.advance(slot);
        (0..requests).for_each(|_| slots.count());
        slots
    }

    #[test]
    fn a_request_counts_in_its_slot_and_the_fifteen_after_it() {
        let mut slots = at(100, 3);
        slots.advance(107);
        slots.count();
        slots.advance(115);
        assert_eq!((slots.total(), slots.free_from()), (4, 116));
        slots.advance(116);
        assert_eq!((slots.total(), slots.free_from()), (1, 123));
        slots.advance(114);
        slots.count();
        assert_eq!((slots.total(), slots.free_from()), (2, 123), "time does not go back");
        assert!(!slots.over(131) && slots.over(132));
        slots.advance(10_000);
        assert_eq!((slots.total(), slots.unconfirmed()), (0, 0));
    }

    #[test]
    fn what_is_told_is_unconfirmed_until_the_store_has_it() {
        let mut slots = at(20, 2);
        slots.advance(21);
        slots.count();
        let told: Vec<_> = slots.tell().collect();
        assert_eq!(told, [Told { slot: 21, requests: 1 }, Told { slot: 20, requests: 2 }]);
        assert_eq!((slots.tell().count(), slots.unconfirmed()), (0, 3));
        slots.count();
        slots.confirm(told[1]);
        assert_eq!(slots.unconfirmed(), 2);
        slots.untell(told[0]);
        assert_eq!(slots.tell().collect::<Vec<_>>(), [Told { slot: 21, requests: 2 }]);
        assert_eq!(slots.total(), 4);
    }

    #[test]
    fn what_others_made_is_learnt_beside_what_was_not_told_yet() {
        let mut slots = at(20, 2);
        let told: Vec<_> = slots.tell().collect();
        slots.count();
        // Ten of all processes, our two among them; the third is not told yet.
        slots.learn(20, 10);
        slots.confirm(told[0]);
        assert_eq!(slots.total(), 11);
        slots.learn(20, 4);
        slots.learn(4, 50);
        assert_eq!(slots.total(), 11, "neither what is older nor what is over");
        slots.learn(5, 50);
        assert_eq!(slots.total(), 61);
        slots.learn(21, 1);
        assert_eq!(slots.total(), 12, "slot 5 is over in slot 21");
    }
}
