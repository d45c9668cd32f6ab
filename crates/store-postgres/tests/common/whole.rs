//! A store with something of everything that the first version of the schema knew.

use kasparro_domain::{Attributes, Contract, Decimal, Evidence, ListingId, Membership, NewsItem};
use kasparro_store::{
    BatchRow, BatchStore, EvidenceChange, EvidenceRow, LeaseStore, ListingRef, NewPage, NewsRow,
    PageStore, QuarantineStore, RowChange, Sweep, evidence_hash, news_hash,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::Database;

use super::{LEASE, at, batch, body, first_batch, new_page, new_row, new_store, source};

pub(crate) fn later_row(ordinal: u64, id: &str, minute: i64, change: RowChange) -> BatchRow {
    let mut row = new_row(ordinal, id);
    row.change = change;
    row.observed_at = at(minute);
    row.quote.price_usd = Some(Decimal::parse(&format!("{ordinal}.5")).unwrap());
    row
}

/// A store with two loaded pages: points, a correction, a statement, news, a sweep that misses a listing,
/// a position, and a row in quarantine that was given up.
pub(crate) async fn whole_store() -> (Database, PostgresStore) {
    let (database, store) = new_store().await;
    fill(&store).await;
    (database, store)
}

/// As [`whole_store`], in a store that is empty.
pub(crate) async fn fill(store: &PostgresStore) {
    first_batch(store).await;
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let context = serde_json::json!({"position": {"sequence": 1}});
    let page = NewPage { context, epoch, ..new_page() };
    let page = store.land(page, body(b"a page")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let rows = vec![
        later_row(0, "btc", 10, RowChange::Newer { listing: btc }),
        later_row(1, "btc", 10, RowChange::Correction { listing: btc }),
        later_row(2, "btc", 20, RowChange::Newer { listing: btc }),
    ];
    let mut second = batch(&page, epoch, 1, rows);
    let contract = Contract { platform: "ethereum".into(), address: "0xabc".into() };
    let evidence = Evidence {
        external_id: "xrp".into(),
        part: "".into(),
        attributes: Attributes { symbol: Some("XRP".into()), name: None },
        contracts: vec![contract],
        active: None,
        kind: None,
        same_as: Vec::new(),
    };
    second.evidence = vec![EvidenceRow {
        ordinal: 3,
        change: EvidenceChange::New { membership: Membership::Founds },
        endpoint: "coins_list".into(),
        content_hash: evidence_hash(&evidence),
        evidence,
    }];
    let item = NewsItem {
        item_id: "1".into(),
        title: "a headline".to_owned(),
        link: None,
        summary: None,
        author: None,
        published_at: None,
    };
    let (feed, content_hash) = ("news.example.com/feed".into(), news_hash(&item));
    second.news = vec![NewsRow { ordinal: 4, known: false, feed, item, content_hash }];
    second.sweep = Some(Sweep { missing: vec![ListingId(2)] });
    (second.rows_done, second.page_done) = (5, true);
    store.commit(second).await.unwrap();
    assert_eq!(store.discard(vec![1], "a person", "noise", at(5)).await.unwrap(), 1);
}
