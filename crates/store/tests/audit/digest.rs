//! What the digest is of.

use kasparro_domain::{
    AssetId, Decimal, DecisionId, DecisionKind, ListingId, PageId, RejectionReason,
};
use kasparro_store::{Audit, QuarantineStatus, StoreError};
use serde_json::json;

use crate::world::{World, at, run_id};

pub(crate) type Change = fn(&mut World);

/// Names of tables.
pub(crate) type Tables = &'static [&'static str];

pub(crate) fn digest(world: &World) -> String {
    world.report().unwrap().digest
}

/// Names of the tables whose digest a change touches.
pub(crate) fn touched(change: impl FnOnce(&mut World)) -> Vec<&'static str> {
    let before = World::new().report().unwrap();
    let after = World::new().with(change).report().unwrap();
    let tables = before.tables.iter().zip(after.tables.values());
    let changed: Vec<&str> =
        tables.filter(|((_, before), after)| before != after).map(|((name, _), _)| *name).collect();
    assert_eq!(changed.is_empty(), before.digest == after.digest);
    changed
}

#[test]
fn minted_ids_are_not_in_it() {
    let renumbered = World::new().with(|world| {
        for row in &mut world.listings {
            row.listing_id = ListingId(1_000 - row.listing_id.0);
            row.asset_id = AssetId(50 - row.asset_id.0);
            row.founded_asset_id = AssetId(50 - row.founded_asset_id.0);
        }
        for record in &mut world.evidence {
            record.listing_id = ListingId(1_000 - record.listing_id.0);
        }
        for batch in &mut world.batches {
            batch.changed = batch.changed.iter().map(|id| ListingId(1_000 - id.0)).collect();
        }
        for (news, number) in world.news.iter_mut().zip([9, 4]) {
            news.news_id = number;
        }
        for decision in &mut world.decisions {
            decision.decision_id = DecisionId(decision.decision_id.0 + 7);
        }
    });
    let report = renumbered.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn the_order_of_landing_is_not_in_it() {
    let other = |page: PageId| PageId(3 - page.0);
    let turned = World::new().with(|world| {
        world.pages.reverse();
        world.pages.iter_mut().for_each(|record| record.page.page_id = other(record.page.page_id));
        world.quarantine.iter_mut().for_each(|row| row.page_id = other(row.page_id));
        world.batches.iter_mut().for_each(|batch| batch.page_id = other(batch.page_id));
        for decision in &mut world.decisions {
            decision.rows.iter_mut().for_each(|row| row.page_id = other(row.page_id));
        }
    });
    let report = turned.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn how_often_the_same_was_fetched_is_not_in_it() {
    let twice = World::new().with(|world| {
        let mut again = world.pages[0].clone();
        again.page.page_id = PageId(3);
        again.page.rows_done = 0;
        world.pages.push(again);
    });
    assert_eq!(digest(&twice), digest(&World::new()));
}

#[test]
fn times_of_fetching_and_runs_are_not_in_it() {
    let later = World::new().with(|world| {
        for row in &mut world.listings {
            row.first_seen_at = at(100);
            row.last_seen_at = Some(at(101));
            world.missed = vec![2; 3];
            row.fetched_at = row.fetched_at.map(|_| at(102));
        }
        for record in &mut world.evidence {
            (record.first_seen_at, record.fetched_at) = (at(103), at(104));
            record.ordinal = 9;
        }
        for news in &mut world.news {
            (news.first_seen_at, news.fetched_at) = (at(103), at(104));
        }
        for record in &mut world.pages {
            record.page.fetched_at = at(105);
            record.page.run_id = run_id(77);
            record.page.sequence = 5;
            record.page.headers = json!({"date": "later"});
        }
        world.checkpoints.iter_mut().for_each(|(_, checkpoint)| checkpoint.moved_at = at(105));
        world.decisions.iter_mut().for_each(|decision| decision.decided_at = at(106));
        world.sweeps.iter_mut().for_each(|(_, swept_at)| *swept_at = at(107));
    });
    let report = later.report().unwrap();
    assert_eq!(report.violations, []);
    assert_eq!(report.digest, digest(&World::new()));
}

#[test]
fn points_without_a_time_of_the_source_are_known_by_their_place() {
    // The first two of three instants of `btc` are times of fetching.
    let later = World::new().with(|world| {
        for point in world.points.iter_mut().filter(|point| !point.source_timed) {
            point.observed_at = point.observed_at.minus(std::time::Duration::from_secs(7_000));
        }
    });
    assert_eq!(digest(&later), digest(&World::new()));
    let merged = touched(|world| {
        world.points[2].observed_at = at(10);
        world.points[2].revision = 1;
        world.points[3].observed_at = at(10);
        world.points[3].revision = 2;
    });
    assert_eq!(merged, ["history"]);
}

#[test]
fn one_digit_of_one_value_changes_it() {
    let price = |text: &str| Some(Decimal::parse(text).unwrap());
    assert_eq!(
        touched(|world| {
            world.listings[1].quote.as_mut().unwrap().price_usd = price("101.1");
            world.points[4].price_usd = price("101.1");
        }),
        ["history", "quote"]
    );
    let supply = |world: &mut World| {
        world.listings[1].quote.as_mut().unwrap().total_supply = price("21000001");
    };
    assert_eq!(touched(supply), ["quote"]);
    assert_eq!(touched(|world| world.points[1].market_cap = price("1000001")), ["history"]);
    assert_eq!(touched(|world| world.points[1].volume_24h = price("0")), ["history"]);
    let rank = |world: &mut World| world.listings[1].quote.as_mut().unwrap().rank = Some(2);
    assert_eq!(touched(rank), ["quote"]);
}

#[test]
fn everything_that_readers_or_people_know_changes_it() {
    let changes: [(Change, Tables); 22] = [
        (|world| world.listings[1].attributes.symbol = None, &["listing"]),
        (|world| world.listings[1].attributes.name = Some("Bitcoin".into()), &["listing"]),
        (|world| world.listings[1].active = false, &["listing"]),
        (|world| world.listings[1].contracts = vec![crate::contract("0x1")], &["listing"]),
        (|world| world.listings[1].asset_id = AssetId(1), &["partition"]),
        (|world| world.listings[1].observed_at = Some(at(99)), &["quote"]),
        (|world| world.listings[1].source_timed = false, &["quote"]),
        (|world| world.points[0].source_timed = false, &["history"]),
        (|world| world.evidence[0].evidence.contracts.clear(), &["evidence"]),
        (|world| world.evidence[0].evidence.part = "0x1".into(), &["evidence"]),
        (|world| world.evidence[0].evidence.active = Some(true), &["evidence"]),
        (|world| world.news[0].item.title.push('!'), &["news"]),
        (|world| world.news[0].item.published_at = None, &["news"]),
        (|world| world.quarantine[0].status = QuarantineStatus::Open, &["quarantine"]),
        (
            |world| world.quarantine[0].rejection.reason = RejectionReason::WrongType,
            &["quarantine"],
        ),
        (|world| world.quarantine[0].request = json!({"path": "/v1"}), &["quarantine"]),
        (|world| world.decisions[0].why.push('!'), &["decision"]),
        (|world| world.decisions[0].kind = DecisionKind::Retry, &["decision"]),
        (|world| world.decisions[0].rows[0].ordinal = 4, &["decision"]),
        (|world| world.checkpoints[1].1.position = json!({"page": 3}), &["checkpoint"]),
        (|world| world.pages[0].page.request = json!({"path": "/v2"}), &["raw_body"]),
        // A decision is about rows of a request.
        (|world| world.pages[1].page.request = json!({"path": "/v2"}), &["decision", "raw_body"]),
    ];
    for (change, tables) in changes {
        assert_eq!(touched(change), tables);
    }
}

#[test]
fn a_row_less_in_any_table_changes_it() {
    let changes: [(Change, Tables); 7] = [
        (|world| drop(world.listings.pop()), &["listing", "partition"]),
        (|world| drop(world.evidence.pop()), &["evidence"]),
        (|world| drop(world.points.pop()), &["history"]),
        (|world| drop(world.news.pop()), &["news"]),
        (|world| drop(world.quarantine.pop()), &["quarantine"]),
        (|world| drop(world.decisions.pop()), &["decision"]),
        (|world| drop(world.checkpoints.pop()), &["checkpoint"]),
    ];
    for (change, tables) in changes {
        assert_eq!(touched(change), tables);
    }
}

#[test]
fn rows_out_of_order_are_an_error_that_names_the_table() {
    let turns: [(&str, Change); 8] = [
        ("listing", |world| world.listings.swap(0, 1)),
        ("evidence", |world| world.evidence.reverse()),
        ("history", |world| world.points.swap(1, 2)),
        ("news", |world| world.news.reverse()),
        ("quarantine", |world| world.quarantine.reverse()),
        ("decision", |world| world.decisions.reverse()),
        ("checkpoint", |world| world.checkpoints.reverse()),
        // The same row twice would make a digest of what a store reads, not of what it keeps.
        ("news", |world| world.news[1] = world.news[0].clone()),
    ];
    for (table, turn) in turns {
        match World::new().with(turn).report() {
            Err(StoreError::Corrupt(message)) => {
                assert_eq!(message, format!("the rows of {table} were not read in order"));
            }
            other => panic!("{table}: {other:?}"),
        }
    }
}

#[test]
fn names_are_ordered_by_their_bytes() {
    let world = World::new().with(|world| {
        // Upper case stands before lower case, and "a" before "a\u{301}" before "b".
        for (news, id) in world.news.iter_mut().zip(["Z", "a"]) {
            news.item.item_id = id.into();
        }
        let mut accented = world.news[1].clone();
        accented.item.item_id = "a\u{301}".into();
        world.news.push(accented);
    });
    assert_eq!(world.report().unwrap().violations, []);
}

#[test]
fn a_dump_has_every_table_and_marks_what_the_digest_covers() {
    let dump = World::new().feed(Audit::dump()).unwrap().into_dump();
    let report = World::new().report().unwrap();
    let digested: Vec<_> =
        dump.iter().filter(|table| table.digested).map(|table| table.name).collect();
    assert_eq!(digested, report.tables.keys().copied().collect::<Vec<_>>());
    for table in dump.iter().filter(|table| table.digested) {
        assert_eq!(table.rows.len() as u64, report.tables[table.name].rows, "{}", table.name);
    }
    assert!(report.digest.starts_with("sha256:"));
    assert_eq!(report.digest.len(), "sha256:".len() + 64);
}

#[test]
fn equal_stores_give_equal_dumps_whatever_they_minted() {
    let renumbered = World::new().with(|world| {
        for row in &mut world.listings {
            row.listing_id = ListingId(row.listing_id.0 + 40);
        }
        for record in &mut world.evidence {
            record.listing_id = ListingId(record.listing_id.0 + 40);
        }
        for batch in &mut world.batches {
            batch.changed = batch.changed.iter().map(|id| ListingId(id.0 + 40)).collect();
        }
    });
    let dump = |world: &World| world.feed(Audit::dump()).unwrap().into_dump();
    assert_eq!(dump(&renumbered), dump(&World::new()));
}
