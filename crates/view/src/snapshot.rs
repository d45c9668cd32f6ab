//! Every listing at one generation.

use std::sync::Arc;

use kasparro_domain::{Generation, ListingId, Timestamp};
use kasparro_store::ListingRow;

use crate::block::Entry;
use crate::further::Further;
use crate::index::Index;
use crate::key::{Exact, Field};
use crate::render::{Fresh, Renderer, Sources};
use crate::rows::{Rows, slot};
use crate::{Row, ViewSettings};

/// Where fewer than one row in so many changes, changing is cheaper than building anew.
const REBUILD_FRACTION: usize = 4;

/// Every listing at one generation; never changes.
///
/// Snapshots share what they have in common, so holding one costs little, and making one costs what
/// changed since the last.
#[derive(Debug, Clone)]
pub struct Snapshot {
    generation: Generation,
    version: u64,
    pub(crate) rows: Arc<Rows>,
    pub(crate) indexes: [Arc<Index>; Field::ALL.len()],
    pub(crate) sources: Arc<Sources>,
    newest_fetched_at: Option<Timestamp>,
    /// The instant for which `stale` is right in every row.
    pub(crate) judged_at: Timestamp,
    stale_rows: usize,
    /// About so many bytes its predecessor holds that it does not hold too.
    replaced_bytes: usize,
}

impl Default for Snapshot {
    /// The snapshot before the first load: generation 0, no listings.
    fn default() -> Self {
        Self {
            generation: Generation(0),
            version: 0,
            rows: Arc::default(),
            indexes: Field::ALL.map(|field| Arc::new(Index::empty(field))),
            sources: Arc::default(),
            newest_fetched_at: None,
            judged_at: Timestamp::EPOCH,
            stale_rows: 0,
            replaced_bytes: 0,
        }
    }
}

/// A snapshot with what it shows otherwise than its predecessor.
#[derive(Debug)]
pub(crate) struct Successor {
    pub(crate) snapshot: Snapshot,
    /// The rows that came, changed or were judged otherwise, by ascending id.
    pub(crate) rows: Vec<Arc<Row>>,
}

/// Rendered listings on their way into a snapshot.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The listings; once sorted, by ascending id, each once.
    fresh: Vec<Fresh>,
    sources: Sources,
    now: Timestamp,
}

impl Changes {
    /// None yet, to be judged at `now`.
    pub(crate) fn none(base: &Snapshot, now: Timestamp) -> Self {
        Self { fresh: Vec::new(), sources: Sources::clone(&base.sources), now }
    }

    /// Renders listings as they are at `now`. The last row of a listing counts.
    pub(crate) fn render(
        base: &Snapshot,
        listings: Vec<ListingRow>,
        settings: &ViewSettings,
        now: Timestamp,
    ) -> Self {
        Self::none(base, now).and(listings, settings).sorted()
    }

    /// The same with a piece more, rendered.
    pub(crate) fn and(mut self, piece: Vec<ListingRow>, settings: &ViewSettings) -> Self {
        let mut renderer = Renderer::new(self.sources, settings, self.now);
        self.fresh.extend(piece.into_iter().map(|listing| renderer.render(listing)));
        Self { sources: renderer.into_sources(), ..self }
    }

    /// The same once every piece is there.
    pub(crate) fn sorted(mut self) -> Self {
        let id = |fresh: &Fresh| fresh.column.listing_id;
        if !self.fresh.is_sorted_by(|left, right| id(left) < id(right)) {
            self.fresh.sort_by_key(id);
            self.fresh.reverse();
            self.fresh.dedup_by_key(|fresh| fresh.column.listing_id);
            self.fresh.reverse();
        }
        self
    }

    /// True when no listing changed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.fresh.is_empty()
    }
}

impl Snapshot {
    /// The snapshot that follows when these listings changed, with every row's age judged at `now`.
    #[must_use]
    pub fn next(
        &self,
        changed: Vec<ListingRow>,
        generation: Generation,
        version: u64,
        settings: &ViewSettings,
        now: Timestamp,
    ) -> Self {
        let changes = Changes::render(self, changed, settings, now);
        self.with(changes, generation, version, settings).snapshot
    }

    /// As [`Snapshot::next`], for listings that were rendered before.
    pub(crate) fn with(
        &self,
        changes: Changes,
        generation: Generation,
        version: u64,
        settings: &ViewSettings,
    ) -> Successor {
        let Changes { fresh, sources, now } = changes;
        let last_id = self.rows.last_id();
        let mut next_slot = slot(self.rows.len());
        let mut placed = Vec::with_capacity(fresh.len());
        let mut out_of_order = false;
        for fresh in fresh {
            let id = fresh.column.listing_id;
            let known = self.rows.find(ListingId(id));
            // Much is stored of a listing that readers do not see.
            if known.is_some_and(|at| self.rows.holds(at, &fresh)) {
                continue;
            }
            let at = known.unwrap_or_else(|| {
                out_of_order |= last_id.is_some_and(|last| id < last);
                next_slot += 1;
                next_slot - 1
            });
            placed.push((at, fresh));
        }
        // Slots follow ids, so an id that appears below the greatest one moves every slot above it.
        let rebuild = out_of_order || placed.len() * REBUILD_FRACTION > self.rows.len();
        let changed: Vec<u32> = placed.iter().map(|(at, _)| *at).collect();
        let flips = self.flips(&changed, settings, now);
        let mut next = Self {
            generation,
            version,
            sources: Arc::new(sources),
            judged_at: now,
            replaced_bytes: 0,
            ..self.clone()
        };
        if placed.is_empty() && flips.is_empty() {
            return Successor { snapshot: next, rows: Vec::new() };
        }
        let shown = placed.iter().chain(&flips);
        let mut rows: Vec<Arc<Row>> = shown.map(|(_, fresh)| Arc::clone(&fresh.row)).collect();
        rows.sort_by_key(|row| row.listing_id());
        let replaced = placed.iter().chain(&flips).filter_map(|(at, _)| self.rows.row(*at));
        next.stale_rows += rows.iter().filter(|row| row.stale()).count();
        next.stale_rows -= replaced.filter(|row| row.stale()).count();
        let newest = placed.iter().filter_map(|(_, fresh)| fresh.row.fetched_at()).max();
        if rebuild {
            next.rows = Arc::new(Rows::build(self.merged(placed, flips)));
            next.indexes = Index::build_all(&next.rows).map(Arc::new);
            // Rows that did not change are shared even so: here it is rather too much than too little.
            next.replaced_bytes = self.bytes();
        } else {
            placed.extend(flips);
            placed.sort_by_key(|(at, _)| *at);
            next.rows = Arc::new(self.rows.with(placed));
            next.indexes =
                self.indexes.each_ref().map(|index| next.reindexed(index, self, &changed));
            next.replaced_bytes = self.bytes_beyond(&next);
        }
        next.newest_fetched_at = if newest >= self.newest_fetched_at {
            newest
        } else if changed.iter().any(|at| self.holds_newest(*at)) {
            next.rows.newest_fetched_at()
        } else {
            self.newest_fetched_at
        };
        Successor { snapshot: next, rows }
    }

    /// The index of the rows of this snapshot, made from the one of its predecessor.
    fn reindexed(&self, index: &Arc<Index>, old: &Self, changed: &[u32]) -> Arc<Index> {
        let (field, known) = (index.field, old.rows.len());
        let mut removed = Vec::new();
        let mut inserted = Vec::new();
        for at in changed {
            if (*at as usize) < known {
                if self.same_entries(field, *at, old) {
                    continue;
                }
                Entry::add(field, &old.rows, *at, &mut removed);
            }
            Entry::add(field, &self.rows, *at, &mut inserted);
        }
        if removed.is_empty() && inserted.is_empty() {
            return Arc::clone(index);
        }
        Arc::new(index.with(&removed, &mut inserted, &old.rows, &self.rows))
    }

    /// True where the row at a slot stands in the index of a field as it did before.
    fn same_entries(&self, field: Field, at: u32, old: &Self) -> bool {
        if field == Field::Contract {
            let (before, after) = (old.rows.row(at), self.rows.row(at));
            return before.map(|row| row.contracts_json()) == after.map(|row| row.contracts_json());
        }
        if Further::of(field).is_some() && self.same_number(field, at, old) {
            return true;
        }
        let (before, after) = (Entry::of(field, &old.rows, at), Entry::of(field, &self.rows, at));
        before == after
            && (!before.tag.loose()
                || old.rows.exact(field, at).compare(self.rows.exact(field, at)).is_eq())
    }

    /// True where the row at a slot has the same text for a number as before, which is quicker to see than
    /// that its key is the same.
    fn same_number(&self, field: Field, at: u32, old: &Self) -> bool {
        let priced = |rows: &Rows| rows.column(at).is_some_and(|column| column.priced);
        match (old.rows.exact(field, at), self.rows.exact(field, at)) {
            (Exact::Number(before), Exact::Number(after)) => {
                before == after && priced(&old.rows) == priced(&self.rows)
            }
            _ => false,
        }
    }

    /// All rows by ascending id, with the changes in their places.
    fn merged(&self, placed: Vec<(u32, Fresh)>, flips: Vec<(u32, Fresh)>) -> Vec<Fresh> {
        let mut changed = placed;
        changed.extend(flips);
        changed.sort_by_key(|(_, fresh)| fresh.column.listing_id);
        let mut changed = changed.into_iter().map(|(_, fresh)| fresh).peekable();
        let mut all = Vec::with_capacity(self.rows.len() + changed.len());
        for kept in (0..slot(self.rows.len())).filter_map(|slot| self.rows.fresh(slot)) {
            let id = kept.column.listing_id;
            while let Some(new) = changed.next_if(|fresh| fresh.column.listing_id < id) {
                all.push(new);
            }
            match changed.next_if(|fresh| fresh.column.listing_id == id) {
                Some(new) => all.push(new),
                None => all.push(kept),
            }
        }
        all.extend(changed);
        all
    }

    fn holds_newest(&self, slot: u32) -> bool {
        self.rows.row(slot).is_some_and(|row| row.fetched_at() == self.newest_fetched_at)
    }

    pub(crate) fn index(&self, field: Field) -> Option<&Index> {
        self.indexes.get(field as usize).map(Arc::as_ref)
    }

    /// The generation that every answer of this snapshot belongs to.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// A number that no other snapshot of this view has; two snapshots of one generation may differ
    /// in `stale`. 0 before the first load.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many listings have a quote.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.priced()
    }

    /// True when no listing has a quote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows show values that are older than their source's limit. For one generation of one store
    /// this number tells which rows they are.
    #[must_use]
    pub const fn stale_rows(&self) -> usize {
        self.stale_rows
    }

    /// About so many bytes its predecessor holds that it does not hold too, and that go where nobody keeps
    /// the predecessor. All of the predecessor's where much changed at once.
    pub(crate) const fn replaced_bytes(&self) -> usize {
        self.replaced_bytes
    }

    /// When the newest values were fetched.
    #[must_use]
    pub const fn newest_fetched_at(&self) -> Option<Timestamp> {
        self.newest_fetched_at
    }
}
