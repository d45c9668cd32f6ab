//! Stories about rows that are read again.

use kasparro_domain::{Decision, DecisionId, DecisionKind, PageRow, RawPage, RejectionReason};
use kasparro_domain::{RunCounts, RunReason};
use serde_json::json;

use super::fixture::{
    Held, NEW, Subject, at, bad, changes, end, hold, page_now, paprika, row, run_id, started,
};
use super::quarantine::{HERE, all_bad};
use super::stated::{FOUND, item, statement};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{Batch, NewPage, QuarantineFilter, QuarantineRow, QuarantineStatus, Retry, Sweep};

/// Makes one thing of a batch wrong.
type Spoil = fn(&mut Batch);

/// A page whose six rows are in quarantine, met again on a later page, and a run that reads again.
struct Again {
    first: RawPage,
    again: RawPage,
    held: Held,
}

async fn again(store: &Subject) -> Result<Again, Broken> {
    let held = hold(store, paprika(), 1).await?;
    let first = all_bad(store, &held, 0, 6, RejectionReason::BadNumber).await?;
    end(store, &held).await?;
    let held = hold(store, paprika(), 2).await?;
    // The same request brings the same bytes again: the rows stay where they were met first.
    let page = NewPage { sequence: 1, ..held.new_page(0) };
    let page = store.land(page, super::fixture::body(b"page 0 at 3")).await?;
    let mut batch = held.batch(&page, 1, Vec::new());
    batch.quarantined = (0..6).map(|no| bad(no, RejectionReason::BadNumber)).collect();
    batch.rows_done = 6;
    batch.page_done = true;
    store.commit(batch).await?;
    end(store, &held).await?;
    let again = page_now(store, &page).await?;
    let run_id = run_id(3);
    store.queue_run(run_id, &paprika(), RunReason::Retry, at(20)).await?;
    store.update_run(run_id, held.epoch, started(20)).await?;
    Ok(Again { first, again, held: Held { run_id, ..held } })
}

impl Again {
    /// A batch that reads these rows of the later page again, without a disposition for any.
    fn batch(&self, sequence: u64, ordinals: &[u64]) -> Batch {
        let retry = Retry {
            who: "a person".to_owned(),
            why: "the rule was wrong".to_owned(),
            ordinals: ordinals.to_vec(),
        };
        Batch {
            retry: Some(retry),
            stored_at: at(21),
            ..self.held.batch(&self.again, sequence, Vec::new())
        }
    }
}

/// The six rows in quarantine.
async fn rows(store: &Subject) -> Result<Vec<QuarantineRow>, Broken> {
    let rows = store.quarantined(QuarantineFilter::default()).await?;
    expect_eq("rows in quarantine", rows.len(), 6)?;
    Ok(rows)
}

pub(super) async fn a_retry_loads_rows_and_is_written_down(store: Subject) -> Told {
    let world = again(&store).await?;
    let before = rows(&store).await?;
    let pages = [world.first.page_id, world.again.page_id];
    let [first, second] = pages;
    ensure(before.iter().all(|row| row.page_id == first), "rows stay where they were met")?;
    let since = store.generation().await?;
    let mut batch = world.batch(2, &[0, 1, 2, 3, 5]);
    batch.rows = vec![row(0, NEW, "doge", at(10), "1"), row(1, HERE, "doge", at(11), "2")];
    batch.evidence = vec![statement(2, FOUND, "dai", &[])];
    batch.news = vec![item(3, "1", "a headline", None)];
    let mut still = bad(5, RejectionReason::MissingField);
    still.rule = "domain/2";
    still.rejection.value = "null".to_owned();
    still.rejection.field = "/symbol".to_owned();
    still.rejection.external_id = None;
    batch.quarantined = vec![still];
    let committed = store.commit(batch.clone()).await?;
    let counts =
        RunCounts { received: 5, inserted: 3, updated: 1, quarantined: 1, ..RunCounts::default() };
    expect_eq("counts", committed.counts, counts)?;
    expect_eq("new listings", committed.new_listings.len(), 2)?;
    expect_eq("readers see", changes(&store, since).await?.1.len(), 2)?;
    let run = store.run(world.held.run_id).await?;
    expect_eq("the run", run.map(|run| (run.counts, run.pages)), Some((counts, 0)))?;
    for (page, before) in pages.into_iter().zip([&world.first, &world.again]) {
        expect_eq("a page", store.page(page).await?.as_ref(), Some(before))?;
    }
    let mut expected = before;
    for row in &mut expected[..4] {
        row.status = QuarantineStatus::Loaded;
    }
    expected[5].reason = RejectionReason::MissingField;
    expected[5].field = "/symbol".to_owned();
    expected[5].value = "null".to_owned();
    expected[5].rule = "domain/2".to_owned();
    expected[5].external_id = None;
    expect_eq("rows", rows(&store).await?, expected)?;
    let decisions = store.decisions().await?;
    let decision = Decision {
        decision_id: decisions.first().map_or(DecisionId(0), |one| one.decision_id),
        kind: DecisionKind::Retry,
        source: paprika(),
        rows: [0, 1, 2, 3, 5].map(|ordinal| PageRow { page_id: first, ordinal }).to_vec(),
        drift: Vec::new(),
        pairs: Vec::new(),
        relation: None,
        forced: false,
        who: "a person".to_owned(),
        why: "the rule was wrong".to_owned(),
        decided_at: at(21),
        after_page: second,
        run_id: Some(world.held.run_id),
    };
    expect_eq("decisions", &decisions, &vec![decision])?;
    let tables = store.dump().await?;
    expect_eq("sent twice", store.commit(batch).await?, committed)?;
    expect_eq("tables", store.dump().await?, tables)
}

pub(super) async fn what_is_not_open_is_not_read_again(store: Subject) -> Told {
    let world = again(&store).await?;
    let all = rows(&store).await?;
    let mut first = world.batch(2, &[0]);
    first.unchanged = 1;
    store.commit(first).await?;
    store.discard(vec![all[1].quarantine_id], "a person", "noise", at(22)).await?;
    let before = store.dump().await?;
    for (ordinal, what) in [(0, "a loaded row"), (1, "a discarded row"), (6, "no row")] {
        let mut batch = world.batch(3, &[ordinal]);
        batch.rows = vec![row(ordinal, NEW, "doge", at(10), "1")];
        expect_conflict(what, store.commit(batch).await)?;
        let mut batch = world.batch(3, &[ordinal]);
        batch.quarantined = vec![bad(ordinal, RejectionReason::Malformed)];
        expect_conflict(&format!("{what}, refused"), store.commit(batch).await)?;
        let mut batch = world.batch(3, if ordinal < 2 { &[0, 1, 2] } else { &[2, 3, 6] });
        batch.unchanged = 3;
        expect_conflict(&format!("{what} among others"), store.commit(batch).await)?;
    }
    expect_eq("tables", store.dump().await?, before)?;
    let mut rest = world.batch(3, &[2, 3, 4, 5]);
    rest.unchanged = 4;
    expect_eq("the rest", store.commit(rest).await?.counts.unchanged, 4)?;
    expect_eq("open", store.quarantine_counts().await?, Vec::new())
}

pub(super) async fn a_retry_accounts_for_its_rows_and_moves_nothing_else(store: Subject) -> Told {
    let world = again(&store).await?;
    let landed = world.held.land_at(&store, 7, 8).await?;
    let before = store.dump().await?;
    let good = || {
        let mut batch = world.batch(2, &[0, 1]);
        batch.rows = vec![row(0, NEW, "doge", at(10), "1")];
        batch.quarantined = vec![bad(1, RejectionReason::Malformed)];
        batch
    };
    let spoil: [(&str, Spoil); 10] = [
        ("progress", |batch| batch.rows_done += 1),
        ("the end of its page", |batch| batch.page_done = true),
        ("a position", |batch| batch.position = Some(json!(1))),
        ("a sweep", |batch| batch.sweep = Some(Sweep::default())),
        ("a row too many", |batch| batch.unchanged = 1),
        ("a row too few", |batch| batch.quarantined.clear()),
        ("a row that nobody named", |batch| batch.rows[0].ordinal = 2),
        ("a refusal that nobody named", |batch| batch.quarantined[0].ordinal = 2),
        ("rows out of order", |batch| {
            if let Some(retry) = &mut batch.retry {
                retry.ordinals.reverse();
            }
        }),
        ("a text that no store may hold", |batch| {
            if let Some(retry) = &mut batch.retry {
                retry.why = "\0".to_owned();
            }
        }),
    ];
    for (what, spoil) in spoil {
        let mut batch = good();
        spoil(&mut batch);
        expect_conflict(what, store.commit(batch).await)?;
    }
    let unfinished = Batch { page_id: landed.page_id, rows_done: 0, ..good() };
    expect_conflict("a page that is not loaded", store.commit(unfinished).await)?;
    expect_eq("tables", store.dump().await?, before)?;
    store.commit(good()).await?;
    Ok(())
}

pub(super) async fn a_retry_that_writes_unsettles_a_page(store: Subject) -> Told {
    let world = again(&store).await?;
    let page = world.again.page_id;
    let counts = RunCounts { received: 6, quarantined: 6, ..RunCounts::default() };
    expect_eq("at first", store.settled(page).await?, Some(counts))?;
    let mut nothing = world.batch(2, &[0, 1]);
    nothing.unchanged = 1;
    nothing.quarantined = vec![bad(1, RejectionReason::Malformed)];
    store.commit(nothing).await?;
    expect_eq("a retry that wrote nothing", store.settled(page).await?, Some(counts))?;
    let mut writes = world.batch(3, &[2]);
    writes.rows = vec![row(2, NEW, "doge", at(10), "1")];
    store.commit(writes).await?;
    expect_eq("a retry that wrote", store.settled(page).await?, None)?;
    expect_eq("the page before", store.settled(world.first.page_id).await?, None)
}

pub(super) async fn equal_bytes_of_two_requests_are_read_again_apart(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let one = all_bad(&store, &held, 0, 2, RejectionReason::BadNumber).await?;
    // Another request brings the same bytes, for example the file of another day.
    let page = store.land(held.new_page(1), super::fixture::body(b"page 0 at 3")).await?;
    let mut batch = held.batch(&page, 1, Vec::new());
    batch.quarantined = (0..2).map(|no| bad(no, RejectionReason::WrongType)).collect();
    batch.rows_done = 2;
    batch.page_done = true;
    store.commit(batch).await?;
    let other = page_now(&store, &page).await?;
    expect_eq("the body", other.body, one.body)?;
    let all = store.quarantined(QuarantineFilter::default()).await?;
    let place = |row: &QuarantineRow| (row.page_id, row.ordinal, row.reason);
    let expected = vec![
        (one.page_id, 0, RejectionReason::BadNumber),
        (one.page_id, 1, RejectionReason::BadNumber),
        (other.page_id, 0, RejectionReason::WrongType),
        (other.page_id, 1, RejectionReason::WrongType),
    ];
    expect_eq("rows", all.iter().map(place).collect::<Vec<_>>(), expected)?;
    end(&store, &held).await?;

    let run_id = run_id(2);
    store.queue_run(run_id, &paprika(), RunReason::Retry, at(20)).await?;
    store.update_run(run_id, held.epoch, started(20)).await?;
    let held = Held { run_id, ..held };
    let read = |page: &RawPage, sequence, ordinals: &[u64]| {
        let (who, why) = ("a person".to_owned(), "the rule was wrong".to_owned());
        let retry = Some(Retry { who, why, ordinals: ordinals.to_vec() });
        Batch { retry, ..held.batch(page, sequence, Vec::new()) }
    };
    let mut first = read(&one, 2, &[0]);
    first.rows = vec![row(0, NEW, "doge", at(10), "1")];
    first.rows_done = one.rows_done;
    store.commit(first).await?;
    let mut second = read(&other, 3, &[0, 1]);
    second.unchanged = 1;
    second.quarantined = vec![bad(1, RejectionReason::MissingField)];
    store.commit(second).await?;
    let all = store.quarantined(QuarantineFilter::default()).await?;
    let came: Vec<_> = all.iter().map(|row| (row.status, row.reason)).collect();
    let expected = vec![
        (QuarantineStatus::Loaded, RejectionReason::BadNumber),
        (QuarantineStatus::Open, RejectionReason::BadNumber),
        (QuarantineStatus::Loaded, RejectionReason::WrongType),
        (QuarantineStatus::Open, RejectionReason::MissingField),
    ];
    expect_eq("rows", came, expected)?;
    let decided = store.decisions().await?;
    let rows = |page: &RawPage, ordinals: &[u64]| -> Vec<PageRow> {
        ordinals.iter().map(|no| PageRow { page_id: page.page_id, ordinal: *no }).collect()
    };
    let decided: Vec<_> = decided.into_iter().map(|decision| decision.rows).collect();
    expect_eq("decisions", decided, vec![rows(&one, &[0]), rows(&other, &[0, 1])])?;
    let open = all.iter().filter(|row| row.ordinal == 1).map(|row| row.quarantine_id).collect();
    expect_eq("given up", store.discard(open, "a person", "noise", at(30)).await?, 2)
}
