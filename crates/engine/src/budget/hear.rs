//! Obeys what an upstream says about its limits.

use std::time::Duration;

use kasparro_domain::Timestamp;
use kasparro_extract::Limits;

use super::window::Window;
use super::{Budget, Quota, Told, windows_of};

/// A window of this length or more, up to 31 days, is the month.
const MONTH_FROM: Duration = Duration::from_secs(28 * 24 * 3600);

impl Budget {
    /// Takes in the limits that an answer stated: a smaller limit becomes ours, what others spent counts,
    /// and where nothing remains nothing is sent before the upstream begins anew.
    pub(super) fn hear(&mut self, limits: &Limits, now: Timestamp, told: &Told) {
        for quota in &told.quotas {
            if let (Some(0), Some(delay)) = (quota.remaining, quota.reset_after) {
                self.pauses.asked_for(delay, now);
            }
            if quota.window.is_some_and(|window| window >= MONTH_FROM) {
                if let Some(configured) = limits.credits_per_month {
                    self.month.told(configured, quota.limit, quota.remaining);
                }
                continue;
            }
            self.hear_window(limits, now, quota);
        }
    }

    fn hear_window(&mut self, limits: &Limits, now: Timestamp, quota: &Quota) {
        let windows = windows_of(limits);
        let known = |window: &&mut Window| windows.iter().any(|of| window.is(of));
        let fits = |window: &&mut Window| match (quota.window, quota.reset_after) {
            (Some(span), _) => window.span() == span,
            // Without its length it is the shortest one that can end that late.
            (None, Some(reset)) => window.span() >= reset,
            (None, None) => windows.len() == 1,
        };
        let weighed = quota.used_weight.is_some();
        let window = self
            .windows
            .iter_mut()
            .filter(known)
            .filter(fits)
            .min_by_key(|window| (window.span(), window.is_weighed() != weighed));
        let Some(window) = window else { return };
        if let Some(limit) = quota.limit {
            window.state(limit, quota.window.is_some());
        }
        let most = u64::from(window.most());
        let used = quota.remaining.map(|remaining| most.saturating_sub(u64::from(remaining)));
        let used = used.max(quota.used_weight.map(u64::from));
        window.raise_to(used.unwrap_or_default(), &self.flights, now);
    }
}
