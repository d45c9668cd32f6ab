//! Pages that hold many points of one listing: same store as row by row, few writes.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use common::{at, batch, landed, new_row, new_store};
use kasparro_domain::{Decimal, Membership};
use kasparro_store::{BatchRow, BatchStore, HistoryRange, HistoryStore, ListingRef, RowChange};
use kasparro_store_sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

/// Points of a listing at these minutes, all of the batch that brings the listing.
fn points(id: &str, minutes: impl IntoIterator<Item = i64>) -> Vec<BatchRow> {
    let mut newest = None;
    let rows = minutes.into_iter().zip(0_u64..).map(|(minute, ordinal)| {
        let listing = ListingRef::InBatch;
        let mut row = new_row(ordinal, id);
        row.change = match newest {
            None => RowChange::New { membership: Membership::Founds },
            Some(newest) if newest < minute => RowChange::Newer { listing },
            Some(_) => RowChange::Late { listing, repeated: false },
        };
        row.observed_at = at(minute);
        row.attributes.name = Some(format!("Name at {minute}").into());
        row.quote.price_usd = Some(Decimal::parse(&minute.to_string()).unwrap());
        newest = newest.max(Some(minute));
        row
    });
    rows.collect()
}

/// A store that counts in `written` how often quotes and listings are written.
async fn counting(rows: Vec<BatchRow>) -> (TempDir, SqliteStore, [i64; 2]) {
    let (folder, store) = new_store();
    let (epoch, page) = landed(&store).await;
    let direct = Connection::open(store.path()).unwrap();
    direct
        .execute_batch(
            "CREATE TABLE written (what TEXT);
             CREATE TRIGGER a AFTER INSERT ON quote BEGIN INSERT INTO written VALUES ('q'); END;
             CREATE TRIGGER b AFTER UPDATE ON quote BEGIN INSERT INTO written VALUES ('q'); END;
             CREATE TRIGGER c AFTER UPDATE ON listing BEGIN INSERT INTO written VALUES ('l'); END;",
        )
        .unwrap();
    let count = rows.len() as u64;
    let committed = store.commit(batch(&page, epoch, 0, rows)).await.unwrap();
    assert_eq!(committed.counts.received, count);
    let written = ["q", "l"].map(|what| {
        let sql = "SELECT count(*) FROM written WHERE what = ?1";
        direct.query_row(sql, [what], |row| row.get(0)).unwrap()
    });
    (folder, store, written)
}

#[tokio::test]
async fn ascending_points_write_the_quote_first_and_last() {
    let (_folder, store, written) = counting(points("btc", 0..366)).await;
    assert_eq!(written, [2, 1]);
    let memory = store.memory(&common::source()).await.unwrap();
    let btc = &memory.listings[0];
    assert_eq!(btc.attributes.name.as_deref(), Some("Name at 365"));
    let quote = btc.quote.as_ref().unwrap();
    assert_eq!((quote.observed_at, quote.raw_hash), (at(365), 365));
    let history = store.history(btc.listing_id, HistoryRange::default()).await.unwrap();
    let expected: Vec<_> = (0..366).map(at).collect();
    assert_eq!(history.iter().map(|point| point.observed_at).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn descending_points_write_the_quote_once() {
    let (_folder, store, written) = counting(points("btc", (0..366).rev())).await;
    assert_eq!(written, [1, 0]);
    let memory = store.memory(&common::source()).await.unwrap();
    let btc = &memory.listings[0];
    assert_eq!(btc.attributes.name.as_deref(), Some("Name at 365"));
    let history = store.history(btc.listing_id, HistoryRange::default()).await.unwrap();
    assert_eq!(history.len(), 366);
}

/// Order number `place` of the minutes 10, 20, 30, 40 and 50.
fn order(mut place: usize) -> Vec<i64> {
    let mut left: Vec<i64> = vec![10, 20, 30, 40, 50];
    let mut order = Vec::new();
    while !left.is_empty() {
        let rest = left.len();
        order.push(left.remove(place % rest));
        place /= rest;
    }
    order
}

#[tokio::test]
async fn any_order_of_points_leaves_the_newest_quote_and_every_point() {
    let orders: Vec<Vec<i64>> = (0..120).map(order).collect();
    let listings = orders.iter().enumerate();
    let rows = listings.flat_map(|(place, order)| points(&format!("coin-{place}"), order.clone()));
    let (_folder, store, _) = counting(rows.collect()).await;
    let memory = store.memory(&common::source()).await.unwrap();
    assert_eq!(memory.listings.len(), orders.len());
    for (known, order) in memory.listings.iter().zip(orders) {
        let quote = known.quote.as_ref().unwrap();
        assert_eq!(quote.observed_at, at(50), "{order:?}");
        assert_eq!(quote.values.price_usd, Some(Decimal::parse("50").unwrap()), "{order:?}");
        assert_eq!(known.attributes.name.as_deref(), Some("Name at 50"), "{order:?}");
        let history = store.history(known.listing_id, HistoryRange::default()).await.unwrap();
        let prices: Vec<_> = history
            .iter()
            .filter_map(|point| point.price_usd.as_ref()?.as_str().parse::<i64>().ok())
            .collect();
        assert_eq!(prices, [10, 20, 30, 40, 50], "{order:?}");
    }
}
