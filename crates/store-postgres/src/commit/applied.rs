//! A batch applied to what is known of its listings, before anything is written.
//!
//! Everything that a batch may be refused for is found here, with what was read in a handful of queries:
//! asking the database for each row would cost a round trip each.

use std::collections::{BTreeMap, HashMap};

use compact_str::CompactString;
use kasparro_domain::{Attributes, Contract, ListingId, RunCounts, SWEEPS_TO_INACTIVE, Timestamp};
use kasparro_store::{Batch, BatchRow, ListingRef, NewsRow};

use super::anomalies::Unusual;
use super::evidence::{Said, Stated};
use super::known::Known;
use super::points::{Point, Points};
use crate::error::{Queried, refused};

/// What readers see of a listing beside its quote, and the sweeps that it missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) attributes: Attributes,
    /// Read only for listings that statements of the batch are about.
    pub(super) contracts: Vec<Contract>,
    pub(super) active: bool,
    pub(super) missed: u8,
    pub(super) last_seen_at: Option<Timestamp>,
}

/// The instants of a quote.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted {
    pub(super) observed_at: Timestamp,
    pub(super) fetched_at: Timestamp,
}

/// A listing that the batch is about, as it stands after the rows that were applied so far.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    pub(super) external_id: CompactString,
    pub(super) first_seen_at: Timestamp,
    /// As its table shows it; absent for one that the batch brings.
    pub(super) stored: Option<Shown>,
    pub(super) now: Shown,
    pub(super) quoted: Option<Quoted>,
    /// The row whose quote is to be written. A page of dated rows holds hundreds for each listing: only
    /// the last is written.
    pub(super) quote: Option<&'a BatchRow>,
    /// What lists say of it; read only for listings that statements are about or that came back.
    pub(super) stated: Stated,
}

impl Listing<'_> {
    pub(super) fn delisted(&self) -> bool {
        self.stated.values().any(|said| said.active == Some(false))
    }
}

/// A batch, and what comes of it.
pub(super) struct Applied<'a> {
    pub(super) batch: &'a Batch,
    pub(super) counts: RunCounts,
    pub(super) listings: BTreeMap<ListingId, Listing<'a>>,
    /// Points to write.
    pub(super) appended: Vec<Point<'a>>,
    /// Statements to write, by listing, endpoint and part: of several the last.
    pub(super) statements: BTreeMap<(ListingId, &'a str, &'a str), &'a super::EvidenceRow>,
    /// What was said until this batch, by listing, endpoint and part; endpoint and part are empty for what
    /// readers saw as symbol and name.
    pub(super) past: BTreeMap<(ListingId, &'a str, &'a str), Said>,
    /// Whether the batch changes evidence of identity.
    pub(super) evidence_changed: bool,
    /// News to write as new, and in place of what is stored.
    pub(super) new_news: Vec<&'a NewsRow>,
    pub(super) known_news: Vec<&'a NewsRow>,
    /// Listings that readers see changed, in any order and perhaps repeated.
    pub(super) changed: Vec<ListingId>,
    pub(super) new_listings: Vec<ListingId>,
    /// What is unusual about the points that are kept.
    pub(super) unusual: Vec<Unusual<'a>>,
    points: Points<'a>,
    inserted: HashMap<&'a str, ListingId>,
    /// The number of the first new listing.
    first_new: i64,
}

impl<'a> Applied<'a> {
    /// Applies a batch whose new listings have numbers from `first_new` on.
    pub(super) fn of(batch: &'a Batch, known: Known<'a>, first_new: i64) -> Queried<Self> {
        let counts = RunCounts {
            unchanged: batch.unchanged,
            duplicate: batch.duplicate,
            quarantined: batch.quarantined.len() as u64,
            ..RunCounts::default()
        };
        let Known { listings, points, news, swept_at } = known;
        let mut applied = Self {
            batch,
            counts,
            listings,
            appended: Vec::with_capacity(batch.rows.len()),
            statements: BTreeMap::new(),
            past: BTreeMap::new(),
            evidence_changed: false,
            new_news: Vec::new(),
            known_news: Vec::new(),
            changed: Vec::with_capacity(batch.rows.len() + batch.evidence.len()),
            new_listings: Vec::new(),
            unusual: Vec::new(),
            points,
            inserted: HashMap::new(),
            first_new,
        };
        for row in &batch.rows {
            applied.row(row)?;
        }
        super::evidence::apply(&mut applied)?;
        super::news::apply(&mut applied, news)?;
        super::sweeps::apply(&mut applied, swept_at)?;
        let RunCounts { inserted, updated, unchanged, stale, duplicate, quarantined, .. } =
            applied.counts;
        applied.counts.received = inserted + updated + unchanged + stale + duplicate + quarantined;
        applied.changed.sort_unstable();
        applied.changed.dedup();
        Ok(applied)
    }

    /// Stores a listing without a quote.
    pub(super) fn insert(
        &mut self,
        external_id: &'a CompactString,
        attributes: &Attributes,
    ) -> Queried<ListingId> {
        let number = i64::try_from(self.new_listings.len()).unwrap_or(i64::MAX);
        let listing_id = ListingId(self.first_new.saturating_add(number));
        if self.inserted.insert(external_id, listing_id).is_some() {
            return refused(format!("{} brings {external_id} twice", self.batch.source));
        }
        let now = Shown {
            attributes: attributes.clone(),
            contracts: Vec::new(),
            active: true,
            missed: 0,
            last_seen_at: None,
        };
        let listing = Listing {
            external_id: external_id.clone(),
            first_seen_at: self.batch.fetched_at,
            stored: None,
            now,
            quoted: None,
            quote: None,
            stated: Stated::new(),
        };
        self.listings.insert(listing_id, listing);
        self.new_listings.push(listing_id);
        self.evidence_changed = true;
        self.changed.push(listing_id);
        self.counts.inserted += 1;
        Ok(listing_id)
    }

    /// The listing that a row names, which must be one of the batch's source and have the row's id.
    pub(super) fn find(&self, named: ListingRef, external_id: &str) -> Queried<ListingId> {
        let source = &self.batch.source;
        match named {
            ListingRef::Stored(listing_id) => {
                let known = self.listings.get(&listing_id);
                match known.filter(|known| known.external_id == external_id) {
                    Some(_) => Ok(listing_id),
                    None => {
                        refused(format!("listing {listing_id} is not {external_id} of {source}"))
                    }
                }
            }
            ListingRef::InBatch => match self.inserted.get(external_id) {
                Some(listing_id) => Ok(*listing_id),
                None => {
                    refused(format!("no earlier row of the batch brings {external_id} of {source}"))
                }
            },
        }
    }

    /// Changes a listing, and notes whether readers see it.
    pub(super) fn change(
        &mut self,
        listing_id: ListingId,
        change: impl FnOnce(&mut Listing<'a>),
    ) -> Queried<()> {
        let Some(listing) = self.listings.get_mut(&listing_id) else {
            return refused(format!("{} has no listing {listing_id}", self.batch.source));
        };
        let before = listing.now.clone();
        change(listing);
        listing.now.active = listing.now.missed < SWEEPS_TO_INACTIVE && listing.now.active;
        let seen = Shown { missed: before.missed, ..listing.now.clone() };
        if seen != before {
            self.changed.push(listing_id);
        }
        if seen.attributes != before.attributes {
            self.renamed(listing_id, before.attributes);
        }
        Ok(())
    }

    pub(super) fn quoted_at(&self, listing_id: ListingId) -> Option<Timestamp> {
        Some(self.listings.get(&listing_id)?.quoted?.observed_at)
    }

    /// Takes quote and attributes of a row.
    pub(super) fn replace_quote(&mut self, listing_id: ListingId, row: &'a BatchRow) {
        let fetched_at = self.batch.fetched_at;
        if let Some(listing) = self.listings.get_mut(&listing_id) {
            let renamed = (listing.now.attributes != row.attributes)
                .then(|| std::mem::replace(&mut listing.now.attributes, row.attributes.clone()));
            listing.quoted = Some(Quoted { observed_at: row.observed_at, fetched_at });
            listing.quote = Some(row);
            if let Some(before) = renamed {
                self.renamed(listing_id, before);
            }
        }
        self.changed.push(listing_id);
    }

    /// Keeps what readers saw as symbol and name until this batch, unless both were unknown.
    fn renamed(&mut self, listing_id: ListingId, before: Attributes) {
        self.evidence_changed = true;
        if before != Attributes::default() {
            let said = Said { attributes: before, ..Said::default() };
            self.past.entry((listing_id, "", "")).or_insert(said);
        }
    }

    /// What is known of the point of a row.
    pub(super) fn points(&self) -> &Points<'a> {
        &self.points
    }

    /// Adds a revision, unless the newest one of the same instant says the same.
    pub(super) fn append(&mut self, listing_id: ListingId, row: &'a BatchRow) -> Queried<()> {
        if let Some(point) = self.points.append(listing_id, row)? {
            self.appended.push(point);
        }
        Ok(())
    }
}
