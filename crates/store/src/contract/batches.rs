//! Stories about commits.

use kasparro_domain::{ListingId, RejectionReason, RunCounts};
use serde_json::json;

use super::fixture::{
    LEASE, NEW, Subject, about, at, bad, changes, correction, decimal, end, gecko, hold, late,
    newer, page_now, paprika, priced, row, start, table,
};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{BatchRow, KnownListing, KnownQuote, NewPage, QuarantineCount, StoreError};

pub(super) async fn i1_every_row_has_exactly_one_disposition(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let rows = vec![
        row(3, NEW, "doge", at(10), "0.1"),
        row(4, newer(btc), "btc", at(11), "101"),
        row(5, correction(eth), "eth", at(10), "99"),
        row(6, late(btc), "btc", at(9), "90"),
        row(7, late(btc), "btc", at(10), "100.5"),
    ];
    let mut batch = begun.held.batch(&begun.page, 1, rows);
    batch.unchanged = 2;
    batch.duplicate = 1;
    batch.quarantined = vec![bad(11, RejectionReason::BadNumber)];
    batch.rows_done = 12;
    let committed = store.commit(batch).await?;
    let counts = RunCounts {
        received: 9,
        inserted: 1,
        updated: 2,
        unchanged: 3,
        stale: 1,
        duplicate: 1,
        quarantined: 1,
    };
    expect_eq("counts", committed.counts, counts)?;
    ensure(committed.counts.balanced(), "the counts add up")?;
    let run = store.run(begun.held.run_id).await?;
    let mut sum = begun.committed.counts;
    sum.add(&counts);
    expect_eq("counters of the run", run.map(|run| run.counts), Some(sum))?;
    expect_eq("rows done", page_now(&store, &begun.page).await?.rows_done, 12)
}

pub(super) async fn i1_a_batch_that_loses_or_doubles_a_row_is_refused(store: Subject) -> Told {
    let begun = start(&store).await?;
    let good = begun.held.batch(&begun.page, 1, vec![row(3, NEW, "doge", at(10), "0.1")]);
    let before = store.dump().await?;

    let mut more_done = good.clone();
    more_done.rows_done += 1;
    expect_conflict("more rows done than accounted for", store.commit(more_done).await)?;
    let mut fewer_done = good.clone();
    fewer_done.rows_done = 1;
    expect_conflict("progress that goes back", store.commit(fewer_done).await)?;
    let mut doubled = good.clone();
    doubled.quarantined = vec![bad(3, RejectionReason::BadNumber)];
    expect_conflict("a row with two dispositions", store.commit(doubled).await)?;
    let mut twice = good.clone();
    twice.quarantined =
        vec![bad(4, RejectionReason::BadNumber), bad(4, RejectionReason::WrongType)];
    expect_conflict("a row quarantined twice", store.commit(twice).await)?;
    expect_eq("tables", store.dump().await?, before)?;
    store.commit(good).await?;
    Ok(())
}

pub(super) async fn values_that_no_store_may_hold_are_refused(store: Subject) -> Told {
    let begun = start(&store).await?;
    let before = store.dump().await?;
    let spoil: [fn(&mut BatchRow); 8] = [
        |row| row.external_id = "a\0b".into(),
        |row| row.external_id = "".into(),
        |row| row.attributes.symbol = Some("\0".into()),
        |row| row.attributes.name = Some("x\0".into()),
        |row| row.quote.rank = Some(0),
        |row| row.quote.price_usd = decimal("-1e-60"),
        |row| row.quote.max_supply = decimal("-21000000"),
        |row| row.quote.market_cap = decimal("-1"),
    ];
    for spoil in spoil {
        let mut spoiled = row(3, NEW, "doge", at(10), "1");
        spoil(&mut spoiled);
        let what = format!("{spoiled:?}");
        let batch = begun.held.batch(&begun.page, 1, vec![spoiled]);
        expect_conflict(&what, store.commit(batch).await)?;
    }
    expect_eq("tables", store.dump().await?, before)
}

pub(super) async fn i2_the_checkpoint_moves_with_its_batch_and_never_without(
    store: Subject,
) -> Told {
    let begun = start(&store).await?;
    let held = &begun.held;
    expect_eq("before", store.memory(&paprika()).await?.checkpoint, None)?;
    let mut batch = held.batch(&begun.page, 1, vec![row(3, NEW, "doge", at(10), "1")]);
    batch.position = Some(json!({"page": 1}));
    batch.page_done = true;
    store.commit(batch.clone()).await?;
    let moved = store.memory(&paprika()).await?.checkpoint;
    let moved = moved.ok_or_else(|| Broken("the checkpoint did not move".to_owned()))?;
    expect_eq("position", &moved.position, &json!({"page": 1}))?;
    expect_eq("moved at", moved.moved_at, batch.fetched_at)?;

    batch.sequence = 2;
    batch.position = Some(json!({"page": 2}));
    batch.rows = vec![row(4, newer(ListingId(999)), "?", at(20), "1")];
    batch.rows_done = 5;
    expect_conflict("a batch about nothing", store.commit(batch.clone()).await)?;
    let kept = store.memory(&paprika()).await?.checkpoint;
    expect_eq("after a failed batch", kept.as_ref(), Some(&moved))?;

    batch.rows.clear();
    batch.rows_done = 4;
    batch.position = None;
    store.commit(batch).await?;
    let kept = store.memory(&paprika()).await?.checkpoint;
    expect_eq("after a batch that does not move it", kept, Some(moved))
}

pub(super) async fn a_failing_batch_leaves_every_table_as_it_was(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let before = store.dump().await?;
    let mut batch = begun.held.batch(
        &begun.page,
        1,
        vec![
            row(3, NEW, "doge", at(10), "1"),
            row(4, newer(btc), "btc", at(11), "101"),
            row(5, newer(ListingId(999)), "nobody", at(11), "1"),
        ],
    );
    batch.position = Some(json!(1));
    batch.quarantined = vec![bad(6, RejectionReason::BadNumber)];
    batch.rows_done = 7;
    batch.page_done = true;
    expect_conflict("a batch with a bad row", store.commit(batch.clone()).await)?;
    expect_eq("tables", &store.dump().await?, &before)?;

    batch.rows = vec![row(3, NEW, "btc", at(10), "1")];
    batch.rows_done = 5;
    expect_conflict("a listing that is known", store.commit(batch.clone()).await)?;
    expect_eq("tables", &store.dump().await?, &before)?;

    batch.rows = vec![row(3, NEW, "doge", at(10), "1")];
    batch.quarantined = vec![bad(4, RejectionReason::BadNumber)];
    let committed = store.commit(batch).await?;
    let next = ListingId(begun.ids[2].0 + 1);
    expect_eq("ids that failures did not use up", committed.new_listings, vec![next])
}

pub(super) async fn a_batch_that_is_sent_twice_is_applied_once(store: Subject) -> Told {
    let begun = start(&store).await?;
    let rows = vec![
        row(3, NEW, "doge", at(10), "1"),
        row(4, NEW, "ada", at(10), "1"),
        row(5, late(begun.ids[0]), "btc", at(9), "90"),
    ];
    let mut batch = begun.held.batch(&begun.page, 1, rows);
    batch.quarantined = vec![bad(6, RejectionReason::BadNumber)];
    batch.rows_done = 7;
    let first = store.commit(batch.clone()).await?;
    let tables = store.dump().await?;
    let second = store.commit(batch).await?;
    expect_eq("the answer", second, first)?;
    expect_eq("tables", store.dump().await?, tables)?;
    expect_eq("next sequence", store.memory(&paprika()).await?.next_sequence, 2)?;
    expect_eq("asked for alone", store.next_sequence(&paprika()).await?, 2)?;
    expect_eq("of a source without a batch", store.next_sequence(&gecko()).await?, 0)
}

pub(super) async fn i4_an_old_epoch_is_fenced_and_writes_nothing(store: Subject) -> Told {
    let begun = start(&store).await?;
    let batch = begun.held.batch(&begun.page, 1, vec![row(3, NEW, "doge", at(10), "1")]);
    store.release(&paprika(), begun.held.epoch).await?;
    let epoch = store.acquire(&paprika(), "the next holder", LEASE).await?;
    ensure(epoch > begun.held.epoch, "the epoch rises")?;
    let before = store.dump().await?;
    let fenced = StoreError::Fenced { source_name: paprika(), epoch: begun.held.epoch };
    expect_eq("the old holder", store.commit(batch.clone()).await, Err(fenced.clone()))?;
    let mut known = batch.clone();
    known.sequence = 0;
    expect_eq("a known batch of the old holder", store.commit(known).await, Err(fenced))?;
    let mut never = batch.clone();
    never.epoch = epoch + 1;
    let outcome = store.commit(never).await;
    ensure(matches!(outcome, Err(StoreError::Fenced { .. })), "an epoch to come is fenced too")?;
    expect_eq("tables", store.dump().await?, before)?;
    let mut theirs = batch;
    theirs.epoch = epoch;
    store.commit(theirs).await?;
    Ok(())
}

pub(super) async fn ids_are_given_in_row_order_and_never_again(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [first, second, third] = begun.ids;
    ensure(first < second && second < third, "ids rise")?;
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land(&store, 0, b"gecko").await?;
    let rows = vec![row(1, NEW, "zcash", at(10), "1"), row(0, NEW, "aave", at(10), "1")];
    let committed = store.commit(other.batch(&page, 0, rows)).await?;
    let expected = vec![ListingId(third.0 + 1), ListingId(third.0 + 2)];
    expect_eq("ids", &committed.new_listings, &expected)?;
    let (_, all) = changes(&store, kasparro_domain::Generation(0)).await?;
    let names: Vec<&str> = all.iter().map(|row| row.external_id.as_str()).collect();
    expect_eq("by id", names, vec!["btc", "eth", "xrp", "zcash", "aave"])?;
    let mut assets: Vec<_> = all.iter().map(|row| row.asset_id).collect();
    assets.sort_unstable();
    assets.dedup();
    expect_eq("assets", assets.len(), 5)
}

pub(super) async fn generations_rise_by_one_and_are_announced(store: Subject) -> Told {
    let mut watch = store.watch();
    let before = store.generation().await?;
    let begun = start(&store).await?;
    expect_eq("generation", begun.committed.generation.0, before.0 + 1)?;
    let announced = *watch.borrow_and_update();
    expect_eq("announced", announced, begun.committed.generation)?;
    let committed = store.commit(begun.held.batch(&begun.page, 1, Vec::new())).await?;
    expect_eq("of an empty batch", committed.generation.0, before.0 + 2)?;
    expect_eq("announced", *watch.borrow_and_update(), committed.generation)?;
    expect_eq("stored", store.generation().await?, committed.generation)
}

pub(super) async fn quarantined_rows_are_kept_once_and_counted_each_time(store: Subject) -> Told {
    let begun = start(&store).await?;
    let held = &begun.held;
    let mut batch = held.batch(&begun.page, 1, Vec::new());
    batch.quarantined =
        vec![bad(3, RejectionReason::BadNumber), bad(4, RejectionReason::NulInText)];
    batch.rows_done = 5;
    expect_eq("counted", store.commit(batch.clone()).await?.counts.quarantined, 2)?;

    // The same bytes again, judged with another reason: what was said first stays.
    let again = NewPage { sequence: 1, ..held.new_page(0) };
    let again = store.land(again, super::fixture::body(b"first page")).await?;
    batch.page_id = again.page_id;
    batch.sequence = 2;
    batch.quarantined =
        vec![bad(3, RejectionReason::WrongType), bad(5, RejectionReason::BadNumber)];
    batch.unchanged = 4;
    batch.rows_done = 6;
    expect_eq("counted again", store.commit(batch).await?.counts.quarantined, 2)?;
    let count = |reason, rows| QuarantineCount { source: paprika(), reason, rows };
    let expected = vec![count(RejectionReason::BadNumber, 2), count(RejectionReason::NulInText, 1)];
    expect_eq("kept", store.quarantine_counts().await?, expected)?;
    expect_eq("rows", table(&store, "quarantine").await?.len(), 3)
}

pub(super) async fn d2_every_digit_comes_back(store: Subject) -> Told {
    let numbers = [
        "3.84e-18",
        "8.9e-46",
        "9223372036854775807",
        "16234567890123456.7",
        "12345678901234567890123456789012345678",
        "1.2345678901234567890123456789012345678e-60",
        "1e80",
        "0.000001",
        "0",
    ];
    let held = hold(&store, paprika(), 1).await?;
    let page = held.land(&store, 0, b"digits").await?;
    let rows = numbers.iter().enumerate().map(|(place, number)| {
        let mut row = row(place as u64, NEW, &format!("coin-{place}"), at(1), number);
        row.quote.market_cap = decimal(number);
        row.quote.volume_24h = decimal(number);
        row.quote.price_change_24h = decimal(&format!("-{number}"));
        row.quote.circulating_supply = decimal(number);
        row.quote.total_supply = decimal(number);
        row.quote.max_supply = decimal(number);
        row.quote.fully_diluted_valuation = decimal(number);
        row.quote.rank = None;
        row
    });
    let rows: Vec<BatchRow> = rows.collect();
    let sent: Vec<_> = rows.iter().map(|row| Some(row.quote.clone())).collect();
    store.commit(held.batch(&page, 0, rows)).await?;
    let (_, read) = changes(&store, kasparro_domain::Generation(0)).await?;
    let read: Vec<_> = read.into_iter().map(|row| row.quote).collect();
    expect_eq("quotes", read, sent)?;
    let known = store.memory(&paprika()).await?.listings;
    let price = |known: &KnownListing| known.quote.as_ref()?.values.price_usd.clone();
    let prices: Vec<_> = known.iter().map(price).collect();
    expect_eq("prices", prices, numbers.iter().map(|number| decimal(number)).collect())
}

pub(super) async fn a_listing_takes_rows_of_its_own_source_and_id_only(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land(&store, 0, b"gecko").await?;
    let before = store.dump().await?;
    for change in [newer(btc), correction(btc), late(btc)] {
        let batch = other.batch(&page, 0, vec![row(0, change, "btc", at(10), "1")]);
        expect_conflict("another source's listing", store.commit(batch).await)?;
    }
    let swapped = row(3, newer(eth), "btc", at(20), "1");
    let batch = begun.held.batch(&begun.page, 1, vec![swapped]);
    expect_conflict("another listing's id", store.commit(batch).await)?;
    let mut batch = other.batch(&begun.page, 0, Vec::new());
    batch.rows_done = 3;
    expect_conflict("another source's page", store.commit(batch).await)?;
    expect_eq("tables", store.dump().await?, before)
}

pub(super) async fn memory_holds_what_judging_the_next_row_needs(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let mut newer = row(3, newer(btc), "btc", at(11), "101");
    newer.attributes.name = Some("Bitcoin".into());
    newer.source_timed = false;
    store.commit(begun.held.batch(&begun.page, 7, vec![newer.clone()])).await?;
    let memory = store.memory(&paprika()).await?;
    expect_eq("next sequence", memory.next_sequence, 8)?;
    let ids: Vec<ListingId> = memory.listings.iter().map(|known| known.listing_id).collect();
    expect_eq("listings", ids, begun.ids.to_vec())?;
    let expected = KnownListing {
        listing_id: btc,
        external_id: "btc".into(),
        attributes: newer.attributes,
        quote: Some(KnownQuote {
            values: priced("101"),
            observed_at: at(11),
            source_timed: false,
            raw_hash: newer.raw_hash,
        }),
        missed: 0,
    };
    expect_eq("the listing that changed", memory.listings.first(), Some(&expected))?;
    let eth = memory.listings.get(1);
    let named = eth.map(|known| known.attributes.clone());
    expect_eq("one that did not", named, Some(about("eth")))?;
    let hash = eth.and_then(|known| known.quote.as_ref()).map(|quote| quote.raw_hash);
    expect_eq("its hash", hash, Some(u64::MAX - 1))?;
    let nothing = store.memory(&gecko()).await?;
    expect_eq("of a source never seen", (nothing.next_sequence, nothing.listings.len()), (0, 0))
}

pub(super) async fn a_page_is_settled_until_a_later_run_writes(store: Subject) -> Told {
    let begun = start(&store).await?;
    let held = &begun.held;
    let settled = |page| store.settled(page);
    expect_eq("a landed page", settled(begun.page.page_id).await?, None)?;
    let mut last = held.batch(&begun.page, 1, Vec::new());
    last.quarantined = vec![bad(3, RejectionReason::BadNumber)];
    last.duplicate = 1;
    last.rows_done = 5;
    last.page_done = true;
    store.commit(last).await?;
    let counts = RunCounts {
        received: 5,
        inserted: 3,
        duplicate: 1,
        quarantined: 1,
        ..RunCounts::default()
    };
    expect_eq("a loaded page", settled(begun.page.page_id).await?, Some(counts))?;

    // A later page of the same run, and a later run that finds nothing new, leave it settled.
    let second = held.land(&store, 1, b"second page").await?;
    let mut more = held.batch(&second, 2, vec![row(0, NEW, "doge", at(10), "0.1")]);
    more.page_done = true;
    store.commit(more).await?;
    end(&store, held).await?;
    let later = hold(&store, paprika(), 2).await?;
    let again = later.land(&store, 0, b"first page").await?;
    let mut same = later.batch(&again, 3, Vec::new());
    same.unchanged = 3;
    same.duplicate = 1;
    same.quarantined = vec![bad(3, RejectionReason::BadNumber)];
    same.rows_done = 5;
    same.page_done = true;
    let known = store.commit(same).await?.counts;
    expect_eq("still", settled(begun.page.page_id).await?, Some(counts))?;
    expect_eq("the same again", settled(again.page_id).await?, Some(known))?;

    end(&store, &later).await?;
    let latest = hold(&store, paprika(), 3).await?;
    let page = latest.land(&store, 0, b"third page").await?;
    let change = newer(begun.ids[0]);
    store.commit(latest.batch(&page, 4, vec![row(0, change, "btc", at(11), "101")])).await?;
    expect_eq("once a later run wrote", settled(begun.page.page_id).await?, None)
}

pub(super) async fn an_older_page_never_sets_the_checkpoint_back(store: Subject) -> Told {
    let begun = start(&store).await?;
    for (sequence, minute, next_page) in [(1, 9, 4), (2, 3, 2)] {
        let page = begun.held.land_at(&store, sequence, minute).await?;
        let mut batch = begun.held.batch(&page, sequence, Vec::new());
        batch.position = Some(json!({"next_page": next_page}));
        batch.page_done = true;
        store.commit(batch).await?;
    }
    let checkpoint = store.memory(&paprika()).await?.checkpoint;
    let stands = checkpoint.map(|checkpoint| (checkpoint.position, checkpoint.moved_at));
    expect_eq("checkpoint", stands, Some((json!({"next_page": 4}), at(9))))
}

pub(super) async fn loaded_pages_of_a_run_are_found_in_landing_order(store: Subject) -> Told {
    let begun = start(&store).await?;
    let held = &begun.held;
    let mut last = held.batch(&begun.page, 1, Vec::new());
    last.page_done = true;
    store.commit(last).await?;
    let second = held.land(&store, 1, b"second page").await?;
    let mut more = held.batch(&second, 2, vec![row(0, NEW, "doge", at(10), "0.1")]);
    more.page_done = true;
    store.commit(more).await?;
    held.land(&store, 2, b"third page").await?;
    let pages = store.loaded_pages(held.run_id).await?;
    let ids: Vec<_> = pages.iter().map(|page| page.page_id).collect();
    expect_eq("loaded", ids, vec![begun.page.page_id, second.page_id])?;
    let other = hold(&store, gecko(), 2).await?;
    expect_eq("of another run", store.loaded_pages(other.run_id).await?.len(), 0)
}
