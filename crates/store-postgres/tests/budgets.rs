//! Budgets that processes share, here as several handles.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::sync::Arc;

use common::{at, new_store, settings, source};
use kasparro_store::{BudgetStore, StoredBudget};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::{Database, Postgres};
use serde_json::{Value, json};

const HANDLES: usize = 8;

async fn handles() -> (Database, Vec<Arc<PostgresStore>>) {
    let database = Postgres::shared().fresh_database();
    let mut handles = Vec::new();
    for _ in 0..HANDLES {
        let store = PostgresStore::open(settings(&database.url())).await.unwrap();
        handles.push(Arc::new(store));
    }
    (database, handles)
}

#[tokio::test(flavor = "multi_thread")]
async fn i10_of_those_who_replace_a_version_at_once_one_does() {
    let (_database, handles) = handles().await;
    for version in 0..20 {
        let putting = handles.iter().enumerate().map(|(number, store)| {
            let store = Arc::clone(store);
            let put = async move {
                store.put_budget(&source(), "key", version, json!([version, number])).await
            };
            tokio::spawn(put)
        });
        let putting: Vec<_> = putting.collect();
        let mut winners = Vec::new();
        for (number, put) in putting.into_iter().enumerate() {
            if put.await.unwrap().unwrap() {
                winners.push(number);
            }
        }
        let [winner] = winners.as_slice() else { unreachable!("{version}: {winners:?}") };
        let stored = handles[0].budget(&source(), "key").await.unwrap();
        assert_eq!((stored.version, stored.state), (version + 1, json!([version, winner])));
    }
}

/// What each takes is counted once, however they meet: the state is only replaced by whoever read it last.
#[tokio::test(flavor = "multi_thread")]
async fn i10_two_workers_that_take_from_one_budget_lose_nothing() {
    const TAKES: u64 = 25;
    let (_database, handles) = handles().await;
    let taking = handles.iter().take(2).map(|store| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut lost = 0_u64;
            for _ in 0..TAKES {
                loop {
                    let read = store.budget(&source(), "key").await.unwrap();
                    let spent = read.state.as_u64().unwrap_or(0);
                    let next = json!(spent + 1);
                    if store.put_budget(&source(), "key", read.version, next).await.unwrap() {
                        break;
                    }
                    lost += 1;
                }
            }
            lost
        })
    });
    let mut lost = 0;
    for worker in taking.collect::<Vec<_>>() {
        lost += worker.await.unwrap();
    }
    let stored = handles[7].budget(&source(), "key").await.unwrap();
    assert_eq!((stored.version, stored.state), (2 * TAKES, json!(2 * TAKES)), "{lost} were late");
}

#[tokio::test]
async fn a_version_that_never_was_is_not_replaced() {
    let (_database, store) = new_store().await;
    for version in [1, 7, i64::MAX.unsigned_abs()] {
        assert_eq!(store.put_budget(&source(), "key", version, json!(1)).await, Ok(false));
    }
    assert_eq!(store.budgets().await.unwrap(), []);
    let nothing = store.budget(&source(), "key").await.unwrap();
    assert_eq!((nothing.version, nothing.state), (0, Value::Null));
}

#[tokio::test]
async fn a_budget_comes_with_the_time_of_the_database() {
    let (database, store) = new_store().await;
    let before = store.budget(&source(), "key").await.unwrap().now.unwrap();
    let after = store.budget(&source(), "key").await.unwrap().now.unwrap();
    assert!(before <= after, "{before} {after}");
    let frozen = "CREATE OR REPLACE FUNCTION kasparro.store_now() RETURNS timestamptz
                  LANGUAGE sql VOLATILE AS $$ SELECT to_timestamp(1700000060) $$";
    database.sql(frozen).await;
    let nothing = StoredBudget { now: Some(at(1)), ..StoredBudget::default() };
    assert_eq!(store.budget(&source(), "key").await.unwrap(), nothing);
    assert!(store.put_budget(&source(), "key", 0, json!({"spent": 1})).await.unwrap());
    let stored = StoredBudget { version: 1, state: json!({"spent": 1}), now: Some(at(1)) };
    assert_eq!(store.budget(&source(), "key").await.unwrap(), stored);
}
