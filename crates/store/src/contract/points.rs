//! Stories about points: which stands as the quote, and what history keeps.

use kasparro_domain::{ListingId, RunCounts};

use super::fixture::{
    Start, Subject, at, changes, correction, decimal, late, listing, newer, page_now, priced, row,
    start,
};
use super::{Broken, Told, expect_conflict, expect_eq};
use crate::{BatchRow, HistoryPoint, HistoryRange, RowChange};

/// Instant, revision and price of every point of a listing.
async fn points(
    store: &Subject,
    listing: ListingId,
    range: HistoryRange,
) -> Result<Vec<(i64, u32, String)>, Broken> {
    let points = store.history(listing, range).await?;
    let price =
        |point: &HistoryPoint| point.price_usd.as_ref().map_or("?".into(), ToString::to_string);
    let minute =
        |point: &HistoryPoint| (point.observed_at.as_millis() - at(0).as_millis()) / 60_000;
    Ok(points.iter().map(|point| (minute(point), point.revision, price(point))).collect())
}

fn expected(points: &[(i64, u32, &str)]) -> Vec<(i64, u32, String)> {
    points
        .iter()
        .map(|(minute, revision, price)| (*minute, *revision, (*price).to_owned()))
        .collect()
}

/// Commits one row as batch `sequence`.
async fn commit(
    store: &Subject,
    begun: &Start,
    sequence: u64,
    row: BatchRow,
) -> Result<kasparro_domain::RunCounts, Broken> {
    let mut batch = begun.held.batch(&begun.page, sequence, vec![row]);
    batch.rows_done = page_now(store, &begun.page).await?.rows_done + 1;
    batch.fetched_at = at(60);
    Ok(store.commit(batch).await?.counts)
}

pub(super) async fn a_newer_point_replaces_the_quote_and_is_kept(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let mut newer = row(3, newer(btc), "btc", at(11), "101");
    newer.attributes.symbol = Some("XBT".into());
    let attributes = newer.attributes.clone();
    let counts = commit(&store, &begun, 1, newer).await?;
    expect_eq("updated", counts.updated, 1)?;
    let now = listing(&store, btc).await?;
    expect_eq("quote", now.quote, Some(priced("101")))?;
    expect_eq("observed at", now.observed_at, Some(at(11)))?;
    expect_eq("fetched at", now.fetched_at, Some(at(60)))?;
    expect_eq("first seen", now.first_seen_at, at(0))?;
    expect_eq("attributes", now.attributes, attributes)?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    expect_eq("history", all, expected(&[(10, 0, "100.5"), (11, 0, "101")]))
}

pub(super) async fn a_correction_keeps_both_values(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let correction = |ordinal, price| row(ordinal, correction(btc), "btc", at(10), price);
    let counts = commit(&store, &begun, 1, correction(3, "7")).await?;
    expect_eq("updated", counts.updated, 1)?;
    commit(&store, &begun, 2, correction(4, "100.5")).await?;
    expect_eq("quote", listing(&store, btc).await?.quote, Some(priced("100.5")))?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    expect_eq("history", all, expected(&[(10, 0, "100.5"), (10, 1, "7"), (10, 2, "100.5")]))
}

pub(super) async fn a_correction_of_anything_else_adds_no_point(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let change = correction(btc);
    let mut renamed = row(3, change, "btc", at(10), "100.5");
    renamed.attributes.name = Some("Bitcoin".into());
    let counts = commit(&store, &begun, 1, renamed).await?;
    expect_eq("updated", counts.updated, 1)?;
    let mut supplied = row(4, change, "btc", at(10), "100.5");
    supplied.attributes.name = Some("Bitcoin".into());
    supplied.quote.total_supply = decimal("21000000");
    commit(&store, &begun, 2, supplied.clone()).await?;
    let now = listing(&store, btc).await?;
    expect_eq("name", now.attributes.name.as_deref(), Some("Bitcoin"))?;
    expect_eq("quote", now.quote, Some(supplied.quote))?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    expect_eq("history", all, expected(&[(10, 0, "100.5")]))
}

pub(super) async fn a_late_point_is_kept_and_leaves_the_quote(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let before = listing(&store, btc).await?;
    let generation = begun.committed.generation;
    let late = |ordinal, price| {
        let mut row = row(ordinal, late(btc), "btc", at(-600), price);
        row.attributes.name = Some("an old name".into());
        row
    };
    let stale = commit(&store, &begun, 1, late(3, "50")).await?;
    expect_eq("an unknown point", (stale.stale, stale.received), (1, 1))?;
    let unchanged = commit(&store, &begun, 2, late(4, "50")).await?;
    expect_eq("with the same values", (unchanged.unchanged, unchanged.received), (1, 1))?;
    let updated = commit(&store, &begun, 3, late(5, "51")).await?;
    expect_eq("with other values", (updated.updated, updated.received), (1, 1))?;
    let again = commit(&store, &begun, 4, late(6, "50")).await?;
    expect_eq("and back", (again.updated, again.received), (1, 1))?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    let kept = [(-600, 0, "50"), (-600, 1, "51"), (-600, 2, "50"), (10, 0, "100.5")];
    expect_eq("history", all, expected(&kept))?;
    expect_eq("listing", listing(&store, btc).await?, before)?;
    expect_eq("what readers see changed", changes(&store, generation).await?.1, Vec::new())
}

pub(super) async fn a_point_in_the_wrong_place_is_refused(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let before = store.dump().await?;
    for (change, minute) in [
        (newer(btc), 10),
        (newer(btc), 9),
        (correction(btc), 9),
        (correction(btc), 11),
        (late(btc), 10),
        (late(btc), 11),
    ] {
        let batch = begun.held.batch(&begun.page, 1, vec![row(3, change, "btc", at(minute), "1")]);
        expect_conflict(&format!("{change:?} at {minute}"), store.commit(batch).await)?;
    }
    expect_eq("tables", store.dump().await?, before)
}

pub(super) async fn one_batch_may_hold_several_points_of_a_listing(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let rows = vec![
        row(3, late(btc), "btc", at(1), "1"),
        row(4, newer(btc), "btc", at(70), "2"),
        row(5, late(btc), "btc", at(30), "3"),
        row(6, newer(btc), "btc", at(200), "4"),
    ];
    let committed = store.commit(begun.held.batch(&begun.page, 1, rows)).await?;
    expect_eq("stale", committed.counts.stale, 2)?;
    expect_eq("updated", committed.counts.updated, 2)?;
    let (_, changed) = changes(&store, begun.committed.generation).await?;
    expect_eq("changed once", changed.len(), 1)?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    let kept = [(1, 0, "1"), (10, 0, "100.5"), (30, 0, "3"), (70, 0, "2"), (200, 0, "4")];
    expect_eq("history", all, expected(&kept))
}

pub(super) async fn history_is_read_by_range_order_and_limit(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let minutes = [11, 12, 75, 200, 300];
    let rows = minutes
        .iter()
        .zip(3..)
        .map(|(minute, ordinal)| row(ordinal, newer(btc), "btc", at(*minute), "1"));
    store.commit(begun.held.batch(&begun.page, 1, rows.collect())).await?;
    let read = |range| points(&store, btc, range);
    let minutes_of = |points: Vec<(i64, u32, String)>| -> Vec<i64> {
        points.into_iter().map(|(minute, ..)| minute).collect()
    };
    let all = HistoryRange::default();
    expect_eq("all", minutes_of(read(all).await?), vec![10, 11, 12, 75, 200, 300])?;
    let newest = HistoryRange { newest_first: true, limit: Some(4), ..all };
    expect_eq("newest", minutes_of(read(newest).await?), vec![300, 200, 75, 12])?;
    let range = HistoryRange { from: Some(at(11)), until: Some(at(200)), ..all };
    expect_eq("range", minutes_of(read(range).await?), vec![11, 12, 75])?;
    let backwards = HistoryRange { newest_first: true, ..range };
    expect_eq("range backwards", minutes_of(read(backwards).await?), vec![75, 12, 11])?;
    let first = HistoryRange { limit: Some(2), ..range };
    expect_eq("first of a range", minutes_of(read(first).await?), vec![11, 12])?;
    let nothing = HistoryRange { limit: Some(0), ..all };
    expect_eq("none", minutes_of(read(nothing).await?), Vec::new())?;
    expect_eq("of another", points(&store, eth, all).await?, expected(&[(10, 0, "100.5")]))?;
    expect_eq("of nobody", points(&store, ListingId(999), all).await?, Vec::new())?;
    let whole = store.history(eth, all).await?;
    let point = HistoryPoint {
        source: begun.held.source.clone(),
        external_id: "eth".into(),
        observed_at: at(10),
        revision: 0,
        price_usd: decimal("100.5"),
        market_cap: decimal("1000000"),
        volume_24h: None,
        source_timed: true,
    };
    expect_eq("a point", whole, vec![point])
}

pub(super) async fn a_point_repeated_in_a_run_is_counted_once(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let listing = crate::ListingRef::Stored(btc);
    let again = |ordinal, minute, price| {
        let change = RowChange::Late { listing, repeated: true };
        row(ordinal, change, "btc", at(minute), price)
    };
    commit(&store, &begun, 1, row(3, newer(btc), "btc", at(11), "101")).await?;
    let same = commit(&store, &begun, 2, again(4, 10, "100.5")).await?;
    let other = commit(&store, &begun, 3, again(5, 10, "7")).await?;
    let duplicate = RunCounts { received: 1, duplicate: 1, ..RunCounts::default() };
    expect_eq("a known point", (same, other), (duplicate, duplicate))?;
    let unknown = commit(&store, &begun, 4, again(6, 9, "90")).await?;
    let stale = RunCounts { received: 1, stale: 1, ..RunCounts::default() };
    expect_eq("an unknown point", unknown, stale)?;
    let all = points(&store, btc, HistoryRange::default()).await?;
    expect_eq("history", all, expected(&[(9, 0, "90"), (10, 0, "100.5"), (11, 0, "101")]))
}
