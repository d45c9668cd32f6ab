//! Slots by a clock that nobody can set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use kasparro_domain::Timestamp;

use super::slots::SLOTS_PER_WINDOW;

/// The time in which requests are counted: that of the store when it was asked last, and what a clock that
/// is never set has measured since.
///
/// Slots here go on evenly. Where the clock of the store is set to another time, only the numbers change by
/// which slots are exchanged with it: nothing that was counted becomes older or younger.
#[derive(Debug)]
pub(super) struct SlotClock {
    slot_ms: i64,
    started: Instant,
    /// The time at `started`, in milliseconds.
    base_ms: AtomicI64,
    /// What is added to a slot of ours to have its number in the store.
    ahead: AtomicI64,
}

impl SlotClock {
    /// A clock that starts at an instant, which is `now` until the store says otherwise.
    pub(super) fn new(window: Duration, started: Instant, now: Timestamp) -> Self {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX / 4);
        let slots = i64::try_from(SLOTS_PER_WINDOW).unwrap_or(1);
        Self {
            // Rounded up: slots may count for longer than a window, never for less.
            slot_ms: (window_ms.saturating_add(slots - 1) / slots).max(1),
            started,
            base_ms: AtomicI64::new(now.as_millis().max(0)),
            ahead: AtomicI64::new(0),
        }
    }

    /// The slot of an instant.
    pub(super) fn slot(&self, at: Instant) -> u64 {
        u64::try_from(self.now_ms(at) / self.slot_ms).unwrap_or_default()
    }

    /// Seconds until a slot begins, one at least.
    pub(super) fn seconds_until(&self, slot: u64, at: Instant) -> u64 {
        let begins_ms = i64::try_from(slot).unwrap_or(i64::MAX).saturating_mul(self.slot_ms);
        let wait_ms = begins_ms.saturating_sub(self.now_ms(at));
        u64::try_from(wait_ms).unwrap_or_default().div_ceil(1_000).max(1)
    }

    /// When a slot begins in the time of the store.
    pub(super) fn stored(&self, slot: u64) -> Option<Timestamp> {
        let number = i64::try_from(slot).ok()?.checked_add(self.ahead.load(Ordering::Relaxed))?;
        Timestamp::from_millis(number.checked_mul(self.slot_ms)?).ok()
    }

    /// The slot that began at an instant of the store.
    pub(super) fn of_stored(&self, slot_at: Timestamp) -> Option<u64> {
        let number = slot_at.as_millis().div_euclid(self.slot_ms);
        u64::try_from(number.checked_sub(self.ahead.load(Ordering::Relaxed))?).ok()
    }

    /// Takes over the time of the store, which is now.
    pub(super) fn set(&self, now: Timestamp, at: Instant) {
        let ahead = self.ahead.load(Ordering::Relaxed);
        let here_ms = self.now_ms(at).saturating_add(ahead.saturating_mul(self.slot_ms));
        let off_ms = now.as_millis().saturating_sub(here_ms);
        // A little is how exactly clocks go. What is more was set: whole slots are skipped, and the rest
        // makes the present slot longer, never shorter.
        let little = off_ms.abs() < self.slot_ms / 4;
        let skipped = if little { 0 } else { -((-off_ms).div_euclid(self.slot_ms)) };
        self.ahead.store(ahead.saturating_add(skipped), Ordering::Relaxed);
        let rest_ms = off_ms.saturating_sub(skipped.saturating_mul(self.slot_ms));
        self.base_ms.fetch_add(rest_ms, Ordering::Relaxed);
    }

    fn now_ms(&self, at: Instant) -> i64 {
        let passed = at.saturating_duration_since(self.started).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        self.base_ms.load(Ordering::Relaxed).saturating_add(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn ms(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    #[test]
    fn a_slot_is_a_fifteenth_of_a_window_or_longer() {
        let start = Instant::now();
        let clock = SlotClock::new(Duration::from_secs(900), start, ms(120_000));
        assert_eq!(clock.slot(start), 2);
        assert_eq!(clock.slot(start + Duration::from_millis(59_999)), 2);
        assert_eq!(clock.slot(start + Duration::from_secs(60)), 3);
        assert_eq!(clock.seconds_until(3, start + Duration::from_millis(1)), 60);
        assert_eq!(clock.seconds_until(1, start), 1);
        assert_eq!(clock.stored(2), Some(ms(120_000)));
        assert_eq!(clock.of_stored(ms(179_999)), Some(2));
        let odd = SlotClock::new(Duration::from_millis(16), start, ms(0));
        assert_eq!(odd.slot_ms, 2);
    }

    #[test]
    fn i20_a_clock_that_is_set_changes_numbers_and_no_ages() {
        let start = Instant::now();
        for jump_ms in [HOUR_MS, -HOUR_MS, HOUR_MS + 20_000, -HOUR_MS - 20_000, 20_000, -20_000] {
            let clock = SlotClock::new(Duration::from_secs(900), start, ms(10 * HOUR_MS));
            let before = clock.slot(start);
            clock.set(ms(10 * HOUR_MS + jump_ms), start);
            let after = clock.slot(start);
            assert!(after == before || after + 1 == before, "{jump_ms}: {before} became {after}");
            let stored = clock.stored(after).unwrap().as_millis();
            let present = 10 * HOUR_MS + jump_ms;
            assert!(stored <= present && present < stored + 60_000, "{jump_ms}: {stored}");
            assert_eq!(clock.of_stored(ms(present)), Some(after), "{jump_ms}");
        }
    }

    #[test]
    fn clocks_that_go_a_little_differently_are_followed() {
        let start = Instant::now();
        let clock = SlotClock::new(Duration::from_secs(900), start, ms(600_000));
        for second in 1..=1_000 {
            let passed_ms = 1_000 * second;
            clock.set(
                ms(600_000 + passed_ms + 2 * second),
                start + Duration::from_secs(second as u64),
            );
        }
        let now = start + Duration::from_secs(1_000);
        assert_eq!(clock.now_ms(now), 600_000 + 1_000_000 + 2_000);
        assert_eq!(clock.ahead.load(Ordering::Relaxed), 0);
    }
}
