//! Rows drawn by lot: most are valid behind those before them, and some are not.

use std::collections::BTreeSet;

use kasparro_domain::{
    Attributes, Contract, Decimal, DriftKind, Evidence, ListingId, ListingKey, Membership,
    NewsItem, Rejection, RejectionReason, ValueAnomalyKind,
};
use kasparro_store::{
    BatchRow, EvidenceChange, EvidenceRow, Examined, ListingRef, NewsRow, QuarantinedRow,
    RowAnomaly, RowChange, evidence_hash, news_hash,
};

use super::lot::Lot;
use super::{Known, Story};
use crate::support::{at, change, new_row, unusual};

const MEMBERSHIP: Membership = Membership::Founds;

impl Story<'_> {
    fn id(&mut self) -> String {
        format!("coin-{}", self.lot.below(7))
    }

    /// A row that is valid behind those before it, or, now and then, one that is not.
    pub(super) fn row(
        &mut self,
        ordinal: u64,
        seen: &mut BTreeSet<(String, i64)>,
    ) -> Option<BatchRow> {
        let (id, minute) = (self.id(), self.lot.minute());
        if !seen.insert((id.clone(), minute)) {
            return None;
        }
        let mut row = new_row(ordinal, &id);
        let fitting = match self.known.get(&id).copied() {
            None => RowChange::New { membership: MEMBERSHIP },
            Some(Known { listing, minute: None }) => RowChange::Newer { listing },
            Some(Known { listing, minute: Some(quoted) }) if quoted < minute => {
                RowChange::Newer { listing }
            }
            Some(Known { listing, minute: Some(quoted) }) if quoted == minute => {
                RowChange::Correction { listing }
            }
            Some(Known { listing, .. }) => {
                RowChange::Late { listing, repeated: self.lot.once_in(2) }
            }
        };
        row.change = match self.lot.below(80) {
            0 => RowChange::Newer { listing: ListingRef::InBatch },
            1 => RowChange::Correction { listing: ListingRef::Stored(ListingId(2)) },
            2 => RowChange::Late { listing: ListingRef::Stored(ListingId(1)), repeated: false },
            _ => fitting,
        };
        row.observed_at = at(minute);
        row.source_timed = !self.lot.once_in(3);
        row.attributes = Attributes { symbol: self.lot.name(), name: self.lot.name() };
        row.quote.price_usd = self.price();
        row.raw_hash = self.lot.below(u64::MAX);
        for kind in ValueAnomalyKind::ALL {
            if self.lot.once_in(9) {
                let value = format!("value {}", self.lot.below(5));
                row.anomalies.push(RowAnomaly { value, ..unusual(kind) });
            }
        }
        let known =
            self.known.entry(id).or_insert(Known { listing: ListingRef::InBatch, minute: None });
        known.minute = known.minute.max(Some(minute));
        Some(row)
    }

    /// One of a few prices, so that points agree now and then; among them the ends of the range.
    fn price(&mut self) -> Option<Decimal> {
        let prices = ["0", "1", "1e-60", "1e80", "1.2345678901234567890123456789012345678e-9"];
        let price = prices.get(usize::try_from(self.lot.below(6)).unwrap())?;
        Some(Decimal::parse(price).unwrap())
    }

    pub(super) fn statement(&mut self, ordinal: u64) -> EvidenceRow {
        let id = self.id();
        let change = match self.known.get(&id).copied() {
            None => EvidenceChange::New { membership: MEMBERSHIP },
            Some(Known { listing, .. }) if self.lot.once_in(3) => EvidenceChange::Late { listing },
            Some(Known { listing, .. }) => EvidenceChange::Stated { listing },
        };
        let fresh = Known { listing: ListingRef::InBatch, minute: None };
        self.known.entry(id.clone()).or_insert(fresh);
        let contract = |lot: &mut Lot| Contract {
            platform: format!("chain-{}", lot.below(2)).into(),
            address: format!("0x{}", lot.below(3)).into(),
        };
        let evidence = Evidence {
            external_id: id.into(),
            part: ["", "0x1", "0x2"][usize::try_from(self.lot.below(3)).unwrap()].into(),
            attributes: Attributes { symbol: self.lot.name(), name: self.lot.name() },
            contracts: (0..self.lot.below(3)).map(|_| contract(&mut self.lot)).collect(),
            active: [None, Some(true), Some(false)][usize::try_from(self.lot.below(3)).unwrap()],
            kind: [None, Some("coin"), Some("token")][usize::try_from(self.lot.below(3)).unwrap()]
                .map(Into::into),
            same_as: (0..self.lot.below(2))
                .map(|_| ListingKey::new("coingecko", ["a", "b"][usize::from(self.lot.once_in(2))]))
                .collect(),
        };
        let endpoint = ["coins", "contracts"][usize::from(self.lot.once_in(2))].into();
        let content_hash = evidence_hash(&evidence);
        EvidenceRow { ordinal, change, endpoint, evidence, content_hash }
    }

    pub(super) fn news(&mut self, ordinal: u64) -> NewsRow {
        let item = NewsItem {
            item_id: format!("item-{}", self.lot.below(12)).into(),
            title: format!("Title 100% {}", self.lot.below(5)),
            link: None,
            summary: self.lot.name().map(Into::into),
            author: None,
            published_at: self.lot.once_in(2).then(|| at(self.lot.minute())),
        };
        let known = self.lot.once_in(2);
        let content_hash = news_hash(&item);
        NewsRow { ordinal, known, feed: "feed.example/rss".into(), item, content_hash }
    }

    /// Numbers of stored listings, each taken once in `times`; now and then one that is none.
    pub(super) fn some_listings(&mut self, times: u64) -> Vec<ListingId> {
        let stored: BTreeSet<ListingId> = (self.known.values())
            .filter_map(|known| match known.listing {
                ListingRef::Stored(listing_id) => Some(listing_id),
                ListingRef::InBatch => None,
            })
            .collect();
        let mut some: Vec<ListingId> =
            stored.into_iter().filter(|_| self.lot.once_in(times)).collect();
        if self.lot.once_in(40) {
            some.push(ListingId(99));
        }
        some
    }

    /// Changes, now and then one twice, and now and then a profile.
    pub(super) fn examined(&mut self) -> Option<Examined> {
        let changes = (0..self.lot.below(3)).map(|_| {
            let mut event = change(["/a", "/b", ""][usize::try_from(self.lot.below(3)).unwrap()]);
            event.key.kind = DriftKind::ALL[usize::try_from(self.lot.below(14)).unwrap()];
            event.rows_affected = self.lot.below(3);
            event
        });
        let drift: Vec<_> = changes.collect();
        let profile = self.lot.once_in(2).then(|| serde_json::json!({"seen": drift.len()}));
        Some(Examined { endpoint: "tickers".to_owned(), drift, profile })
    }
}

/// A row that was not believed.
pub(super) fn bad(ordinal: u64) -> QuarantinedRow {
    let rejection = Rejection::new(RejectionReason::BadNumber, "/price", "1e400");
    QuarantinedRow { ordinal, rejection, rule: "domain/1" }
}
