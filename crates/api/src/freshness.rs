//! How long answers may be used without asking again.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::HeaderValue;
use kasparro_domain::Timestamp;

use crate::Shared;

/// How often the next scheduled run is looked up.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When data change next, as far as the schedule says.
#[derive(Debug)]
pub(crate) struct Freshness {
    max_age: Duration,
    /// Milliseconds since 1970; 0 where it is not known, and then nothing may be kept.
    next_run_at_ms: AtomicI64,
}

impl Freshness {
    /// Answers may be used for `max_age`, but never beyond the next scheduled run.
    pub(crate) const fn new(max_age: Duration) -> Self {
        Self { max_age, next_run_at_ms: AtomicI64::new(0) }
    }

    /// The header `Cache-Control` of an answer that is made now; `keyed` where the request brought a key.
    pub(crate) fn cache_control(&self, now: Timestamp, keyed: bool) -> HeaderValue {
        let left_ms = self.next_run_at_ms.load(Ordering::Relaxed).saturating_sub(now.as_millis());
        let left = Duration::from_millis(u64::try_from(left_ms).unwrap_or_default());
        let seconds = self.max_age.min(left).as_secs();
        if seconds == 0 {
            return HeaderValue::from_static("no-cache");
        }
        let whose = if keyed { "private, " } else { "" };
        HeaderValue::from_str(&format!("{whose}max-age={seconds}"))
            .unwrap_or(HeaderValue::from_static("no-cache"))
    }

    fn set(&self, next_run_at: Option<Timestamp>) {
        let millis = next_run_at.map_or(0, Timestamp::as_millis);
        self.next_run_at_ms.store(millis, Ordering::Relaxed);
    }
}

/// Looks the schedule up now and then; ends at once where nothing may be kept anyway.
pub(crate) async fn follow(shared: &Shared) {
    if shared.freshness.max_age.is_zero() {
        return;
    }
    loop {
        // Where the database is away no run can end either, but one may have ended just before.
        let states = shared.ask(shared.store.source_states()).await.unwrap_or_default();
        shared.freshness.set(states.into_iter().filter_map(|state| state.next_run_at).min());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + seconds * 1000).unwrap()
    }

    #[test]
    fn an_answer_is_never_kept_beyond_the_next_scheduled_run() {
        let freshness = Freshness::new(Duration::from_secs(60));
        assert_eq!(freshness.cache_control(at(0), false), "no-cache");
        freshness.set(Some(at(100)));
        assert_eq!(freshness.cache_control(at(0), false), "max-age=60");
        assert_eq!(freshness.cache_control(at(0), true), "private, max-age=60");
        assert_eq!(freshness.cache_control(at(90), false), "max-age=10");
        for late in [100, 200] {
            assert_eq!(freshness.cache_control(at(late), false), "no-cache");
        }
        freshness.set(None);
        assert_eq!(freshness.cache_control(at(0), false), "no-cache");
    }

    #[test]
    fn nothing_is_kept_unless_somebody_asks_for_it() {
        let freshness = Freshness::new(Duration::ZERO);
        freshness.set(Some(at(100)));
        assert_eq!(freshness.cache_control(at(0), false), "no-cache");
    }
}
