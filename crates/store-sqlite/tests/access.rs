//! Keys, usage and requests with one effect beside and under load, and what they must leave alone.

mod common;
#[path = "common/first_batch.rs"]
mod first_batch;
#[path = "common/keys.rs"]
mod keys;

use std::sync::Arc;
use std::time::Duration;

use common::{LEASE, new_store, source};
use first_batch::first_batch;
use kasparro_domain::{ApiKey, CommandId, ManualClock};
use kasparro_store::{
    AuditStore, CommandStore, KeyEnd, KeyStore, LeaseStore, NewKey, ReadStore, StoreError,
    Submitted, UsageStore,
};
use kasparro_store_sqlite::SqliteStore;
use keys::{key, kinds, minute, once, usage};
use rusqlite::Connection;

const fn new(key: ApiKey) -> NewKey {
    NewKey { key, replaces: None }
}

#[tokio::test]
async fn keys_are_made_and_ended_beside_a_busy_writer() {
    let (_folder, store) = new_store();
    let store = Arc::new(store);
    let beside = SqliteStore::open_beside(store.path(), common::clock()).unwrap();
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for _ in 0..200 {
                store.acquire(&source(), "busy", LEASE).await.unwrap();
            }
        }
    });
    assert_eq!(beside.add_first_key(key("aaaaaaaa", 0)).await, Ok(true));
    for number in 1..20 {
        beside.add_key(new(key(&format!("key{number:05}"), number))).await.unwrap();
    }
    let next = NewKey { key: key("bbbbbbbb", 30), replaces: Some(("aaaaaaaa".into(), minute(40))) };
    beside.add_key(next).await.unwrap();
    assert_eq!(beside.end_key("key00007", KeyEnd::Revoked(minute(31))).await, Ok(true));
    beside.note_key_uses(vec![("bbbbbbbb".to_owned(), minute(32))]).await.unwrap();
    writing.await.unwrap();

    // The server sees at its next look what was done beside it.
    let known = store.keys().await.unwrap();
    assert_eq!(known.len(), 21);
    assert_eq!(known, beside.keys().await.unwrap());
    let good: Vec<_> = known.iter().filter(|key| key.good_at(minute(40))).collect();
    assert_eq!(good.len(), 19, "one was replaced, one was taken back");
    assert_eq!(known.last().unwrap().last_used_at, Some(minute(32)));
}

#[tokio::test]
async fn a_key_that_cannot_replace_another_is_not_written_beside_either() {
    let (_folder, store) = new_store();
    let beside = SqliteStore::open_beside(store.path(), common::clock()).unwrap();
    for handle in [&store, &beside] {
        let next =
            NewKey { key: key("bbbbbbbb", 1), replaces: Some(("zzzzzzzz".into(), minute(2))) };
        match handle.add_key(next).await {
            Err(StoreError::Conflict(why)) => assert!(why.contains("zzzzzzzz"), "{why}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(handle.keys().await, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn of_racing_processes_exactly_one_makes_the_first_key() {
    let (_folder, store) = new_store();
    let mut handles = vec![Arc::new(store)];
    for _ in 0..3 {
        let path = handles[0].path();
        handles.push(Arc::new(SqliteStore::open_beside(path, common::clock()).unwrap()));
    }
    let racing = (0..40).map(|number| {
        let handle = Arc::clone(&handles[number % handles.len()]);
        tokio::spawn(async move { handle.add_first_key(key(&format!("key{number:05}"), 0)).await })
    });
    let mut made = 0;
    for one in racing.collect::<Vec<_>>() {
        made += u32::from(one.await.unwrap().unwrap());
    }
    assert_eq!((made, handles[0].keys().await.unwrap().len()), (1, 1));
}

#[tokio::test]
async fn i17_of_a_hundred_racing_requests_one_is_new_and_all_have_its_commands() {
    let (_folder, store) = new_store();
    let beside = SqliteStore::open_beside(store.path(), common::clock()).unwrap();
    let handles = [Arc::new(store), Arc::new(beside)];
    let racing = (0..100).map(|number| {
        let handle = Arc::clone(&handles[usize::from(number % 4 == 0)]);
        let kinds = kinds(&["coinpaprika", "coingecko"]);
        tokio::spawn(
            async move { handle.submit_once(once("a"), kinds, minute(0), minute(-9)).await },
        )
    });
    let (mut new, mut before) = (Vec::new(), Vec::new());
    for one in racing.collect::<Vec<_>>() {
        match one.await.unwrap().unwrap() {
            Submitted::New(ids) => new.push(ids),
            Submitted::Before(ids, answer) => {
                assert_eq!(answer, once("a").answer);
                before.push(ids);
            }
            Submitted::Other => panic!("all of them ask the same"),
        }
    }
    assert_eq!(new, [[CommandId(1), CommandId(2)]]);
    assert_eq!(before.len(), 99);
    assert!(before.iter().all(|ids| *ids == new[0]), "{before:?}");
    // Their source is known, as with any other command.
    let epoch = handles[0].acquire(&source(), "test", LEASE).await.unwrap();
    let claimed = handles[0].claim_held(&[(source(), epoch)], &[]).await.unwrap();
    assert_eq!(claimed.iter().map(|one| one.command_id).collect::<Vec<_>>(), [CommandId(1)]);
}

#[tokio::test]
async fn i17_a_name_is_known_after_a_restart() {
    let (_folder, store) = new_store();
    let kinds = kinds(&["coinpaprika"]);
    let first = store.submit_once(once("a"), kinds.clone(), minute(0), minute(-9)).await.unwrap();
    assert_eq!(first, Submitted::New(vec![CommandId(1)]));
    let path = store.path().to_owned();
    drop(store);
    let store = SqliteStore::open(path, common::clock()).unwrap();
    let again = store.submit_once(once("a"), kinds, minute(1), minute(-8)).await.unwrap();
    assert_eq!(again, Submitted::Before(vec![CommandId(1)], once("a").answer));
}

#[tokio::test]
async fn i11_what_was_used_is_told_with_the_time_of_the_store_and_kept_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let clock = Arc::new(ManualClock::new(minute(3)));
    let store = SqliteStore::open(&path, clock.clone()).unwrap();
    let shared = store.share_usage(vec![usage("one", 3, 7)], minute(0)).await.unwrap();
    assert_eq!((shared.now, shared.used), (minute(3), vec![usage("one", 3, 7)]));
    drop(store);
    clock.advance(Duration::from_secs(60));
    let store = SqliteStore::open(&path, clock).unwrap();
    let shared = store.share_usage(Vec::new(), minute(0)).await.unwrap();
    assert_eq!((shared.now, shared.used), (minute(4), vec![usage("one", 3, 7)]));
}

#[tokio::test]
async fn i11_no_count_is_lost_among_many_callers_and_a_refused_one_counts_nothing() {
    let (_folder, store) = new_store();
    let store = Arc::new(store);
    let racing = (0..50).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let used =
                vec![usage("all", 0, 2), usage("all", 1, 1), usage(&number.to_string(), 1, 1)];
            store.share_usage(used, minute(0)).await.unwrap();
        })
    });
    for one in racing.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let nameless = vec![usage("all", 0, 5), usage("", 0, 1)];
    let refused = store.share_usage(nameless, minute(0)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let of_all = store.share_usage(vec![usage("all", 1, 0)], minute(0)).await.unwrap().used;
    assert_eq!(of_all, [usage("all", 0, 100), usage("all", 1, 50)]);
    let everybody = store.share_usage(Vec::new(), minute(0)).await.unwrap().used;
    assert_eq!(everybody.len(), 52);
}

#[tokio::test]
async fn a_count_stops_at_the_largest_number() {
    let (_folder, store) = new_store();
    let largest = i64::MAX.cast_unsigned();
    for requests in [largest - 1, largest, 5] {
        store.share_usage(vec![usage("one", 0, requests)], minute(0)).await.unwrap();
    }
    let used = store.share_usage(Vec::new(), minute(0)).await.unwrap().used;
    assert_eq!(used, [usage("one", 0, largest)]);
}

#[tokio::test]
async fn whoever_does_not_hold_the_store_counts_nobody() {
    let (_folder, store) = new_store();
    let beside = SqliteStore::open_beside(store.path(), common::clock()).unwrap();
    let reader = SqliteStore::open_read_only(store.path(), common::clock()).unwrap();
    for handle in [&beside, &reader] {
        let refused = handle.share_usage(vec![usage("one", 0, 1)], minute(0)).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let refused = reader.add_key(new(key("aaaaaaaa", 0))).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let refused = reader.submit_once(once("a"), Vec::new(), minute(0), minute(0)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(reader.share_usage(Vec::new(), minute(0)).await.unwrap().used, []);
}

#[tokio::test]
async fn nothing_of_it_moves_the_digest_or_the_generation() {
    let (_folder, store) = new_store();
    first_batch(&store).await;
    let before = (store.verify().await.unwrap(), store.dump().await.unwrap());
    assert!(store.add_first_key(key("aaaaaaaa", 0)).await.unwrap());
    store.add_key(new(key("bbbbbbbb", 1))).await.unwrap();
    store.end_key("bbbbbbbb", KeyEnd::Revoked(minute(2))).await.unwrap();
    store.note_key_uses(vec![("aaaaaaaa".to_owned(), minute(3))]).await.unwrap();
    store.share_usage(vec![usage("one", 0, 1)], minute(0)).await.unwrap();
    store.forget_usage(minute(0)).await.unwrap();
    store.submit_once(once("a"), Vec::new(), minute(0), minute(0)).await.unwrap();
    assert_eq!((store.verify().await.unwrap(), store.dump().await.unwrap()), before);
    assert_eq!(store.generation().await.unwrap().0, 1);
    assert_eq!(store.watch().borrow().0, 1);
}

#[tokio::test]
async fn what_somebody_changed_behind_the_store_is_told_as_damage() {
    let (_folder, store) = new_store();
    assert!(store.add_first_key(key("aaaaaaaa", 0)).await.unwrap());
    store.submit_once(once("a"), Vec::new(), minute(0), minute(0)).await.unwrap();
    store.share_usage(vec![usage("one", 0, 1)], minute(0)).await.unwrap();
    let direct = Connection::open(store.path()).unwrap();
    direct.pragma_update(None, "ignore_check_constraints", true).unwrap();
    for (table, good, bad) in [
        ("api_key", "scope = 'operate'", "scope = 'root'"),
        ("api_key", "hmac = zeroblob(32)", "hmac = zeroblob(31)"),
        ("api_key", "requests = 500", "requests = -1"),
        ("api_key", "created_at = 0", "created_at = 9223372036854775807"),
        ("api_key", "revoked_at = NULL", "revoked_at = 9223372036854775807"),
        ("once", "commands = '[]'", "commands = '[\"one\"]'"),
        ("once", "answer = 'null'", "answer = '{'"),
        ("once", "asked = zeroblob(32)", "asked = zeroblob(31)"),
        ("request_usage", "requests = 1", "requests = -1"),
    ] {
        let set = |what: &str| direct.execute(&format!("UPDATE {table} SET {what}"), []).unwrap();
        let look = || async {
            let keys = store.keys().await.map(|_| ());
            let once = store.submit_once(once("a"), Vec::new(), minute(0), minute(0)).await;
            let usage = store.share_usage(Vec::new(), minute(0)).await;
            keys.and(once.map(|_| ())).and(usage.map(|_| ()))
        };
        assert_eq!(set(bad), 1, "{table} {bad}");
        let found = look().await;
        assert!(matches!(found, Err(StoreError::Corrupt(_))), "{table} {bad}: {found:?}");
        assert_eq!(set(good), 1, "{table} {good}");
        assert_eq!(look().await, Ok(()), "{table} {good}");
    }
}

#[tokio::test]
async fn keys_that_are_changed_by_hand_are_told_again() {
    let (_folder, store) = new_store();
    for (key_id, number) in [("aaaaaaaa", 0), ("bbbbbbbb", 1)] {
        let key = ApiKey { hmac: [number; 32], ..key(key_id, number.into()) };
        store.add_key(new(key)).await.unwrap();
    }
    let direct = Connection::open(store.path()).unwrap();
    for change in [
        "scope = 'read'",
        "requests = 1",
        "name = key_id",
        // Two rows change values with each other.
        "hmac = (SELECT hmac FROM api_key AS b WHERE b.key_id <> a.key_id)",
        "created_at = (SELECT created_at FROM api_key AS b WHERE b.key_id <> a.key_id)",
        "expires_at = 1",
        "revoked_at = 1",
        "revoked_at = NULL",
    ] {
        let (mark, before) = store.keys_since(None).await.unwrap().unwrap();
        assert_eq!(store.keys_since(Some(mark.clone())).await, Ok(None), "{change}");
        direct.execute(&format!("UPDATE api_key AS a SET {change}"), []).unwrap();
        let (_, after) = store.keys_since(Some(mark)).await.unwrap().unwrap();
        assert_ne!(after, before, "{change}");
    }
    let (mark, _) = store.keys_since(None).await.unwrap().unwrap();
    direct.execute("DELETE FROM api_key", []).unwrap();
    assert_eq!(store.keys_since(Some(mark)).await.unwrap().unwrap().1, []);
}
