//! What may differ between pages, quarantine and decisions with nothing wrong.

use kasparro_domain::{DecisionKind, PageId, RunCounts};
use kasparro_store::{PageRecord, QuarantineStatus};
use serde_json::json;

use crate::violations;
use crate::world::{World, at, run_id};

/// Page 2 fetched once more as page 3: the same request, the same body.
fn again(world: &mut World) -> &mut PageRecord {
    let mut again = world.pages[1].clone();
    again.page.page_id = PageId(3);
    (again.page.fetched_at, again.page.rows_done) = (at(3), 0);
    world.checkpoints[1].1.moved_at = at(3);
    world.pages.push(again);
    world.pages.last_mut().unwrap()
}

/// Adds a batch of a page whose rows all stand in quarantine.
fn refuse_rows(world: &mut World, place: usize, page_id: PageId, rows: u64) {
    let mut batch = world.batches[1].clone();
    batch.page_id = page_id;
    batch.counts = RunCounts { received: rows, quarantined: rows, ..RunCounts::default() };
    world.runs[1].counts.add(&batch.counts);
    world.batches.insert(place, batch);
    for (batch, generation) in world.batches.iter_mut().zip(1..) {
        batch.generation = generation;
    }
    world.generation += 1;
}

#[test]
fn a_page_that_brings_the_same_again_has_its_bad_rows_where_they_are() {
    let found = violations(|world| {
        again(world).page.rows_done = 2;
        refuse_rows(world, 2, PageId(3), 2);
    });
    assert_eq!(found, []);
}

#[test]
fn a_page_that_was_overtaken_may_have_its_bad_rows_at_the_other() {
    let overtaken = |world: &mut World| {
        again(world).page.rows_done = 7;
        refuse_rows(world, 1, PageId(3), 7);
        world.quarantine[1].page_id = PageId(3);
        world.decisions[1].rows[0].page_id = PageId(3);
    };
    assert_eq!(violations(overtaken), []);
    let found = violations(|world| {
        overtaken(world);
        world.batches[2].counts.quarantined = 0;
        world.batches[2].counts.unchanged = 2;
        world.runs[1].counts.quarantined -= 2;
        world.runs[1].counts.unchanged += 2;
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].detail, "page 2 has 1 rows in quarantine, its batches count 0");
}

#[test]
fn a_row_that_was_read_again_and_given_up_later_violates_nothing() {
    let found = violations(|world| {
        let mut retry = world.decisions[1].clone();
        retry.kind = DecisionKind::Retry;
        retry.run_id = Some(run_id(2));
        world.decisions.insert(1, retry);
        for (decision, number) in world.decisions.iter_mut().zip(1..) {
            decision.decision_id.0 = number;
        }
    });
    assert_eq!(found, []);
}

#[test]
fn a_loaded_row_that_nobody_had_read_again_is_named() {
    let found = violations(|world| {
        world.quarantine[1].status = QuarantineStatus::Loaded;
        world.decisions.remove(1);
    });
    let details: Vec<_> = found.iter().map(|violation| violation.detail.as_str()).collect();
    assert!(details.contains(&"retries believed 0 rows, 1 are loaded"), "{details:?}");
    assert!(details.contains(&"no decision tells why row 6 of page 2 is loaded"), "{details:?}");
}

#[test]
fn i2_the_checkpoint_is_that_of_the_newest_page_with_a_position() {
    let reach = |position: Option<i64>, fetched_at: i64| {
        violations(move |world| {
            let record = again(world);
            record.page.fetched_at = at(fetched_at);
            let position = position.map(|page| json!({"page": page}));
            record.page.context = json!({ "position": position });
            world.checkpoints[1].1.moved_at = at(2);
        })
    };
    // None, an older one, and one of the same instant.
    assert_eq!(reach(None, 3), []);
    assert_eq!(reach(Some(9), 1), []);
    assert_eq!(reach(Some(9), 2), []);
    let found = reach(Some(9), 3);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].detail.contains("the checkpoint is not the position"), "{found:?}");
}
