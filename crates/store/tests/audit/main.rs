//! What an audit finds wrong, and what the digest covers.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod digest;
mod identity;
mod judged;
mod unusual;
mod world;

use kasparro_domain::{DecisionKind, ListingId, PageId, PageState};
use kasparro_store::{QuarantineStatus, StoreError, Violation};
use serde_json::json;
use world::{World, at, body, contract, gecko, paprika, run_id};

/// The violations of a changed world.
fn violations(change: impl FnOnce(&mut World)) -> Vec<Violation> {
    World::new().with(change).report().unwrap().violations
}

#[test]
fn a_whole_store_violates_nothing() {
    assert_eq!(violations(|_| {}), []);
}

#[test]
fn a_listing_that_is_not_active_for_a_reason_violates_nothing() {
    let found = violations(|world| {
        (world.listings[0].active, world.missed[0]) = (false, 3);
        world.listings[0].last_seen_at = Some(at(1));
        world.listings[2].active = false;
        world.evidence[1].evidence.active = Some(false);
        world.hash_anew();
    });
    assert_eq!(found, []);
}

#[test]
fn an_empty_store_violates_nothing() {
    let empty = kasparro_store::Audit::digest().report().unwrap();
    assert_eq!((empty.violations, empty.generation), (vec![], 0));
    assert!(empty.tables.values().all(|table| table.rows == 0));
}

/// Each change breaks one invariant, which is named, or several, of which one is named here.
macro_rules! named {
    ($($test:ident: $invariant:literal, $detail:literal, $change:expr;)*) => {
        $(
            #[test]
            fn $test() {
                let change: fn(&mut World) = $change;
                let found = violations(change);
                assert_eq!(found.len(), 1, "{found:?}");
                assert_eq!(found[0].invariant, $invariant, "{found:?}");
                assert!(found[0].detail.contains($detail), "{found:?}");
            }
        )*
    };
}

named! {
    a_statement_about_no_listing_is_named: "evidence", "listing 9, which is gone",
        |world| {
            let mut stray = world.evidence[1].clone();
            stray.listing_id = ListingId(9);
            stray.evidence.external_id = "doge".into();
            stray.evidence.contracts.clear();
            world.evidence.push(stray);
            world.hash_anew();
        };
    contracts_that_are_not_those_of_the_lists_are_named: "evidence", "contracts of listing 3",
        |world| world.listings[2].contracts = vec![contract("0x1")];
    contracts_out_of_order_are_named: "evidence", "contracts of listing 3",
        |world| world.listings[2].contracts.reverse();
    contracts_that_no_list_states_are_named: "evidence", "no list states the contracts of listing 2",
        |world| world.listings[1].contracts = vec![contract("0x9")];
    contracts_of_lists_that_a_listing_does_not_show_are_named: "evidence", "listing 3",
        |world| world.listings[2].contracts.clear();
    an_active_listing_that_a_list_gives_up_is_named: "evidence", "listing 3 is active, a list says",
        |world| {
            world.evidence[0].evidence.active = Some(false);
            world.hash_anew();
        };
    a_listing_that_is_not_active_for_no_reason_is_named: "sweep", "why listing 2 is not active",
        |world| world.listings[1].active = false;
    a_listing_that_missed_three_sweeps_and_is_active_is_named: "sweep", "is active and missed 3",
        |world| {
            world.missed[0] = 3;
            world.listings[0].last_seen_at = Some(at(1));
        };
    a_listing_without_a_last_sight_is_named: "sweep", "coingecko bitcoin missed 1 sweeps",
        |world| world.missed[0] = 1;
    a_last_sight_of_a_listing_that_is_listed_is_named: "sweep", "coinpaprika dai missed 0 sweeps",
        |world| world.listings[2].last_seen_at = Some(at(1));
    a_revision_that_is_left_out_is_named: "history", "revision 2 follows 0",
        |world| world.points[3].revision = 2;
    a_first_revision_that_is_gone_is_named: "history", "btc at 2023-11-14T22:23:20Z: the first",
        |world| world.points[1].revision = 1;
    a_quote_that_is_not_the_newest_point_is_named: "quote", "coinpaprika btc: the quote at",
        |world| { world.points.pop(); };
    a_quote_with_other_values_than_its_point_is_named: "quote", "coinpaprika btc: the quote at",
        |world| world.points[4].price_usd = None;
    a_quote_at_another_instant_than_its_point_is_named: "quote", "coingecko bitcoin: the quote",
        |world| world.listings[0].observed_at = Some(at(11));
    history_without_a_quote_is_named: "quote", "coinpaprika btc: history without a quote",
        |world| world.listings[1].quote = None;
    a_quote_without_history_is_named: "quote", "1 quotes have no point in history",
        |world| { world.points.drain(World::BTC); };
    i21_a_body_with_another_hash_is_named: "I21", "is ",
        |world| {
            let other = body(b"{\"page\": 3}").chunks;
            world.bodies[0].chunks = other;
        };
    i21_a_body_of_another_length_is_named: "I21", "of 12 bytes is",
        |world| world.bodies[0].body_bytes += 1;
    i21_a_body_that_is_cut_is_named: "I21", "cannot be read",
        |world| { world.bodies[1].chunks.pop(); };
    i21_a_body_with_bytes_behind_it_is_named: "I21", "cannot be read",
        |world| world.bodies[1].chunks.push(vec![1, 2, 3, 4, 5]);
    i21_a_body_without_chunks_is_named: "I21", "cannot be read: incomplete frame",
        |world| world.bodies[1].chunks.clear();
    i1_a_bad_row_of_another_source_is_named: "I1", "csv: row 6",
        |world| world.quarantine[1].source = kasparro_domain::SourceName::new("csv");
    a_decision_before_an_earlier_one_is_named: "decision", "decision 2 stands before",
        |world| world.decisions[1].after_page = PageId(1);
    i2_a_checkpoint_without_a_loaded_page_is_named: "I2", "coinpaprika: no loaded page",
        |world| world.checkpoints[1].1.moved_at = at(9);
    i2_a_checkpoint_behind_which_a_page_is_unfinished_is_named: "I2", "coingecko: no loaded page",
        |world| world.pages[0].page.state = PageState::Landed;
    i2_a_page_whose_body_is_gone_is_named: "I2", "is gone",
        |world| { world.bodies.pop(); };
    i1_a_page_with_a_row_too_many_is_named: "I1", "page 1 has 2 rows done, its batches account for 1",
        |world| world.pages[0].page.rows_done = 2;
    i1_a_page_with_a_row_too_few_is_named: "I1", "page 2 has 8 rows done, its batches account for 7",
        |world| world.pages[1].page.rows_done = 8;
    i1_a_run_that_counted_otherwise_is_named: "I1", "says that it received 1 rows, its batches say 1",
        |world| {
            world.runs[0].counts.inserted = 0;
            world.runs[0].counts.updated = 1;
        };
    i1_a_run_without_batches_that_counted_is_named: "I1", "received 7 rows, its batches say 0",
        |world| {
            let mut idle = world.runs[1].clone();
            idle.run_id = run_id(9);
            idle.counts.received = 7;
            world.runs.push(idle);
        };
    i1_a_run_that_is_gone_is_named: "I1", "has batches and is gone",
        |world| { world.runs.pop(); };
    a_generation_that_names_no_listing_is_named: "generation", "names listing 9, which is gone",
        |world| world.batches[0].changed.push(ListingId(9));
    a_generation_without_a_batch_is_named: "generation", "the generation is 4, there are 3 commits",
        |world| world.generation = 4;
}

macro_rules! among {
    ($($test:ident: $invariant:literal, $detail:literal, $change:expr;)*) => {
        $(
            #[test]
            fn $test() {
                let change: fn(&mut World) = $change;
                let found = violations(change);
                let named = |one: &Violation| {
                    one.invariant == $invariant && one.detail.contains($detail)
                };
                assert_eq!(found.iter().filter(|one| named(one)).count(), 1, "{found:?}");
            }
        )*
    };
}

among! {
    i1_a_bad_row_of_another_body_is_named: "I1", "row 6 in quarantine is none of page 1",
        |world| world.quarantine[1].page_id = PageId(1);
    i1_a_bad_row_of_no_page_is_named: "I1", "row 6 in quarantine is none of page 9",
        |world| world.quarantine[1].page_id = PageId(9);
    i1_a_bad_row_behind_the_rows_done_is_named: "I1", "row 7 in quarantine",
        |world| world.quarantine[1].ordinal = 7;
    a_decision_about_no_page_is_named: "decision", "decision 1 is about page 9, which is gone",
        |world| world.decisions[0].rows[0].page_id = PageId(9);
    i1_a_bad_row_that_is_gone_is_named: "I1", "page 2 has 1 rows in quarantine, its batches count 2",
        |world| { world.quarantine.pop(); };
    i1_a_listing_that_is_gone_is_named: "I1", "there are 4 listings and pieces of news, batches inserted 5",
        |world| { world.listings.pop(); };
}

named! {
    i1_a_piece_of_news_that_is_gone_is_named: "I1", "there are 4 listings and pieces of news",
        |world| { world.news.pop(); };
    i1_a_bad_row_that_no_batch_counts_is_named: "I1", "page 1 has 1 rows in quarantine, its batches",
        |world| {
            let mut row = world.quarantine[0].clone();
            row.source = gecko();
            (row.page_id, row.request, row.ordinal) = (PageId(1), world::request(1), 0);
            row.body = world.pages[0].page.body;
            row.status = QuarantineStatus::Open;
            world.quarantine.insert(0, row);
        };
    a_bad_row_that_nobody_gave_up_is_named: "decision", "tells why row 6 of page 2 is discarded",
        |world| { world.decisions.remove(1); };
    a_bad_row_that_was_given_up_and_is_open_is_named: "decision", "decision 2 gives row 6 of page 2 up",
        |world| world.quarantine[1].status = QuarantineStatus::Open;
    a_bad_row_that_was_given_up_and_not_read_again_is_named: "decision", "row 6 of page 2 is discarded",
        |world| world.decisions[1].kind = DecisionKind::Retry;
    i2_a_checkpoint_that_is_gone_is_named: "I2", "coinpaprika: its pages reach a position",
        |world| { world.checkpoints.pop(); };
    i2_a_checkpoint_at_another_position_is_named: "I2", "coinpaprika: the checkpoint is not the position",
        |world| world.checkpoints[1].1.position = json!({"page": 9});
    a_statement_that_was_changed_is_named: "evidence", "coinpaprika dai: coins_list does not say",
        |world| world.evidence[0].evidence.attributes.name = Some("Dei".into());
    a_piece_of_news_that_was_changed_is_named: "news", "coinpaprika news.example.com/feed b: its text",
        |world| world.news[1].item.title.push('!');
    the_sweeps_of_a_source_that_are_gone_are_named: "sweep", "coinpaprika: listings missed sweeps",
        |world| {
            (world.missed[1], world.missed[2]) = (1, 2);
            world.listings[1].last_seen_at = Some(at(1));
            world.listings[2].last_seen_at = Some(at(1));
            world.sweeps.pop();
        };
}

#[test]
fn i1_a_batch_that_does_not_add_up_is_named() {
    let found = violations(|world| {
        world.batches[0].counts.received = 0;
        world.runs[0].counts.received = 0;
        world.pages[0].page.rows_done = 0;
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].invariant, "I1");
    assert_eq!(found[0].detail, "the counters of generation 1 do not add up");
}

#[test]
fn i2_a_batch_of_a_page_that_is_gone_is_named() {
    let found = violations(|world| world.batches[2].page_id = PageId(9));
    let expected = Violation {
        invariant: "I2",
        detail: "generation 3 is of page 9, which is gone".to_owned(),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn a_generation_that_is_left_out_is_named() {
    let found = violations(|world| {
        world.batches[2].generation = 4;
        world.generation = 4;
    });
    let details: Vec<&str> = found.iter().map(|one| one.detail.as_str()).collect();
    let expected = ["generation 4 follows 2", "the generation is 4, there are 3 commits"];
    assert_eq!(details, expected);
}

#[test]
fn i1_a_retry_that_is_taken_for_a_load_is_named() {
    let found = violations(|world| world.batches[2].retry = false);
    let details: Vec<&str> = found.iter().map(|one| one.detail.as_str()).collect();
    let expected = [
        "page 2 has 7 rows done, its batches account for 9",
        "page 2 has 2 rows in quarantine, its batches count 4",
    ];
    assert_eq!(details, expected);
}

#[test]
fn a_damaged_store_is_described_in_bounded_memory() {
    let found = violations(|world| {
        let row = world.quarantine[0].clone();
        world.quarantine = (7..5_000)
            .map(|ordinal| kasparro_store::QuarantineRecord { ordinal, ..row.clone() })
            .collect();
    });
    assert_eq!(found.len(), 1_000);
}

#[test]
fn a_chunk_that_cannot_be_read_is_an_error_and_no_violation() {
    let world = World::new();
    let mut audit = kasparro_store::Audit::digest();
    let lost = StoreError::Unavailable("the disk went away".to_owned());
    let mut chunks = |index| {
        if index == 0 { Ok(world.bodies[0].chunks.first().cloned()) } else { Err(lost.clone()) }
    };
    let outcome = audit.body(world.bodies[0].hash, world.bodies[0].body_bytes, &mut chunks);
    assert_eq!(outcome, Err(lost.clone()));
}

#[test]
fn what_the_database_finds_is_a_violation_of_its_own_kind() {
    let found = Violation::integrity("row 3 missing from index".to_owned());
    assert_eq!(found.invariant, "integrity");
    assert_eq!(found.detail, "row 3 missing from index");
}

#[test]
fn sources_do_not_share_checkpoints() {
    // A page of the other source at the same instant stands behind nothing.
    let found = violations(|world| {
        world.checkpoints[1].1.moved_at = at(1);
        assert_eq!(world.pages[0].page.source, gecko());
    });
    assert_eq!(
        found[0].detail,
        format!("{}: no loaded page stands behind the checkpoint", paprika())
    );
}
