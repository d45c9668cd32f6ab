//! Stories about sweeps: what a source no longer lists.

use kasparro_domain::{ListingId, Timestamp};

use super::fixture::{
    NEW, Start, Subject, at, changes, gecko, hold, listing, newer, paprika, row, start,
};
use super::stated::{FOUND, stated, statement};
use super::{Broken, Told, expect_conflict, expect_eq};
use crate::{Batch, Sweep};

/// Commits an empty page that was fetched at `minute` and completes a sweep without `missing`;
/// returns the listings that changed by it.
async fn sweep(
    store: &Subject,
    begun: &Start,
    sequence: u64,
    minute: i64,
    missing: &[ListingId],
    returned: &[ListingId],
) -> Result<Vec<ListingId>, Broken> {
    let since = store.generation().await?;
    let page = begun.held.land_at(store, sequence, minute).await?;
    let mut batch = begun.held.batch(&page, sequence, Vec::new());
    batch.page_done = true;
    batch.sweep = Some(Sweep { missing: missing.to_vec() });
    batch.returned = returned.to_vec();
    store.commit(batch).await?;
    let (_, changed) = changes(store, since).await?;
    Ok(changed.iter().map(|row| row.listing_id).collect())
}

/// Whether a listing is active, when it was seen last, and how many sweeps it missed.
async fn seen(
    store: &Subject,
    id: ListingId,
) -> Result<(bool, Option<Timestamp>, Option<u8>), Broken> {
    let shown = listing(store, id).await?;
    let memory = store.memory(&paprika()).await?;
    let known = memory.listings.iter().find(|known| known.listing_id == id);
    Ok((shown.active, shown.last_seen_at, known.map(|known| known.missed)))
}

pub(super) async fn a_listing_missing_from_three_sweeps_is_not_active(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    expect_eq("a full sweep", sweep(&store, &begun, 1, 5, &[], &[]).await?, vec![])?;
    // Readers see the first miss by its instant and the third by the end of activity.
    let missed = [
        (6, vec![eth, xrp], true, 1, vec![eth, xrp]),
        (7, vec![xrp], true, 2, vec![]),
        (8, vec![eth, xrp], false, 3, vec![xrp]),
        (9, vec![xrp], false, 3, vec![]),
    ];
    for ((minute, missing, active, number, readers), sequence) in missed.into_iter().zip(2..) {
        let changed = sweep(&store, &begun, sequence, minute, &missing, &[]).await?;
        expect_eq(&format!("changed at {minute}"), changed, readers)?;
        let expected = (active, Some(at(5)), Some(number));
        expect_eq(&format!("missed at {minute}"), seen(&store, xrp).await?, expected)?;
    }
    expect_eq("missing twice", seen(&store, eth).await?, (true, Some(at(5)), Some(2)))?;
    expect_eq("never missing", seen(&store, btc).await?, (true, None, Some(0)))
}

pub(super) async fn a_listing_was_seen_last_by_its_latest_sign(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    let changed = sweep(&store, &begun, 1, 5, &[btc], &[]).await?;
    expect_eq("before any sweep", changed, vec![btc])?;
    expect_eq("its quote", seen(&store, btc).await?, (true, Some(at(0)), Some(1)))?;

    // One listing found behind the sweep, and a quote of another that is later than it.
    let found = begun.held.state(&store, 2, 7, vec![statement(0, FOUND, "dai", &[])]).await?;
    let [dai] = found.new_listings.as_slice() else {
        return Err(Broken(format!("new listings: {:?}", found.new_listings)));
    };
    let page = begun.held.land_at(&store, 3, 8).await?;
    store.commit(begun.held.batch(&page, 3, vec![row(0, newer(eth), "eth", at(20), "2")])).await?;
    sweep(&store, &begun, 4, 9, &[eth, xrp, *dai], &[]).await?;
    expect_eq("its quote", seen(&store, eth).await?, (true, Some(at(8)), Some(1)))?;
    expect_eq("the sweep before", seen(&store, xrp).await?, (true, Some(at(5)), Some(1)))?;
    expect_eq("its first sight", seen(&store, *dai).await?, (true, Some(at(7)), Some(1)))?;
    // Sweeps of another source say nothing of this one.
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land_at(&store, 0, 90).await?;
    let mut batch = other.batch(&page, 0, vec![row(0, NEW, "bitcoin", at(10), "1")]);
    batch.sweep = Some(Sweep::default());
    batch.page_done = true;
    store.commit(batch).await?;
    sweep(&store, &begun, 5, 11, &[btc], &[btc]).await?;
    expect_eq("a second absence", seen(&store, btc).await?, (true, Some(at(9)), Some(1)))
}

pub(super) async fn a_listing_that_returns_is_active_again(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    for (sequence, minute) in [(1, 5), (2, 6), (3, 7)] {
        sweep(&store, &begun, sequence, minute, &[xrp], &[]).await?;
    }
    sweep(&store, &begun, 4, 8, &[eth], &[]).await?;
    let changed = sweep(&store, &begun, 5, 9, &[], &[btc, eth, xrp]).await?;
    expect_eq("readers see", changed, vec![eth, xrp])?;
    for id in begun.ids {
        expect_eq(&format!("listing {id}"), seen(&store, id).await?, (true, None, Some(0)))?;
    }
    sweep(&store, &begun, 6, 10, &[xrp], &[]).await?;
    expect_eq("counted anew", seen(&store, xrp).await?, (true, Some(at(9)), Some(1)))?;

    // What a list says is not undone by a return.
    let mut gone = statement(0, stated(xrp), "xrp", &[]);
    gone.evidence.active = Some(false);
    begun.held.state(&store, 7, 11, vec![gone]).await?;
    sweep(&store, &begun, 8, 12, &[], &[xrp]).await?;
    expect_eq("still said to be gone", seen(&store, xrp).await?, (false, None, Some(0)))
}

pub(super) async fn a_sweep_is_about_listings_of_its_source_only(store: Subject) -> Told {
    let begun = start(&store).await?;
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land_at(&store, 0, 5).await?;
    let before = store.dump().await?;
    let swept = Batch {
        sweep: Some(Sweep { missing: vec![begun.ids[0]] }),
        ..other.batch(&page, 0, Vec::new())
    };
    expect_conflict("missing", store.commit(swept).await)?;
    let returned = Batch { returned: vec![begun.ids[0]], ..other.batch(&page, 0, Vec::new()) };
    expect_conflict("returned", store.commit(returned).await)?;
    let nobody = ListingId(begun.ids[2].0 + 1);
    let swept =
        Batch { sweep: Some(Sweep { missing: vec![nobody] }), ..other.batch(&page, 0, Vec::new()) };
    expect_conflict("nobody", store.commit(swept).await)?;
    expect_eq("tables", store.dump().await?, before)
}
