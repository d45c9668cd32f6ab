//! Keeps a request limit as a sliding window.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// At most so many requests in any window of a minute, without the double burst that a refilled
/// bucket allows at its edge.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    window: Duration,
    sent: Mutex<VecDeque<Instant>>,
}

impl Pace {
    pub(crate) fn per_minute(limit: u32) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        Self { limit, window: Duration::from_secs(60), sent: Mutex::default() }
    }

    /// Takes a place in the window: how long to wait before the request may be sent. The place counts
    /// from the moment the wait ends, so callers must wait it out.
    pub(crate) fn reserve(&self, now: Instant) -> Duration {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while sent.front().is_some_and(|first| *first + self.window <= now) {
            sent.pop_front();
        }
        let at = match sent.len().checked_sub(self.limit).and_then(|index| sent.get(index)) {
            Some(blocking) => (*blocking + self.window).max(now),
            None => now,
        };
        sent.push_back(at);
        at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn i10_no_window_of_a_minute_ever_holds_more_than_the_limit(
            limit in 1_u32..8,
            gaps_ms in proptest::collection::vec(0_u64..40_000, 1..60),
        ) {
            let pace = Pace::per_minute(limit);
            let mut now = Instant::now();
            let mut sent = Vec::new();
            for gap in gaps_ms {
                now += Duration::from_millis(gap);
                sent.push(now + pace.reserve(now));
            }
            sent.sort();
            for (index, first) in sent.iter().enumerate() {
                let within = sent[index..].iter().take_while(|at| **at - *first < pace.window).count();
                prop_assert!(within <= limit as usize);
            }
        }
    }

    #[test]
    fn the_first_requests_of_a_minute_do_not_wait() {
        let pace = Pace::per_minute(2);
        let now = Instant::now();
        assert_eq!(pace.reserve(now), Duration::ZERO);
        assert_eq!(pace.reserve(now), Duration::ZERO);
        assert_eq!(pace.reserve(now), Duration::from_secs(60));
        assert_eq!(pace.reserve(now + Duration::from_secs(61)), Duration::ZERO);
    }
}
