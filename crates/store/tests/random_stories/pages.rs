//! Pages, batches of them, and what people do with them; told to both stores.

use std::collections::BTreeSet;

use kasparro_domain::{Evidence, RawPage, RunError};
use kasparro_store::{
    Batch, EvidenceChange, ListingRef, NewPage, QuarantineFilter, QuarantineStatus, Reopening,
    Retry, RowChange, StoreError, Sweep,
};

use super::Story;
use super::rows::bad;
use crate::support::{at, batch, body, new_page};

fn kind(error: &StoreError) -> std::mem::Discriminant<StoreError> {
    std::mem::discriminant(error)
}

impl Story<'_> {
    /// A page and a batch with all of its rows.
    pub(super) async fn page(&mut self) -> Batch {
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
    pub(super) async fn retry(&mut self) -> Option<Batch> {
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
    pub(super) async fn tell(&mut self, batch: Batch) -> bool {
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
}
