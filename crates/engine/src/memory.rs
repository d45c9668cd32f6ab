//! What this process remembers of a source it holds, by which a row is judged without a query.
//!
//! An unchanged row costs a hash and a look-up, a changed row no SELECT. The memory is valid only for
//! the epoch under which the source is held, and it is read from the store again after any failure.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::num::NonZeroI64;

use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable};
use kasparro_domain::{
    Attributes, Checkpoint, ListingId, Membership, Quote, QuoteField, Timestamp,
};
use kasparro_store::{KnownListing, RowChange, SourceMemory};
use kasparro_transform::Believed;
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

/// What is remembered of one listing: 64 bytes.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// 128 bits of the external id under a seed of this process.
    key: u128,
    raw_hash: u64,
    content_hash: u64,
    observed_at: Timestamp,
    /// Absent while the batch that brings the listing is not committed; ids begin at 1.
    listing: Option<NonZeroI64>,
    /// The run in which a row for exactly `observed_at` was seen last, and the fetch of it that
    /// brought that row.
    seen_in_run: u32,
    seen_in_fetch: u32,
    source_timed: bool,
}

/// What a row means for what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It says what was known.
    Unchanged,
    /// Its listing and instant were seen in this run already.
    Duplicate,
    /// It has to be written.
    Write(RowChange),
    /// It is about a listing that the batch being built brings: commit that batch, then ask again.
    CommitFirst,
}

/// Everything remembered of one source.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) next_sequence: u64,
    known: Vec<Known>,
    by_key: HashTable<u32>,
    by_raw: HashTable<u32>,
    seed: u64,
    hasher: DefaultHashBuilder,
    run: u32,
    /// Number of the fetch whose rows are being judged, and its instant. Without a time of their own,
    /// rows of one fetch share its instant.
    fetch: u32,
    fetched_at: Option<Timestamp>,
    /// Instants other than the current ones that were seen in this run, by place of the listing.
    older_seen: HashSet<(u32, Timestamp), DefaultHashBuilder>,
}

/// XXH3-64 of what a survey says about the rows of its page; 0 where there is none. The number of a
/// chunk changes nothing of what its rows mean.
pub(crate) fn meaning(survey: &Value) -> u64 {
    let Value::Object(members) = survey else { return 0 };
    let said = members.iter().filter(|(name, _)| !["chunk", "first"].contains(&name.as_str()));
    let text: Vec<String> = said.map(|(name, value)| format!("{name}={value}")).collect();
    xxh3_64(text.join("\n").as_bytes())
}

/// XXH3-64 of a row's bytes under the meaning of its page, by which an identical row is recognised:
/// the same bytes below another header say something else.
pub(crate) fn raw_hash(row: &[u8], meaning: u64) -> u64 {
    xxh3_64_with_seed(row, meaning)
}

/// XXH3-64 over attributes and values.
fn content_hash(attributes: &Attributes, quote: &Quote) -> u64 {
    let mut hash = Xxh3::new();
    let mut part = |text: Option<&str>| {
        // A byte that UTF-8 never holds keeps parts apart; another tells unknown from empty.
        hash.update(text.map_or(&[0xfe_u8][..], str::as_bytes));
        hash.update(&[0xff]);
    };
    part(attributes.symbol.as_deref());
    part(attributes.name.as_deref());
    for contract in &attributes.contracts {
        part(Some(&contract.platform));
        part(Some(&contract.address));
    }
    for field in QuoteField::ALL {
        part(quote.get(field).map(kasparro_domain::Decimal::as_str));
    }
    hash.update(&quote.rank.unwrap_or(0).to_le_bytes());
    hash.digest()
}

impl Memory {
    /// Builds the memory from what a store holds.
    pub(crate) fn new(stored: SourceMemory, seed: u64) -> Self {
        let mut memory = Self {
            checkpoint: stored.checkpoint,
            next_sequence: stored.next_sequence,
            known: Vec::with_capacity(stored.listings.len()),
            by_key: HashTable::with_capacity(stored.listings.len()),
            by_raw: HashTable::with_capacity(stored.listings.len()),
            seed,
            hasher: DefaultHashBuilder::default(),
            run: 0,
            fetch: 0,
            fetched_at: None,
            older_seen: HashSet::default(),
        };
        for listing in stored.listings {
            memory.add_stored(&listing);
        }
        memory
    }

    fn add_stored(&mut self, listing: &KnownListing) {
        self.insert(Known {
            key: xxh3_128_with_seed(listing.external_id.as_bytes(), self.seed),
            raw_hash: listing.raw_hash,
            content_hash: content_hash(&listing.attributes, &listing.quote),
            observed_at: listing.observed_at,
            listing: NonZeroI64::new(listing.listing_id.0),
            seen_in_run: 0,
            seen_in_fetch: 0,
            source_timed: listing.source_timed,
        });
    }

    fn insert(&mut self, known: Known) {
        let place = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(known);
        let Self { known: all, by_key, by_raw, hasher, .. } = self;
        let at = |place: &u32| all.get(*place as usize);
        by_key.insert_unique(hasher.hash_one(known.key), place, |place| {
            hasher.hash_one(at(place).map_or(0, |known| known.key))
        });
        by_raw.insert_unique(hasher.hash_one(known.raw_hash), place, |place| {
            hasher.hash_one(at(place).map_or(0, |known| known.raw_hash))
        });
    }

    /// Begins a run: nothing has been seen in it yet.
    pub(crate) fn begin_run(&mut self) {
        self.run = self.run.wrapping_add(1).max(1);
        self.older_seen.clear();
    }

    /// Tells which fetch the rows that follow came with; all chunks of one file came with one.
    pub(crate) fn begin_page(&mut self, fetched_at: Timestamp) {
        if self.fetched_at != Some(fetched_at) {
            self.fetched_at = Some(fetched_at);
            self.fetch = self.fetch.wrapping_add(1).max(1);
        }
    }

    /// Judges a row by its bytes alone: a row equal to the one that brought the current values of its
    /// listing says what was known.
    pub(crate) fn judge_bytes(&mut self, raw_hash: u64) -> Option<Verdict> {
        let Self { known, by_raw, hasher, .. } = self;
        let place = *by_raw.find(hasher.hash_one(raw_hash), |place| {
            known.get(*place as usize).is_some_and(|known| known.raw_hash == raw_hash)
        })?;
        let known = known.get_mut(place as usize)?;
        if known.seen_in_run == self.run {
            return Some(Verdict::Duplicate);
        }
        known.seen_in_run = self.run;
        known.seen_in_fetch = self.fetch;
        Some(Verdict::Unchanged)
    }

    /// Judges a believed row, and remembers it as if it were committed.
    pub(crate) fn judge(
        &mut self,
        row: &Believed,
        raw_hash: u64,
        membership: Membership,
    ) -> Verdict {
        let observation = &row.observation;
        let key = xxh3_128_with_seed(observation.external_id.as_bytes(), self.seed);
        let content_hash = content_hash(&observation.attributes, &observation.quote);
        let Some(place) = self.find(key) else {
            self.insert(Known {
                key,
                raw_hash,
                content_hash,
                observed_at: row.observed_at,
                listing: None,
                seen_in_run: self.run,
                seen_in_fetch: self.fetch,
                source_timed: row.source_timed,
            });
            return Verdict::Write(RowChange::New { membership });
        };
        let Some(known) = self.known.get(place as usize).copied() else {
            return Verdict::CommitFirst;
        };
        let seen = known.seen_in_run == self.run;
        let same = known.content_hash == content_hash;
        let at_current = row.observed_at == known.observed_at || (!row.source_timed && same);
        // Two rows without a time of their own share the instant of the fetch that brought both, so the
        // second repeats the first, even where a crash lay between them.
        let one_fetch = !row.source_timed && seen && known.seen_in_fetch == self.fetch;
        let one_instant = at_current && !row.source_timed && !known.source_timed && !same;
        if (at_current && seen) || one_fetch || one_instant {
            return Verdict::Duplicate;
        }
        let Some(listing_id) = known.listing.map(|id| ListingId(id.get())) else {
            return Verdict::CommitFirst;
        };
        let source_timed = row.source_timed || (at_current && same && known.source_timed);
        let replaced = Known {
            raw_hash,
            content_hash,
            seen_in_run: self.run,
            seen_in_fetch: self.fetch,
            source_timed,
            ..known
        };
        if at_current {
            self.replace(place, replaced);
            return if same {
                Verdict::Unchanged
            } else {
                Verdict::Write(RowChange::Correction { listing_id })
            };
        }
        if row.observed_at > known.observed_at {
            if seen {
                self.older_seen.insert((place, known.observed_at));
            }
            self.replace(place, Known { observed_at: row.observed_at, ..replaced });
            return Verdict::Write(RowChange::Newer { listing_id });
        }
        if !self.older_seen.insert((place, row.observed_at)) {
            return Verdict::Duplicate;
        }
        Verdict::Write(RowChange::Late { listing_id })
    }

    /// Notes a row whose disposition was committed before a crash, so that its repetitions later in
    /// the run are recognised.
    pub(crate) fn note_seen(&mut self, row: &Believed) {
        let external_id = &row.observation.external_id;
        let key = xxh3_128_with_seed(external_id.as_bytes(), self.seed);
        let Some(place) = self.find(key) else { return };
        let (run, fetch) = (self.run, self.fetch);
        if let Some(known) = self.known.get_mut(place as usize) {
            if known.observed_at == row.observed_at || !row.source_timed {
                known.seen_in_run = run;
                known.seen_in_fetch = fetch;
            } else {
                self.older_seen.insert((place, row.observed_at));
            }
        }
    }

    /// Gives the listings of the batch that was just committed their ids.
    pub(crate) fn committed(&mut self, order: &[CompactString], ids: &[ListingId]) {
        for (external_id, id) in order.iter().zip(ids) {
            let key = xxh3_128_with_seed(external_id.as_bytes(), self.seed);
            if let Some(place) = self.find(key)
                && let Some(known) = self.known.get_mut(place as usize)
            {
                known.listing = NonZeroI64::new(id.0);
            }
        }
        self.next_sequence += 1;
    }

    fn find(&self, key: u128) -> Option<u32> {
        let same =
            |place: &u32| self.known.get(*place as usize).is_some_and(|known| known.key == key);
        self.by_key.find(self.hasher.hash_one(key), same).copied()
    }

    fn replace(&mut self, place: u32, new: Known) {
        let Self { known: all, by_raw, hasher, .. } = self;
        let Some(slot) = all.get_mut(place as usize) else {
            return;
        };
        let old = std::mem::replace(slot, new);
        if old.raw_hash == new.raw_hash {
            return;
        }
        if let Ok(entry) = by_raw.find_entry(hasher.hash_one(old.raw_hash), |other| *other == place)
        {
            entry.remove();
        }
        by_raw.insert_unique(hasher.hash_one(new.raw_hash), place, |place| {
            hasher.hash_one(all.get(*place as usize).map_or(0, |known| known.raw_hash))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kasparro_domain::{Decimal, Observation};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + minute * 60_000).unwrap()
    }

    fn row(id: &str, price: u64, observed_at: Timestamp, source_timed: bool) -> Believed {
        let quote = Quote { price_usd: Some(Decimal::from(price)), ..Quote::default() };
        Believed {
            observation: Observation {
                external_id: id.into(),
                attributes: Attributes::default(),
                quote,
                observed_at: source_timed.then_some(observed_at),
            },
            observed_at,
            source_timed,
        }
    }

    struct World {
        memory: Memory,
        raw: u64,
        listings: i64,
    }

    impl World {
        fn new() -> Self {
            let mut memory = Memory::new(SourceMemory::default(), 7);
            memory.begin_run();
            Self { memory, raw: 0, listings: 0 }
        }

        /// Judges a row with bytes of its own; a new listing is committed at once.
        fn judge(&mut self, row: &Believed) -> Verdict {
            self.raw += 1;
            let verdict = self.memory.judge(row, self.raw, Membership::Founds);
            if let Verdict::Write(RowChange::New { .. }) = verdict {
                self.listings += 1;
                let ids = [ListingId(self.listings)];
                self.memory.committed(std::slice::from_ref(&row.observation.external_id), &ids);
            }
            verdict
        }
    }

    const FIRST: ListingId = ListingId(1);

    #[test]
    fn what_is_remembered_of_a_listing_fits_64_bytes() {
        assert_eq!(size_of::<Known>(), 64);
    }

    #[test]
    fn a_row_is_judged_by_its_point() {
        let mut world = World::new();
        assert!(matches!(
            world.judge(&row("a", 1, at(5), true)),
            Verdict::Write(RowChange::New { .. })
        ));
        world.memory.begin_run();
        assert_eq!(world.judge(&row("a", 1, at(5), true)), Verdict::Unchanged);
        assert_eq!(world.judge(&row("a", 2, at(5), true)), Verdict::Duplicate);
        world.memory.begin_run();
        let correction = Verdict::Write(RowChange::Correction { listing_id: FIRST });
        assert_eq!(world.judge(&row("a", 2, at(5), true)), correction);
        let newer = Verdict::Write(RowChange::Newer { listing_id: FIRST });
        assert_eq!(world.judge(&row("a", 3, at(6), true)), newer);
        let late = Verdict::Write(RowChange::Late { listing_id: FIRST });
        assert_eq!(world.judge(&row("a", 3, at(4), true)), late);
        assert_eq!(world.judge(&row("a", 9, at(4), true)), Verdict::Duplicate);
        assert_eq!(world.judge(&row("a", 9, at(5), true)), Verdict::Duplicate);
    }

    #[test]
    fn without_a_source_time_equal_values_are_unchanged_and_others_newer() {
        let mut world = World::new();
        world.memory.begin_page(at(5));
        world.judge(&row("a", 1, at(5), false));
        assert_eq!(world.judge(&row("a", 2, at(5), false)), Verdict::Duplicate);
        world.memory.begin_run();
        world.memory.begin_page(at(6));
        assert_eq!(world.judge(&row("a", 1, at(6), false)), Verdict::Unchanged);
        assert_eq!(world.judge(&row("a", 3, at(6), false)), Verdict::Duplicate);
        world.memory.begin_run();
        world.memory.begin_page(at(7));
        let newer = Verdict::Write(RowChange::Newer { listing_id: FIRST });
        assert_eq!(world.judge(&row("a", 2, at(7), false)), newer);
    }

    #[test]
    fn a_listing_of_the_batch_being_built_is_committed_first() {
        let mut world = World::new();
        let mut judge = |row: &Believed, raw| world.memory.judge(row, raw, Membership::Founds);
        judge(&row("a", 1, at(5), true), 1);
        assert_eq!(judge(&row("a", 2, at(6), true), 2), Verdict::CommitFirst);
        assert_eq!(judge(&row("a", 2, at(5), true), 3), Verdict::Duplicate);
        world.memory.committed(&["a".into()], &[FIRST]);
        let newer = Verdict::Write(RowChange::Newer { listing_id: FIRST });
        assert_eq!(world.memory.judge(&row("a", 2, at(6), true), 4, Membership::Founds), newer);
    }

    #[test]
    fn identical_bytes_are_recognised_until_the_listing_changes() {
        let mut world = World::new();
        world.judge(&row("a", 1, at(5), true));
        assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Duplicate));
        world.memory.begin_run();
        assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Unchanged));
        assert_eq!(world.memory.judge_bytes(1), Some(Verdict::Duplicate));
        assert_eq!(world.memory.judge_bytes(99), None);
        world.judge(&row("a", 2, at(6), true));
        assert_eq!(world.memory.judge_bytes(1), None);
        assert_eq!(world.memory.judge_bytes(2), Some(Verdict::Duplicate));
    }

    #[test]
    fn the_same_bytes_mean_something_else_under_another_header() {
        let survey =
            |header: &str, chunk: u32| serde_json::json!({"columns": header, "chunk": chunk});
        let meanings =
            [meaning(&survey("a,b", 0)), meaning(&survey("a,b", 1)), meaning(&survey("b,a", 0))];
        assert_eq!(meanings[0], meanings[1]);
        assert_ne!(raw_hash(b"1,2", meanings[0]), raw_hash(b"1,2", meanings[2]));
        assert_eq!(meaning(&Value::Null), 0);
    }

    #[test]
    fn i3_rows_committed_before_a_crash_are_still_recognised() {
        let mut world = World::new();
        world.judge(&row("a", 1, at(5), true));
        world.memory.begin_run();
        world.memory.note_seen(&row("a", 1, at(5), true));
        world.memory.note_seen(&row("a", 1, at(3), true));
        assert_eq!(world.judge(&row("a", 2, at(5), true)), Verdict::Duplicate);
        assert_eq!(world.judge(&row("a", 2, at(3), true)), Verdict::Duplicate);
    }
}
