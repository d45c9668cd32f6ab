//! What this process remembers of a source it holds, by which a row is judged without a query.
//!
//! An unchanged row costs a hash and a look-up, a changed row no SELECT. The memory is valid only for
//! the epoch under which the source is held, and it is read from the store again after any failure.

mod records;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::num::NonZeroI64;

use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable};
use kasparro_domain::{
    Attributes, Checkpoint, ListingId, Membership, Quote, QuoteField, RunId, SWEEPS_TO_INACTIVE,
    Timestamp,
};
use kasparro_store::{KnownListing, ListingRef, RowChange, SourceMemory};
use kasparro_transform::{Believed, Profile};
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed, xxh3_128_with_seed};

use records::Records;
use seen::SeenInstants;

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
    /// The run in which any row named the listing last.
    present_in_run: u32,
    source_timed: bool,
    /// False for a listing that is known from lists only.
    quoted: bool,
    /// Complete sweeps in a row that it is missing from.
    missed: u8,
}

/// What a row means for what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict<T> {
    /// It says what was known.
    Unchanged,
    /// What it is about was said in this run already.
    Duplicate,
    /// It has to be written.
    Write(T),
}

/// Everything remembered of one source.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The epoch of the source under which it was read.
    pub(crate) epoch: u64,
    pub(crate) checkpoint: Option<Checkpoint>,
    pub(crate) next_sequence: u64,
    known: Vec<Known>,
    /// Natural logarithm of the current price of each listing, beside `known`; not a number where there is
    /// none.
    log_prices: Vec<f32>,
    /// What is known of endpoints, read from the store when it is first needed.
    pub(crate) profiles: HashMap<String, Profile>,
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
    older_seen: SeenInstants,
    /// Statements of lists and news.
    records: Records,
    /// How many listings have missed sweeps.
    missing: usize,
    /// Rows of this run that tell which listing they are about, and rows that do not.
    named: u64,
    unnamed: u64,
    /// True while rows from quarantine are read, whose pages may be old.
    reads_again: bool,
    /// Listings that had missed sweeps and were seen again since the last commit.
    returned: Vec<ListingId>,
    /// The run whose pages made up the last complete sweep, and how many they were.
    pub(crate) last_sweep: Option<(RunId, u64)>,
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
            epoch: 0,
            checkpoint: stored.checkpoint,
            next_sequence: stored.next_sequence,
            known: Vec::with_capacity(stored.listings.len()),
            log_prices: Vec::with_capacity(stored.listings.len()),
            profiles: HashMap::new(),
            by_key: HashTable::with_capacity(stored.listings.len()),
            by_raw: HashTable::with_capacity(stored.listings.len()),
            seed,
            hasher: DefaultHashBuilder::default(),
            run: 0,
            fetch: 0,
            fetched_at: None,
            older_seen: SeenInstants::default(),
            records: Records::new(&stored.evidence, &stored.news, &stored.listings, seed),
            missing: 0,
            named: 0,
            unnamed: 0,
            reads_again: false,
            returned: Vec::new(),
            last_sweep: None,
        };
        for listing in stored.listings {
            memory.add_stored(&listing);
        }
        memory
    }

    fn add_stored(&mut self, listing: &KnownListing) {
        let mut known = self.unquoted(&listing.external_id);
        known.listing = NonZeroI64::new(listing.listing_id.0);
        known.missed = listing.missed;
        self.missing += usize::from(listing.missed > 0);
        known.present_in_run = 0;
        if let Some(quote) = &listing.quote {
            known.raw_hash = quote.raw_hash;
            known.content_hash = content_hash(&listing.attributes, &quote.values);
            known.observed_at = quote.observed_at;
            known.source_timed = quote.source_timed;
            known.quoted = true;
        }
        let place = self.insert(known);
        if let Some(quote) = &listing.quote {
            self.note_price(place, &quote.values);
        }
    }

    /// What is remembered of a listing that a list names first.
    fn unquoted(&self, external_id: &str) -> Known {
        Known {
            key: self.key(external_id),
            raw_hash: 0,
            content_hash: 0,
            observed_at: Timestamp::EPOCH,
            listing: None,
            seen_in_run: 0,
            seen_in_fetch: 0,
            present_in_run: self.run,
            source_timed: false,
            quoted: false,
            missed: 0,
        }
    }

    fn key(&self, external_id: &str) -> u128 {
        xxh3_128_with_seed(external_id.as_bytes(), self.seed)
    }

    fn insert(&mut self, known: Known) -> u32 {
        let place = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.known.push(known);
        self.log_prices.push(f32::NAN);
        let Self { known: all, by_key, by_raw, hasher, .. } = self;
        let at = |place: &u32| all.get(*place as usize);
        by_key.insert_unique(hasher.hash_one(known.key), place, |place| {
            hasher.hash_one(at(place).map_or(0, |known| known.key))
        });
        if known.quoted {
            by_raw.insert_unique(hasher.hash_one(known.raw_hash), place, |place| {
                hasher.hash_one(at(place).map_or(0, |known| known.raw_hash))
            });
        }
        place
    }

    /// Begins a run: nothing has been seen in it yet.
    pub(crate) fn begin_run(&mut self) {
        self.reads_again = false;
        (self.named, self.unnamed) = (0, 0);
        self.run = self.run.wrapping_add(1).max(1);
        self.older_seen.clear();
    }

    /// Tells that the rows that follow in this run come from quarantine.
    pub(crate) const fn read_again(&mut self) {
        self.reads_again = true;
        // What is read now may name listings that the last sweep did not.
        self.last_sweep = None;
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
    pub(crate) fn judge_bytes(&mut self, raw_hash: u64) -> Option<Verdict<RowChange>> {
        let Self { known, by_raw, hasher, .. } = self;
        let place = *by_raw.find(hasher.hash_one(raw_hash), |place| {
            known.get(*place as usize).is_some_and(|known| known.raw_hash == raw_hash)
        })?;
        self.mark_present(place);
        let known = self.known.get_mut(place as usize)?;
        if known.seen_in_run == self.run {
            return Some(Verdict::Duplicate);
        }
        known.seen_in_run = self.run;
        known.seen_in_fetch = self.fetch;
        Some(Verdict::Unchanged)
    }

    /// Notes a row that is not believed; where it names its listing, that is present all the same.
    pub(crate) fn note_refused(&mut self, external_id: Option<&str>) {
        match external_id.map(|external_id| self.find(self.key(external_id))) {
            Some(Some(place)) => self.mark_present(place),
            Some(None) => self.named += 1,
            None => self.unnamed += 1,
        }
    }

    /// True when most rows of the run tell what they are about, so that its pages are a list of something.
    pub(crate) const fn names_most(&self) -> bool {
        self.named >= self.unnamed
    }

    /// Notes that a row names a listing; one that had missed sweeps has come back. Rows of the past that
    /// are read again say nothing of that.
    fn mark_present(&mut self, place: u32) {
        let Some(known) = self.known.get_mut(place as usize) else { return };
        known.present_in_run = self.run;
        self.named += 1;
        if self.reads_again {
            return;
        }
        if std::mem::take(&mut known.missed) > 0 {
            self.missing -= 1;
            self.returned.extend(known.listing.map(|listing| ListingId(listing.get())));
        }
    }

    /// Judges a believed row, and remembers it as if it were committed.
    pub(crate) fn judge(
        &mut self,
        row: &Believed,
        raw_hash: u64,
        membership: Membership,
    ) -> Verdict<RowChange> {
        let observation = &row.observation;
        let content_hash = content_hash(&observation.attributes, &observation.quote);
        let quoted = |known: Known, memory: &Self| Known {
            raw_hash,
            content_hash,
            observed_at: row.observed_at,
            seen_in_run: memory.run,
            seen_in_fetch: memory.fetch,
            source_timed: row.source_timed,
            quoted: true,
            ..known
        };
        let Some(place) = self.find(self.key(&observation.external_id)) else {
            self.named += 1;
            let known = self.unquoted(&observation.external_id);
            let place = self.insert(quoted(known, self));
            self.note_price(place, &observation.quote);
            return Verdict::Write(RowChange::New { membership });
        };
        self.mark_present(place);
        let Some(known) = self.known.get(place as usize).copied() else {
            return Verdict::Duplicate;
        };
        let listing = listing_ref(known.listing);
        if !known.quoted {
            self.replace(place, quoted(known, self));
            self.note_price(place, &observation.quote);
            return Verdict::Write(RowChange::Newer { listing });
        }
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
        if at_current {
            let source_timed = row.source_timed || (same && known.source_timed);
            let observed_at = known.observed_at;
            self.replace(place, Known { observed_at, source_timed, ..quoted(known, self) });
            self.note_price(place, &observation.quote);
            return if same {
                Verdict::Unchanged
            } else {
                Verdict::Write(RowChange::Correction { listing })
            };
        }
        if row.observed_at > known.observed_at {
            if seen {
                self.older_seen.insert(place, known.observed_at);
            }
            self.replace(place, quoted(known, self));
            self.note_price(place, &observation.quote);
            return Verdict::Write(RowChange::Newer { listing });
        }
        let repeated = !self.older_seen.insert(place, row.observed_at);
        Verdict::Write(RowChange::Late { listing, repeated })
    }

    /// What is known of a listing's price before a row of it is judged: the logarithm of its current price
    /// and the instant of it.
    pub(crate) fn last_price(&self, external_id: &str) -> Option<(f32, Timestamp)> {
        let place = self.find(self.key(external_id))? as usize;
        let price = self.log_prices.get(place).copied().filter(|price| price.is_finite())?;
        Some((price, self.known.get(place)?.observed_at))
    }

    fn note_price(&mut self, place: u32, quote: &Quote) {
        let price = quote.price_usd.as_ref().and_then(|price| price.as_str().parse::<f64>().ok());
        if let Some(kept) = self.log_prices.get_mut(place as usize) {
            *kept = price.filter(|price| *price > 0.0).map_or(f32::NAN, |price| price.ln() as f32);
        }
    }

    /// Notes a row whose disposition was committed before a crash, or that was accounted for unread, so
    /// that its repetitions later in the run are recognised.
    pub(crate) fn note_seen(&mut self, row: &Believed) {
        let Some(place) = self.find(self.key(&row.observation.external_id)) else { return };
        self.mark_present(place);
        let (run, fetch) = (self.run, self.fetch);
        if let Some(known) = self.known.get_mut(place as usize) {
            if known.observed_at == row.observed_at || !row.source_timed {
                known.seen_in_run = run;
                known.seen_in_fetch = fetch;
            } else {
                self.older_seen.insert(place, row.observed_at);
            }
        }
    }

    /// Gives the listings of the batch that was just committed their ids.
    pub(crate) fn committed(&mut self, order: &[CompactString], ids: &[ListingId]) {
        for (external_id, id) in order.iter().zip(ids) {
            if let Some(place) = self.find(self.key(external_id))
                && let Some(known) = self.known.get_mut(place as usize)
            {
                known.listing = NonZeroI64::new(id.0);
            }
        }
        self.next_sequence += 1;
    }

    /// Listings that have come back since this was asked last, ascending.
    pub(crate) fn take_returned(&mut self) -> Vec<ListingId> {
        let mut returned = std::mem::take(&mut self.returned);
        returned.sort_unstable();
        returned
    }

    /// Ends a complete sweep; every listing that no page of the run named has missed one more. Returns
    /// those whose number of missed sweeps still counts, ascending.
    pub(crate) fn end_sweep(&mut self) -> Vec<ListingId> {
        let run = self.run;
        let mut missed = Vec::new();
        for known in self.known.iter_mut().filter(|known| known.present_in_run != run) {
            if known.missed < SWEEPS_TO_INACTIVE
                && let Some(listing) = known.listing
            {
                self.missing += usize::from(known.missed == 0);
                known.missed += 1;
                missed.push(ListingId(listing.get()));
            }
        }
        missed.sort_unstable();
        missed
    }

    /// True when a listing is missing from the sweeps: rows that could bring it back must be read.
    pub(crate) const fn misses_any(&self) -> bool {
        self.missing > 0
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
        if old.quoted && old.raw_hash == new.raw_hash {
            return;
        }
        if old.quoted
            && let Ok(entry) =
                by_raw.find_entry(hasher.hash_one(old.raw_hash), |other| *other == place)
        {
            entry.remove();
        }
        by_raw.insert_unique(hasher.hash_one(new.raw_hash), place, |place| {
            hasher.hash_one(all.get(*place as usize).map_or(0, |known| known.raw_hash))
        });
    }
}

/// How a batch names a listing: one without an id is inserted by an earlier row of the same batch.
fn listing_ref(listing: Option<NonZeroI64>) -> ListingRef {
    listing.map_or(ListingRef::InBatch, |id| ListingRef::Stored(ListingId(id.get())))
}
