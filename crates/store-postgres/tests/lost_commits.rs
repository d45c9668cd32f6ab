//! Commits that meet a broken network, neighbours, and callers that go away.

mod rows;

use std::time::Duration;

use kasparro_domain::{Generation, ListingId, RunReason, SourceName};
use kasparro_store::{
    AuditStore, Batch, BatchRow, BatchStore, LeaseStore, ListingRef, NewPage, PageStore, ReadStore,
    RowChange, RunStore, StoreError,
};
use kasparro_testkit::PATIENCE;
use kasparro_testkit::postgres::{Database, Relay, connect};
use rows::{
    LEASE, at, body, database, landed, new_page, new_row, new_store, run_id, store_at, whole,
};

/// Asks the database until the answer is the one that is waited for.
async fn until(database: &Database, sql: &str, wanted: &str) {
    let begun = std::time::Instant::now();
    loop {
        let answer = database.sql(sql).await.remove(0).remove(0);
        if answer.as_deref() == Some(wanted) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{sql}: {answer:?} instead of {wanted}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes COMMIT take so long that a test can break something meanwhile.
async fn slow_commits(database: &Database) {
    let sql = "CREATE FUNCTION s.slowly() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$;
               CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON s.batch
               DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION s.slowly()";
    database.sql(sql).await;
}

/// How many backends are within a slow COMMIT.
const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'PgSleep'";

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_commit_whose_answer_is_lost_is_looked_up() {
    let database = database();
    let relay = Relay::start(&database.address());
    let store = store_at(&database.url_at(&relay.address), "s").await;
    let (epoch, mut page) = landed(&store).await;
    slow_commits(&database).await;
    let batch = whole(&page, epoch, 0, vec![new_row(0, "coin")]);
    let batch = Batch { page_done: true, ..batch };
    let breaking = async {
        until(&database, COMMITTING, "1").await;
        relay.cut();
        relay.heal();
    };
    let (committed, ()) = tokio::join!(store.commit(batch.clone()), breaking);
    let committed = committed.unwrap();
    assert_eq!(committed.generation, Generation(1));
    assert_eq!(committed.counts.inserted, 1);
    assert_eq!(store.generation().await.unwrap(), Generation(1));
    assert_eq!(store.commit(batch).await.unwrap(), committed);
    assert_eq!(store.verify().await.unwrap().violations, []);
    // Its numbers are in use: the next batch has others.
    page.rows_done = 1;
    let next = store.commit(whole(&page, epoch, 1, vec![new_row(1, "other")])).await.unwrap();
    assert_eq!(next.new_listings, [ListingId(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_a_commit_that_the_server_broke_off_is_done_again() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    slow_commits(&database).await;
    let batch = whole(&page, epoch, 0, vec![new_row(0, "coin")]);
    let breaking = async {
        until(&database, COMMITTING, "1").await;
        database
            .sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND query = 'COMMIT'",
            )
            .await;
        database.sql("DROP TRIGGER slowly ON s.batch").await;
    };
    let (committed, ()) = tokio::join!(store.commit(batch), breaking);
    assert_eq!(committed.unwrap().new_listings, [ListingId(1)]);
    assert_eq!(store.generation().await.unwrap(), Generation(1));
    assert_eq!(store.memory(&rows::source()).await.unwrap().listings.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_a_lost_commit_of_an_epoch_that_is_over_is_not_taken_for_that_of_the_next_holder() {
    let database = database();
    let relay = Relay::start(&database.address());
    let store = store_at(&database.url_at(&relay.address), "s").await;
    let other = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    slow_commits(&database).await;
    let breaking = async {
        until(&database, COMMITTING, "1").await;
        relay.cut();
        // The server breaks the transaction off, and somebody else takes source and sequence.
        database
            .sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND query = 'COMMIT'",
            )
            .await;
        database.sql("DROP TRIGGER slowly ON s.batch").await;
        database.sql("UPDATE s.lease SET expires_at = 'epoch'").await;
        let next = other.acquire(&rows::source(), "other", LEASE).await.unwrap();
        let theirs = whole(&page, next, 0, vec![new_row(0, "theirs"), new_row(1, "more")]);
        other.commit(theirs).await.unwrap();
        relay.heal();
    };
    let ours = whole(&page, epoch, 0, vec![new_row(0, "ours")]);
    let (fenced, ()) = tokio::join!(store.commit(ours), breaking);
    assert!(matches!(fenced, Err(StoreError::Fenced { .. })), "{fenced:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_no_open_transaction() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    let batch = whole(&page, epoch, 0, vec![new_row(0, "coin")]);
    let neighbour = connect(&database.url()).await.unwrap();
    neighbour.batch_execute("BEGIN; LOCK TABLE s.quote").await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    tokio::select! {
        done = store.commit(batch.clone()) => panic!("nothing was in its way: {done:?}"),
        () = until(&database, waiting, "1") => {}
    }
    neighbour.batch_execute("ROLLBACK").await.unwrap();
    let open = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND xact_start IS NOT NULL
                  AND pid <> pg_backend_pid()";
    until(&database, open, "0").await;
    assert_eq!(store.generation().await.unwrap(), Generation(0));
    // What went away took a number with it.
    let committed = store.commit(batch).await.unwrap();
    assert_eq!(committed.new_listings, [ListingId(2)]);
    assert_eq!(committed.generation, Generation(1));
}

#[tokio::test]
async fn a_transaction_in_whose_way_another_one_was_is_done_again() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    // A sequence counts on where a transaction is rolled back.
    database
        .sql(
            "CREATE SEQUENCE s.tries;
              CREATE TABLE s.limits (most bigint);
              INSERT INTO s.limits VALUES (3);
              CREATE FUNCTION s.collide() RETURNS trigger LANGUAGE plpgsql AS $$
              BEGIN
                IF nextval('s.tries') <= (SELECT most FROM s.limits) THEN
                  RAISE EXCEPTION 'a collision' USING ERRCODE = 'deadlock_detected';
                END IF;
                RETURN new;
              END $$;
              CREATE TRIGGER collide BEFORE INSERT ON s.batch
              FOR EACH ROW EXECUTE FUNCTION s.collide()",
        )
        .await;
    let batch = |sequence: u64, row: BatchRow| {
        let mut page = page.clone();
        page.rows_done = sequence;
        whole(&page, epoch, sequence, vec![row])
    };
    let first = batch(0, new_row(0, "coin-0"));
    assert_eq!(store.commit(first).await.unwrap().new_listings, [ListingId(1)]);
    // The same where a quote is replaced.
    database.sql("UPDATE s.limits SET most = 6").await;
    let mut newer = new_row(0, "coin-0");
    newer.change = RowChange::Newer { listing: ListingRef::Stored(ListingId(1)) };
    newer.observed_at = at(1);
    assert_eq!(store.commit(batch(1, newer)).await.unwrap().counts.updated, 1);
    database.sql("UPDATE s.limits SET most = 11").await;
    let busy = store.commit(batch(2, new_row(0, "coin-2"))).await;
    assert!(matches!(busy, Err(StoreError::Unavailable(_))), "{busy:?}");
    let done = store.commit(batch(2, new_row(0, "coin-2"))).await.unwrap();
    assert_eq!(done.new_listings, [ListingId(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_different_sources_never_share_a_number() {
    let database = database();
    let stores = [new_store(&database, "s").await, new_store(&database, "s").await];
    let mut writing = Vec::new();
    for (number, store) in (1..).zip(stores) {
        writing.push(tokio::spawn(async move {
            let source = SourceName::new(&format!("source-{number}"));
            let epoch = store.acquire(&source, "test", LEASE).await.unwrap();
            let run_id = run_id(number);
            store.queue_run(run_id, &source, RunReason::Manual, at(0)).await.unwrap();
            let page = NewPage { source: source.clone(), epoch, run_id, ..new_page() };
            let mut page = store.land(page, body(b"a page")).await.unwrap();
            let mut ids = Vec::new();
            for sequence in 0..12 {
                // Months that neither knows of yet, made by both at once.
                let month = at(i64::try_from(sequence).unwrap() * 60 * 24 * 40);
                let row = |ordinal| {
                    let mut row = new_row(ordinal, &format!("coin-{sequence}-{ordinal}"));
                    row.observed_at = month;
                    row
                };
                let mut batch = whole(&page, epoch, sequence, (0..7).map(row).collect());
                (batch.source, batch.run_id) = (source.clone(), run_id);
                batch.page_done = sequence == 11;
                let refused = Batch { rows: vec![row(0), row(0)], ..batch.clone() };
                let refused = store.commit(refused).await;
                assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
                let committed = store.commit(batch.clone()).await.unwrap();
                page.rows_done = batch.rows_done;
                let first = committed.new_listings[0];
                let successive: Vec<_> = (0..7).map(|more| ListingId(first.0 + more)).collect();
                assert_eq!(committed.new_listings, successive);
                ids.extend(committed.new_listings);
            }
            (store, ids)
        }));
    }
    let mut all = std::collections::BTreeSet::new();
    let mut stores = Vec::new();
    for told in writing {
        let (store, ids) = told.await.unwrap();
        all.extend(ids);
        stores.push(store);
    }
    assert_eq!(all.len(), 2 * 12 * 7);
    assert_eq!(stores[0].generation().await.unwrap(), Generation(24));
    assert_eq!(stores[0].verify().await.unwrap().violations, []);
}
