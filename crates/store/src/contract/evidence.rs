//! Stories about what lists state of listings.

use kasparro_domain::{Generation, ListingKey, RunCounts};

use super::fixture::{
    NEW, Start, Subject, about, at, changes, correction, gecko, hold, late, listing, newer,
    paprika, priced, row, start, table,
};
use super::stated::{FOUND, contract, named, stated, stated_late, statement};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{
    EvidenceChange, EvidenceRow, HistoryRange, KnownEvidence, ListingRef, ListingRow, RowChange,
    evidence_hash,
};

/// The listing that a story's first statement brought.
async fn found(
    store: &Subject,
    begun: &Start,
    first: EvidenceRow,
) -> Result<(kasparro_domain::ListingId, Generation), Broken> {
    let committed = begun.held.state(store, 1, 3, vec![first]).await?;
    match committed.new_listings.as_slice() {
        [listing] => Ok((*listing, committed.generation)),
        other => Err(Broken(format!("one statement brought {other:?}"))),
    }
}

pub(super) async fn a_list_makes_a_listing_known_without_a_quote(store: Subject) -> Told {
    let begun = start(&store).await?;
    let weth = contract("ethereum", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2");
    let mut first = statement(0, FOUND, "weth", std::slice::from_ref(&weth));
    first.evidence.attributes = named(Some("WETH"), None);
    let other = statement(1, FOUND, "dai", &[]);
    let committed = begun.held.state(&store, 1, 3, vec![first.clone(), other]).await?;
    let counts = RunCounts { received: 2, inserted: 2, ..RunCounts::default() };
    expect_eq("counts", committed.counts, counts)?;
    let last = begun.ids[2].0;
    let ids = [1, 2].map(|more| kasparro_domain::ListingId(last + more));
    expect_eq("ids", &committed.new_listings, &ids.to_vec())?;
    let (_, rows) = changes(&store, begun.committed.generation).await?;
    let seen: Vec<_> = rows.iter().map(|row| row.listing_id).collect();
    expect_eq("changed", seen, ids.to_vec())?;
    let shown = listing(&store, ids[0]).await?;
    let expected = ListingRow {
        listing_id: ids[0],
        asset_id: shown.asset_id,
        founded_asset_id: shown.asset_id,
        class: kasparro_domain::AssetClass::Other,
        identity: kasparro_domain::IdentityState::Unresolved,
        source: paprika(),
        external_id: "weth".into(),
        attributes: named(Some("WETH"), None),
        contracts: vec![weth],
        active: true,
        last_seen_at: None,
        quote: None,
        observed_at: None,
        source_timed: false,
        fetched_at: None,
        unusual: false,
        first_seen_at: at(3),
    };
    let (_, all) = changes(&store, Generation(0)).await?;
    let assets: std::collections::BTreeSet<_> = all.iter().map(|row| row.asset_id).collect();
    expect_eq("assets", assets.len(), 5)?;
    expect_eq("the listing", shown, expected)?;

    let memory = store.memory(&paprika()).await?;
    let known = memory.listings.iter().find(|known| known.listing_id == ids[0]);
    expect_eq("known", known.map(|known| (known.quote.is_some(), known.missed)), Some((false, 0)))?;
    let statement = KnownEvidence {
        listing_id: ids[0],
        endpoint: "coins_list".into(),
        part: "".into(),
        content_hash: evidence_hash(&first.evidence),
    };
    ensure(memory.evidence.contains(&statement), "memory holds the statement")?;
    expect_eq("statements", memory.evidence.len(), 2)?;
    expect_eq("of another source", store.memory(&gecko()).await?.evidence, Vec::new())?;
    let summary = store.source_summaries().await?;
    expect_eq("listings", summary.first().map(|one| one.listings), Some(5))?;
    expect_eq("points", store.history(ids[0], HistoryRange::default()).await?, Vec::new())?;

    let batch = begun.held.next(&store, &begun.page, 2).await?;
    let again = crate::Batch { evidence: vec![statement_of(3, "weth")], ..batch };
    let again = crate::Batch { rows_done: 4, ..again };
    expect_conflict("a listing that is known", store.commit(again).await)
}

/// A statement that brings a listing and says nothing of it.
fn statement_of(ordinal: u64, id: &str) -> EvidenceRow {
    statement(ordinal, FOUND, id, &[])
}

pub(super) async fn a_listing_shows_the_contracts_of_all_its_lists(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let [one, two, three] = ["0x1", "0x2", "0x3"].map(|address| contract("base", address));
    let of = |ordinal, endpoint: &str, part: &str, contracts: &[_]| {
        let mut row = statement(ordinal, stated(btc), "btc", contracts);
        row.endpoint = endpoint.into();
        row.evidence.part = part.into();
        row
    };
    let rows = vec![
        of(0, "contracts", "0x3", &[three.clone(), one.clone()]),
        of(1, "contracts", "0x2", &[two.clone(), three.clone(), three.clone()]),
        of(2, "coins_list", "", std::slice::from_ref(&one)),
    ];
    let counts = begun.held.state(&store, 1, 3, rows).await?.counts;
    expect_eq("stated", (counts.updated, counts.received), (3, 3))?;
    let all = vec![one.clone(), two.clone(), three.clone()];
    expect_eq("the union, sorted", listing(&store, btc).await?.contracts, all)?;
    expect_eq("of another", listing(&store, eth).await?.contracts, Vec::new())?;
    expect_eq("names", listing(&store, btc).await?.attributes, about("btc"))?;

    let since = store.generation().await?;
    let rows = vec![of(0, "contracts", "0x3", &[]), of(1, "coins_list", "", &[])];
    begun.held.state(&store, 2, 4, rows).await?;
    let left = vec![two, three];
    expect_eq("what is still stated", listing(&store, btc).await?.contracts, left.clone())?;
    expect_eq("readers are told", changes(&store, since).await?.1.len(), 1)?;
    let kept = table(&store, "evidence_origin").await?;
    ensure(kept.len() == 3, "each statement is kept once")?;
    let begin = serde_json::json!([at(3), at(4)]).to_string();
    let again = begin.trim_matches(['[', ']']);
    expect_eq("first seen", kept.iter().filter(|row| row.contains(again)).count(), 2)?;

    let since = store.generation().await?;
    begun.held.state(&store, 3, 5, vec![of(0, "contracts", "0x3", &[])]).await?;
    // Whoever decides about identity reads it, though readers see nothing of it.
    expect_eq("what nobody sees is told too", changes(&store, since).await?.1.len(), 1)?;
    let mut batch = begun.held.next(&store, &begun.page, 4).await?;
    batch.rows = vec![row(3, newer(btc), "btc", at(20), "3")];
    batch.rows_done += 1;
    store.commit(batch).await?;
    expect_eq("after a quote", listing(&store, btc).await?.contracts, left)
}

pub(super) async fn names_are_those_of_the_quote_once_there_is_one(store: Subject) -> Told {
    let begun = start(&store).await?;
    let mut first = statement(0, FOUND, "dai", &[]);
    first.evidence.attributes = named(Some("DAI"), Some("Dai"));
    let (dai, _) = found(&store, &begun, first).await?;
    let of = |endpoint: &str, attributes| {
        let mut row = statement(0, stated(dai), "dai", &[]);
        row.endpoint = endpoint.into();
        row.evidence.attributes = attributes;
        vec![row]
    };
    let held = &begun.held;
    held.state(&store, 2, 4, of("contracts", named(None, None))).await?;
    let shown = listing(&store, dai).await?.attributes;
    expect_eq("a list without names", shown, named(Some("DAI"), Some("Dai")))?;
    held.state(&store, 3, 5, of("contracts", named(None, Some("Dai Stablecoin")))).await?;
    let shown = listing(&store, dai).await?.attributes;
    expect_eq("the list read last", shown, named(Some("DAI"), Some("Dai Stablecoin")))?;

    let mut quote = row(3, newer(dai), "dai", at(20), "1");
    quote.attributes = named(Some("dai"), None);
    let mut batch = held.next(&store, &begun.page, 4).await?;
    batch.rows = vec![quote];
    batch.rows_done += 1;
    store.commit(batch).await?;
    let shown = listing(&store, dai).await?.attributes;
    expect_eq("those of the quote", shown, named(Some("dai"), None))?;
    let since = store.generation().await?;
    held.state(&store, 5, 6, of("coins_list", named(Some("D"), Some("D")))).await?;
    let shown = listing(&store, dai).await?.attributes;
    expect_eq("still those of the quote", shown, named(Some("dai"), None))?;
    expect_eq("changed", changes(&store, since).await?.1.len(), 1)
}

pub(super) async fn a_listing_known_from_a_list_gets_its_first_quote(store: Subject) -> Told {
    let begun = start(&store).await?;
    let (dai, since) = found(&store, &begun, statement_of(0, "dai")).await?;
    let before = store.dump().await?;
    let mut batch = begun.held.next(&store, &begun.page, 2).await?;
    batch.rows_done += 1;
    for change in [late(dai), correction(dai)] {
        batch.rows = vec![row(3, change, "dai", at(20), "1")];
        expect_conflict("a point beside no quote", store.commit(batch.clone()).await)?;
    }
    expect_eq("tables", store.dump().await?, before)?;
    batch.rows = vec![row(3, newer(dai), "dai", at(-50), "0.999")];
    expect_eq("counted", store.commit(batch).await?.counts.updated, 1)?;
    let (_, changed) = changes(&store, since).await?;
    let quotes: Vec<_> = changed.iter().map(|row| (row.listing_id, row.quote.clone())).collect();
    expect_eq("changed", quotes, vec![(dai, Some(priced("0.999")))])?;
    let shown = listing(&store, dai).await?;
    expect_eq("instants", (shown.observed_at, shown.first_seen_at), (Some(at(-50)), at(3)))?;
    expect_eq("points", store.history(dai, HistoryRange::default()).await?.len(), 1)
}

pub(super) async fn a_late_statement_never_replaces_one(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let (new, old) = (contract("base", "0xnew"), contract("base", "0xold"));
    let held = &begun.held;
    held.state(&store, 1, 9, vec![statement(0, stated(btc), "btc", std::slice::from_ref(&new))])
        .await?;
    let since = store.generation().await?;
    let rows = vec![
        statement(0, stated_late(btc), "btc", std::slice::from_ref(&old)),
        statement(1, stated_late(eth), "eth", std::slice::from_ref(&old)),
    ];
    let counts = held.state(&store, 2, 3, rows).await?.counts;
    let expected = RunCounts { received: 2, stale: 2, ..RunCounts::default() };
    expect_eq("counts", counts, expected)?;
    expect_eq("kept", listing(&store, btc).await?.contracts, vec![new])?;
    expect_eq("where there was none", listing(&store, eth).await?.contracts, vec![old])?;
    let changed = changes(&store, since).await?.1;
    expect_eq("changed", changed.iter().map(|row| row.listing_id).collect(), vec![eth])
}

pub(super) async fn a_listing_is_not_active_while_a_list_says_so(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let says = |endpoint: &str, active| {
        let mut row = statement(0, stated(btc), "btc", &[]);
        row.endpoint = endpoint.into();
        row.evidence.active = active;
        vec![row]
    };
    let told = [
        ("coins", Some(true), true),
        ("contracts", Some(false), false),
        ("coins", Some(true), false),
        ("contracts", None, true),
    ];
    for ((endpoint, active, expected), sequence) in told.into_iter().zip(1..) {
        let since = store.generation().await?;
        begun.held.state(&store, sequence, 3, says(endpoint, active)).await?;
        let shown = listing(&store, btc).await?;
        let what = format!("after {endpoint} said {active:?}");
        expect_eq(&what, (shown.active, shown.last_seen_at), (expected, None))?;
        let changed = changes(&store, since).await?.1.len();
        expect_eq("changed", changed, 1)?;
    }
    Ok(())
}

pub(super) async fn a_batch_may_go_on_with_the_listings_it_brings(store: Subject) -> Told {
    let begun = start(&store).await?;
    let listing_ref = ListingRef::InBatch;
    let late_here = |repeated| RowChange::Late { listing: listing_ref, repeated };
    let rows = vec![
        row(0, NEW, "doge", at(10), "1"),
        row(1, RowChange::Newer { listing: listing_ref }, "doge", at(70), "2"),
        row(2, late_here(false), "doge", at(30), "3"),
        row(3, late_here(true), "doge", at(30), "4"),
        row(4, RowChange::Correction { listing: listing_ref }, "doge", at(70), "5"),
        row(5, NEW, "ada", at(10), "6"),
        row(6, RowChange::Newer { listing: listing_ref }, "ada", at(11), "7"),
        row(7, RowChange::Newer { listing: listing_ref }, "doge", at(80), "8"),
    ];
    let wow = contract("bsc", "0xba2ae424d960c26247dd6c32edc70b295c744c43");
    let here = EvidenceChange::Stated { listing: listing_ref };
    let mut more = statement(10, here, "dai", &[]);
    more.endpoint = "contracts".into();
    let evidence = vec![
        statement(8, here, "doge", std::slice::from_ref(&wow)),
        statement(9, FOUND, "dai", &[]),
        more,
    ];
    let page = begun.held.land(&store, 1, b"many points").await?;
    let mut batch = begun.held.batch(&page, 1, rows);
    batch.rows_done += evidence.len() as u64;
    batch.evidence = evidence;
    let committed = store.commit(batch.clone()).await?;
    let counts = RunCounts {
        received: 11,
        inserted: 3,
        updated: 6,
        stale: 1,
        duplicate: 1,
        ..RunCounts::default()
    };
    expect_eq("counts", committed.counts, counts)?;
    expect_eq("sent twice", store.commit(batch).await?, committed.clone())?;
    let [doge, ada, dai] = committed.new_listings.as_slice() else {
        return Err(Broken(format!("new listings: {:?}", committed.new_listings)));
    };
    let (_, changed) = changes(&store, begun.committed.generation).await?;
    let shown: Vec<_> = changed.iter().map(|row| (row.listing_id, row.quote.clone())).collect();
    let expected = vec![(*doge, Some(priced("8"))), (*ada, Some(priced("7"))), (*dai, None)];
    expect_eq("changed once", shown, expected)?;
    expect_eq("contracts", changed.first().map(|row| row.contracts.clone()), Some(vec![wow]))?;
    let points = store.history(*doge, HistoryRange::default()).await?;
    let price = |point: &crate::HistoryPoint| point.price_usd.as_ref().map(ToString::to_string);
    let points: Vec<_> = points.iter().map(|point| (point.revision, price(point))).collect();
    let price = |text: &str| Some(text.to_owned());
    let kept = [(0, "1"), (0, "3"), (0, "2"), (1, "5"), (0, "8")];
    expect_eq("history", points, kept.map(|(no, text)| (no, price(text))).to_vec())
}

pub(super) async fn a_batch_goes_on_with_nothing_that_it_did_not_bring(store: Subject) -> Told {
    let begun = start(&store).await?;
    let before = store.dump().await?;
    let here = ListingRef::InBatch;
    for id in ["btc", "nobody"] {
        let change = RowChange::Newer { listing: here };
        let batch = begun.held.batch(&begun.page, 1, vec![row(3, change, id, at(11), "2")]);
        expect_conflict(&format!("a point of {id}"), store.commit(batch).await)?;
        let change = EvidenceChange::Stated { listing: here };
        let batch = begun.held.list(&begun.page, 1, vec![statement(3, change, id, &[])]);
        expect_conflict(&format!("a statement of {id}"), store.commit(batch).await)?;
    }
    let turned = vec![
        row(3, RowChange::Newer { listing: here }, "doge", at(11), "2"),
        row(4, NEW, "doge", at(10), "1"),
    ];
    let batch = begun.held.batch(&begun.page, 1, turned);
    expect_conflict("a point before its listing", store.commit(batch).await)?;
    let other = hold(&store, gecko(), 2).await?;
    let page = other.land(&store, 0, b"gecko").await?;
    let stolen = statement(0, stated(begun.ids[0]), "btc", &[]);
    let batch = other.list(&page, 0, vec![stolen]);
    expect_conflict("another source's listing", store.commit(batch).await)?;
    let swapped = statement(3, stated(begun.ids[1]), "btc", &[]);
    let batch = begun.held.list(&begun.page, 1, vec![swapped]);
    expect_conflict("another listing's id", store.commit(batch).await)?;
    for digested in before.iter().filter(|table| table.digested && table.name != "raw_body") {
        let now = table(&store, digested.name).await?;
        expect_eq(digested.name, &now, &digested.rows)?;
    }
    Ok(())
}

pub(super) async fn statements_that_no_store_may_hold_are_refused(store: Subject) -> Told {
    let begun = start(&store).await?;
    let before = store.dump().await?;
    let spoil: [fn(&mut EvidenceRow); 10] = [
        |row| row.evidence.external_id = "".into(),
        |row| row.evidence.external_id = "a\0b".into(),
        |row| row.evidence.part = "\0".into(),
        |row| row.evidence.attributes.symbol = Some("\0".into()),
        |row| row.evidence.attributes.name = Some("x\0".into()),
        |row| row.evidence.contracts = vec![contract("\0", "0x1")],
        |row| row.evidence.contracts = vec![contract("base", "\0")],
        |row| row.evidence.same_as = vec![ListingKey::new("coingecko", "x\0")],
        |row| row.evidence.same_as = vec![ListingKey::new("coingecko", "")],
        |row| row.evidence.same_as = vec![ListingKey::new("", "x")],
    ];
    for spoil in spoil {
        let mut spoiled = statement_of(3, "dai");
        spoil(&mut spoiled);
        let what = format!("{spoiled:?}");
        let batch = begun.held.list(&begun.page, 1, vec![spoiled]);
        expect_conflict(&what, store.commit(batch).await)?;
    }
    let mut twice = begun.held.list(&begun.page, 1, vec![statement_of(3, "dai")]);
    twice.quarantined = vec![super::fixture::bad(3, kasparro_domain::RejectionReason::BadNumber)];
    expect_conflict("a statement with two dispositions", store.commit(twice).await)?;
    expect_eq("tables", store.dump().await?, before)
}
