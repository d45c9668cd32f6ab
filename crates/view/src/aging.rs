//! Judging the age of rows anew without visiting all of them.

use std::sync::Arc;

use kasparro_domain::Timestamp;

use crate::key::{Field, signed_key};
use crate::render::{Fresh, stale_before};
use crate::{Snapshot, ViewSettings};

impl Snapshot {
    /// Slots of rows that cross their source's age limit between the last judgement and `now`, with
    /// the new judgement. Only rows near a limit are visited.
    fn crossing(
        &self,
        settings: &ViewSettings,
        now: Timestamp,
    ) -> impl Iterator<Item = (u32, bool)> {
        let indexes = [self.index(Field::UpdatedAt), self.index(Field::UntimedFetch)];
        self.sources.iter().flat_map(move |(number, name)| {
            let limit = settings.stale_after(name);
            let (before, after) = (stale_before(limit, self.judged_at), stale_before(limit, now));
            let stale = after > before;
            let slots = indexes.into_iter().flatten().flat_map(move |index| {
                let position = |millis: i64| index.position(signed_key(millis), |_| false);
                index.tags(position(before.min(after))..position(before.max(after)))
            });
            slots.map(|tag| tag.slot()).filter_map(move |slot| {
                let own = self.rows.column(slot)?.source == number;
                (own && self.rows.row(slot)?.stale() != stale).then_some((slot, stale))
            })
        })
    }

    /// The rows that cross their limit, judged anew; those in `changed` are left out.
    pub(crate) fn flips(
        &self,
        changed: &[u32],
        settings: &ViewSettings,
        now: Timestamp,
    ) -> Vec<(u32, Fresh)> {
        let mut changed = changed.to_vec();
        changed.sort_unstable();
        let kept = |slot: &u32| changed.binary_search(slot).is_err();
        self.crossing(settings, now)
            .filter(|(slot, _)| kept(slot))
            .filter_map(|(slot, stale)| {
                let mut fresh = self.rows.fresh(slot)?;
                fresh.row = Arc::new(fresh.row.judged(stale));
                Some((slot, fresh))
            })
            .collect()
    }

    /// True when a row's age has to be judged anew at `now`.
    pub(crate) fn outdated(&self, settings: &ViewSettings, now: Timestamp) -> bool {
        self.crossing(settings, now).next().is_some()
    }
}
