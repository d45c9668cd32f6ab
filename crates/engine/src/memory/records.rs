//! Statements of lists and news, by which a row of them is judged without a query.

use std::collections::HashMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use kasparro_domain::{Evidence, ListingId, Membership, NewsItem};
use kasparro_store::{
    EvidenceChange, KnownEvidence, KnownListing, KnownNews, evidence_hash, news_hash,
};
use xxhash_rust::xxh3::Xxh3;

use super::{Memory, Verdict, listing_ref};

/// What is remembered of one statement or piece of news: 32 bytes.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// 128 bits of what it is about under a seed of this process.
    key: u128,
    content_hash: u64,
    /// The run in which it was stated last.
    seen_in_run: u32,
}

/// Statements and news by what they are about.
#[derive(Debug)]
pub(super) struct Records {
    all: Vec<Record>,
    by_key: HashTable<u32>,
    hasher: DefaultHashBuilder,
    seed: u64,
}

/// What a statement says of a key.
enum Found {
    New,
    Same { seen: bool },
    Other { seen: bool },
}

impl Records {
    pub(super) fn new(
        evidence: &[KnownEvidence],
        news: &[KnownNews],
        listings: &[KnownListing],
        seed: u64,
    ) -> Self {
        let mut records = Self {
            all: Vec::with_capacity(evidence.len() + news.len()),
            by_key: HashTable::with_capacity(evidence.len() + news.len()),
            hasher: DefaultHashBuilder::default(),
            seed,
        };
        let named = if evidence.is_empty() { &[] } else { listings };
        let names: HashMap<ListingId, &str> =
            named.iter().map(|known| (known.listing_id, known.external_id.as_str())).collect();
        for known in evidence {
            let Some(id) = names.get(&known.listing_id) else { continue };
            let key = records.key(&[&known.endpoint, id, &known.part]);
            records.insert(Record { key, content_hash: known.content_hash, seen_in_run: 0 });
        }
        for known in news {
            let key = records.key(&[&known.feed, &known.item_id]);
            records.insert(Record { key, content_hash: known.content_hash, seen_in_run: 0 });
        }
        records
    }

    fn key(&self, parts: &[&str]) -> u128 {
        let mut hash = Xxh3::with_seed(self.seed);
        for part in parts {
            hash.update(part.as_bytes());
            hash.update(&[0xff]);
        }
        hash.digest128()
    }

    fn insert(&mut self, record: Record) {
        let place = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(record);
        let Self { all, by_key, hasher, .. } = self;
        by_key.insert_unique(hasher.hash_one(record.key), place, |place| {
            hasher.hash_one(all.get(*place as usize).map_or(0, |record| record.key))
        });
    }

    /// Compares a statement with what is remembered; unless `keep`, it is remembered from now on.
    fn state(&mut self, key: u128, content_hash: u64, run: u32, keep: bool) -> Found {
        let Self { all, by_key, hasher, .. } = self;
        let same = |place: &u32| all.get(*place as usize).is_some_and(|record| record.key == key);
        let place = by_key.find(hasher.hash_one(key), same).copied();
        let Some(record) = place.and_then(|place| all.get_mut(place as usize)) else {
            self.insert(Record { key, content_hash, seen_in_run: run });
            return Found::New;
        };
        let seen = std::mem::replace(&mut record.seen_in_run, run) == run;
        if record.content_hash == content_hash {
            return Found::Same { seen };
        }
        if !keep && !seen {
            record.content_hash = content_hash;
        }
        Found::Other { seen }
    }
}

impl Memory {
    /// Judges a statement of the list `endpoint`, and remembers it as if it were committed. `late` says
    /// that a newer page of the list was loaded before.
    pub(crate) fn judge_evidence(
        &mut self,
        endpoint: &str,
        evidence: &Evidence,
        late: bool,
        membership: Membership,
    ) -> Verdict<EvidenceChange> {
        let run = self.run;
        let key = self.records.key(&[endpoint, &evidence.external_id, &evidence.part]);
        let found = self.records.state(key, evidence_hash(evidence), run, late);
        let Some(place) = self.find(self.key(&evidence.external_id)) else {
            self.named += 1;
            let known = self.unquoted(&evidence.external_id);
            self.insert(known);
            return Verdict::Write(EvidenceChange::New { membership });
        };
        self.mark_present(place);
        let listing = self.known.get(place as usize).and_then(|known| known.listing);
        let listing = listing_ref(listing);
        match found {
            Found::Same { seen: true } | Found::Other { seen: true } => Verdict::Duplicate,
            Found::Same { seen: false } => Verdict::Unchanged,
            Found::New | Found::Other { .. } if late => {
                Verdict::Write(EvidenceChange::Late { listing })
            }
            Found::New | Found::Other { .. } => Verdict::Write(EvidenceChange::Stated { listing }),
        }
    }

    /// Judges a piece of news, and remembers it as if it were committed; what has to be written is
    /// whether it is known. A `late` item, of an older fetch, changes none that is known.
    pub(crate) fn judge_news(&mut self, feed: &str, item: &NewsItem, late: bool) -> Verdict<bool> {
        let key = self.records.key(&[feed, &item.item_id]);
        match self.records.state(key, news_hash(item), self.run, late) {
            Found::New => Verdict::Write(false),
            Found::Same { seen: true } | Found::Other { seen: true } => Verdict::Duplicate,
            Found::Same { seen: false } => Verdict::Unchanged,
            Found::Other { seen: false } if late => Verdict::Unchanged,
            Found::Other { seen: false } => Verdict::Write(true),
        }
    }

    /// Notes a statement that was committed before a crash, or accounted for unread.
    pub(crate) fn note_evidence(&mut self, endpoint: &str, evidence: &Evidence) {
        let key = self.records.key(&[endpoint, &evidence.external_id, &evidence.part]);
        self.records.state(key, evidence_hash(evidence), self.run, true);
        if let Some(place) = self.find(self.key(&evidence.external_id)) {
            self.mark_present(place);
        }
    }

    /// Notes an item that was committed before a crash, or accounted for unread.
    pub(crate) fn note_news(&mut self, feed: &str, item: &NewsItem) {
        let key = self.records.key(&[feed, &item.item_id]);
        self.records.state(key, news_hash(item), self.run, true);
    }
}
