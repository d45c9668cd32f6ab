//! How far the pages of each source have brought it.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{Checkpoint, PageState, RawPage, SourceName, Timestamp};

use super::found::Found;

/// What the newest pages of a source say.
#[derive(Debug)]
struct Newest {
    fetched_at: Timestamp,
    /// Pages fetched in the same millisecond may each move the position.
    positions: BTreeSet<String>,
}

/// The positions that loaded pages reach, by source.
#[derive(Debug, Default)]
pub(super) struct Positions(BTreeMap<SourceName, Newest>);

impl Positions {
    pub(super) fn page(&mut self, page: &RawPage) {
        let reached = page.context.get("position").filter(|position| !position.is_null());
        let Some(position) = reached.filter(|_| page.state == PageState::Loaded) else {
            return;
        };
        let newest = self
            .0
            .entry(page.source.clone())
            .or_insert_with(|| Newest { fetched_at: page.fetched_at, positions: BTreeSet::new() });
        if newest.fetched_at < page.fetched_at {
            newest.fetched_at = page.fetched_at;
            newest.positions.clear();
        }
        if newest.fetched_at == page.fetched_at {
            newest.positions.insert(position.to_string());
        }
    }

    pub(super) fn checkpoint(
        &mut self,
        source: &SourceName,
        checkpoint: &Checkpoint,
        found: &mut Found,
    ) {
        let Some(newest) = self.0.remove(source) else { return };
        if !newest.positions.contains(&checkpoint.position.to_string()) {
            let what = format!(
                "{source}: the checkpoint is not the position that its newest page, of {}, reaches",
                newest.fetched_at
            );
            found.say("I2", what);
        }
    }

    /// Tells which sources have a position and no checkpoint.
    pub(super) fn finish(self, found: &mut Found) {
        for source in self.0.into_keys() {
            found
                .say("I2", format!("{source}: its pages reach a position, there is no checkpoint"));
        }
    }
}
