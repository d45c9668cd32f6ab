//! Stories drawn by lot, told to this store and to the one in memory: both must know the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;
#[path = "common/findings.rs"]
mod findings;

use std::collections::{BTreeMap, BTreeSet};

use common::{LEASE, at, batch, body, landed, new_page, new_row, new_store, run_id, source};
use findings::{change, unusual};
use kasparro_domain::{
    Anomaly, Attributes, Contract, Decimal, DriftId, DriftKind, DriftRow, DriftStatus, Evidence,
    ListingId, Membership, NewsItem, PageId, PageState, RawPage, Rejection, RejectionReason,
    RunCounts, RunError, RunReason, Timestamp, ValueAnomalyKind,
};
use kasparro_store::{
    AnomalyAbout, AnomalyFilter, AnomalyStore, Batch, BatchRow, BatchStore, DriftFilter,
    DriftStore, EvidenceChange, EvidenceRow, Examined, LeaseStore, ListingRef, MemoryStore,
    NewPage, NewsFilter, NewsRow, NewsStore, PageFilter, PageRecord, PageStore, QuarantineFilter,
    QuarantineStatus, QuarantineStore, QuarantinedRow, Reopening, Retry, RowAnomaly, RowChange,
    RunStore, Store, StoreError, Sweep, evidence_hash, news_hash,
};

/// Numbers that look random and are the same in every run (xorshift).
struct Lot(u64);

impl Lot {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// True once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn minute(&mut self) -> i64 {
        self.below(9).cast_signed()
    }

    fn name(&mut self) -> Option<compact_str::CompactString> {
        (!self.once_in(4)).then(|| format!("name {}", self.below(3)).into())
    }
}

/// What the teller knows of a listing: its number once it is stored, and the minute of its quote.
#[derive(Debug, Clone, Copy)]
struct Known {
    listing: ListingRef,
    minute: Option<i64>,
}

/// A story: what was told so far, and to whom.
struct Story<'a> {
    lot: Lot,
    stores: [&'a dyn Store; 2],
    known: BTreeMap<String, Known>,
    sequence: u64,
    epoch: u64,
}

fn kind(error: &StoreError) -> std::mem::Discriminant<StoreError> {
    std::mem::discriminant(error)
}

const MEMBERSHIP: Membership = Membership::Founds;

impl Story<'_> {
    fn id(&mut self) -> String {
        format!("coin-{}", self.lot.below(7))
    }

    /// A row that is valid behind those before it, or, now and then, one that is not.
    fn row(&mut self, ordinal: u64, seen: &mut BTreeSet<(String, i64)>) -> Option<BatchRow> {
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
        row.quote.price_usd = Decimal::parse(&self.lot.below(3).to_string()).ok();
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

    fn statement(&mut self, ordinal: u64) -> EvidenceRow {
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
        };
        let endpoint = ["coins", "contracts"][usize::from(self.lot.once_in(2))].into();
        let content_hash = evidence_hash(&evidence);
        EvidenceRow { ordinal, change, endpoint, evidence, content_hash }
    }

    fn news(&mut self, ordinal: u64) -> NewsRow {
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
    fn some_listings(&mut self, times: u64) -> Vec<ListingId> {
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

    /// A page and a batch with all of its rows.
    async fn page(&mut self) -> Batch {
        let number = self.sequence;
        let mut landed = Vec::new();
        // Requests and bodies come again, together and apart.
        let request = serde_json::json!({"path": "/v1/tickers", "page": self.lot.below(3)});
        let bytes = format!("page {}", self.lot.below(6));
        for store in self.stores {
            let fetched_at =
                at(100 + number.cast_signed() - 3 * i64::from(number.is_multiple_of(5)));
            let request = request.clone();
            let page = NewPage { sequence: number, request, fetched_at, ..new_page() };
            landed.push(store.land(page, body(bytes.as_bytes())).await.unwrap());
        }
        assert_eq!(landed[0], landed[1]);
        if self.lot.once_in(6) {
            self.refuse_and_reopen(&landed[0]).await;
        }
        let mut seen = BTreeSet::new();
        let rows: Vec<_> =
            (0..self.lot.below(20)).filter_map(|ordinal| self.row(ordinal, &mut seen)).collect();
        let mut batch = batch(&landed[0], self.epoch, number, rows);
        batch.fetched_at = landed[0].fetched_at;
        batch.evidence = (0..self.lot.below(6)).map(|place| self.statement(100 + place)).collect();
        let mut keys = BTreeSet::new();
        batch.evidence.retain(|row| {
            let Evidence { external_id, part, .. } = &row.evidence;
            keys.insert((external_id.clone(), row.endpoint.clone(), part.clone()))
        });
        batch.news = (0..self.lot.below(2)).map(|place| self.news(200 + place)).collect();
        batch.quarantined = (0..self.lot.below(3)).map(|place| bad(300 + place)).collect();
        batch.unchanged = self.lot.below(3);
        batch.returned = self.some_listings(6);
        batch.sweep = self.lot.once_in(2).then(|| Sweep { missing: self.some_listings(2) });
        batch.rows_done = batch.unchanged
            + (batch.rows.len() + batch.evidence.len() + batch.news.len()) as u64
            + batch.quarantined.len() as u64;
        batch.page_done = !self.lot.once_in(4);
        if batch.page_done {
            batch.examined = self.examined();
        }
        batch
    }

    /// Changes, now and then one twice, and now and then a profile.
    fn examined(&mut self) -> Option<Examined> {
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

    /// Has a page refused, and read after all.
    async fn refuse_and_reopen(&mut self, page: &RawPage) {
        let examined = if self.lot.once_in(3) { None } else { self.examined() };
        let error = RunError { code: "drift".into(), message: "it".into(), hint: "look".into() };
        let reopening = Reopening {
            who: "me".to_owned(),
            why: "it is right".to_owned(),
            forced: self.lot.once_in(2),
            run_id: page.run_id,
            decided_at: at(150),
        };
        let mut reopened = Vec::new();
        for store in self.stores {
            let (page_id, epoch) = (page.page_id, self.epoch);
            // One change twice is refused; then there is nothing to refuse the page for.
            let refused = store.refuse(page_id, epoch, error.clone(), examined.clone()).await;
            if refused.is_err() {
                store.refuse(page_id, epoch, error.clone(), None).await.unwrap();
            }
            reopened.push((refused, store.reopen(page_id, epoch, reopening.clone()).await));
        }
        assert_eq!(reopened[0], reopened[1]);
        assert_eq!(reopened[0].1.as_ref(), Ok(page));
    }

    /// A batch of quarantined rows of one page, if any are open.
    async fn retry(&mut self) -> Option<Batch> {
        let filter = QuarantineFilter {
            status: (!self.lot.once_in(10)).then_some(QuarantineStatus::Open),
            ..QuarantineFilter::default()
        };
        let open = self.stores[0].quarantined(filter).await.unwrap();
        let place = usize::try_from(self.lot.below(open.len().max(1) as u64)).unwrap();
        let page_id = open.get(place)?.page_id;
        let page = self.stores[0].page(page_id).await.unwrap()?;
        let ordinals: Vec<u64> =
            open.iter().filter(|row| row.page_id == page_id).map(|row| row.ordinal).collect();
        let mut batch = batch(&page, self.epoch, self.sequence, Vec::new());
        batch.rows_done = page.rows_done;
        batch.position = None;
        batch.quarantined =
            ordinals.iter().filter(|_| self.lot.once_in(2)).map(|ordinal| bad(*ordinal)).collect();
        batch.unchanged = (ordinals.len() - batch.quarantined.len()) as u64;
        batch.retry = Some(Retry { who: "me".to_owned(), why: "again".to_owned(), ordinals });
        self.spoil(&mut batch);
        Some(batch)
    }

    /// Makes one thing of a retry wrong, now and then.
    fn spoil(&mut self, batch: &mut Batch) {
        match self.lot.below(40) {
            0 => batch.quarantined.push(bad(999)),
            1 => batch.position = Some(serde_json::json!(1)),
            2 => batch.page_done = true,
            3 => batch.rows_done += 1,
            4 => batch.unchanged += 1,
            5 => batch.sweep = Some(Sweep::default()),
            6 => {
                // As many rows as were asked for, one of which is another.
                batch.unchanged = batch.unchanged.saturating_sub(1);
                batch.quarantined.push(bad(998));
            }
            _ => {}
        }
    }

    /// Tells a batch to both; returns whether they took it.
    async fn tell(&mut self, batch: Batch) -> bool {
        let before = self.known.clone();
        let [one, other] = self.stores;
        let told = one.commit(batch.clone()).await;
        let twin = other.commit(batch.clone()).await;
        let (told_kind, twin_kind) = (told.as_ref().map_err(kind), twin.as_ref().map_err(kind));
        assert_eq!(told_kind, twin_kind, "{told:?} {twin:?} {batch:#?}");
        let Ok(committed) = told else {
            return false;
        };
        let new_rows = batch.rows.iter().filter(|row| matches!(row.change, RowChange::New { .. }));
        let new_statements = (batch.evidence.iter())
            .filter(|row| matches!(row.change, EvidenceChange::New { .. }))
            .map(|row| &row.evidence.external_id);
        let ids = new_rows.map(|row| &row.external_id).chain(new_statements);
        self.known = before;
        for (id, listing_id) in ids.zip(committed.new_listings) {
            if let Some(known) = self.known.get_mut(id.as_str()) {
                known.listing = ListingRef::Stored(listing_id);
            }
        }
        true
    }

    /// Everything that both say of themselves.
    async fn compare(&self, pages: i64) {
        let mut said = Vec::new();
        for store in self.stores {
            let mut settled = Vec::new();
            for page in 1..=pages {
                settled.push(store.settled(PageId(page)).await.unwrap());
            }
            let search = NewsFilter { search: Some("0% 3".to_owned()), ..NewsFilter::default() };
            let early = NewsFilter { until: Some(at(5)), ..NewsFilter::default() };
            said.push((
                store.dump().await.unwrap(),
                store.verify().await.unwrap(),
                format!("{:#?}", store.memory(&source()).await.unwrap()),
                store.quarantined(QuarantineFilter::default()).await.unwrap(),
                (store.decisions().await.unwrap(), found(store).await),
                [NewsFilter::default(), search, early].map(|filter| store.news(filter)).into_iter(),
                settled,
            ));
        }
        let other = said.pop().unwrap();
        let one = said.pop().unwrap();
        for (one, other) in one.0.iter().zip(&other.0) {
            assert_eq!(one, other);
        }
        assert_eq!((&one.1, &one.3, &one.4, &one.6), (&other.1, &other.3, &other.4, &other.6));
        assert_eq!(one.2, other.2);
        for (one, other) in one.5.zip(other.5) {
            assert_eq!(one.await.unwrap(), other.await.unwrap());
        }
    }
}

/// What was found out: changes, anomalies and pages, by several filters.
async fn found(store: &dyn Store) -> (Vec<DriftRow>, Vec<Anomaly>, Vec<PageRecord>, Vec<u64>) {
    let of_source = || Some(source());
    let accepted = DriftFilter { status: Some(DriftStatus::Accepted), ..DriftFilter::default() };
    let mut changes = store.drift(DriftFilter::default()).await.unwrap();
    changes.extend(store.drift(accepted.clone()).await.unwrap());
    let some = DriftFilter { source: of_source(), after: Some(2), offset: 1, ..accepted.clone() };
    changes.extend(store.drift(some).await.unwrap());
    let all = AnomalyFilter::default();
    let jumps = AnomalyFilter { kind: Some("price_jump".to_owned()), ..all.clone() };
    let of_coin = AnomalyFilter { external_id: Some("coin-1".into()), ..all.clone() };
    let runs = AnomalyFilter { about: Some(AnomalyAbout::Runs), ..all.clone() };
    let page = AnomalyFilter { limit: Some(3), offset: 2, source: of_source(), ..all.clone() };
    let mut counts = vec![store.count_drift(accepted).await.unwrap()];
    let mut anomalies = Vec::new();
    for filter in [all, jumps, of_coin, runs, page] {
        counts.push(store.count_anomalies(filter.clone()).await.unwrap());
        anomalies.extend(store.anomalies(filter).await.unwrap());
    }
    let landed = PageFilter { state: Some(PageState::Landed), ..PageFilter::default() };
    let some = PageFilter { limit: Some(3), offset: 1, source: of_source(), ..landed.clone() };
    counts.push(store.count_pages(landed).await.unwrap());
    let of_run = PageFilter { run_id: Some(run_id(1)), ..PageFilter::default() };
    let mut pages = store.pages(some).await.unwrap();
    pages.extend(store.pages(of_run).await.unwrap());
    (changes, anomalies, pages, counts)
}

fn bad(ordinal: u64) -> QuarantinedRow {
    let rejection = Rejection::new(RejectionReason::BadNumber, "/price", "1e400");
    QuarantinedRow { ordinal, rejection, rule: "domain/1" }
}

/// What came of a story.
#[derive(Debug, Default)]
struct Told {
    batches: usize,
    taken: usize,
    counts: RunCounts,
    /// By kind.
    decisions: BTreeMap<&'static str, usize>,
    news: usize,
    changes: u64,
    anomalies: u64,
    inactive: usize,
}

async fn tell(seed: u64, all: &mut Told) {
    let (_folder, store) = new_store();
    let memory = MemoryStore::new();
    let stores: [&dyn Store; 2] = [&store, &memory];
    let (epoch, page) = landed(&store).await;
    memory.acquire(&source(), "test", LEASE).await.unwrap();
    memory.queue_run(run_id(1), &source(), RunReason::Manual, at(0)).await.unwrap();
    assert_eq!(memory.land(new_page(), body(b"a page")).await.unwrap(), page);
    let lot = Lot(seed);
    let mut story = Story { lot, stores, known: BTreeMap::new(), sequence: 0, epoch };
    let (mut taken, mut pages) = (0, 1);
    for step in 0..40 {
        let before = story.known.clone();
        let retry = if story.lot.once_in(5) { story.retry().await } else { None };
        let batch = match retry {
            Some(batch) => batch,
            None => {
                pages += 1;
                story.page().await
            }
        };
        if story.tell(batch).await {
            taken += 1;
        } else {
            story.known = before;
        }
        story.sequence += 1;
        if story.lot.once_in(12) {
            let rows: Vec<i64> = (0..2).map(|_| story.lot.below(9).cast_signed()).collect();
            let now: Timestamp = at(200);
            let told = stores[0].discard(rows.clone(), "me", "beyond repair", now).await;
            assert_eq!(told, stores[1].discard(rows, "me", "beyond repair", now).await);
        }
        if story.lot.once_in(9) {
            let changes: Vec<_> =
                (0..2).map(|_| DriftId(story.lot.below(9).cast_signed())).collect();
            let told = stores[0].accept_drift(changes.clone(), "me", "fine", at(201)).await;
            assert_eq!(told, stores[1].accept_drift(changes, "me", "fine", at(201)).await);
        }
        if step % 8 == 7 {
            story.compare(pages).await;
        }
    }
    all.taken += taken;
    all.batches += 40;
    all.counts.add(&store.run(run_id(1)).await.unwrap().unwrap().counts);
    for decision in store.decisions().await.unwrap() {
        *all.decisions.entry(decision.kind.name()).or_default() += 1;
    }
    all.news += store.news(NewsFilter::default()).await.unwrap().len();
    all.changes += store.count_drift(DriftFilter::default()).await.unwrap();
    all.anomalies += store.count_anomalies(AnomalyFilter::default()).await.unwrap();
    let known = store.memory(&source()).await.unwrap().listings;
    all.inactive += known.iter().filter(|known| known.missed == 3).count();
}

#[tokio::test]
async fn both_stores_know_the_same_after_any_story() {
    let mut all = Told::default();
    for seed in 1..=12 {
        tell(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed), &mut all).await;
    }
    // Stories of refusals alone would say little, and so would stories without any.
    assert!(all.taken * 2 > all.batches && all.taken < all.batches, "{all:?}");
    let RunCounts { inserted, updated, unchanged, stale, duplicate, quarantined, .. } = all.counts;
    let came = [inserted, updated, unchanged, stale, duplicate, quarantined];
    assert!(came.into_iter().all(|count| count > 0), "{all:?}");
    assert!(all.decisions.len() == 4 && all.news > 0 && all.inactive > 0, "{all:?}");
    assert!(all.changes > 0 && all.anomalies > 0, "{all:?}");
}
