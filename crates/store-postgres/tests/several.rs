//! Several processes at one store, here as several handles.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use common::findings::{change, examined};
use common::{HANDLES, LEASE, at, batch, body, handles, landed, new_page, new_row, run_id, source};
use kasparro_domain::{CommandKind, DriftId, DriftStatus, ListingId, RunReason, SourceName};
use kasparro_store::{
    AuditStore, BatchStore, CommandStore, DriftFilter, DriftStore, HistoryRange, HistoryStore,
    LeaseStore, ListingRef, NewPage, PageStore, RowChange, RunStore, StoreError, StoreResult,
};
use kasparro_store_postgres::PostgresStore;

/// Has every handle do the same at once.
async fn all<T, F>(
    handles: &[Arc<PostgresStore>],
    act: impl Fn(usize, Arc<PostgresStore>) -> F,
) -> Vec<StoreResult<T>>
where
    T: Send + 'static,
    F: Future<Output = StoreResult<T>> + Send + 'static,
{
    let acting = handles.iter().enumerate().map(|(number, store)| act(number, Arc::clone(store)));
    let acting: Vec<_> = acting.map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for one in acting {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_of_those_who_take_a_source_at_once_one_gets_it() {
    let (_database, handles) = handles().await;
    for expected in 1..=20 {
        let outcomes = all(&handles, |number, store| async move {
            store.acquire(&source(), &format!("holder {number}"), LEASE).await
        })
        .await;
        let epochs: Vec<u64> = outcomes.iter().flatten().copied().collect();
        assert_eq!(epochs, [expected], "{outcomes:?}");
        let held = |outcome: &StoreResult<u64>| matches!(outcome, Err(StoreError::Held { .. }));
        assert_eq!(outcomes.iter().filter(|one| held(one)).count(), HANDLES - 1);
        handles[0].release(&source(), expected).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_queue_a_run_at_once_all_find_the_same() {
    let (_database, handles) = handles().await;
    let outcomes = all(&handles, |number, store| async move {
        let run = run_id(number as u128 + 1);
        store.queue_run(run, &source(), RunReason::Manual, at(0)).await
    })
    .await;
    let runs: BTreeSet<_> = outcomes.into_iter().map(|run| run.unwrap().run_id).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_come_at_once_are_kept_once() {
    let (database, handles) = handles().await;
    let outcomes = all(&handles, |number, store| async move {
        let source = SourceName::new(&format!("source-{number}"));
        let epoch = store.acquire(&source, "test", LEASE).await?;
        let run_id = run_id(number as u128 + 1);
        store.queue_run(run_id, &source, RunReason::Manual, at(0)).await?;
        store.land(NewPage { source, epoch, run_id, ..new_page() }, body(b"equal bytes")).await
    })
    .await;
    let bodies: BTreeSet<_> = outcomes.into_iter().map(|page| page.unwrap().body).collect();
    assert_eq!(bodies.len(), 1);
    let kept = database.sql("SELECT count(*) FROM kasparro.raw_chunk").await;
    assert_eq!(kept, [[Some("1".to_owned())]]);
    assert_eq!(handles[0].verify().await.unwrap().violations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_claimed_by_one_of_those_who_ask_at_once() {
    let (_database, handles) = handles().await;
    let epoch = handles[0].acquire(&source(), "test", LEASE).await.unwrap();
    let mut under_way = Vec::new();
    for number in 0..20 {
        let run_id = run_id(number);
        let kind = CommandKind::Run { source: source(), run_id, lists: false };
        let command = handles[0].submit(kind, at(0)).await.unwrap();
        under_way.push(command);
        let known = under_way.clone();
        let outcomes = all(&handles, move |_, store| {
            let known = known.clone();
            async move { store.claim_held(&[(source(), epoch)], &known).await }
        })
        .await;
        let claimed: Vec<_> = outcomes.into_iter().flat_map(Result::unwrap).collect();
        let claimed: Vec<_> = claimed.iter().map(|command| command.command_id).collect();
        assert_eq!(claimed, [command]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_a_take_over_waits_for_a_batch_and_the_next_one_is_fenced() {
    let (database, handles) = handles().await;
    let (epoch, page) = landed(&handles[0]).await;
    handles[0].release(&source(), epoch).await.unwrap();
    // As a transaction of the old holder that has checked its epoch and not yet ended.
    let old = kasparro_testkit::postgres::connect(&database.url()).await.unwrap();
    old.batch_execute("BEGIN; SELECT epoch FROM kasparro.lease FOR UPDATE").await.unwrap();
    let taking = tokio::spawn({
        let store = Arc::clone(&handles[1]);
        async move { store.acquire(&source(), "the next holder", LEASE).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!taking.is_finished(), "the old holder is not done");
    old.batch_execute("COMMIT").await.unwrap();
    assert_eq!(taking.await.unwrap(), Ok(epoch + 1));
    let late = handles[0].commit(batch(&page, epoch, 0, Vec::new())).await;
    assert_eq!(late, Err(StoreError::Fenced { source_name: source(), epoch }));
}

#[tokio::test]
async fn points_that_lie_years_apart_are_found_both_ways() {
    let (_database, handles) = handles().await;
    let store = &handles[0];
    let (epoch, page) = landed(store).await;
    let hour = 60;
    let instants = [0, hour, 24 * hour, 40 * 24 * hour, 400 * 24 * hour, 4_000 * 24 * hour];
    let mut rows = vec![new_row(0, "btc")];
    for (place, minutes) in instants.iter().enumerate().skip(1) {
        let mut row = new_row(place as u64, "btc");
        row.change = RowChange::Newer { listing: ListingRef::InBatch };
        row.observed_at = at(*minutes);
        rows.push(row);
    }
    let mut batch = batch(&page, epoch, 0, rows);
    batch.rows_done = instants.len() as u64;
    store.commit(batch).await.unwrap();

    let read = async |range: HistoryRange| -> Vec<_> {
        let points = store.history(ListingId(1), range).await.unwrap();
        points.into_iter().map(|point| point.observed_at).collect()
    };
    let mut all: Vec<_> = instants.iter().map(|minutes| at(*minutes)).collect();
    assert_eq!(read(HistoryRange::default()).await, all);
    let some = HistoryRange { from: Some(at(1)), until: Some(all[5]), ..HistoryRange::default() };
    assert_eq!(read(some).await, all[1..5]);
    let first = HistoryRange { limit: Some(4), ..HistoryRange::default() };
    assert_eq!(read(first).await, all[..4]);
    all.reverse();
    let newest = HistoryRange { newest_first: true, ..HistoryRange::default() };
    assert_eq!(read(newest).await, all);
    assert_eq!(read(HistoryRange { limit: Some(2), ..newest }).await, all[..2]);
}

/// Both lock the rows of changes in one order, so neither waits for the other in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_may_be_accepted_while_a_page_shows_it_again() {
    let (_database, handles) = handles().await;
    let (epoch, mut page) = landed(&handles[0]).await;
    let changes: Vec<_> = (0..40).map(|number| change(&format!("/{number}"))).collect();
    for sequence in 0..10 {
        let mut changes = changes.clone();
        if sequence % 2 == 1 {
            changes.reverse();
        }
        let mut batch = batch(&page, epoch, sequence, Vec::new());
        (batch.page_done, batch.examined) = (true, Some(examined(changes)));
        let few = (1..=4).rev().map(|number| DriftId(4 * sequence.cast_signed() + number));
        let accepting = handles[1].accept_drift(few.collect(), "a person", "fine", at(1));
        let (committed, accepted) = tokio::join!(handles[0].commit(batch), accepting);
        committed.unwrap();
        // Those of the first batch may not have been there yet.
        assert!(accepted.clone().unwrap() == 4 || sequence == 0, "{accepted:?}");
        let next = NewPage { sequence: sequence + 1, epoch, ..new_page() };
        page = handles[0].land(next, body(b"a page")).await.unwrap();
    }
    let rows = handles[2].drift(DriftFilter::default()).await.unwrap();
    assert_eq!(rows.len(), 40);
    assert!(rows.iter().all(|row| row.pages_seen == 10));
    let accepted = |row: &kasparro_domain::DriftRow| row.status == DriftStatus::Accepted;
    assert!(rows.iter().skip(4).all(accepted));
    assert_eq!(handles[2].verify().await.unwrap().violations, []);
}
