//! Stories about what the read model is told.

use kasparro_domain::{Generation, ListingId};
use tokio::sync::mpsc;

use super::fixture::{NEW, Subject, at, changes, gecko, hold, newer, paprika, priced, row, start};
use super::{Told, ensure, expect_eq};

pub(super) async fn everything_comes_by_ascending_id_in_pieces(store: Subject) -> Told {
    let (generation, rows) = changes(&store, Generation(0)).await?;
    expect_eq("an empty store", (generation, rows), (Generation(0), Vec::new()))?;
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"many").await?;
    let count = 5_001_u64;
    let rows = (0..count).map(|place| row(place, NEW, &format!("coin-{place}"), at(1), "1"));
    let committed = store.commit(held.batch(&page, 0, rows.collect())).await?;
    let (generation, rows) = changes(&store, Generation(0)).await?;
    expect_eq("generation", generation, committed.generation)?;
    let ids: Vec<ListingId> = rows.iter().map(|row| row.listing_id).collect();
    expect_eq("ids", ids, committed.new_listings)?;
    ensure(rows.iter().all(|row| row.active && row.source == paprika()), "rows are whole")
}

pub(super) async fn exactly_the_changed_rows_come_once_with_current_values(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    let since = begun.committed.generation;
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land(&store, 0, b"gecko").await?;
    let theirs =
        store.commit(other.batch(&page, 0, vec![row(0, NEW, "bitcoin", at(5), "9")])).await?;
    let update = |id, name, minute, price| row(3, newer(id), name, at(minute), price);
    let held = &begun.held;
    let first =
        held.batch(&begun.page, 1, vec![update(xrp, "xrp", 11, "2"), update(btc, "btc", 11, "2")]);
    store.commit(first).await?;
    let mut second = held.batch(&begun.page, 2, vec![update(btc, "btc", 12, "3")]);
    second.rows_done = 6;
    let last = store.commit(second).await?;

    let (generation, rows) = changes(&store, since).await?;
    expect_eq("generation", generation, last.generation)?;
    let seen: Vec<_> = rows.iter().map(|row| (row.listing_id, row.quote.clone())).collect();
    let bitcoin = theirs.new_listings.first().copied().unwrap_or_default();
    let expected =
        vec![(btc, Some(priced("3"))), (xrp, Some(priced("2"))), (bitcoin, Some(priced("9")))];
    expect_eq("rows", seen, expected)?;
    ensure(rows.iter().all(|row| row.listing_id != eth), "what did not change is not sent")?;
    expect_eq("since now", changes(&store, last.generation).await?.1, Vec::new())
}

pub(super) async fn a_reader_that_goes_away_is_no_success(store: Subject) -> Told {
    start(&store).await?;
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    ensure(store.changes(Generation(0), sender).await.is_err(), "a lost piece is told")?;
    store.ping().await?;
    Ok(())
}
